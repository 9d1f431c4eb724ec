//! Commands as steps.
//!
//! What cannot be read is kept with its reason, at its place, and never guessed at. What was guessed is told in a remark.

mod change;
mod commands;
mod exec;
mod files;
mod filter;
mod finish;
mod generated;
mod look;
mod mesh;
mod names;
mod page;
mod said;

pub(crate) use page::read;

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::draft::{Draft, Param, Step, Unread};
use crate::outline::Output;
use names::Name;

/// Something that the reader of the runbook should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// The line on the page.
    pub(crate) line: usize,
    /// What there is to know.
    pub(crate) text: String,
}

/// Reads a page.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What has been read.
    pub(crate) draft: Draft,
    /// Whether the page was made from a runbook.
    generated: bool,
    /// What each shell variable stands for.
    names: IndexMap<String, Name>,
    /// Ids that are taken.
    ids: crate::guess::Ids,
    /// Names that a template may use, with what stands for them.
    taken: BTreeSet<String>,
    /// What there is to know.
    pub(crate) remarks: Vec<Remark>,
    /// What could not be read, also where a step was made of the rest.
    pub(crate) unread: Vec<Unread>,
    /// How values are used, by name.
    hints: IndexMap<String, Vec<crate::guess::Hint>>,
    /// Files that the page writes, by path, and whether they hold templates.
    files: IndexMap<String, bool>,
    /// Files that commands name and the page does not show.
    missing: IndexMap<String, usize>,
    /// The step that a mark of time was taken in, by the variable that holds it.
    marks: IndexMap<String, String>,
    /// Values that a generated page shows of its captures.
    seen: Vec<crate::guess::Known>,
    /// Whether a generated page shows what was really seen.
    shows_seen: bool,
    /// What the commands of a section set in a file of YAML.
    edits: Option<serde_json::Value>,
    /// How many more commands are read.
    left: usize,
    /// Whether the section takes things back.
    cleaning: bool,
}

/// The command that is being read.
#[derive(Clone, Copy, Debug)]
struct Context<'p> {
    /// Its line on the page.
    line: usize,
    /// As the page has it.
    source: &'p str,
    /// What it prints.
    output: Option<&'p Output>,
    /// Whether the page says that it must fail.
    fails: bool,
}

/// What came of a command.
type Read = Result<Vec<Step>, String>;

impl Reader {
    fn remark(&mut self, line: usize, text: impl Into<String>) {
        let remark = Remark { line, text: text.into() };
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Notes something that was left out of a step that could be read otherwise.
    fn leave_out(&mut self, at: &Context<'_>, text: &str, reason: impl Into<String>) {
        self.unread.push(Unread { line: at.line, text: text.to_owned(), reason: reason.into() });
    }

    fn declare(&mut self, name: &str, default: Option<String>, description: Option<String>, line: usize) {
        let param = Param {
            kind: periplus_core::model::ScalarType::String,
            of_list: false,
            default,
            optional: false,
            env: true,
            secret: false,
            values: Vec::new(),
            pattern: None,
            description,
            line,
        };
        self.draft.params.insert(name.to_owned(), param);
    }
}
