//! What each event is in words: the one place where an event becomes a sentence.
//!
//! Lines and bars both use it, so that a run reads the same on a terminal and in a pipe. Every kind of event is named:
//! a new kind cannot be forgotten here.

use periplus_core::event::{
    AttemptResult, Before, ChangeIntent, ChangeMade, EventKind, LogMark, Operation, Target, UndoResult,
};
use periplus_core::outcome::{Requirement, RunResult, SkipReason, StepOutcome};
use periplus_core::state::{RunState, StepState};

use crate::plural;
use crate::style::Role;
use crate::text::mismatch;
use crate::time;

/// An event in words.
pub(crate) struct Sentence {
    /// What kind of thing happened, one word of at most [`WORD_WIDTH`] columns.
    pub(crate) word: &'static str,
    /// What the word's colour is.
    pub(crate) role: Role,
    /// The rest. May be empty; may hold anything, so it must be cleaned.
    pub(crate) text: String,
    /// Whether only those who asked for everything want to read it.
    pub(crate) detail: bool,
}

/// Columns of the longest [`Sentence::word`].
pub(crate) const WORD_WIDTH: usize = 9;

impl Sentence {
    fn new(word: &'static str, role: Role, text: impl Into<String>) -> Self {
        Self { word, role, text: text.into(), detail: false }
    }

    fn detail(word: &'static str, text: impl Into<String>) -> Self {
        Self { word, role: Role::Dim, text: text.into(), detail: true }
    }
}

/// Says an event in words. `state` holds it already.
pub(crate) fn sentence(kind: &EventKind, state: &RunState) -> Sentence {
    let title = |step: &_| state.steps.get(step).map(|step| step.summary.title.clone()).unwrap_or_default();
    match kind {
        EventKind::RunStarted(started) => Sentence::new("run", Role::Strong, &started.run.0),
        EventKind::RequirementChecked { requirement } => requirement_sentence(requirement),
        EventKind::StepStarted { step } => Sentence::new("start", Role::Dim, title(step)),
        EventKind::AttemptStarted { attempt, .. } => Sentence::detail("attempt", format!("{attempt} begins")),
        EventKind::AttemptFinished { attempt, result, .. } => attempt_sentence(*attempt, result),
        EventKind::Waiting { what, .. } => Sentence::new("wait", Role::Dim, format!("waiting for {what}")),
        EventKind::Warned { text, .. } => Sentence::new("warning", Role::Doubt, text),
        EventKind::ChangeIntended { intent, .. } => Sentence::detail("change", intent_text(intent)),
        EventKind::ChangeMade { change, made, .. } => made_sentence(state.changes.get(change).map(|c| &c.intent), made),
        EventKind::ChangeFailed { error, perhaps_made: false, .. } => Sentence::new("refused", Role::Bad, error),
        EventKind::ChangeFailed { error, perhaps_made: true, .. } => {
            Sentence::new("unsure", Role::Doubt, format!("the answer was lost, the change may have been made: {error}"))
        }
        EventKind::ChangeReverted { change, detail } => {
            let object = state.changes.get(change).map(|change| change.intent.object.to_string()).unwrap_or_default();
            Sentence::new("reverted", Role::Bad, format!("{object}: {detail}"))
        }
        EventKind::LogMarked { reader, mark, .. } => {
            Sentence::detail("mark", format!("for {reader}: {}", mark_text(mark)))
        }
        EventKind::CallsExplained { calls, .. } => Sentence::detail(
            "calls",
            calls.last().map(|last| format!("{}: {}", last.call, last.end)).unwrap_or_default(),
        ),
        EventKind::Captured { name, value, .. } => Sentence::new("capture", Role::Dim, format!("{name}={value}")),
        EventKind::StepFinished { step, outcome, .. } => outcome_sentence(outcome, state.steps.get(step), state),
        EventKind::Diagnosed { title, .. } => Sentence::new("diagnosis", Role::Dim, title),
        EventKind::Interrupted { times: 1 } => Sentence::new(
            "interrupt",
            Role::Doubt,
            "nothing new starts; what runs is let finish (again: cancel it now)",
        ),
        EventKind::Interrupted { .. } => Sentence::new("interrupt", Role::Doubt, "what runs is cancelled"),
        EventKind::UndoStarted { changes } => {
            let changes = plural::count(usize::try_from(*changes).unwrap_or(usize::MAX), "change");
            Sentence::new("undo", Role::Strong, format!("taking back {changes}, newest first"))
        }
        EventKind::UndoIntended { object, .. } => Sentence::detail("undo", format!("{object} begins")),
        EventKind::UndoFinished { change, result } => {
            let object = state.changes.get(change).map(|change| change.intent.object.to_string()).unwrap_or_default();
            undo_sentence(&object, result)
        }
        EventKind::RunFinished { result } => {
            Sentence::new("finish", result_role(*result), format!("{} in {}", result_word(*result), span(state)))
        }
    }
}

