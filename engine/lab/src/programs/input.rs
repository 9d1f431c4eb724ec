//! What text tools read: files and standard input, whole or line by line.
//!
//! Invariant: a line keeps its line feed, so a last line without one stays without.

use crate::fs::{FsError, OpenOptions};
use crate::process::{Exit, Fd, IoError, Process};

/// How much a program holds in memory at most.
pub(super) const MAX_MEMORY: usize = 64 << 20;

/// Lines from a descriptor.
pub(super) struct Lines {
    fd: Fd,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
}

impl Lines {
    pub(super) fn new(fd: Fd) -> Self {
        Self { fd, buffer: Vec::new(), start: 0, ended: false }
    }

    /// The next line with its line feed; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, IoError> {
        let mut searched = self.start;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|&byte| byte == b'\n') {
                let end = searched + at + 1;
                let line = self.buffer[self.start..end].to_vec();
                self.start = end;
                return Ok(Some(line));
            }
            if self.ended {
                let line = self.buffer.split_off(self.start.min(self.buffer.len()));
                self.buffer.clear();
                self.start = 0;
                return Ok((!line.is_empty()).then_some(line));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            let data = self.fd.read(1 << 16).await?;
            self.ended = data.is_empty() || self.buffer.len() + data.len() > MAX_MEMORY;
            self.buffer.extend(data);
        }
    }
}

impl Process {
    /// Opens an operand for reading: a file, or standard input for `-`.
    pub(super) fn input(&self, operand: &str) -> Result<Fd, FsError> {
        if operand == "-" { Ok(self.stdin()) } else { self.open(operand, OpenOptions::reading()) }
    }

    /// What a read error means for the program: the text to complain with, or the ending.
    pub(super) fn read_error(&self, operand: &str, error: &IoError) -> Result<String, Exit> {
        match error {
            IoError::Fs(FsError::NotSimulated) => Err(Exit::not_simulated(format!("the content of {operand}"))),
            error => Ok(error.to_string()),
        }
    }

    /// Complains about a file as most tools do and gives the ending: `name: file: text`. GNU's `cannot open` forms are
    /// built by the programs that have them.
    pub(super) async fn fail_on(&self, operand: &str, error: FsError) -> Exit {
        if error == FsError::NotSimulated {
            return Exit::not_simulated(format!("the content of {operand}"));
        }
        let text = if self.image.is_busybox() && !matches!(self.name(), "ls" | "stat" | "grep") {
            format!("can't open '{operand}': {error}")
        } else {
            format!("{operand}: {error}")
        };
        self.fail(1, text).await
    }

    /// All of an operand's bytes.
    pub(super) async fn read_whole(&self, operand: &str) -> Result<Vec<u8>, Exit> {
        let fd = match self.input(operand) {
            Ok(fd) => fd,
            Err(error) => return Err(self.fail_on(operand, error).await),
        };
        match fd.read_to_end(MAX_MEMORY).await {
            Ok(Some(data)) => Ok(data),
            Ok(None) => Err(Exit::not_simulated(format!("{} on more than {MAX_MEMORY} bytes", self.name()))),
            Err(IoError::Fs(FsError::IsADirectory)) => {
                let text = if self.image.is_busybox() { "read error: Is a directory" } else { "Is a directory" };
                let text = if self.image.is_busybox() { text.to_owned() } else { format!("{operand}: {text}") };
                Err(self.fail(1, text).await)
            }
            Err(error) => {
                let text = self.read_error(operand, &error)?;
                Err(self.fail(1, format!("{operand}: {text}")).await)
            }
        }
    }
}

/// The operands, or standard input when there are none.
pub(super) fn or_stdin(operands: Vec<String>) -> Vec<String> {
    if operands.is_empty() { vec!["-".to_owned()] } else { operands }
}
