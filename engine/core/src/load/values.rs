//! Reading single values, lists, and the ways to name things.

use super::Decoder;
use super::object::Object;
use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::model::{Duration, In, ObjectRef, Pick, PodRef, StepId, Text, Tree, Which};
use crate::source::{Node, NodeKind, Scalar, Spanned, Style};

impl Decoder<'_> {
    /// A scalar that is not null.
    fn scalar<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<&'n Scalar> {
        match &node.kind {
            NodeKind::Scalar(scalar) if !scalar.is_null() => Some(scalar),
            _ => {
                if !self.is_unquoted_template(node) {
                    let found = node.describe();
                    self.problem(Code::WrongType, node.span, format!("{wanted} is wanted, and here is {found}"));
                }
                None
            }
        }
    }

    /// Text that may hold a template. A number or a boolean is text as well: it is taken as written.
    pub(super) fn text(&mut self, node: &Node) -> Option<Text> {
        let scalar = self.scalar(node, "text")?;
        Some(Text { raw: scalar.text.clone(), span: node.span, style: scalar.style })
    }

    /// Text that may also be empty.
    pub(super) fn text_or_empty(&mut self, node: &Node) -> Option<Text> {
        match &node.kind {
            NodeKind::Scalar(scalar) if scalar.style != Style::Plain => {
                Some(Text { raw: scalar.text.clone(), span: node.span, style: scalar.style })
            }
            _ => self.text(node),
        }
    }

    /// Prose or a name: text in which nothing is filled in.
    pub(super) fn string(&mut self, node: &Node) -> Option<String> {
        self.scalar(node, "text").map(|scalar| scalar.text.clone())
    }

    /// The same with its place.
    pub(super) fn spanned(&mut self, node: &Node) -> Option<Spanned<String>> {
        self.string(node).map(|text| Spanned::new(text, node.span))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: &Node) -> Option<bool> {
        let scalar = self.scalar(node, "`true` or `false`")?;
        match (scalar.style, scalar.text.as_str()) {
            (Style::Plain, "true") => Some(true),
            (Style::Plain, "false") => Some(false),
            _ => {
                self.problem(Code::BadValue, node.span, format!("`true` or `false` is wanted, not `{}`", scalar.text));
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn integer(&mut self, node: &Node, least: i64, most: i64) -> Option<i64> {
        let scalar = self.scalar(node, "a whole number")?;
        let number =
            scalar.text.parse::<i64>().ok().filter(|n| (least..=most).contains(n) && scalar.style == Style::Plain);
        if number.is_none() {
            let message = format!("a whole number from {least} to {most} is wanted, not `{}`", scalar.text);
            self.problem(Code::BadValue, node.span, message);
        }
        number
    }

    /// A count from 1 that fits 32 bits.
    pub(super) fn count(&mut self, node: &Node) -> Option<u32> {
        self.integer(node, 1, 10_000).and_then(|n| u32::try_from(n).ok())
    }

    /// A duration.
    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        let scalar = self.scalar(node, "a duration")?;
        match Duration::parse(&scalar.text) {
            Ok(duration) => Some(duration),
            Err(accepted) => {
                let problem =
                    Diagnostic::error(Code::BadValue, node.span, format!("`{}` is not a duration", scalar.text));
                let help = if scalar.text.parse::<u64>().is_ok() {
                    format!("name the unit: {}s", scalar.text)
                } else {
                    accepted.to_owned()
                };
                self.problems.push(problem.help(help));
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, words: &[(&'static str, T)]) -> Option<T> {
        let scalar = self.scalar(node, "a word")?;
        let found = words.iter().find(|(word, _)| *word == scalar.text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let problem = Diagnostic::error(
                Code::BadValue,
                node.span,
                format!("`{}` is not one of: {}", scalar.text, names.join(", ")),
            );
            self.problems.push(match nearest(&scalar.text, names.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
        found
    }

    /// A step's id.
    pub(super) fn step_id(&mut self, node: &Node) -> Option<Spanned<StepId>> {
        let scalar = self.scalar(node, "a step's id")?;
        let valid = !scalar.text.is_empty()
            && scalar.text.len() <= 63
            && scalar.text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !scalar.text.starts_with('-')
            && !scalar.text.ends_with('-');
        if !valid {
            self.problems
                .push(Diagnostic::error(Code::BadValue, node.span, format!("`{}` is not an id", scalar.text)).help(
                "an id has up to 63 lower-case letters, digits and dashes, and starts and ends with a letter or digit",
            ));
            return None;
        }
        Some(Spanned::new(StepId(scalar.text.clone()), node.span))
    }

    /// A list, each item read by `read`; what cannot be read is reported and left out.
    pub(super) fn list<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &node.kind {
            NodeKind::List(items) => Some(items.iter().filter_map(|item| read(self, item)).collect()),
            _ => {
                if !self.is_unquoted_template(node) {
                    let found = node.describe();
                    self.problem(Code::WrongType, node.span, format!("a list is wanted, and here is {found}"));
                }
                None
            }
        }
    }

    /// One value, or a list of them.
    pub(super) fn one_or_list<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        match &node.kind {
            NodeKind::List(_) => self.list(node, read).unwrap_or_default(),
            _ => read(self, node).into_iter().collect(),
        }
    }

    /// Reports every unquoted template in data, however deep.
    fn holds_unquoted_template(&mut self, node: &Node) -> bool {
        if self.is_unquoted_template(node) {
            return true;
        }
        let mut found = false;
        match &node.kind {
            NodeKind::Scalar(_) => {}
            NodeKind::List(items) => {
                for item in items {
                    found |= self.holds_unquoted_template(item);
                }
            }
            NodeKind::Map(entries) => {
                for (_, value) in entries {
                    found |= self.holds_unquoted_template(value);
                }
            }
        }
        found
    }

    /// YAML data: as text that is rendered and then parsed, or written out.
    pub(super) fn tree(&mut self, node: &Node) -> Option<Tree> {
        match &node.kind {
            NodeKind::Scalar(scalar) if scalar.style == Style::Literal || scalar.style == Style::Folded => {
                self.text(node).map(Tree::Text)
            }
            _ if self.holds_unquoted_template(node) => None,
            _ => Some(Tree::Node(node.clone())),
        }
    }

    /// `kind`, `name` or `selector`, `apiVersion`, `namespace`, taken from a mapping that may have further keys.
    pub(super) fn object_keys(&mut self, object: &mut Object<'_>) -> Option<ObjectRef> {
        let named = (object.has("name"), object.has("selector"));
        let kind = object.need(self, "kind").and_then(|node| self.text(node));
        let api_version = object.take("apiVersion").and_then(|node| self.text(node));
        let name = object.take("name").and_then(|node| self.text(node));
        let selector = object.take("selector").and_then(|node| self.text(node));
        let namespace = object.take("namespace").and_then(|node| self.text(node));
        let which = match named {
            (true, false) => name.map(Which::Name),
            (false, true) => selector.map(Which::Selector),
            (both, _) => {
                let message = if both {
                    "an object is named by `name:` or by `selector:`, not by both"
                } else {
                    "an object is named by `name:` or by `selector:`"
                };
                self.problem(Code::MissingKey, object.span, message.to_owned());
                None
            }
        };
        Some(ObjectRef { kind: kind?, api_version, which: which?, namespace, span: object.span })
    }

    /// `{kind, name | selector, apiVersion, namespace}`.
    pub(super) fn object_ref(&mut self, node: &Node) -> Option<ObjectRef> {
        let mut object = self.object(node, "an object's name")?;
        let found = self.object_keys(&mut object);
        object.finish(self);
        found
    }

    /// `in: {workload | pod | selector, namespace, container, pick}`.
    pub(super) fn container(&mut self, node: &Node) -> Option<In> {
        let mut object = self.object(node, "`in`")?;
        let ways = ["workload", "pod", "selector"].iter().filter(|key| object.has(key)).count();
        let workload = object.take("workload").and_then(|node| self.text(node)).map(PodRef::Workload);
        let pod = object.take("pod").and_then(|node| self.text(node)).map(PodRef::Pod);
        let selector = object.take("selector").and_then(|node| self.text(node)).map(PodRef::Selector);
        let namespace = object.take("namespace").and_then(|node| self.text(node));
        let container = object.take("container").and_then(|node| self.text(node));
        let pick = self.pick(&mut object);
        let span = object.span;
        object.finish(self);
        if ways != 1 {
            self.problem(
                Code::MissingKey,
                span,
                "`in` names the pod by exactly one of `workload:`, `pod:` and `selector:`".to_owned(),
            );
            return None;
        }
        let pod = workload.or(pod).or(selector)?;
        Some(In { pod, namespace, container, pick, span })
    }

    /// `pick: any`.
    pub(super) fn pick(&mut self, object: &mut Object<'_>) -> Pick {
        let words = [("any", Pick::Any), ("one", Pick::One)];
        object.take("pick").and_then(|node| self.word(node, &words)).unwrap_or_default()
    }
}