fn requirement_sentence(requirement: &Requirement) -> Sentence {
    match &requirement.unmet {
        None => Sentence::new("require", Role::Dim, &requirement.what),
        Some(unmet) => Sentence::new("unmet", Role::Bad, format!("{}: {unmet}", requirement.what)),
    }
}

fn attempt_sentence(attempt: u32, result: &AttemptResult) -> Sentence {
    match result {
        AttemptResult::Held => Sentence::detail("attempt", format!("{attempt} held")),
        AttemptResult::NotHeld { mismatches } => match mismatches.first() {
            None => Sentence::detail("attempt", format!("{attempt} did not hold, as before")),
            Some(first) => {
                let text = format!("{attempt} did not hold: {}", mismatch::headline(first));
                Sentence::new("attempt", Role::Dim, text)
            }
        },
        AttemptResult::Inconclusive { cause } => {
            Sentence::new("attempt", Role::Doubt, format!("{attempt} was inconclusive: {cause}"))
        }
        AttemptResult::Failed { cause } => Sentence::new("attempt", Role::Doubt, format!("{attempt} failed: {cause}")),
    }
}

fn intent_text(intent: &ChangeIntent) -> String {
    let object = &intent.object;
    match &intent.operation {
        Operation::Apply => match &intent.before {
            Before::Absent => format!("{object} will be created"),
            Before::Present { .. } | Before::Withheld { .. } | Before::NotAnObject => {
                format!("{object} will be applied")
            }
        },
        Operation::Patch => format!("{object} will be patched"),
        Operation::PatchYaml { pointer } => format!("{object} will be patched in the YAML at {pointer}"),
        Operation::Delete => format!("{object} will be deleted"),
        Operation::Exec { command } => format!("{object} will run {command}"),
    }
}

fn made_sentence(intent: Option<&ChangeIntent>, made: &ChangeMade) -> Sentence {
    let object = intent.map(|intent| intent.object.to_string()).unwrap_or_default();
    let mut text = format!("{object} {}", made.result);
    let fields = made.fields.iter().map(field_text).collect::<Vec<_>>();
    match fields.as_slice() {
        [] => {}
        [only] => text.push_str(&format!(": {only}")),
        [first, rest @ ..] => text.push_str(&format!(": {first} and {}", plural::count(rest.len(), "more field"))),
    }
    Sentence::new("changed", Role::Plain, text)
}

/// `/spec/replicas 1 → 2`, with `absent` on the side that has nothing.
pub(crate) fn field_text(field: &periplus_core::change::FieldChange) -> String {
    let side = |value: &Option<serde_json::Value>| {
        value.as_ref().map_or_else(|| "absent".to_owned(), |value| super::wrap::cut(&value.to_string(), 60))
    };
    let inside = field.yaml_in.as_deref().unwrap_or_default();
    format!("{inside}{} {} → {}", field.path, side(&field.before), side(&field.after))
}

fn mark_text(mark: &LogMark) -> String {
    match mark {
        LogMark::Container { namespace, pod, container, stamp: Some(stamp), .. } => {
            format!("log of {namespace}/{pod} ({container}) after {stamp}")
        }
        LogMark::Container { namespace, pod, container, stamp: None, .. } => {
            format!("log of {namespace}/{pod} ({container}) from its first line")
        }
        LogMark::File { namespace, pod, container, path, inode: Some(_), length, .. } => {
            format!("{path} in {namespace}/{pod} ({container}) after byte {length}")
        }
        LogMark::File { namespace, pod, container, path, inode: None, .. } => {
            format!("{path} in {namespace}/{pod} ({container}) from its first line")
        }
    }
}

