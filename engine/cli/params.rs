//! The values that a user gives: `--set`, `--params FILE`, the environment.
//!
//! Values are only collected here; whether they fit is decided where the parameters are bound.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use indexmap::IndexMap;
use periplus_core::codes::Code;
use periplus_core::diag::Diagnostic;
use periplus_core::params::{Given, NamedValues, Outside};
use periplus_core::source::{LIMITS, Limits, Node, NodeKind, Source, TreeError, TreeErrorKind, tree};
use serde_json::Value;

use crate::book::read_text;
use crate::error::CliError;
use crate::io::Io;

/// Bounds of a file of parameters.
const BOUNDS: Limits = Limits { file_bytes: 1 << 20, nodes: 100_000, depth: LIMITS.depth };

/// Values for parameters.
#[derive(Debug, Args)]
pub(crate) struct ParamArgs {
    /// Give a parameter its value; may be repeated, the last one of a name counts
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) set: Vec<(String, String)>,

    /// Take values from a YAML or JSON file that maps names to values
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) params: Option<PathBuf>,
}

/// `NAME=VALUE`, divided at the first equals sign.
pub(crate) fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

impl ParamArgs {
    /// Collects the values.
    pub(crate) fn given(&self) -> Result<Given, CliError> {
        let file = self.params.as_deref().map(read_values).transpose()?;
        Ok(Given { set: self.set.clone(), file, world: None })
    }
}

fn read_values(path: &Path) -> Result<NamedValues, CliError> {
    let name = path.display().to_string();
    let text = read_text(path, BOUNDS.file_bytes)
        .map_err(|problem| CliError::invalid(format!("the parameters in {name}: {}", problem.text())))?;
    let source = Source { name, text };
    match values(&source) {
        Ok(values) => Ok(NamedValues { origin: source.name, values }),
        Err(problem) => Err(CliError::Diagnostics { list: vec![problem], source: Some(source) }),
    }
}

fn values(source: &Source) -> Result<IndexMap<String, Value>, Diagnostic> {
    let root = tree(&source.text, BOUNDS).map_err(|error| unreadable(&error))?;
    let form = "a file of parameters maps each name to a value or a list of values";
    let wrong = |node: &Node| {
        Diagnostic::error(Code::WrongType, node.span, format!("{} cannot stand here", node.describe())).help(form)
    };
    let NodeKind::Map(entries) = &root.kind else { return Err(wrong(&root)) };
    let mut values = IndexMap::new();
    for (key, node) in entries {
        let NodeKind::Scalar(name) = &key.kind else { return Err(wrong(key)) };
        let value = match &node.kind {
            NodeKind::Scalar(scalar) if !scalar.is_null() => Value::String(scalar.text.clone()),
            NodeKind::List(items) => {
                let item = |item: &Node| match &item.kind {
                    NodeKind::Scalar(scalar) if !scalar.is_null() => Ok(Value::String(scalar.text.clone())),
                    _ => Err(wrong(item)),
                };
                Value::Array(items.iter().map(item).collect::<Result<_, _>>()?)
            }
            _ => return Err(wrong(node)),
        };
        if values.insert(name.text.clone(), value).is_some() {
            return Err(Diagnostic::error(Code::DuplicateKey, key.span, format!("{} stands here twice", name.text)));
        }
    }
    Ok(values)
}

fn unreadable(error: &TreeError) -> Diagnostic {
    let (code, message) = match &error.kind {
        TreeErrorKind::Syntax(reason) => (Code::NotYaml, format!("this is not valid YAML: {reason}")),
        TreeErrorKind::Empty => (Code::EmptyFile, "the file holds nothing".to_owned()),
        TreeErrorKind::SecondDocument => (Code::SecondDocument, "a second document starts here".to_owned()),
        TreeErrorKind::NotPlain(what) => (Code::NotPlainYaml, format!("a file of parameters cannot hold {what}")),
        TreeErrorKind::TooManyNodes => (Code::TooManyNodes, "the file holds too many values".to_owned()),
        TreeErrorKind::TooDeep => (Code::TooDeep, "the file is nested too deeply".to_owned()),
    };
    Diagnostic::error(code, error.span, message)
}

/// The environment and the files of this machine.
pub(crate) struct Machine<'a>(pub(crate) &'a Io);

impl Outside for Machine<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.0.env.get(name).cloned()
    }

    fn read(&self, path: &str) -> Result<String, String> {
        read_text(Path::new(path), BOUNDS.file_bytes).map_err(|problem| problem.text())
    }
}
