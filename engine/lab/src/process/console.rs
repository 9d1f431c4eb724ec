//! The standard output of a container's command: its log, and whoever is attached.
//!
//! Invariant: the log has every byte; an attached client has every byte from its coming on, and slows the command down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Fd;
use super::pipe::{self, PipeWriter};
use crate::log::{ContainerLog, Stream};

/// Output of one instance of a container; clones are the same one.
#[derive(Clone, Debug)]
pub struct Console {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: ContainerLog,
    taps: Mutex<Vec<(Stream, Arc<PipeWriter>)>>,
}

impl Console {
    /// A console that writes to this log.
    #[must_use]
    pub fn new(log: ContainerLog) -> Self {
        Self { inner: Arc::new(Inner { log, taps: Mutex::default() }) }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &ContainerLog {
        &self.inner.log
    }

    /// A pipe from which one stream can be read from now on. It ends with the container.
    #[must_use]
    pub fn attach(&self, stream: Stream) -> Fd {
        let (read, write) = pipe::pipe();
        if !self.inner.log.is_closed() {
            let mut taps = self.taps();
            // Those who have gone since the last word.
            taps.retain(|(_, tap)| !tap.is_broken());
            taps.push((stream, Arc::new(write)));
        }
        Fd::reader(read)
    }

    /// Ends the log and lets everybody who is attached go.
    pub fn close(&self) {
        self.inner.log.close();
        self.taps().clear();
    }

    pub(super) async fn write(&self, stream: Stream, data: &[u8]) {
        self.inner.log.write(stream, data);
        let taps: Vec<_> =
            self.taps().iter().filter(|(own, _)| *own == stream).map(|(_, tap)| Arc::clone(tap)).collect();
        for tap in taps {
            if tap.write_all(data).await.is_err() {
                self.taps().retain(|(_, other)| !Arc::ptr_eq(other, &tap));
            }
        }
    }

    fn taps(&self) -> MutexGuard<'_, Vec<(Stream, Arc<PipeWriter>)>> {
        self.inner.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