/// How a step ended, in words.
pub(crate) fn outcome_sentence(outcome: &StepOutcome, step: Option<&StepState>, state: &RunState) -> Sentence {
    match outcome {
        StepOutcome::Passed { note, .. } => {
            let mut text = note.clone();
            if let Some(effort) = step.and_then(|step| effort(step, state)) {
                text = if text.is_empty() { effort } else { format!("{text} ({effort})") };
            }
            Sentence::new("passed", Role::Good, text)
        }
        StepOutcome::Failed { failure } => {
            Sentence::new("failed", Role::Bad, with_effort(&failure.summary, step, state))
        }
        StepOutcome::Inconclusive { failure } => {
            Sentence::new("unclear", Role::Doubt, with_effort(&failure.summary, step, state))
        }
        StepOutcome::Skipped { reason } => Sentence::new("skipped", Role::Dim, skip_text(reason)),
        StepOutcome::Blocked { by } => {
            let by = by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Sentence::new("not run", Role::Dim, format!("it waits for {by}"))
        }
        StepOutcome::Cancelled { why } => Sentence::new("not run", Role::Dim, why),
    }
}

fn with_effort(summary: &str, step: Option<&StepState>, state: &RunState) -> String {
    match step.and_then(|step| effort(step, state)) {
        Some(effort) => format!("{summary} ({effort})"),
        None => summary.to_owned(),
    }
}

/// `120 s of lab time, 121 attempts`; nothing for a step that held at once.
pub(crate) fn effort(step: &StepState, state: &RunState) -> Option<String> {
    if step.attempts < 2 {
        return None;
    }
    let attempts = plural::count(step.attempts as usize, "attempt");
    Some(format!("{}, {attempts}", clock(step.duration_ms().unwrap_or(0), state)))
}

/// Why a step was skipped, in words.
pub(crate) fn skip_text(reason: &SkipReason) -> String {
    match reason {
        SkipReason::When { condition } => format!("its condition does not hold: {condition}"),
        SkipReason::Needs { step } => format!("{step}, which it needs, was skipped"),
    }
}

fn undo_sentence(object: &str, result: &UndoResult) -> Sentence {
    match result {
        UndoResult::Deleted => Sentence::new("undone", Role::Good, format!("{object} deleted")),
        UndoResult::Restored => Sentence::new("undone", Role::Good, format!("{object} is as it was before")),
        UndoResult::Recreated => Sentence::new("undone", Role::Good, format!("{object} created again")),
        UndoResult::AlreadyUndone => Sentence::new("undone", Role::Good, format!("{object} already was as before")),
        UndoResult::Kept => Sentence::new("kept", Role::Dim, format!("{object}, as cleanup.keep asks")),
        UndoResult::Refused { reason } => Sentence::new("left", Role::Doubt, format!("{object}: {reason}")),
        UndoResult::Failed { error } => Sentence::new("failed", Role::Bad, format!("{object} is not undone: {error}")),
    }
}

/// How a run ended, in one or two words.
pub(crate) const fn result_word(result: RunResult) -> &'static str {
    match result {
        RunResult::Passed => "passed",
        RunResult::Failed => "failed",
        RunResult::Inconclusive => "inconclusive",
        RunResult::CleanupIncomplete => "clean-up incomplete",
        RunResult::Interrupted => "interrupted",
    }
}

/// The colour of a run's end.
pub(crate) const fn result_role(result: RunResult) -> Role {
    match result {
        RunResult::Passed => Role::Good,
        RunResult::Failed | RunResult::CleanupIncomplete => Role::Bad,
        RunResult::Inconclusive | RunResult::Interrupted => Role::Doubt,
    }
}

/// How long the run took so far, by its own clock.
pub(crate) fn span(state: &RunState) -> String {
    clock(state.elapsed_ms, state)
}

/// A span by the run's clock: lab time is named, since it is not the reader's.
pub(crate) fn clock(ms: u64, state: &RunState) -> String {
    let lab = state.started.as_ref().is_some_and(|started| started.target.is_lab());
    if lab { format!("{} of lab time", time::prose(ms)) } else { time::prose(ms) }
}

/// The line that names the target, first and last in every run.
#[must_use]
pub fn target_line(target: &Target) -> String {
    match target {
        Target::Lab { .. } => "REHEARSAL in the embedded lab. No cluster is contacted.".to_owned(),
        Target::Cluster { context, server, uid, user } => {
            let mut facts = vec![server.clone()];
            facts.push(uid.as_ref().map_or_else(|| "cluster UID unknown".to_owned(), |uid| format!("cluster {uid}")));
            facts.push(user.as_ref().map_or_else(|| "user unknown".to_owned(), |user| format!("as {user}")));
            format!("RUN on {context} ({})", facts.join(", "))
        }
    }
}

/// The target in one word, for columns: `lab`, or the context.
pub(crate) fn target_word(target: &Target) -> &str {
    match target {
        Target::Lab { .. } => "lab",
        Target::Cluster { context, .. } => context,
    }
}
