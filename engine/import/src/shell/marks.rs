//! Marks that stand for what a shell must not read: `<PLACEHOLDER>`, which it would take for redirections, and variables
//! that an outer shell has filled in already.
//!
//! The marks are private-use characters. A page that holds them itself loses them first.

use std::sync::LazyLock;

use regex::Regex;

const START: char = '\u{f0000}';
const END: char = '\u{f0001}';
const BLANK: char = '\u{f0002}';
/// After [`START`]: the name of a variable follows, not that of a placeholder.
const VARIABLE: char = '\u{f0003}';
/// Before the number of a here-document whose text is kept apart.
const HERE: char = '\u{f0004}';

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    // Not `<<`, not `<(`; nothing but punctuation may follow at once, or it is a redirection.
    Regex::new(r"^<([A-Za-z][A-Za-z0-9_ .-]{0,60}[A-Za-z0-9_.])>(?:$|[\s/:.,;'\x22)])").expect("a pattern")
});

/// A text without the characters that marks are made of.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !matches!(*c, START | END | BLANK | VARIABLE | HERE | '\0')).collect()
}

/// The length of the placeholder that a text starts with, and its name.
pub(super) fn placeholder(rest: &str) -> Option<(usize, &str)> {
    let name = PLACEHOLDER.captures(rest)?.get(1)?;
    Some((name.end() + 1, name.as_str()))
}

/// A placeholder as a word that the shell leaves alone.
pub(super) fn mark_placeholder(name: &str, out: &mut String) {
    out.push(START);
    out.extend(name.chars().map(|c| if c == ' ' { BLANK } else { c }));
    out.push(END);
}

/// A variable as text that the shell leaves alone.
pub(crate) fn mark_variable(name: &str, out: &mut String) {
    out.push(START);
    out.push(VARIABLE);
    out.push_str(name);
    out.push(END);
}

/// The line that stands for the text of a here-document.
pub(super) fn mark_here_document(number: usize, out: &mut String) {
    out.push(HERE);
    out.push_str(&number.to_string());
    out.push('\n');
}

/// The number of the here-document that a text stands for.
pub(super) fn here_document(text: &str) -> Option<usize> {
    text.trim().strip_prefix(HERE)?.parse().ok()
}

/// Whether a text stands for a here-document, or holds one that does.
pub(super) fn holds_here_document(text: &str) -> bool {
    text.contains(HERE)
}

/// A stretch of text, or what a mark stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Marked {
    Text(String),
    Placeholder(String),
    Variable(String),
}

/// A text cut at its marks.
pub(super) fn unmark(text: &str) -> Vec<Marked> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START) {
        if !before.is_empty() {
            found.push(Marked::Text(before.to_owned()));
        }
        let (inside, after) = after.split_once(END).unwrap_or((after, ""));
        found.push(match inside.strip_prefix(VARIABLE) {
            Some(name) => Marked::Variable(name.to_owned()),
            None => Marked::Placeholder(inside.replace(BLANK, " ")),
        });
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Marked::Text(rest.to_owned()));
    }
    found
}

/// A text with its marks written as the page has them.
pub(super) fn shown(text: &str) -> String {
    unmark(text)
        .into_iter()
        .map(|part| match part {
            Marked::Text(text) => text,
            Marked::Placeholder(name) => format!("<{name}>"),
            Marked::Variable(name) => format!("${name}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_told_from_a_redirection() {
        assert_eq!(placeholder("<IP_ADDRESS_OF_PROXY>\n"), Some((21, "IP_ADDRESS_OF_PROXY")));
        assert_eq!(placeholder("<your namespace>/x"), Some((16, "your namespace")));
        for other in ["<<EOF", "<in >out", "<in>out", "<(cmd)", "<>", "< a>"] {
            assert_eq!(placeholder(other), None, "{other}");
        }
    }

    #[test]
    fn marks_come_back_as_they_went_in() {
        let mut text = "a=".to_owned();
        mark_placeholder("the IP", &mut text);
        text.push('/');
        mark_variable("X", &mut text);
        let expected = [
            Marked::Text("a=".to_owned()),
            Marked::Placeholder("the IP".to_owned()),
            Marked::Text("/".to_owned()),
            Marked::Variable("X".to_owned()),
        ];
        assert_eq!(unmark(&text), expected);
        assert_eq!(shown(&text), "a=<the IP>/$X");
    }
}
