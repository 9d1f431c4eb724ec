//! What became of a page, for its reader: what is in the runbook, what is not, what was guessed.

use serde::Serialize;

use crate::draft::Entry;
use crate::read::Reader;

/// What became of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The runbook's name.
    pub name: String,
    /// How many steps it has, those of the clean-up included.
    pub steps: usize,
    /// The names of its parameters.
    pub params: Vec<String>,
    /// What could not be read, in the order of the page.
    pub unread: Vec<Unread>,
    /// What was guessed or must be seen to, in the order of the page.
    pub notes: Vec<Note>,
}

/// A part of a page that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Its line on the page.
    pub line: usize,
    /// As the page has it.
    pub text: String,
    /// Why it could not be read.
    pub reason: String,
}

/// Something that the reader should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The line on the page.
    pub line: usize,
    /// What there is to know.
    pub text: String,
}

/// A file to be put beside the runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Relative to the runbook's folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Report {
    pub(crate) fn new(reader: &Reader) -> Self {
        let draft = &reader.draft;
        let lists = [Some(&draft.entries), draft.cleanup.as_ref(), Some(&draft.on_failure)];
        let steps = lists.into_iter().flatten().flatten().filter(|entry| matches!(entry, Entry::Step(_))).count();
        let mut unread: Vec<Unread> = reader
            .unread
            .iter()
            .map(|unread| Unread { line: unread.line, text: unread.text.clone(), reason: unread.reason.clone() })
            .collect();
        unread.sort_by_key(|unread| unread.line);
        let mut notes: Vec<Note> =
            reader.remarks.iter().map(|remark| Note { line: remark.line, text: remark.text.clone() }).collect();
        notes.sort_by_key(|note| note.line);
        Self { name: draft.name.clone(), steps, params: draft.params.keys().cloned().collect(), unread, notes }
    }
}
