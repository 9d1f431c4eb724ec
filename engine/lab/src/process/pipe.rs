//! Byte pipes with the semantics of `pipe(2)`.
//!
//! Invariant: a reader sees the end once all writers have gone; a writer fails once all readers have gone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// How many bytes a pipe holds before its writer has to wait, as on Linux.
const CAPACITY: usize = 64 << 10;

#[derive(Debug, Default)]
struct State {
    buffer: VecDeque<u8>,
    readers_gone: bool,
    writers_gone: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The end that is read; closed when the last clone of its [`Arc`] goes.
#[derive(Debug)]
pub(super) struct PipeReader(Arc<Shared>);

/// The end that is written; closed when the last clone of its [`Arc`] goes.
#[derive(Debug)]
pub(super) struct PipeWriter(Arc<Shared>);

/// A new pipe.
#[must_use]
pub(super) fn pipe() -> (PipeReader, PipeWriter) {
    let shared = Arc::new(Shared::default());
    (PipeReader(Arc::clone(&shared)), PipeWriter(shared))
}

/// All readers of a pipe have gone: `EPIPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl PipeReader {
    /// Waits for data and takes at most `max` bytes; empty once all writers have gone.
    pub(super) async fn read(&self, max: usize) -> Vec<u8> {
        loop {
            let notified = self.0.changed.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            {
                let mut state = self.0.state();
                if !state.buffer.is_empty() {
                    let end = state.buffer.len().min(max);
                    let data = state.buffer.drain(..end).collect();
                    drop(state);
                    self.0.changed.notify_waiters();
                    return data;
                }
                if state.writers_gone {
                    return Vec::new();
                }
            }
            notified.await;
        }
    }
}

impl PipeWriter {
    /// Writes everything, waiting while the pipe is full.
    ///
    /// # Errors
    /// [`Broken`] once all readers have gone.
    pub(super) async fn write_all(&self, mut data: &[u8]) -> Result<(), Broken> {
        loop {
            let notified = self.0.changed.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            {
                let mut state = self.0.state();
                if state.readers_gone {
                    return Err(Broken);
                }
                let room = CAPACITY.saturating_sub(state.buffer.len()).min(data.len());
                state.buffer.extend(&data[..room]);
                data = &data[room..];
                drop(state);
                if room > 0 {
                    self.0.changed.notify_waiters();
                }
                if data.is_empty() {
                    return Ok(());
                }
            }
            notified.await;
        }
    }

    /// Whether all readers have gone.
    pub(super) fn is_broken(&self) -> bool {
        self.0.state().readers_gone
    }

    /// Waits until all readers have gone.
    pub(super) async fn broken(&self) {
        loop {
            let notified = self.0.changed.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            if self.0.state().readers_gone {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.state().readers_gone = true;
        self.0.changed.notify_waiters();
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.state().writers_gone = true;
        self.0.changed.notify_waiters();
    }
}
