//! Breaks prose into lines and measures text in columns.
//!
//! A word is never broken: a URL or a command that is too long for a line stays whole, so that it can be found and
//! copied.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns that the text takes on a terminal: wide characters take two, combining ones none.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The text followed by blanks up to `width` columns. Text that is wider stays as it is.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(std::iter::repeat_n(' ', width.saturating_sub(columns(text))));
    padded
}

/// The text, cut to `width` columns with an ellipsis at the end where it is longer.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// Lines of at most `width` columns, broken at blanks. Line breaks in the text stay.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_words_stay_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrap("see https://example.org/a/long/path now", 10),
            ["see", "https://example.org/a/long/path", "now"]
        );
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
    }

    #[test]
    fn width_is_in_columns_not_in_characters() {
        assert_eq!(columns("日本"), 4);
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(wrap("日本 日本 日本", 9), ["日本 日本", "日本"]);
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("e\u{301}e\u{301}", 2), "e\u{301}e\u{301}");
    }

    #[test]
    fn a_cut_says_so_and_keeps_its_width() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
