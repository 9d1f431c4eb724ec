//! Cuts a stream of bytes into lines, in bounded memory.
//!
//! A line longer than the bound is cut there and its rest dropped, so that neither a log without line breaks nor a
//! hostile server fills the memory.

use bytes::{Bytes, BytesMut};

/// One line, without its line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its bytes; a carriage return at the end is kept.
    pub(super) bytes: Bytes,
    /// Whether its end was dropped.
    pub(super) truncated: bool,
}

/// Takes bytes as they come and gives lines as they are complete.
#[derive(Debug)]
pub(super) struct Splitter {
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line feed.
    searched: usize,
    /// Whether the rest of a line that was too long is being dropped.
    dropping: bool,
    max: usize,
}

impl Splitter {
    /// A splitter for lines of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, dropping: false, max }
    }

    /// Takes what came. All complete lines should be taken out before more comes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line.
    pub(super) fn next(&mut self) -> Option<Line> {
        loop {
            match memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                Some(offset) => {
                    let mut line = self.buffer.split_to(self.searched + offset + 1);
                    self.searched = 0;
                    if std::mem::take(&mut self.dropping) {
                        continue;
                    }
                    line.truncate(line.len() - 1);
                    let truncated = line.len() > self.max;
                    line.truncate(self.max);
                    return Some(Line { bytes: line.freeze(), truncated });
                }
                None if self.dropping => {
                    self.buffer.clear();
                    self.searched = 0;
                    return None;
                }
                None if self.buffer.len() > self.max => {
                    let mut line = self.buffer.split();
                    self.searched = 0;
                    self.dropping = true;
                    line.truncate(self.max);
                    return Some(Line { bytes: line.freeze(), truncated: true });
                }
                None => {
                    self.searched = self.buffer.len();
                    return None;
                }
            }
        }
    }

    /// What is left when nothing more comes: a last line without a line feed.
    pub(super) fn rest(&mut self) -> Option<Line> {
        self.searched = 0;
        let bytes = self.buffer.split().freeze();
        (!bytes.is_empty() && !self.dropping).then_some(Line { bytes, truncated: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of `parts`, with `~` after those that were cut.
    fn split(parts: &[&str], max: usize) -> Vec<String> {
        let mut splitter = Splitter::new(max);
        let mut lines = Vec::new();
        for part in parts {
            splitter.push(part.as_bytes());
            while let Some(line) = splitter.next() {
                lines.push(line);
            }
        }
        lines.extend(splitter.rest());
        let show =
            |line: Line| format!("{}{}", String::from_utf8_lossy(&line.bytes), if line.truncated { "~" } else { "" });
        lines.into_iter().map(show).collect()
    }

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        let text = "one\ntwo\n\nthree\r\nrest";
        let expected = ["one", "two", "", "three\r", "rest"];
        assert_eq!(split(&[text], 99), expected);
        let letters: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(split(&letters.iter().map(String::as_str).collect::<Vec<_>>(), 99), expected);
        assert_eq!(split(&[], 99), Vec::<String>::new());
        assert_eq!(split(&["\n"], 99), [""]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        for parts in [&["abcdef\nxy\n"][..], &["abcde", "f\nxy\n"], &["a", "b", "c", "d", "e", "f", "\n", "xy", "\n"]] {
            assert_eq!(split(parts, 4), ["abcd~", "xy"], "{parts:?}");
        }
        assert_eq!(split(&["abcdef"], 4), ["abcd~"]);
        assert_eq!(split(&["abcd\nef"], 4), ["abcd", "ef"]);
    }
}
