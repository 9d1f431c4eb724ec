//! Where a log's window opens, and which lines lie within: pure, over lines with the kubelet's stamps.
//!
//! The API cuts `sinceTime` to whole seconds and stamps have nanoseconds, several lines sharing one. So a mark is a
//! stamp and the number of lines that carry it, and a window is asked for from the second the mark lies in and drops
//! what lies up to the mark.

use bytes::Bytes;
use jiff::Timestamp;

use super::lines::Line;

/// The end of a container's log at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogMark {
    /// Restarts of the container so far: each instance has a log of its own.
    pub restarts: i32,
    /// The kubelet's stamp of the last line. `None` where there was no line.
    pub stamp: Option<Timestamp>,
    /// How many lines carry that stamp.
    pub lines_with_stamp: u64,
}

/// A line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the kubelet received it.
    pub stamp: Timestamp,
    /// Its bytes, without the line feed.
    pub bytes: Bytes,
    /// Whether its end was dropped, since it was too long.
    pub truncated: bool,
}

/// Takes the stamp off a line. `None` for lines that the container did not write: the kubelet puts its own complaints
/// into the stream, without a stamp.
pub(super) fn stamped(line: &Line) -> Option<LogLine> {
    let blank = memchr::memchr(b' ', &line.bytes).unwrap_or(line.bytes.len());
    let stamp = std::str::from_utf8(&line.bytes[..blank]).ok()?.parse().ok()?;
    let bytes = line.bytes.slice((blank + 1).min(line.bytes.len())..);
    Some(LogLine { stamp, bytes, truncated: line.truncated })
}

/// The mark at the end of `stamps`, which are those of a log's last lines. `None` where all of them carry the same
/// stamp, so that more may.
pub(super) fn mark_at_end(stamps: &[Timestamp]) -> Option<(Timestamp, u64)> {
    let last = *stamps.last()?;
    let count = stamps.iter().rev().take_while(|stamp| **stamp == last).count();
    (count < stamps.len()).then_some((last, count as u64))
}

/// Decides line by line what lies after a mark, and remembers how far the log was read, so that a cut stream can go
/// on where it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// The mark: its stamp, and how many lines with that stamp lie before it.
    mark: Option<(Timestamp, u64)>,
    /// The latest stamp of this reading, and how many lines had it.
    seen: Option<(Timestamp, u64)>,
}

impl Window {
    /// A window that opens at the mark.
    pub(super) fn at(mark: &LogMark) -> Self {
        Self { mark: mark.stamp.map(|stamp| (stamp, mark.lines_with_stamp)), seen: None }
    }

    /// The window that goes on where this one stopped, for the same log read anew.
    pub(super) fn reopened(&self) -> Self {
        // Where the reading did not get past the lines at the mark, the mark stays. A later stamp is the greater tuple.
        Self { mark: self.mark.max(self.seen), seen: None }
    }

    /// `sinceTime` to ask with: the second that the mark lies in.
    pub(super) fn since(&self) -> Option<String> {
        let (stamp, _) = self.mark?;
        Timestamp::from_second(stamp.as_second()).ok().map(|second| second.to_string())
    }

    /// Whether the next line, with this stamp, lies within.
    pub(super) fn admits(&mut self, stamp: Timestamp) -> bool {
        let with_stamp = match self.seen {
            Some((latest, count)) if latest == stamp => count + 1,
            _ => 1,
        };
        self.seen = self.seen.max(Some((stamp, with_stamp)));
        self.mark.is_none_or(|mark| (stamp, with_stamp) > mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-01T00:00:{text}Z").parse().unwrap()
    }

    fn mark(text: &str, lines: u64) -> LogMark {
        LogMark { restarts: 0, stamp: Some(at(text)), lines_with_stamp: lines }
    }

    /// Which of the stamps a window admits, by position.
    fn admitted(window: &mut Window, stamps: &[&str]) -> Vec<usize> {
        let admitted = stamps.iter().enumerate().filter(|(_, stamp)| window.admits(at(stamp)));
        admitted.map(|(position, _)| position).collect()
    }

    #[test]
    fn the_window_opens_right_after_the_mark() {
        let log = ["00.1", "00.7", "00.7", "00.7", "00.700000001", "01"];
        assert_eq!(admitted(&mut Window::at(&mark("00.7", 2)), &log), [3, 4, 5]);
        assert_eq!(admitted(&mut Window::at(&mark("00.7", 3)), &log), [4, 5]);
        assert_eq!(admitted(&mut Window::at(&LogMark::default()), &log), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_second_is_floored() {
        assert_eq!(Window::at(&mark("12.7", 1)).since().unwrap(), "2026-01-01T00:00:12Z");
        assert_eq!(Window::at(&LogMark::default()).since(), None);
    }

    #[test]
    fn a_cut_stream_goes_on_without_losing_or_repeating_a_line() {
        let log = ["00.1", "00.7", "00.7", "00.7", "01.5", "01.5", "01.5", "02"];
        // However far the first reading comes, the second gives exactly the rest.
        for cut in 0..=log.len() {
            let mut window = Window::at(&mark("00.7", 2));
            let mut lines = admitted(&mut window, &log[..cut]);
            let mut window = window.reopened();
            let since: Timestamp = window.since().unwrap().parse().unwrap();
            let skipped = log.iter().filter(|stamp| at(stamp) < since).count();
            lines.extend(admitted(&mut window, &log[skipped..]).into_iter().map(|position| position + skipped));
            assert_eq!(lines, [3, 4, 5, 6, 7], "cut after {cut}");
        }
    }

    #[test]
    fn a_mark_counts_the_lines_at_the_end() {
        let stamps: Vec<Timestamp> = ["00.1", "00.7", "00.7"].map(at).to_vec();
        assert_eq!(mark_at_end(&stamps), Some((at("00.7"), 2)));
        assert_eq!(mark_at_end(&stamps[1..]), None);
        assert_eq!(mark_at_end(&[]), None);
    }

    #[test]
    fn stamps_are_taken_off() {
        let line = |text: &'static str| stamped(&Line { bytes: Bytes::from_static(text.as_bytes()), truncated: false });
        let parsed = line("2026-01-01T00:00:00.000000001Z  two words ").unwrap();
        assert_eq!((parsed.stamp, &parsed.bytes[..]), (at("00.000000001"), &b" two words "[..]));
        assert_eq!(&line("2026-01-01T00:00:00Z ").unwrap().bytes[..], b"");
        assert_eq!(&line("2026-01-01T01:00:00+01:00").unwrap().bytes[..], b"");
        assert_eq!(line("unable to retrieve container logs for containerd://1f"), None);
    }
}
