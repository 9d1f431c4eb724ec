//! The one clock of a lab: a fixed or real epoch plus the time that tokio's clock says has passed since.
//!
//! Invariant: nothing in the lab asks the host for the time of day except [`Clock::system`], once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the lab's time. Under a paused tokio runtime time stands still until nothing can move, so every stamp is a function of
/// what happened before it.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: Timestamp,
    start: Instant,
}

impl Clock {
    /// A clock that stands at `epoch` now. Call it inside the runtime whose time it follows.
    pub fn fixed(epoch: Timestamp) -> Self {
        Self { epoch, start: Instant::now() }
    }

    /// A clock that starts at the host's time of day and follows tokio's clock from there.
    #[expect(clippy::disallowed_methods, reason = "the one look at the host's clock")]
    pub fn system() -> Self {
        Self::fixed(Timestamp::now())
    }

    /// The epoch of virtual labs: 2026-01-01T00:00:00Z.
    pub fn virtual_epoch() -> Timestamp {
        Timestamp::from_second(1_767_225_600).expect("invariant: a constant within jiff's range")
    }

    /// The present moment, to the nanosecond.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The lab time of a tokio instant; moments before the clock was made are the epoch.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let elapsed = instant.saturating_duration_since(self.start);
        SignedDuration::try_from(elapsed)
            .ok()
            .and_then(|elapsed| self.epoch.checked_add(elapsed).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// Waits for `duration` of lab time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A moment as Kubernetes writes `metav1.Time`: RFC 3339 in UTC, cut to whole seconds.
pub fn rfc3339_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A moment as Kubernetes writes `metav1.MicroTime`: RFC 3339 in UTC, six digits after the point.
pub fn rfc3339_micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_moves_only_with_tokio() {
        let clock = Clock::fixed(Clock::virtual_epoch());
        assert_eq!(rfc3339_seconds(clock.now()), "2026-01-01T00:00:00Z");
        clock.sleep(Duration::from_millis(90_500)).await;
        assert_eq!(rfc3339_seconds(clock.now()), "2026-01-01T00:01:30Z");
        assert_eq!(rfc3339_micros(clock.now()), "2026-01-01T00:01:30.500000Z");
    }
}
