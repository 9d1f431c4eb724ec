//! Values to be written as YAML: on one line where they fit, else over several.

use std::fmt::Write as _;

use serde_json::Value;

use super::scalar;

/// Columns that a line may have before a mapping is written over several.
const WIDTH: usize = 118;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    /// Text.
    Text(String),
    /// Prose, which may be folded.
    Prose(String),
    /// A number, a boolean, a duration: as it stands.
    Bare(String),
    /// A list.
    List(Vec<Yaml>),
    /// A mapping.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn bare(text: impl std::fmt::Display) -> Self {
        Self::Bare(text.to_string())
    }

    /// A mapping of what is there.
    pub(crate) fn map<const N: usize>(entries: [(&str, Option<Yaml>); N]) -> Self {
        Self::Map(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    }

    /// One text, or a list of several.
    pub(crate) fn texts(texts: &[String]) -> Option<Self> {
        match texts {
            [] => None,
            [one] => Some(Self::text(one)),
            several => Some(Self::List(several.iter().map(Self::text).collect())),
        }
    }

    /// As a document of its own, every mapping over several lines.
    pub(crate) fn document(&self) -> String {
        let mut out = String::new();
        self.lines(0, &mut out);
        out
    }

    fn lines(&self, indent: usize, out: &mut String) {
        let Self::Map(entries) = self else { return };
        for (key, value) in entries {
            match value {
                Self::Map(inner) if !inner.is_empty() => {
                    let _ = writeln!(out, "{}{}:", " ".repeat(indent), self::key(key, false));
                    value.lines(indent + 2, out);
                }
                Self::List(items) if items.iter().any(|item| matches!(item, Self::Map(_))) => {
                    let _ = writeln!(out, "{}{}:", " ".repeat(indent), self::key(key, false));
                    for item in items {
                        let mut inner = String::new();
                        item.lines(indent + 2, &mut inner);
                        let _ = write!(out, "{}- {}", " ".repeat(indent), inner.trim_start());
                    }
                }
                value => value.behind_key(key, indent, out),
            }
        }
    }

    /// On one line; `None` if it has several.
    pub(super) fn flow(&self) -> Option<String> {
        Some(match self {
            Self::Text(text) | Self::Prose(text) if text.contains('\n') => return None,
            Self::Text(text) | Self::Prose(text) => scalar::inline(text, true),
            Self::Bare(text) => text.clone(),
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::flow).collect::<Option<Vec<_>>>()?.join(", "))
            }
            Self::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| Some(format!("{}: {}", self::key(key, true), value.flow()?)));
                format!("{{{}}}", entries.collect::<Option<Vec<_>>>()?.join(", "))
            }
        })
    }

    /// Writes the value behind a key that stands at `indent`.
    pub(super) fn behind_key(&self, key: &str, indent: usize, out: &mut String) {
        let key = self::key(key, false);
        let _ = write!(out, "{}{key}:", " ".repeat(indent));
        let used = indent + key.len() + 2;
        match self {
            Self::Text(text) | Self::Prose(text) if scalar::fits_block(text) => {
                out.push(' ');
                scalar::block(text, indent + 2, out);
            }
            Self::Prose(text) if scalar::folds(text) && used + scalar::inline(text, false).chars().count() > WIDTH => {
                out.push(' ');
                scalar::folded(text, indent + 2, out);
            }
            Self::Text(text) | Self::Prose(text) => {
                let _ = writeln!(out, " {}", scalar::inline(text, false));
            }
            Self::Bare(text) => {
                let _ = writeln!(out, " {text}");
            }
            Self::List(items) if !items.is_empty() => match self.fitting(used) {
                Some(flow) => {
                    let _ = writeln!(out, " {flow}");
                }
                None => {
                    out.push('\n');
                    items.iter().for_each(|item| item.item(indent + 2, out));
                }
            },
            Self::Map(entries) if !entries.is_empty() => match self.fitting(used) {
                Some(flow) => {
                    let _ = writeln!(out, " {flow}");
                }
                None => {
                    out.push('\n');
                    entries.iter().for_each(|(key, value)| value.behind_key(key, indent + 2, out));
                }
            },
            Self::List(_) => out.push_str(" []\n"),
            Self::Map(_) => out.push_str(" {}\n"),
        }
    }

    /// Writes the value as an item of a list at `indent`.
    pub(super) fn item(&self, indent: usize, out: &mut String) {
        let lead = " ".repeat(indent);
        match self {
            Self::Text(text) | Self::Prose(text) if scalar::fits_block(text) => {
                let _ = write!(out, "{lead}- ");
                scalar::block(text, indent + 2, out);
            }
            Self::Prose(text) if scalar::folds(text) && indent + 2 + text.chars().count() > WIDTH => {
                let _ = write!(out, "{lead}- ");
                scalar::folded(text, indent + 2, out);
            }
            Self::Text(text) | Self::Prose(text) => {
                let _ = writeln!(out, "{lead}- {}", scalar::inline(text, false));
            }
            Self::Map(entries) if !entries.is_empty() && self.fitting(indent + 2).is_none() => {
                let mut inner = String::new();
                entries.iter().for_each(|(key, value)| value.behind_key(key, indent + 2, &mut inner));
                let _ = write!(out, "{lead}- {}", inner.trim_start());
            }
            _ => {
                let flow = self.flow().unwrap_or_else(|| scalar::quoted(&format!("{self:?}")));
                let _ = writeln!(out, "{lead}- {flow}");
            }
        }
    }

    /// On one line, if it fits behind so many columns.
    fn fitting(&self, used: usize) -> Option<String> {
        self.flow().filter(|flow| used + flow.chars().count() <= WIDTH)
    }
}

