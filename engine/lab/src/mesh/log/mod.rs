//! A proxy's access log: one line for each connection or request, in the format that the mesh sets.
//!
//! Invariant: a line is written when its connection or request has ended, and becomes visible at the next full second
//! after the proxy's start, as the one-second flush timer of the real proxy has it.

mod format;
mod record;

pub use format::LogFormat;
pub(super) use record::{Record, RequestFields};

use crate::net::LineSink;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often buffered lines are written out (`--file-flush-interval-msec`).
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// How many bytes are buffered before they are written without waiting.
const FLUSH_SIZE: usize = 64 * 1024;

#[derive(Default)]
struct Buffer {
    lines: String,
    flushing: bool,
}

struct Inner {
    sink: LineSink,
    start: Instant,
    buffer: Mutex<Buffer>,
}

/// Collects lines and writes them out once a second; cheap to clone. What is left is written when the last clone goes.
#[derive(Clone)]
pub(super) struct AccessLog {
    inner: Arc<Inner>,
}

impl AccessLog {
    pub(super) fn new(sink: LineSink) -> Self {
        Self { inner: Arc::new(Inner { sink, start: Instant::now(), buffer: Mutex::default() }) }
    }

    /// Writes out what is buffered, without waiting for the timer.
    pub(super) fn flush(&self) {
        self.inner.flush();
    }

    /// Buffers one line, with its newline.
    pub(super) fn write(&self, line: &str) {
        let mut buffer = self.inner.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.lines.push_str(line);
        if buffer.lines.len() >= FLUSH_SIZE {
            drop(buffer);
            self.inner.flush();
        } else if !std::mem::replace(&mut buffer.flushing, true) {
            tokio::spawn(flush_at_tick(Arc::downgrade(&self.inner), self.inner.next_tick()));
        }
    }
}

impl Inner {
    /// The next moment at which the flush timer fires.
    fn next_tick(&self) -> Instant {
        let elapsed = self.start.elapsed();
        let ticks = u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        self.start + FLUSH_INTERVAL * ticks
    }

    fn flush(&self) {
        let lines = {
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            buffer.flushing = false;
            std::mem::take(&mut buffer.lines)
        };
        for line in lines.split_inclusive('\n') {
            (self.sink)(line);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.flush();
    }
}

async fn flush_at_tick(inner: Weak<Inner>, tick: Instant) {
    sleep_until(tick).await;
    if let Some(inner) = inner.upgrade() {
        inner.flush();
    }
}
