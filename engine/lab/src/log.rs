//! A container's log as its runtime keeps it: lines with a stamp and the stream they came from.
//!
//! Invariant: stamps never go backwards, and a position once given stays valid, even when the line itself was dropped.

use crate::clock::Clock;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// How many bytes of text a log keeps: a kubelet rotates at 10 MiB.
const MAX_BYTES: usize = 10 << 20;
/// The runtime cuts longer lines into pieces of this size.
const MAX_LINE: usize = 16 << 10;

/// The stream a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the runtime saw it, to the nanosecond.
    pub at: Timestamp,
    /// Where it was written.
    pub stream: Stream,
    /// The text. It ends in a line feed, except for a piece of a long line or what a container left unfinished at its end.
    pub text: Vec<u8>,
}

/// A container's log; clones are the same log.
#[derive(Clone)]
pub struct ContainerLog {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// The number of lines ever written, and whether the container has ended.
    progress: watch::Sender<(u64, bool)>,
    clock: Clock,
}

#[derive(Default)]
struct State {
    lines: VecDeque<LogLine>,
    /// Position of the first line that is still kept.
    first: u64,
    bytes: usize,
    last: Option<Timestamp>,
    /// What each stream has written since its last line feed.
    partial: [Vec<u8>; 2],
}

impl ContainerLog {
    /// An empty log.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { state: Mutex::default(), progress: watch::Sender::new((0, false)), clock }) }
    }

    /// Takes what a program wrote. A line appears once its line feed is there.
    pub fn write(&self, stream: Stream, mut data: &[u8]) {
        let mut state = self.state();
        let slot = stream as usize;
        while !data.is_empty() {
            let room = MAX_LINE - state.partial[slot].len();
            let end = data.iter().take(room).position(|&byte| byte == b'\n').map_or(room.min(data.len()), |at| at + 1);
            state.partial[slot].extend_from_slice(&data[..end]);
            data = &data[end..];
            let whole = state.partial[slot].ends_with(b"\n") || state.partial[slot].len() >= MAX_LINE;
            if whole {
                let text = std::mem::take(&mut state.partial[slot]);
                self.push(&mut state, stream, text);
            }
        }
    }

    /// Ends the log: unfinished lines appear as they are, and followers get to an end.
    pub fn close(&self) {
        let mut state = self.state();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let text = std::mem::take(&mut state.partial[stream as usize]);
            if !text.is_empty() {
                self.push(&mut state, stream, text);
            }
        }
        drop(state);
        self.inner.progress.send_modify(|progress| progress.1 = true);
    }

    /// Whether the container has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.progress.borrow().1
    }

    /// The position after the last line: the number of lines ever written.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.inner.progress.borrow().0
    }

    /// Up to `max` lines from `position` on, with the position after them. Lines that were dropped are skipped.
    #[must_use]
    pub fn read(&self, position: u64, max: usize) -> (Vec<LogLine>, u64) {
        let state = self.state();
        let skip = usize::try_from(position.saturating_sub(state.first)).unwrap_or(usize::MAX);
        let lines: Vec<LogLine> = state.lines.iter().skip(skip).take(max).cloned().collect();
        let next = position.max(state.first) + lines.len() as u64;
        (lines, next)
    }

    /// Waits until there is a line at `position`. False when the container has ended and none will come.
    pub async fn wait(&self, position: u64) -> bool {
        let mut progress = self.inner.progress.subscribe();
        match progress.wait_for(|&(end, closed)| end > position || closed).await {
            Ok(progress) => progress.0 > position,
            Err(_) => false,
        }
    }

    fn push(&self, state: &mut State, stream: Stream, text: Vec<u8>) {
        let now = self.inner.clock.now();
        let at = state.last.map_or(now, |last| last.max(now));
        state.last = Some(at);
        state.bytes += text.len();
        state.lines.push_back(LogLine { at, stream, text });
        while state.bytes > MAX_BYTES {
            let Some(dropped) = state.lines.pop_front() else { break };
            state.bytes -= dropped.text.len();
            state.first += 1;
        }
        self.inner.progress.send_modify(|progress| progress.0 += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for ContainerLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContainerLog({} lines)", self.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn clock() -> Clock {
        Clock::fixed(Timestamp::UNIX_EPOCH)
    }

    fn texts(log: &ContainerLog, from: u64) -> Vec<String> {
        log.read(from, usize::MAX).0.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_appears_with_its_line_feed() {
        let log = ContainerLog::new(clock());
        log.write(Stream::Stdout, b"one\ntw");
        log.write(Stream::Stderr, b"err\n");
        assert_eq!(texts(&log, 0), ["one\n", "err\n"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        log.write(Stream::Stdout, b"o\n");
        let (lines, next) = log.read(1, 9);
        assert_eq!((lines[1].text.as_slice(), lines[1].stream, next), (b"two\n".as_slice(), Stream::Stdout, 3));
        assert_eq!(lines[1].at.as_second(), 1);
        log.write(Stream::Stdout, b"rest");
        log.close();
        assert_eq!(texts(&log, 3), ["rest"]);
    }

    #[tokio::test(start_paused = true)]
    async fn long_lines_are_cut_and_old_ones_dropped() {
        let log = ContainerLog::new(clock());
        log.write(Stream::Stdout, &vec![b'x'; MAX_LINE + 3]);
        assert_eq!(log.end(), 1);
        for _ in 0..(MAX_BYTES / MAX_LINE + 2) {
            log.write(Stream::Stdout, &vec![b'y'; MAX_LINE]);
        }
        let (lines, next) = log.read(0, usize::MAX);
        assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= MAX_BYTES);
        assert_eq!(next, log.end());
    }

    #[tokio::test(start_paused = true)]
    async fn followers_wait_for_lines_and_for_the_end() {
        let log = ContainerLog::new(clock());
        let writer = log.clone();
        let (_, seen, ended) = tokio::join!(
            async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                writer.write(Stream::Stdout, b"late\n");
                tokio::time::sleep(Duration::from_secs(5)).await;
                writer.close();
            },
            log.wait(0),
            log.wait(1),
        );
        assert_eq!((seen, ended), (true, false));
    }
}
