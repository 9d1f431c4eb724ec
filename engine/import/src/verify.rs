//! What is handed out loads: the runbook is read as `lint` would read it, and a step that is wrong becomes a comment.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use periplus_core::diag::{Diagnostic, Severity};
use periplus_core::load::{Files, load};
use periplus_core::source::Source;

use crate::draft::{Draft, Entry, Unread, Verb};
use crate::read::Reader;
use crate::write::{self, Written};

/// The files that the page shows; of any other it is taken on trust that it will be there.
struct Beside<'d>(&'d IndexMap<String, String>);

impl Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        Ok(self
            .0
            .get(path)
            .cloned()
            .unwrap_or_else(|| "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stands-for-a-file}\n".to_owned()))
    }
}

/// The text of the runbook, once nothing in it is wrong; `None` if no step is left then.
pub(crate) fn written(reader: &mut Reader, schema: Option<&str>) -> Option<String> {
    loop {
        if !reader.draft.entries.iter().any(|entry| matches!(entry, Entry::Step(_))) {
            return None;
        }
        let written = write::runbook(&reader.draft, schema);
        let source = Source { name: "runbook.yaml".to_owned(), text: written.text.clone() };
        let loaded = load(&source, &Beside(&reader.draft.files));
        let problems: Vec<&Diagnostic> =
            loaded.diagnostics.iter().filter(|problem| problem.severity == Severity::Error).collect();
        if problems.is_empty() {
            return Some(written.text);
        }
        if !repair(reader, &written, &problems) {
            return None;
        }
    }
}

/// Takes out what the problems stand in; whether anything was taken out.
fn repair(reader: &mut Reader, written: &Written, problems: &[&Diagnostic]) -> bool {
    let mut wrong: IndexMap<String, String> = IndexMap::new();
    for problem in problems {
        let start = problem.labels.first().map_or(0, |label| label.span.start);
        if let Some((id, _)) = written.steps.iter().find(|(_, range)| range.contains(&start)) {
            wrong.entry(id.clone()).or_insert_with(|| problem.message.clone());
        }
    }
    if wrong.is_empty() {
        return relieve(&mut reader.draft);
    }
    // One at a time would be exact, but a page may hold thousands: those that others refer to go first.
    let mut gone = BTreeSet::new();
    let mut unread = Vec::new();
    let draft = &mut reader.draft;
    let lists = [Some(&mut draft.entries), draft.cleanup.as_mut(), Some(&mut draft.on_failure)];
    for entry in lists.into_iter().flatten().flatten() {
        let Entry::Step(step) = entry else { continue };
        let Some(reason) = wrong.get(&step.id) else { continue };
        gone.insert(step.id.clone());
        let reason = format!("the step made of it would not load: {reason}");
        let kept = Unread { line: step.line, text: step.source.clone(), reason };
        unread.push(kept.clone());
        *entry = Entry::Unread(kept);
    }
    reader.unread.extend(unread);
    // What looked back to them looks no further than itself.
    for entry in &mut reader.draft.entries {
        let Entry::Step(step) = entry else { continue };
        if let Some(needs) = &mut step.needs {
            needs.retain(|id| !gone.contains(id));
        }
        if let Verb::LogGrep(grep) = &mut step.verb
            && grep.since.as_ref().is_some_and(|since| gone.contains(since))
        {
            grep.since = None;
        }
    }
    !gone.is_empty()
}

/// Takes out what stands in no step and may be wrong; whether there was anything.
fn relieve(draft: &mut Draft) -> bool {
    let before = (draft.requires.len(), draft.params.values().filter(|param| param.default.is_some()).count());
    if before.0 > 0 {
        draft.requires.clear();
        return true;
    }
    if before.1 > 0 {
        draft.params.values_mut().for_each(|param| param.default = None);
        return true;
    }
    false
}
