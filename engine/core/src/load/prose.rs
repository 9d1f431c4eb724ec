//! Prose with a comma in a one-line mapping: `{type: name, description: Where it runs, if anywhere}`.
//!
//! YAML ends the text at the comma and takes the rest for a key without a value. No key of the format has blanks in it
//! and none may lack its value, so nothing but the rest of the prose can be meant. Only prose is joined, never a value
//! that the engine acts on.

use crate::source::{Node, NodeKind, Scalar, Span, Style};

/// The keys whose values are prose.
const PROSE: [&str; 5] = ["description", "title", "summary", "doc", "impact"];

/// Joins prose that YAML took apart, everywhere in a tree.
pub(super) fn join(node: &mut Node, text: &str) {
    match &mut node.kind {
        NodeKind::Scalar(_) => {}
        NodeKind::List(items) => items.iter_mut().for_each(|item| join(item, text)),
        NodeKind::Map(entries) => {
            let mut at = 1;
            while at < entries.len() {
                let rest = continued(&entries[at], text);
                match (&mut entries[at - 1], rest) {
                    ((key, Node { span, kind: NodeKind::Scalar(prose) }), Some(end))
                        if prose.style == Style::Plain && !prose.is_null() && is_prose(key) =>
                    {
                        *span = Span::new(span.start, end);
                        // A text that runs over lines is folded, as YAML folds plain text.
                        prose.text = text[span.range()].split_whitespace().collect::<Vec<_>>().join(" ");
                        entries.remove(at);
                    }
                    _ => at += 1,
                }
            }
            entries.iter_mut().for_each(|(_, value)| join(value, text));
        }
    }
}

fn is_prose(key: &Node) -> bool {
    matches!(&key.kind, NodeKind::Scalar(Scalar { text, .. }) if PROSE.contains(&text.as_str()))
}

/// The end of an entry that has several words, no colon and no value.
fn continued((key, value): &(Node, Node), text: &str) -> Option<usize> {
    let (NodeKind::Scalar(words), NodeKind::Scalar(nothing)) = (&key.kind, &value.kind) else { return None };
    let bare = words.style == Style::Plain
        && words.text.contains(' ')
        && nothing.is_null()
        && value.span.start == value.span.end
        && text[key.span.end..].trim_start().starts_with([',', '}']);
    bare.then_some(key.span.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{LIMITS, tree};

    fn entries(yaml: &str) -> Vec<(String, String)> {
        let mut root = tree(yaml, LIMITS).expect("yaml");
        join(&mut root, yaml);
        let NodeKind::Map(entries) = root.kind else { panic!("a mapping") };
        let text = |node: Node| match node.kind {
            NodeKind::Scalar(scalar) => scalar.text,
            _ => panic!("a scalar"),
        };
        entries.into_iter().map(|(key, value)| (text(key), text(value))).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn prose_goes_on_behind_a_comma() {
        assert_eq!(
            entries("{type: name, description: Where it runs, if it does,\n  if at all, optional: true}"),
            [
                pair("type", "name"),
                pair("description", "Where it runs, if it does, if at all"),
                pair("optional", "true"),
            ]
        );
    }

    #[test]
    fn nothing_else_is_joined() {
        assert_eq!(entries("{contains: a b, c d}"), [pair("contains", "a b"), pair("c d", "~")]);
        assert_eq!(entries("{title: a b, optional}"), [pair("title", "a b"), pair("optional", "~")]);
        assert_eq!(entries("{title: \"a b\", c d}"), [pair("title", "a b"), pair("c d", "~")]);
        assert_eq!(entries("{title: a b, c d: }"), [pair("title", "a b"), pair("c d", "~")]);
        assert_eq!(entries("title: a b\nc d:\n"), [pair("title", "a b"), pair("c d", "~")]);
    }
}
