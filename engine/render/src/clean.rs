//! Makes text that came from a cluster safe to show on a terminal.
//!
//! Outputs, names and messages of a cluster are hostile until proven otherwise: an escape sequence could repaint what
//! the operator reads, a bidirectional override could reorder it. Nothing is dropped: what could act is shown as an
//! escape instead, so that the reader sees that it was there.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Columns between tab stops.
const TAB: usize = 4;

/// Text for one line: line breaks become `\n`, everything else as in [`block`].
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, false)
}

/// Text for several lines: line breaks stay, CRLF becomes a plain line break, a tab becomes four blanks, and whatever a
/// terminal could act upon is written as an escape such as `\u{1b}`.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, true)
}

fn escape(text: &str, keep_lines: bool) -> Cow<'_, str> {
    if !text.chars().any(|c| acts(c) && !(keep_lines && c == '\n')) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' if keep_lines => clean.push('\n'),
            '\r' if keep_lines && chars.peek() == Some(&'\n') => {}
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.extend(std::iter::repeat_n(' ', TAB)),
            c if acts(c) => {
                // Writing into a string cannot fail.
                let _ = write!(clean, "\\u{{{:x}}}", u32::from(c));
            }
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// Text of the same length in bytes in which nothing can act, for files whose places are known by byte. Line breaks and
/// tabs stay.
#[must_use]
pub fn same_length(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return Cow::Borrowed(text);
    }
    let harmless = |c: char| !acts(c) || matches!(c, '\n' | '\t');
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if harmless(c) {
            clean.push(c);
        } else {
            clean.extend(std::iter::repeat_n(if c == '\r' { ' ' } else { '?' }, c.len_utf8()));
        }
    }
    Cow::Owned(clean)
}

/// Whether nothing in a text can act but its line breaks and tabs.
#[must_use]
pub fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| !acts(c) || matches!(c, '\n' | '\t'))
}

/// Whether a terminal, or the eye, could take the character for something else than text: control characters, line
/// separators, bidirectional controls and invisible ones. The zero-width joiners stay, since scripts need them.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(block("zwei Zeilen:\n日本語 👩\u{200d}🚀"), Cow::Borrowed(_)));
    }

    #[test]
    fn escape_sequences_are_shown_and_never_act() {
        assert_eq!(block("\u{1b}[2J\u{1b}]8;;http://evil\u{7}x"), "\\u{1b}[2J\\u{1b}]8;;http://evil\\u{7}x");
        assert_eq!(block("a\u{9b}31mb"), "a\\u{9b}31mb");
        assert_eq!(line("ok\rFAILED"), "ok\\rFAILED");
    }

    #[test]
    fn reordering_and_invisible_characters_are_shown() {
        assert_eq!(line("a\u{202e}b\u{2066}c\u{200b}d"), "a\\u{202e}b\\u{2066}c\\u{200b}d");
    }

    #[test]
    fn lines_stay_in_blocks_and_are_joined_in_lines() {
        assert_eq!(block("a\r\nb\tc"), "a\nb    c");
        assert_eq!(line("a\nb"), "a\\nb");
    }

    #[test]
    fn no_input_leaves_a_control_character() {
        let all: String = (0..=0x2100_u32).filter_map(char::from_u32).collect();
        assert!(!line(&all).chars().any(char::is_control));
        assert!(!block(&all).chars().any(|c| c.is_control() && c != '\n'));
        assert_eq!(same_length(&all).len(), all.len());
        assert!(!same_length(&all).chars().any(|c| acts(c) && !matches!(c, '\n' | '\t')));
    }
}
