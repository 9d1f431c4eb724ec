//! From a place in a template's text to the place in the file.
//!
//! Exact where the lines of the text stand in the file as they are; else the whole scalar is the place, never a wrong one.

use std::ops::Range;

use crate::model::Text;
use crate::source::{Span, Style};

/// Where a part of a text stands in the file it was read from.
///
/// `source` is the whole file. Exact in `|` blocks and in scalars on one line; elsewhere the place of the whole scalar.
#[must_use]
pub fn place(source: &str, text: &Text, part: Range<usize>) -> Span {
    exact(source, text, &part).unwrap_or(text.span)
}

fn exact(source: &str, text: &Text, part: &Range<usize>) -> Option<Span> {
    let start = offset(source, text, part.start)?;
    // A part that crosses lines has the indentation of those lines in between.
    let end = if part.end > part.start { offset(source, text, part.end - 1)? + 1 } else { start };
    (end >= start).then(|| Span::new(start, end))
}

/// The byte of the file on which a byte of the text stands.
fn offset(source: &str, text: &Text, at: usize) -> Option<usize> {
    match text.style {
        Style::Plain | Style::Quoted => {
            let written = source.get(text.span.range())?;
            let skip = if text.style == Style::Quoted { 1 } else { 0 };
            let inner = written.get(skip..written.len().checked_sub(skip)?)?;
            (inner == text.raw && at <= inner.len()).then(|| text.span.start + skip + at)
        }
        Style::Literal => {
            let before = text.raw.get(..at)?;
            let line = before.matches('\n').count();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let leading = text.raw.len() - text.raw.trim_start_matches('\n').len();
            let line_text = text.raw[line_start..].split('\n').next().unwrap_or_default();
            // The span starts at the first character that is not blank, below any empty lines.
            let first = source.get(..text.span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
            let file_start = nth_line(source, first, line.checked_sub(leading)?)?;
            let file_line = source[file_start..].split('\n').next().unwrap_or_default();
            let indent = file_line.trim_end_matches('\r').len().checked_sub(line_text.len())?;
            file_line[indent..].starts_with(line_text).then(|| file_start + indent + at - line_start)
        }
        Style::Folded => None,
    }
}

/// Where the `n`-th line after the one that starts at `from` starts.
fn nth_line(source: &str, from: usize, n: usize) -> Option<usize> {
    if n == 0 {
        return Some(from);
    }
    source.get(from..)?.match_indices('\n').nth(n - 1).map(|(newline, _)| from + newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{LIMITS, NodeKind, tree};

    /// Reads `yaml`, takes the only value of its mapping and returns what stands at the place of `needle` in it.
    fn found<'a>(yaml: &'a str, needle: &str) -> &'a str {
        let root = tree(yaml, LIMITS).expect("yaml");
        let NodeKind::Map(entries) = root.kind else { panic!("a mapping") };
        let (_, value) = entries.into_iter().next().expect("an entry");
        let NodeKind::Scalar(scalar) = value.kind else { panic!("a scalar") };
        let at = scalar.text.find(needle).expect("the needle");
        let text = Text { raw: scalar.text, span: value.span, style: scalar.style };
        &yaml[place(yaml, &text, at..at + needle.len()).range()]
    }

    #[test]
    fn places_in_one_line_scalars_are_exact() {
        assert_eq!(found("a: x {{Y}} z", "{{Y}}"), "{{Y}}");
        assert_eq!(found("a: \"x {{Y}} z\"", "{{Y}}"), "{{Y}}");
        assert_eq!(found("a: 'x {{Y}} z'", "{{Y}}"), "{{Y}}");
    }

    #[test]
    fn places_in_literal_blocks_are_exact() {
        for yaml in [
            "a: |\n  one\n  two {{Y}}\n  three\n",
            "a: |\n\n\n  one\n    two {{Y}}\n",
            "a: |2\n    one\n\n   {{Y}}\nb: 1\n",
            "a: |\n  é {{Y}}\n\n\nb: 1\n",
        ] {
            assert_eq!(found(yaml, "{{Y}}"), "{{Y}}", "{yaml}");
        }
    }

    #[test]
    fn other_scalars_are_placed_as_a_whole() {
        assert_eq!(found("a: \"x\\t{{Y}}\"", "{{Y}}"), "\"x\\t{{Y}}\"");
        assert!(found("a: >\n  one\n  {{Y}}\n", "{{Y}}").contains("{{Y}}"));
    }
}
