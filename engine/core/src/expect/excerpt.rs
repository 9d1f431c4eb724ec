//! Text of bounded size out of text of any size.
//!
//! What a program writes is hostile: megabytes, one endless line. Whatever becomes part of a mismatch passes through
//! here first. A text that is cut says how much was left out, and is cut at character boundaries only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most bytes that one line keeps.
pub(super) const LINE_BYTES: usize = 1_024;
/// The most bytes that an excerpt keeps.
const EXCERPT_BYTES: usize = 8 * 1_024;

/// A text, shortened in the middle where it is too long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Excerpt {
    /// The whole text, or its beginning.
    pub head: String,
    /// How many bytes are left out between head and tail. Default: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted_bytes: u64,
    /// The end of a shortened text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

impl Excerpt {
    /// Keeps at most 8 KiB of `text`: its beginning and its end.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (head, omitted, tail) = cut(text, EXCERPT_BYTES);
        Self { head: head.to_owned(), omitted_bytes: omitted as u64, tail: tail.to_owned() }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.omitted_bytes == 0
    }
}

/// Keeps about 1 KiB of a line; what is left out is said inside the line.
pub(super) fn shorten(line: &str) -> String {
    match cut(line, LINE_BYTES) {
        (whole, 0, _) => whole.to_owned(),
        (head, omitted, tail) => format!("{head} … {omitted} bytes left out … {tail}"),
    }
}

/// Head, number of bytes between, and tail, with at most `limit` bytes in head and tail together.
fn cut(text: &str, limit: usize) -> (&str, usize, &str) {
    if text.len() <= limit {
        return (text, 0, "");
    }
    let head = text.floor_char_boundary(limit / 2);
    let tail = text.ceil_char_boundary(text.len() - limit / 2);
    (&text[..head], tail - head, &text[tail..])
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_whole() {
        let text = "a\nb\n";
        assert_eq!(Excerpt::of(text), Excerpt { head: text.to_owned(), omitted_bytes: 0, tail: String::new() });
        assert_eq!(shorten(text), text);
    }

    #[test]
    fn a_long_text_loses_its_middle_and_says_how_much() {
        let text = format!("start{}end", "é".repeat(100_000));
        let excerpt = Excerpt::of(&text);
        assert!(excerpt.head.starts_with("start") && excerpt.tail.ends_with("end"));
        assert_eq!(excerpt.head.len() + excerpt.tail.len() + excerpt.omitted_bytes as usize, text.len());
        assert!(excerpt.head.len() + excerpt.tail.len() <= EXCERPT_BYTES);
        let line = shorten(&text);
        assert!(line.len() < LINE_BYTES + 60, "{}", line.len());
        assert!(line.contains("bytes left out"));
    }
}