fn key(key: &str, flow: bool) -> String {
    scalar::inline(key, flow)
}

impl From<&Value> for Yaml {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::bare("null"),
            Value::Bool(_) | Value::Number(_) => Self::bare(value),
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => {
                Self::Map(entries.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use periplus_core::source::{LIMITS, NodeKind, tree};
    use proptest::prelude::*;

    use super::*;

    fn read_back(text: &str, prose: bool) -> String {
        let value = if prose { Yaml::Prose(text.to_owned()) } else { Yaml::text(text) };
        let mut out = String::new();
        value.behind_key("k", 2, &mut out);
        Yaml::List(vec![value.clone()]).behind_key("l", 2, &mut out);
        let root = tree(&out, LIMITS).unwrap_or_else(|error| panic!("{error:?}\n{out}"));
        let NodeKind::Map(entries) = root.kind else { panic!("a mapping") };
        let text_of = |node: &periplus_core::source::Node| match &node.kind {
            NodeKind::Scalar(scalar) => {
                assert!(!scalar.is_null());
                scalar.text.clone()
            }
            NodeKind::List(items) => match &items[0].kind {
                NodeKind::Scalar(scalar) => scalar.text.clone(),
                _ => panic!("a scalar"),
            },
            NodeKind::Map(_) => panic!("a scalar"),
        };
        assert_eq!(text_of(&entries[0].1), text_of(&entries[1].1), "{out}");
        text_of(&entries[0].1)
    }

    #[test]
    fn what_fits_stands_on_one_line() {
        let value = Yaml::map([
            ("namespace", Some(Yaml::text("external"))),
            ("port", Some(Yaml::text("3128"))),
            ("exit", Some(Yaml::bare(56))),
            ("pod", Some(Yaml::text("{{POD}}"))),
        ]);
        let mut out = String::new();
        value.behind_key("in", 4, &mut out);
        assert_eq!(out, "    in: {namespace: external, port: \"3128\", exit: 56, pod: \"{{POD}}\"}\n");
    }

    #[test]
    fn several_lines_become_a_block() {
        let mut out = String::new();
        Yaml::map([("manifest", Some(Yaml::text("a: 1\n\nb: 2\n")))]).behind_key("apply", 4, &mut out);
        assert_eq!(out, "    apply:\n      manifest: |\n        a: 1\n\n        b: 2\n");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in "(?s)([ -~]|[\n\t: #'\"{}\\[\\]|>&*!%@`-]|\\PC|.){0,40}") {
            let text = text.replace('\0', "");
            prop_assert_eq!(read_back(&text, false), text.clone());
            prop_assert_eq!(read_back(&text, true), text);
        }

        #[test]
        fn long_prose_is_read_back(words in proptest::collection::vec("[a-z.,:;'\"#-]{1,12}", 1..60)) {
            let text = words.join(" ");
            prop_assert_eq!(read_back(&text, true), text);
        }
    }
}
