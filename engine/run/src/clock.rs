//! What time it is for a run, and how it waits: one seam for wall time and lab time.
//!
//! Both are the runtime's own clock counted from a known instant. In a rehearsal the runtime's clock is virtual and
//! starts at the lab's epoch, so that two rehearsals carry the same stamps.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that started at a known time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that shows `now` at this moment. Must be called within a runtime.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        Self { started: now, origin: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.started.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// Time since the clock started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Milliseconds since the clock started.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
