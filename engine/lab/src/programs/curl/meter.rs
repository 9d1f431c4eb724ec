//! The progress meter that curl writes to standard error when standard output is no terminal.
//!
//! Invariant: two lines of titles for each URL, one line at the start, one a second, one at the end of each answer; all but the titles
//! begin with `\r`.

use crate::process::Fd;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// How a transfer's progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Table,
    /// `-#`
    Bar,
}

/// The meter of one URL.
#[derive(Debug)]
pub(super) struct Meter {
    out: Option<Fd>,
    style: Style,
    titled: AtomicBool,
    begun: AtomicBool,
}

impl Meter {
    /// A meter that writes to `out`, or none.
    pub(super) fn new(out: Option<Fd>, style: Style) -> Self {
        Self { out, style, titled: AtomicBool::new(false), begun: AtomicBool::new(false) }
    }

    /// The titles, unless an earlier attempt wrote them, and the first line.
    pub(super) async fn start(&self) {
        if !self.begun.swap(true, Ordering::Relaxed) && self.style == Style::Table {
            if !self.titled.swap(true, Ordering::Relaxed) {
                self.write(TITLES).await;
            }
            self.line(Progress::default(), Duration::ZERO).await;
        }
    }

    /// Whether the first line was due, which it is once a connection is looked for.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Begins anew, for another attempt at the same URL.
    pub(super) fn again(&self) {
        self.begun.store(false, Ordering::Relaxed);
    }

    /// One line.
    pub(super) async fn line(&self, progress: Progress, elapsed: Duration) {
        let text = match self.style {
            Style::Table => line(progress, elapsed),
            Style::Bar => bar(progress),
        };
        self.write(&text).await;
    }

    /// The last line, with its line feed.
    pub(super) async fn finish(&self, progress: Progress, elapsed: Duration) {
        self.start().await;
        self.line(progress, elapsed).await;
        if self.style == Style::Table || progress.received > 0 {
            self.write("\n").await;
        }
    }

    async fn write(&self, text: &str) {
        if let Some(out) = &self.out {
            // As curl does, the meter does not care whether anybody reads it.
            out.write_all(text.as_bytes()).await.ok();
        }
    }
}

/// The bar of `-#`, as wide as a terminal of 79 columns leaves it; nothing before data has come.
fn bar(progress: Progress) -> String {
    const WIDTH: u64 = 72;
    match progress.expected {
        Some(expected) if expected > 0 && progress.received > 0 => {
            let done = progress.received.min(expected);
            let tenths = u128::from(done) * 1000 / u128::from(expected);
            let marks = usize::try_from(u128::from(WIDTH) * u128::from(done) / u128::from(expected)).unwrap_or(0);
            format!("\r{:<72} {:3}.{}%", "#".repeat(marks), tenths / 10, tenths % 10)
        }
        _ => String::new(),
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
