//! Reading a mapping key by key: what is left over at the end is unknown.

use super::Decoder;
use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::source::{Node, NodeKind, Span};

/// A mapping that is being read.
pub(super) struct Object<'n> {
    entries: Vec<Entry<'n>>,
    known: Vec<&'static str>,
    /// Where the mapping stands.
    pub(super) span: Span,
    /// How messages name it, such as `a step`.
    what: &'static str,
}

struct Entry<'n> {
    key: &'n str,
    key_span: Span,
    value: &'n Node,
    taken: bool,
}

impl<'n> Object<'n> {
    /// The value of a key, which counts as known from now on.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let entry = self.entries.iter_mut().find(|entry| entry.key == key)?;
        entry.taken = true;
        Some(entry.value)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&mut self, decoder: &mut Decoder<'_>, key: &'static str) -> Option<&'n Node> {
        let found = self.take(key);
        if found.is_none() {
            decoder.problems.push(
                Diagnostic::error(Code::MissingKey, head(decoder, self.span), format!("{} needs `{key}:`", self.what))
                    .label("missing here"),
            );
        }
        found
    }

    /// Whether a key is there, known or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Where a key stands.
    pub(super) fn key_span(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_span)
    }

    /// The keys that nobody has asked for so far.
    pub(super) fn left(&self) -> impl Iterator<Item = (&'n str, Span)> {
        self.entries.iter().filter(|entry| !entry.taken).map(|entry| (entry.key, entry.key_span))
    }

    /// All entries that were not taken, for mappings whose keys are the user's own names.
    pub(super) fn rest(&mut self) -> Vec<(&'n str, Span, &'n Node)> {
        self.entries
            .iter_mut()
            .filter(|entry| !entry.taken)
            .map(|entry| {
                entry.taken = true;
                (entry.key, entry.key_span, entry.value)
            })
            .collect()
    }

    /// Reports every key that nobody asked for; gives back whether there was none.
    pub(super) fn finish(self, decoder: &mut Decoder<'_>) -> bool {
        for entry in self.entries.iter().filter(|entry| !entry.taken) {
            let problem = Diagnostic::error(
                Code::UnknownKey,
                entry.key_span,
                format!("{} has no key `{}`", self.what, entry.key),
            )
            .label("unknown key");
            decoder.problems.push(match nearest(entry.key, self.known.iter().copied()) {
                Some(near) if self.has(near) => problem.help(format!("did you mean `{near}`, which is there already?")),
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("its keys are: {}", self.known.join(", "))),
            });
        }
        self.entries.iter().all(|entry| entry.taken)
    }
}

/// The first line of a span: enough to point at a mapping.
fn head(decoder: &Decoder<'_>, span: Span) -> Span {
    let text = &decoder.source.text[span.range()];
    Span::new(span.start, span.start + text.find('\n').unwrap_or(text.len()))
}

impl Decoder<'_> {
    /// Reads a mapping; anything else is reported.
    pub(super) fn object<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<Object<'n>> {
        let NodeKind::Map(entries) = &node.kind else {
            let found = node.describe();
            self.problem(Code::WrongType, node.span, format!("{what} must be a mapping, and here is {found}"));
            return None;
        };
        if self.is_unquoted_template(node) {
            return None;
        }
        let mut object =
            Object { entries: Vec::with_capacity(entries.len()), known: Vec::new(), span: node.span, what };
        for (key, value) in entries {
            let NodeKind::Scalar(name) = &key.kind else {
                self.problem(
                    Code::WrongType,
                    key.span,
                    format!("a key must be a single value, not {}", key.describe()),
                );
                continue;
            };
            if name.text == "<<" {
                self.problem(Code::NotPlainYaml, key.span, "a runbook cannot hold merge keys".to_owned());
                continue;
            }
            if let Some(first) = object.entries.iter().find(|entry| entry.key == name.text) {
                let first = first.key_span;
                self.problems.push(
                    Diagnostic::error(Code::DuplicateKey, key.span, format!("`{}` stands twice", name.text))
                        .label("here again")
                        .also(first, "first here"),
                );
                continue;
            }
            object.entries.push(Entry { key: &name.text, key_span: key.span, value, taken: false });
        }
        Some(object)
    }

    /// Reports `{{NAME}}` without quotes, which YAML reads as a mapping whose key is a mapping.
    pub(super) fn is_unquoted_template(&mut self, node: &Node) -> bool {
        let written = &self.source.text[node.span.range()];
        let unquoted = written.starts_with("{{")
            && matches!(&node.kind, NodeKind::Map(entries)
                if entries.len() == 1 && matches!(entries[0].0.kind, NodeKind::Map(_)));
        if unquoted {
            self.problems.push(
                Diagnostic::error(Code::UnquotedTemplate, node.span, "YAML reads this as a mapping, not as a template")
                    .help(format!("quote the template: \"{written}\"")),
            );
        }
        unquoted
    }

    /// Reports an error at a place.
    pub(super) fn problem(&mut self, code: Code, span: Span, message: String) {
        self.problems.push(Diagnostic::error(code, span, message));
    }
}
