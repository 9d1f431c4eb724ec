//! What a program wrote, as text: decoded once, with one kind of line end.
//!
//! Everything that matches or shows output works on what comes out of here, so that no matcher treats CRLF, blanks at
//! line ends or broken UTF-8 in its own way.

use super::line::{is_blank, trim_end};

/// Output as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The text, with LF as its line end.
    pub(super) text: String,
    /// Whether some of it was not UTF-8 and stands as U+FFFD.
    pub(super) replaced: bool,
}

impl Decoded {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        // A lossy copy is made only where something had to be replaced.
        let replaced = matches!(text, std::borrow::Cow::Owned(_));
        Self { text: unix_lines(&text), replaced }
    }
}

/// The text with LF instead of CRLF.
pub(super) fn unix_lines(text: &str) -> String {
    if memchr::memchr(b'\r', text.as_bytes()).is_some() { text.replace("\r\n", "\n") } else { text.to_owned() }
}

/// The lines of a text, without blank lines at its end.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let text = text.trim_end_matches(['\n', ' ', '\t', '\r']);
    if text.is_empty() { Vec::new() } else { text.split('\n').collect() }
}

/// The lines of a text, each without blanks at its end, without blank lines at the text's end.
pub(super) fn trimmed_lines(text: &str) -> Vec<&str> {
    lines(text).into_iter().map(trim_end).collect()
}

/// The words of a text and how much of them stands in a line: a cheap measure of likeness.
#[derive(Clone, Debug)]
pub(super) struct Words {
    words: Vec<memchr::memmem::Finder<'static>>,
    total: usize,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        Self::from_parts(text.split(|c: char| is_blank(c) || c == '\n'))
    }

    /// Likeness to texts that must all be in the line. Longer ones weigh more, those of one character nothing.
    pub(super) fn from_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<_> = parts
            .into_iter()
            .filter(|part| part.len() > 1)
            .take(MAX_WORDS)
            .map(|part| memchr::memmem::Finder::new(part).into_owned())
            .collect();
        let total = words.iter().map(|word| word.needle().len()).sum();
        Self { words, total }
    }

    /// How much of the words stands in the line, in percent by length; 0 if there are none.
    pub(super) fn likeness(&self, line: &str) -> usize {
        let there = self.words.iter().filter(|word| word.find(line.as_bytes()).is_some());
        let there: usize = there.map(|word| word.needle().len()).sum();
        (there * 100).checked_div(self.total).unwrap_or_default()
    }
}

/// The most words that are looked for in each line.
const MAX_WORDS: usize = 40;

/// A line is called near when at least this much of it is there, in percent.
pub(super) const NEAR: usize = 25;
