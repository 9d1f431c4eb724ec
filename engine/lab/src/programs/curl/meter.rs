//! The progress meter that curl writes to standard error when standard output is no terminal.
//!
//! Invariant: two lines of titles, one line at the start, one a second, one at the end; all but the titles begin with `\r`.

use crate::process::Fd;
use std::time::Duration;

const TITLES: &str = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n";

/// Counters that the meter shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) expected: Option<u64>,
    pub(super) received: u64,
    pub(super) to_send: u64,
    pub(super) sent: u64,
}

/// The meter of one transfer.
#[derive(Debug)]
pub(super) struct Meter {
    out: Option<Fd>,
    started: bool,
}

impl Meter {
    /// A meter that writes to `out`, or none.
    pub(super) fn new(out: Option<Fd>) -> Self {
        Self { out, started: false }
    }

    /// The titles and the first line.
    pub(super) async fn start(&mut self) {
        if !self.started {
            self.started = true;
            self.write(TITLES).await;
            self.line(Progress::default(), Duration::ZERO).await;
        }
    }

    /// One line.
    pub(super) async fn line(&self, progress: Progress, elapsed: Duration) {
        let text = line(progress, elapsed);
        self.write(&text).await;
    }

    /// The last line, with its line feed.
    pub(super) async fn finish(&mut self, progress: Progress, elapsed: Duration) {
        self.start().await;
        let text = line(progress, elapsed) + "\n";
        self.write(&text).await;
    }

    async fn write(&self, text: &str) {
        if let Some(out) = &self.out {
            // As curl does, the meter does not care whether anybody reads it.
            out.write_all(text.as_bytes()).await.ok();
        }
    }
}

fn line(progress: Progress, elapsed: Duration) -> String {
    // A transfer that took no time on the lab's clock is taken to have needed a millisecond.
    let micros = elapsed.max(Duration::from_millis(1)).as_micros().max(1);
    let speed = |bytes: u64| u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX);
    let (down, up) = (speed(progress.received), speed(progress.sent));
    let percent = |done: u64, all: u64| if all == 0 { 0 } else { u128::from(done) * 100 / u128::from(all) };
    let expected = progress.expected.unwrap_or(0);
    let total = expected + progress.to_send;
    let left = match (progress.expected, down) {
        (Some(expected), 1..) if expected > 0 => Some(expected / down),
        _ => None,
    };
    let spent = elapsed.as_secs();
    format!(
        "\r{:3} {}  {:3} {}  {:3} {}  {}  {} {} {} {} {}",
        percent(progress.received + progress.sent, total),
        size(if total == 0 { progress.received + progress.sent } else { total }),
        percent(progress.received, expected),
        size(progress.received),
        percent(progress.sent, progress.to_send),
        size(progress.sent),
        size(down),
        size(up),
        time(left.unwrap_or(0)),
        time(spent),
        time(left.map_or(0, |left| left.saturating_sub(spent))),
        size(down + up),
    )
}

/// A number in five columns.
fn size(bytes: u64) -> String {
    const K: u64 = 1 << 10;
    const M: u64 = 1 << 20;
    const G: u64 = 1 << 30;
    match bytes {
        0..100_000 => format!("{bytes:5}"),
        _ if bytes < 10_000 * K => format!("{:4}k", bytes / K),
        _ if bytes < 100 * M => format!("{:2}.{}M", bytes / M, bytes % M / (M / 10)),
        _ if bytes < 10_000 * M => format!("{:4}M", bytes / M),
        _ if bytes < 100 * G => format!("{:2}.{}G", bytes / G, bytes % G / (G / 10)),
        _ => format!("{:4}G", bytes / G),
    }
}

fn time(seconds: u64) -> String {
    if seconds == 0 {
        return "--:--:--".to_owned();
    }
    format!("{:2}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::{Progress, line, size};
    use std::time::Duration;

    #[test]
    fn lines_look_as_recorded() {
        assert_eq!(
            line(Progress::default(), Duration::ZERO),
            "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"
        );
        let progress = Progress { expected: Some(80_432), received: 80_432, ..Progress::default() };
        let expected = "\r100 80432  100 80432    0     0  7854k      0 --:--:-- --:--:-- --:--:-- 7854k";
        assert_eq!(line(progress, Duration::from_millis(10)), expected);
        let slow =
            line(Progress { expected: Some(1000), received: 500, ..Progress::default() }, Duration::from_secs(3));
        assert_eq!(slow, "\r 50  1000   50   500    0     0    166      0  0:00:06  0:00:03  0:00:03   166");
    }

    #[test]
    fn sizes_fit_into_five_columns() {
        for (bytes, expected) in
            [(0, "    0"), (99_999, "99999"), (100_000, "  97k"), (13_212_057, "12.6M"), (200 << 20, " 200M")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
