//! YAML of the runbook with templates in it: patches and expected objects, as JSON or YAML for a shell.

use periplus_core::model::Tree;
use periplus_core::source::{LIMITS, Node, NodeKind, Scalar, Style, tree};
use periplus_core::template::Flavour;
use periplus_core::yaml_edit;
use serde_json::{Map, Value};

use super::regex;
use super::scribe::Scribe;
use super::word::ShellText;

/// A single value of a tree, for a `grep` that finds it in JSON and in YAML.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) key: Option<String>,
    pub(super) value: ShellText,
}

impl Leaf {
    /// Flags of `grep`, and what it looks for.
    pub(super) fn grep(&self) -> (String, String) {
        match (&self.key, self.value.as_literal()) {
            (Some(key), Some(value)) if !value.contains('\n') => {
                let text = format!("{}\"?: *\"?{}", plain(key), plain(value));
                regex::grep("qE", &ShellText::literal(text))
            }
            (Some(key), None) => regex::grep("q", &ShellText::literal(format!("{}\"*:", plain(key)))),
            (_, value) => {
                let first = value.map(|value| value.lines().next().unwrap_or_default().to_owned());
                regex::grep("qF", &first.map_or_else(|| self.value.clone(), ShellText::literal))
            }
        }
    }
}

/// A text as a regular expression.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if ".[{}()*+?|^$\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The single values of a tree, with the keys that lead to them.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    pub(super) found: Vec<(Vec<String>, Scalar)>,
    path: Vec<String>,
}

impl Leaves {
    pub(super) fn collect(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Scalar(scalar) => self.found.push((self.path.clone(), scalar.clone())),
            NodeKind::List(items) => items.iter().for_each(|item| self.collect(item)),
            NodeKind::Map(entries) => {
                for (key, value) in entries {
                    let NodeKind::Scalar(key) = &key.kind else { continue };
                    self.path.push(key.text.clone());
                    self.collect(value);
                    self.path.pop();
                }
            }
        }
    }
}

impl Scribe<'_> {
    /// A tree as nodes. Text is read with its templates in it, where that is YAML at all.
    pub(super) fn tree(&self, given: &Tree) -> Option<Node> {
        match given {
            Tree::Node(node) => Some(node.clone()),
            Tree::Text(text) => {
                let names = &self.commands.names;
                let marked = text.render(Flavour::Manifest, &names.marks).ok()?;
                let mut node = tree(&marked, LIMITS).ok()?;
                names.unmark_tree(&mut node);
                Some(node)
            }
        }
    }

    /// A tree as JSON, where it has no templates.
    pub(super) fn constant(&self, given: &Tree) -> Option<Value> {
        match given {
            Tree::Text(text) if text.has_template() => None,
            Tree::Text(text) => yaml_edit::parse(&text.raw).ok(),
            Tree::Node(node) => constant(node),
        }
    }

    /// A tree as YAML in block style, for a here-document. Values that may hold anything are made strings at run time.
    pub(super) fn yaml(&self, node: &Node) -> ShellText {
        let mut out = ShellText::default();
        self.block(node, 0, &mut out);
        out
    }

    fn block(&self, node: &Node, indent: usize, out: &mut ShellText) {
        match &node.kind {
            NodeKind::Map(entries) if !entries.is_empty() => {
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push_literal(&" ".repeat(indent));
                    }
                    if let NodeKind::Scalar(key) = &key.kind {
                        out.append(&self.scalar(&Scalar { text: key.text.clone(), style: Style::Quoted }));
                    }
                    out.push_literal(":");
                    match &value.kind {
                        NodeKind::Map(inner) if !inner.is_empty() => {
                            out.push_literal(&format!("\n{}", " ".repeat(indent + 2)));
                            self.block(value, indent + 2, out);
                        }
                        NodeKind::List(items) if !items.is_empty() => {
                            out.push_literal(&format!("\n{}", " ".repeat(indent)));
                            self.block(value, indent, out);
                        }
                        _ => {
                            out.push_literal(" ");
                            self.block(value, indent, out);
                        }
                    }
                }
            }
            NodeKind::List(items) if !items.is_empty() => {
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push_literal(&" ".repeat(indent));
                    }
                    out.push_literal("- ");
                    self.block(item, indent + 2, out);
                }
            }
            NodeKind::Map(_) => out.push_literal("{}\n"),
            NodeKind::List(_) => out.push_literal("[]\n"),
            NodeKind::Scalar(scalar) => {
                out.append(&self.scalar(scalar));
                out.push_literal("\n");
            }
        }
    }

    /// A single value as YAML.
    pub(super) fn scalar(&self, scalar: &Scalar) -> ShellText {
        let text = self.raw(&scalar.text, Flavour::Manifest);
        match text.as_literal() {
            // Typed as a run types it: kubectl would take `yes` for true.
            Some(literal) if scalar.style == Style::Plain => ShellText::literal(match yaml_edit::parse(literal) {
                Ok(Value::String(text)) => yaml_edit::scalar(&text),
                Ok(value) => value.to_string(),
                Err(_) => yaml_edit::scalar(literal),
            }),
            Some(literal) => ShellText::literal(yaml_edit::scalar(literal)),
            None if self.is_plain(&scalar.text) => {
                if scalar.style == Style::Plain {
                    text
                } else {
                    self.json_string(&text, true)
                }
            }
            None => self.json_string(&text, false),
        }
    }
}

fn constant(node: &Node) -> Option<Value> {
    match &node.kind {
        NodeKind::Scalar(scalar) if scalar.text.contains("{{") => None,
        NodeKind::Scalar(scalar) if scalar.style == Style::Plain => yaml_edit::parse(&scalar.text).ok(),
        NodeKind::Scalar(scalar) => Some(Value::from(scalar.text.as_str())),
        NodeKind::List(items) => items.iter().map(constant).collect(),
        NodeKind::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                match &key.kind {
                    NodeKind::Scalar(key) if !key.text.contains("{{") => map.insert(key.text.clone(), constant(value)?),
                    _ => return None,
                };
            }
            Some(Value::Object(map))
        }
    }
}
