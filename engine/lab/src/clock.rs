//! The lab's one source of time.
//!
//! Invariant: time moves with tokio's clock, so a paused runtime has a paused lab.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// A clock that shows `epoch` at the moment of its making; cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: Timestamp,
    start: Instant,
}

impl Clock {
    /// A clock that starts at `epoch`.
    #[must_use]
    pub fn fixed(epoch: Timestamp) -> Self {
        Self { epoch, start: Instant::now() }
    }

    /// A clock that shows the machine's time.
    #[must_use]
    pub fn system() -> Self {
        Self::fixed(Timestamp::now())
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::MAX);
        self.epoch.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
