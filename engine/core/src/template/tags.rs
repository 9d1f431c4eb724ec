//! The tags of a template, with their bytes: what Handlebars' own tree does not keep.
//!
//! Cuts text, and judges nothing: text that Handlebars accepts is cut as Handlebars cuts it.

use std::ops::Range;

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Its bytes, braces included.
    pub at: Range<usize>,
    /// What it is.
    pub kind: TagKind,
}

/// What a stretch of a template is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagKind {
    /// Text that is written as it stands.
    Text,
    /// A backslash that is left out, because it stands before braces.
    Escape,
    /// `{{! … }}`.
    Comment,
    /// `{{ … }}`, or `{{{ … }}}` where raw.
    Value {
        /// Whether it asks to be written as it is.
        raw: bool,
    },
    /// `{{# … }}`.
    Open,
    /// `{{else}}` or `{{else if … }}`.
    Else {
        /// Whether it has a condition of its own.
        chained: bool,
    },
    /// `{{/ … }}`.
    Close,
    /// Something that runbooks do without; holds its name.
    Foreign(&'static str),
}

/// Cuts a template into its stretches. A tag that does not end reaches to the end of the text.
pub(super) fn tags(raw: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut text_from = 0;
    while let Some(open) = raw[at..].find("{{").map(|open| at + open) {
        let backslashes = raw[at..open].bytes().rev().take_while(|byte| *byte == b'\\').count();
        let text_end = if backslashes > 0 { open - 1 } else { open };
        push(&mut found, text_from..text_end, TagKind::Text);
        if backslashes > 0 {
            push(&mut found, text_end..open, TagKind::Escape);
        }
        if backslashes == 1 {
            // `\{{` is text, up to the braces that follow next.
            text_from = open;
            at = open + if raw[open..].starts_with("{{{") { 3 } else { 2 };
            continue;
        }
        let (end, kind) = tag(&raw[open..]);
        push(&mut found, open..open + end, kind);
        at = open + end;
        text_from = at;
    }
    push(&mut found, text_from..raw.len(), TagKind::Text);
    found
}

fn push(found: &mut Vec<Tag>, at: Range<usize>, kind: TagKind) {
    if !at.is_empty() {
        found.push(Tag { at, kind });
    }
}

/// Length and kind of the tag that `rest` starts with.
fn tag(rest: &str) -> (usize, TagKind) {
    let until = |close: &str| rest.find(close).map_or(rest.len(), |at| at + close.len());
    if rest.starts_with("{{{{") {
        return (until("}}}}"), TagKind::Foreign("raw blocks"));
    }
    if rest.starts_with("{{!--") {
        return (until("--}}"), TagKind::Comment);
    }
    if rest.starts_with("{{!") {
        return (until("}}"), TagKind::Comment);
    }
    let inner = rest[2..].trim_start_matches('~').trim_start();
    if inner.starts_with('{') {
        return (until_close(rest, "}}}"), TagKind::Value { raw: true });
    }
    let end = until_close(rest, "}}");
    let kind = match inner.as_bytes().first() {
        Some(b'&') => TagKind::Value { raw: true },
        Some(b'#') if inner[1..].trim_start().starts_with(['>', '*']) => TagKind::Foreign("partials and decorators"),
        Some(b'>' | b'*') => TagKind::Foreign("partials and decorators"),
        Some(b'#') => TagKind::Open,
        Some(b'/') => TagKind::Close,
        Some(b'^') => TagKind::Else { chained: !inner[1..].starts_with(['}', '~', ' ']) },
        _ => match inner.strip_prefix("else") {
            Some(after) if after.starts_with(['}', '~']) || after.trim_start().starts_with(['}', '~']) => {
                TagKind::Else { chained: false }
            }
            Some(after) if after.starts_with(char::is_whitespace) => TagKind::Else { chained: true },
            _ => TagKind::Value { raw: false },
        },
    };
    (end, kind)
}

/// Where the closing braces end, skipping string literals.
fn until_close(rest: &str, close: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if rest[at..].starts_with(close) => return at + close.len(),
            None => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(raw: &str) -> Vec<(&str, TagKind)> {
        tags(raw).into_iter().map(|tag| (&raw[tag.at], tag.kind)).collect()
    }

    #[test]
    fn values_blocks_and_text_are_told_apart() {
        use TagKind::{Close, Comment, Else, Open, Text, Value};
        assert_eq!(
            cut("a {{X}}{{{Y}}} {{#if X}}b{{else if Y}}c{{else}}d{{/if}}{{!-- }} --}}{{! x }}{{&Z}}"),
            [
                ("a ", Text),
                ("{{X}}", Value { raw: false }),
                ("{{{Y}}}", Value { raw: true }),
                (" ", Text),
                ("{{#if X}}", Open),
                ("b", Text),
                ("{{else if Y}}", Else { chained: true }),
                ("c", Text),
                ("{{else}}", Else { chained: false }),
                ("d", Text),
                ("{{/if}}", Close),
                ("{{!-- }} --}}", Comment),
                ("{{! x }}", Comment),
                ("{{&Z}}", Value { raw: true }),
            ]
        );
    }

    #[test]
    fn braces_in_strings_do_not_close() {
        assert_eq!(cut(r#"{{default "}}" X}}."#)[0].0, r#"{{default "}}" X}}"#);
    }

    #[test]
    fn a_backslash_makes_text_of_braces_and_two_do_not() {
        assert_eq!(cut(r"\{{X}} b"), [(r"\", TagKind::Escape), ("{{X}} b", TagKind::Text)]);
        assert_eq!(
            cut(r"a\\{{X}}"),
            [(r"a\", TagKind::Text), (r"\", TagKind::Escape), ("{{X}}", TagKind::Value { raw: false })]
        );
    }

    #[test]
    fn what_does_not_end_reaches_to_the_end() {
        assert_eq!(cut("{{X").len(), 1);
        assert_eq!(cut("{{{{x}} {{").len(), 1);
    }
}
