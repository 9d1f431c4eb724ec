//! File descriptors: what a program reads from and writes to.
//!
//! Invariant: a clone of a descriptor is the same open file, as after `dup(2)`: one offset, one pipe end.

use super::pipe::{self, PipeReader, PipeWriter};
use super::{Console, Terminal};
use crate::fs::{Device, File};
use crate::log::Stream;
use std::sync::Arc;

/// How much one read takes at most.
const CHUNK: usize = 64 << 10;

/// Why reading or writing failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IoError {
    /// `EPIPE`: nobody reads any more. A program that does not handle it dies of `SIGPIPE`.
    #[error("Broken pipe")]
    BrokenPipe,
    /// `EBADF`: closed, or opened for the other direction.
    #[error("Bad file descriptor")]
    BadDescriptor,
    /// What the file system says.
    #[error(transparent)]
    Fs(#[from] crate::fs::FsError),
}

/// A file descriptor.
#[derive(Clone, Debug)]
pub struct Fd {
    kind: Kind,
    terminal: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Null,
    Closed,
    Reader(Arc<PipeReader>),
    Writer(Arc<PipeWriter>),
    File(Arc<File>),
    Console(Console, Stream),
    Terminal(Terminal),
}

impl Fd {
    /// Reads nothing, swallows everything: `/dev/null`.
    #[must_use]
    pub fn null() -> Self {
        Self { kind: Kind::Null, terminal: false }
    }

    /// A descriptor that is not open.
    #[must_use]
    pub fn closed() -> Self {
        Self { kind: Kind::Closed, terminal: false }
    }

    /// A new pipe: the end to read, the end to write.
    #[must_use]
    pub fn pipe() -> (Self, Self) {
        let (reader, writer) = pipe::pipe();
        (Self::reader(reader), Self { kind: Kind::Writer(Arc::new(writer)), terminal: false })
    }

    /// The end of a pipe that is read.
    pub(super) fn reader(reader: PipeReader) -> Self {
        Self { kind: Kind::Reader(Arc::new(reader)), terminal: false }
    }

    /// An open file.
    #[must_use]
    pub fn file(file: File) -> Self {
        match file.device() {
            Some(Device::Null) => Self::null(),
            _ => Self { kind: Kind::File(Arc::new(file)), terminal: false },
        }
    }

    /// One stream of the output of a container's command.
    #[must_use]
    pub fn console(console: Console, stream: Stream) -> Self {
        Self { kind: Kind::Console(console, stream), terminal: false }
    }

    /// The lines that are typed at a terminal.
    #[must_use]
    pub fn typed_at(terminal: Terminal) -> Self {
        Self { kind: Kind::Terminal(terminal), terminal: true }
    }

    /// The same descriptor as what a terminal shows: `isatty` holds, and a line feed that is written leaves as carriage
    /// return and line feed.
    #[must_use]
    pub fn into_terminal(self) -> Self {
        Self { terminal: true, ..self }
    }

    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether it is open at all.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.kind, Kind::Closed)
    }

    /// The file behind it, if it is one.
    #[must_use]
    pub fn as_file(&self) -> Option<&File> {
        match &self.kind {
            Kind::File(file) => Some(file),
            _ => None,
        }
    }

    /// Waits for data and reads at most `max` bytes; empty at the end.
    ///
    /// # Errors
    /// [`IoError::BadDescriptor`] when it cannot be read.
    pub async fn read(&self, max: usize) -> Result<Vec<u8>, IoError> {
        match &self.kind {
            Kind::Null => Ok(Vec::new()),
            Kind::Reader(reader) => Ok(reader.read(max.min(CHUNK)).await),
            Kind::File(file) => Ok(file.read(max.min(CHUNK))?),
            Kind::Terminal(terminal) => Ok(terminal.read(max.min(CHUNK)).await),
            Kind::Closed | Kind::Writer(_) | Kind::Console(..) => Err(IoError::BadDescriptor),
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// [`IoError::BrokenPipe`] when nobody reads any more, [`IoError::BadDescriptor`] when it cannot be written.
    pub async fn write_all(&self, data: &[u8]) -> Result<(), IoError> {
        let cooked;
        let data = if self.terminal && data.contains(&b'\n') {
            cooked = cook(data);
            &cooked
        } else {
            data
        };
        match &self.kind {
            Kind::Null => Ok(()),
            Kind::Writer(writer) => writer.write_all(data).await.map_err(|pipe::Broken| IoError::BrokenPipe),
            Kind::File(file) => Ok(file.write(data).map(|_| ())?),
            Kind::Console(console, stream) => {
                console.write(*stream, data).await;
                Ok(())
            }
            Kind::Closed | Kind::Reader(_) | Kind::Terminal(_) => Err(IoError::BadDescriptor),
        }
    }

    /// Reads to the end, but fails softly beyond `limit` bytes: `None`.
    ///
    /// # Errors
    /// As for [`Fd::read`].
    pub async fn read_to_end(&self, limit: usize) -> Result<Option<Vec<u8>>, IoError> {
        let mut all = Vec::new();
        loop {
            let data = self.read(CHUNK).await?;
            if data.is_empty() {
                return Ok(Some(all));
            }
            all.extend(data);
            if all.len() > limit {
                return Ok(None);
            }
        }
    }

    /// Waits until writing has become pointless because nobody reads any more; for ever if that cannot happen.
    pub async fn broken(&self) {
        match &self.kind {
            Kind::Writer(writer) => writer.broken().await,
            _ => std::future::pending().await,
        }
    }
}

/// What the terminal driver makes of output: `onlcr`.
fn cook(data: &[u8]) -> Vec<u8> {
    let mut cooked = Vec::with_capacity(data.len() + 16);
    for &byte in data {
        if byte == b'\n' {
            cooked.push(b'\r');
        }
        cooked.push(byte);
    }
    cooked
}
