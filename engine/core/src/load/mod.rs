//! From text to runbook: everything that is wrong is reported at once, each thing with its place and its remedy.
//!
//! Only broken YAML ends the search early, since after it nothing has a known meaning. No file is read here: what the
//! runbook names is fetched through [`Files`].

mod checks;
mod expect;
mod head;
mod like;
mod names;
mod object;
mod objects;
mod order;
mod patterns;
mod prose;
mod step;
mod texts;
mod values;
mod verbs;

use std::collections::BTreeSet;

pub use order::Order;

use crate::codes::Code;
use crate::diag::{Diagnostic, Severity};
use crate::model::{Runbook, StepId};
use crate::source::{LIMITS, Source, Span, TreeError, TreeErrorKind, tree};

/// The format's `apiVersion`.
pub const API_VERSION: &str = "periplus.dev/v1";

/// Gives the text of a file that a runbook names.
pub trait Files {
    /// The text at a path relative to the runbook's folder.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    fn read(&self, path: &str) -> Result<String, String>;
}

/// What came of loading.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The runbook; `None` when something is wrong that makes it unusable.
    pub runbook: Option<Runbook>,
    /// The order of its steps; `None` exactly when the runbook is.
    pub order: Option<Order>,
    /// All that is wrong, in file order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a runbook.
#[must_use]
pub fn load(source: &Source, files: &dyn Files) -> Loaded {
    let mut decoder =
        Decoder { source, files, problems: Vec::new(), lost_steps: BTreeSet::new(), lost_names: BTreeSet::new() };
    let bytes = u64::try_from(source.text.len()).unwrap_or(u64::MAX);
    if bytes > LIMITS.file_bytes {
        let start = Span::default();
        let problem = Diagnostic::error(Code::FileTooLarge, start, too_large(bytes));
        return Loaded { runbook: None, order: None, diagnostics: vec![problem] };
    }
    let runbook = match tree(&source.text, LIMITS) {
        Ok(mut root) => {
            prose::join(&mut root, &source.text);
            decoder.runbook(&root)
        }
        Err(error) => {
            decoder.problems.push(explain(&error, source));
            None
        }
    };
    let order = runbook.as_ref().and_then(|runbook| decoder.whole(runbook));
    let mut diagnostics = decoder.problems;
    diagnostics.sort_by_key(|problem| problem.labels.first().map(|label| label.span));
    let usable = order.is_some() && !diagnostics.iter().any(|problem| problem.severity == Severity::Error);
    Loaded { runbook: runbook.filter(|_| usable), order: order.filter(|_| usable), diagnostics }
}

/// What is said of a file that is larger than the format allows; for readers that ask for the size first.
#[must_use]
pub fn too_large(bytes: u64) -> String {
    format!("the file has {bytes} bytes, and a runbook may have {}", LIMITS.file_bytes)
}

/// Turns the tree's values into the model, and collects what is wrong with them.
struct Decoder<'a> {
    source: &'a Source,
    files: &'a dyn Files,
    problems: Vec<Diagnostic>,
    /// Steps that are there but could not be read.
    lost_steps: BTreeSet<StepId>,
    /// Parameters and captures that are there but could not be read.
    lost_names: BTreeSet<String>,
}

impl Decoder<'_> {
    /// What can only be seen on the runbook as a whole.
    fn whole(&mut self, runbook: &Runbook) -> Option<Order> {
        checks::check(runbook, &self.lost_steps, &mut self.problems);
        let like = like::Like::new(checks::all_steps(runbook), &mut self.problems);
        let uses = names::check(runbook, self.source, &like, &self.lost_names, &mut self.problems);
        objects::check(runbook, self.source, &mut self.problems);
        patterns::check(runbook, self.source, &mut self.problems);
        order::check(runbook, &uses, &mut self.problems)
    }
}

fn explain(error: &TreeError, source: &Source) -> Diagnostic {
    let at = |code, message: String| Diagnostic::error(code, error.span, message);
    match &error.kind {
        TreeErrorKind::Syntax(reason) => {
            let problem = at(Code::NotYaml, format!("this is not valid YAML: {reason}"));
            if source.line(error.span.start).contains("{{") {
                problem.help("a value that starts with `{{` must be quoted: \"{{NAME}}\"")
            } else {
                problem.help("from here on nothing else was checked")
            }
        }
        TreeErrorKind::Empty => at(Code::EmptyFile, "the file holds nothing".to_owned())
            .help(format!("a runbook starts with `apiVersion: {API_VERSION}` and `kind: Runbook`")),
        TreeErrorKind::SecondDocument => at(Code::SecondDocument, "a second document starts here".to_owned())
            .help("a file holds one runbook; documents of manifests belong into a `|` block or a file of their own"),
        TreeErrorKind::NotPlain(what) => at(Code::NotPlainYaml, format!("a runbook cannot hold {what}"))
            .help("write the value out; `exec: {like: STEP}` takes over what another step says"),
        TreeErrorKind::TooManyNodes => {
            at(Code::TooManyNodes, format!("the file holds more than {} values", LIMITS.nodes))
                .help("divide the runbook into several")
        }
        TreeErrorKind::TooDeep => {
            at(Code::TooDeep, format!("the file is nested more than {} levels deep", LIMITS.depth))
                .help("put deep manifests into a `|` block or a file")
        }
    }
}

#[cfg(test)]
mod tests;
