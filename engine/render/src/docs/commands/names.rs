//! What is known of a runbook's parameters and captures without running it: what a value may hold, and an example.

use std::collections::{BTreeMap, BTreeSet};

use periplus_core::expect::{Pattern, PatternPart, Token};
use periplus_core::model::verb::Verb;
use periplus_core::model::{Capture, CaptureFrom, Param, ParamType, Runbook, ScalarType, Step};
use periplus_core::source::{Node, NodeKind};
use periplus_core::template::Scope;
use serde_json::Value;

/// What a value may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Digits alone, or `true` and `false`: JSON takes it as it is.
    Number,
    /// Nothing that any notation takes for a sign of its own: addresses, names of objects.
    Plain,
    /// Anything.
    Text,
    /// Several values.
    List,
}

/// The names of a runbook.
#[derive(Debug)]
pub(super) struct Names {
    shapes: BTreeMap<String, Shape>,
    /// Parameters whose value is the text of a file, which is not known here.
    files: BTreeSet<String>,
    /// An example of each.
    pub(super) example: Scope,
    /// For each name a word that stands for it, to be put back after the text around it was read.
    pub(super) marks: Scope,
}

/// What `marks` puts around a name.
const MARK: &str = "qqz";

impl Names {
    pub(super) fn of(runbook: &Runbook) -> Self {
        let mut names =
            Self { shapes: BTreeMap::new(), files: BTreeSet::new(), example: Scope::new(), marks: Scope::new() };
        for (name, param) in &runbook.params {
            if param.kind == ParamType::Scalar(ScalarType::File) {
                names.files.insert(name.clone());
            }
            names.add(name, shape(&param.kind), example(name, param));
        }
        let cleanup = runbook.cleanup.iter().flat_map(|cleanup| &cleanup.steps);
        for step in runbook.steps.iter().chain(cleanup).chain(&runbook.on_failure) {
            for (name, capture) in &step.capture {
                let (shape, example) = captured(capture);
                names.add(name, shape, example);
            }
            for lines in patterns(step) {
                let Ok((pattern, _)) = Pattern::parse(lines) else { continue };
                for part in pattern.parts() {
                    if let PatternPart::Token { token, name: Some(name) } = part {
                        names.add(name, taken(token), Value::from(token.example(0)));
                    }
                }
            }
        }
        names
    }

    fn add(&mut self, name: &str, shape: Shape, example: Value) {
        self.shapes.insert(name.to_owned(), shape);
        self.example.set(name, example);
        self.marks.set(name, format!("{MARK}{name}{MARK}"));
    }

    /// What the values of a name may hold.
    pub(super) fn shape(&self, name: &str) -> Shape {
        self.shapes.get(name).copied().unwrap_or(Shape::Text)
    }

    /// Whether a name's value is the text of a file.
    pub(super) fn is_file(&self, name: &str) -> bool {
        self.files.contains(name)
    }

    /// A text that was rendered with `marks`, with the templates put back in their place.
    pub(super) fn unmark(&self, text: &str) -> String {
        self.shapes.keys().fold(text.to_owned(), |text, name| {
            text.replace(&format!("{MARK}{name}{MARK}"), &format!("{{{{{name}}}}}"))
        })
    }
}

impl Names {
    /// As [`Names::unmark`], for all texts of a tree.
    pub(super) fn unmark_tree(&self, node: &mut Node) {
        match &mut node.kind {
            NodeKind::Scalar(scalar) => scalar.text = self.unmark(&scalar.text),
            NodeKind::List(items) => items.iter_mut().for_each(|item| self.unmark_tree(item)),
            NodeKind::Map(entries) => {
                for (key, value) in entries {
                    self.unmark_tree(key);
                    self.unmark_tree(value);
                }
            }
        }
    }
}

/// The `lines` of a step, which may capture.
fn patterns(step: &Step) -> impl Iterator<Item = &str> {
    let beside = step.expect_output.as_ref();
    let (own, log) = match &step.verb {
        Verb::ExpectOutput(expect) => (Some(expect), None),
        Verb::LogGrep(grep) => (None, grep.checks.lines.as_ref()),
        _ => (None, None),
    };
    beside
        .into_iter()
        .chain(own)
        .filter_map(|expect| expect.check.lines.as_ref())
        .chain(log)
        .map(|text| text.raw.as_str())
}

fn shape(kind: &ParamType) -> Shape {
    match kind {
        ParamType::Enum(values) if values.iter().all(|value| is_plain(value)) => Shape::Plain,
        ParamType::List(_) => Shape::List,
        ParamType::Enum(_) => Shape::Text,
        ParamType::Scalar(kind) => match kind {
            ScalarType::Port | ScalarType::Int | ScalarType::Bool => Shape::Number,
            ScalarType::Ip | ScalarType::Host | ScalarType::Cidr | ScalarType::Name | ScalarType::Duration => {
                Shape::Plain
            }
            ScalarType::Number | ScalarType::String | ScalarType::Url | ScalarType::File => Shape::Text,
        },
    }
}

fn is_plain(text: &str) -> bool {
    !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./:+-".contains(c))
}

const fn taken(token: Token) -> Shape {
    match token {
        Token::Ip | Token::Addr | Token::Duration | Token::Uuid | Token::Hash | Token::Hex | Token::Host => {
            Shape::Plain
        }
        Token::Port => Shape::Number,
        Token::Int | Token::Number | Token::Timestamp | Token::Date | Token::Word | Token::Url => Shape::Text,
    }
}

fn captured(capture: &Capture) -> (Shape, Value) {
    let path = match &capture.from {
        CaptureFrom::Path(path) => path.raw.trim_matches(['{', '}', '$']),
        CaptureFrom::Find(_) => "",
    };
    // What Kubernetes itself keeps within bounds.
    let plain = matches!(
        path,
        ".metadata.name"
            | ".metadata.namespace"
            | ".metadata.uid"
            | ".status.podIP"
            | ".status.hostIP"
            | ".spec.clusterIP"
    ) && capture.default.is_none();
    let value = match (path, &capture.default) {
        (_, Some(default)) => default.raw.clone(),
        (".status.podIP" | ".status.hostIP" | ".spec.clusterIP", None) => "10.244.0.7".to_owned(),
        _ => "example".to_owned(),
    };
    (if plain { Shape::Plain } else { Shape::Text }, Value::from(value))
}

/// The default of a parameter as its type has it, else a value that its type accepts.
fn example(name: &str, param: &Param) -> Value {
    // Only the path of a file is known here, and its text is the value.
    let text = || Value::from(format!("<TEXT_OF_{}>", name.to_uppercase()));
    match &param.kind {
        ParamType::Scalar(ScalarType::File) if param.default.is_some() || !param.optional => return text(),
        ParamType::List(ScalarType::File) => return Value::Array(vec![text()]),
        _ => {}
    }
    let typed = |kind: ScalarType, text: &str| match kind {
        ScalarType::Port | ScalarType::Int => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        ScalarType::Number => text.parse::<f64>().map_or_else(|_| Value::from(text), Value::from),
        ScalarType::Bool => Value::from(text == "true"),
        _ => Value::from(text),
    };
    let given = param.default.as_ref().map(|default| default.value.as_slice());
    match (&param.kind, given) {
        (ParamType::List(kind), Some(items)) => items.iter().map(|item| typed(*kind, item)).collect(),
        (ParamType::List(kind), None) => Value::Array(vec![typed(*kind, accepted(*kind))]),
        (ParamType::Scalar(kind), Some([value, ..])) => typed(*kind, value),
        (ParamType::Enum(_), Some([value, ..])) => Value::from(value.as_str()),
        _ if param.optional => Value::from(""),
        (ParamType::Enum(values), _) => Value::from(values.first().map_or("", String::as_str)),
        (ParamType::Scalar(kind), _) => typed(*kind, accepted(*kind)),
    }
}

const fn accepted(kind: ScalarType) -> &'static str {
    match kind {
        ScalarType::String | ScalarType::Name => "example",
        ScalarType::Ip => "192.0.2.7",
        ScalarType::Host => "example.com",
        ScalarType::Cidr => "192.0.2.0/24",
        ScalarType::Port => "8080",
        ScalarType::Url => "https://example.com/",
        ScalarType::Int | ScalarType::Number => "1",
        ScalarType::Bool => "true",
        ScalarType::Duration => "30s",
        ScalarType::File => "example.txt",
    }
}

/// What a shell itself gives a meaning to, so that a parameter of that name goes by another in the commands.
const TAKEN: [&str; 22] = [
    "PATH",
    "HOME",
    "IFS",
    "PWD",
    "OLDPWD",
    "UID",
    "EUID",
    "GID",
    "PPID",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "BASH_ENV",
    "RANDOM",
    "SECONDS",
    "LINENO",
    "HOSTNAME",
    "USER",
    "LANG",
    "TERM",
    "KUBECONFIG",
    "_",
];

/// What the commands themselves call variables, and what zsh keeps for itself under a small letter.
const OURS: [&str; 14] = [
    "attempt", "output", "errors", "both", "said", "found", "code", "in_a_row", "path", "status", "argv", "options",
    "prompt", "signals",
];

/// The shell variable that holds a name's value.
pub(super) fn variable(name: &str) -> String {
    if TAKEN.contains(&name) || OURS.contains(&name) || name.starts_with("SINCE_") || name.starts_with("LINES_") {
        format!("{name}_VALUE")
    } else {
        name.to_owned()
    }
}
