//! The end of a run: what came of it, what went wrong and why, what is left, and what to type next.
//!
//! It is made from the final state alone, so `periplus show` prints the same text years later.

use std::io::{self, Write};

use periplus_core::event::{Event, ExecReport, RunStarted, Target, UndoResult};
use periplus_core::outcome::{Failure, RunResult, StepOutcome};
use periplus_core::state::{ChangeProgress, RunState, StepState};

use crate::clean;
use crate::plural;
use crate::reporter::Reporter;
use crate::style::{Role, Theme};
use crate::text::call;
use crate::text::describe::{self, result_role, result_word, target_line};
use crate::text::mismatch;
use crate::text::page::{Output, Page};

/// Width of the labels below a failed step.
const LABELS: usize = 7;

/// Most calls of a failed exec that are shown.
const CALLS: usize = 3;

/// Most objects of the target that are listed by name.
const LISTED: usize = 20;

/// Writes the summary when the run, or its undo, is over.
pub struct SummaryReporter<W> {
    out: W,
    theme: Theme,
    text: fn(&RunState, Theme) -> String,
}

impl<W: Write> SummaryReporter<W> {
    /// Writes the [`summary`] of a run to `out`.
    pub const fn new(out: W, theme: Theme) -> Self {
        Self { out, theme, text: summary }
    }

    /// Writes the summary of an undo, [`undone`], to `out`.
    pub const fn of_undo(out: W, theme: Theme) -> Self {
        Self { out, theme, text: undone }
    }
}

impl<W: Write> Reporter for SummaryReporter<W> {
    fn on_event(&mut self, _: &Event, _: &RunState) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, state: &RunState) -> io::Result<()> {
        self.out.write_all((self.text)(state, self.theme).as_bytes())?;
        self.out.flush()
    }
}

/// The summary of a run.
#[must_use]
pub fn summary(state: &RunState, theme: Theme) -> String {
    let mut page = Page::new(theme);
    let Some(started) = &state.started else {
        page.line(0, Role::Doubt, "The run never started.");
        return page.into_text();
    };
    page.blank();
    unmet_requirements(&mut page, state);
    for step in state.broken_steps() {
        broken_step(&mut page, step, state);
    }
    reverted(&mut page, state);
    for (title, text) in &state.diagnosed {
        page.blank();
        page.line(0, Role::Strong, title);
        page.output(2, 0, "", Output::from(text));
    }
    page.blank();
    counts(&mut page, state);
    skipped(&mut page, state);
    warnings(&mut page, state);
    left_behind(&mut page, state, started);
    next(&mut page, state, started);
    page.blank();
    page.line(0, Role::Strong, &target_line(&started.target));
    page.into_text()
}

/// The summary of an undo: what was taken back, and what was not.
#[must_use]
pub fn undone(state: &RunState, theme: Theme) -> String {
    let mut page = Page::new(theme);
    let Some(started) = &state.started else { return page.into_text() };
    let tried = || state.changes.values().filter_map(|change| change.undone.as_ref());
    let (all, complete) = (tried().count(), tried().filter(|result| result.is_complete()).count());
    let role = if all == complete { Role::Good } else { Role::Bad };
    let sign = theme.paint(role, theme.glyph(role));
    page.blank();
    page.raw(0, &format!("{sign} {complete} of {} taken back", plural::count(all, "change")));
    left_behind(&mut page, state, started);
    if all > complete {
        page.blank();
        page.line(0, Role::Plain, "To overwrite what others changed since:");
        page.line(2, Role::Command, &format!("periplus undo {} --force", started.run));
    }
    page.blank();
    page.line(0, Role::Strong, &target_line(&started.target));
    page.into_text()
}

fn unmet_requirements(page: &mut Page, state: &RunState) {
    let unmet: Vec<_> = state.requirements.iter().filter_map(|r| Some((&r.what, r.unmet.as_ref()?))).collect();
    if unmet.is_empty() {
        return;
    }
    let heading = format!("{} unmet; nothing was changed", plural::count(unmet.len(), "requirement"));
    page.line(0, Role::Bad, &heading);
    for (what, why) in unmet {
        let sign = format!("{} ", page.theme().glyph(Role::Bad));
        page.hanging(2, &sign, Role::Plain, &format!("{what}: {why}"));
    }
}

fn reverted(page: &mut Page, state: &RunState) {
    for change in state.changes.values() {
        if let Some(detail) = &change.reverted {
            page.blank();
            let heading = format!("{} was written over by someone else ({})", change.intent.object, change.step);
            page.line(0, Role::Bad, &heading);
            page.prose(2, Role::Plain, detail);
        }
    }
}

fn broken_step(page: &mut Page, step: &StepState, state: &RunState) {
    let (word, role, failure) = match step.outcome() {
        Some(StepOutcome::Failed { failure }) => ("FAILED", Role::Bad, failure),
        Some(StepOutcome::Inconclusive { failure }) => ("INCONCLUSIVE", Role::Doubt, failure),
        _ => return,
    };
    let theme = page.theme();
    page.blank();
    let title = clean::line(&step.summary.title).into_owned();
    let heading = format!("{}  {}", theme.paint(role, word), theme.paint(Role::Strong, &step.summary.id));
    page.raw(0, &format!("{heading}  {title}"));
    page.prose(2, Role::Plain, &failure.summary);
    if step.attempts > 0 {
        let attempts = plural::count(step.attempts as usize, "attempt");
        let span = describe::clock(step.duration_ms().unwrap_or(0), state);
        page.line(2, Role::Dim, &format!("{span}, {attempts}"));
    }
    for found in differences(step, failure) {
        page.blank();
        mismatch::write(page, 2, found);
    }
    evidence(page, step, failure);
    calls(page, step);
    advice(page, failure);
}

/// The failure's own mismatches, else those of the last attempt.
fn differences<'a>(step: &'a StepState, failure: &'a Failure) -> &'a [periplus_core::expect::Mismatch] {
    if failure.mismatches.is_empty() { &step.last_mismatches } else { &failure.mismatches }
}

fn evidence(page: &mut Page, step: &StepState, failure: &Failure) {
    page.blank();
    if let Some(exec) = &step.last_exec {
        page.pair(2, LABELS, "in", &exec_place(exec));
        page.output(2, LABELS, "stdout", Output::from(&exec.stdout));
        page.output(2, LABELS, "stderr", Output::from(&exec.stderr));
    }
    if let Some(cause) = step.last_cause.as_ref().filter(|cause| !failure.summary.contains(*cause)) {
        page.pair(2, LABELS, "cause", cause);
    }
    if let Some(kubectl) = &step.kubectl {
        page.verbatim(2, LABELS, "by hand", kubectl);
    }
}

/// Why the calls of the exec went where they went: the last ones count.
fn calls(page: &mut Page, step: &StepState) {
    if step.calls.is_empty() {
        return;
    }
    page.blank();
    let left_out = step.calls.len().saturating_sub(CALLS);
    let heading = if left_out == 0 {
        "What the mesh did".to_owned()
    } else {
        format!("What the mesh did, the last {CALLS} of {} calls", step.calls.len())
    };
    page.line(2, Role::Strong, &heading);
    for one in &step.calls[left_out..] {
        call::write(page, 4, one);
    }
}

fn exec_place(exec: &ExecReport) -> String {
    let ExecReport { namespace, pod, container, exit, .. } = exec;
    let exit = exit.map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"));
    format!("pod {namespace}/{pod}, container {container}: {exit}")
}

fn advice(page: &mut Page, failure: &Failure) {
    if failure.advice.is_empty() {
        return;
    }
    page.blank();
    page.line(2, Role::Strong, "Try next");
    for advice in &failure.advice {
        let sign = format!("{} ", page.theme().glyph(Role::Plain));
        page.hanging(4, &sign, Role::Plain, advice);
    }
}

fn counts(page: &mut Page, state: &RunState) {
    let counts = state.counts();
    let theme = page.theme();
    let result = state.result;
    let (word, role) =
        result.map_or(("not finished", Role::Doubt), |result| (result_word(result), result_role(result)));
    let parts: Vec<String> = [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.inconclusive, "inconclusive"),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    let steps = plural::count(state.steps.len(), "step");
    let detail = format!("{steps}: {}", if parts.is_empty() { "none ran".to_owned() } else { parts.join(", ") });
    let span = describe::span(state);
    page.raw(0, &format!("{} {}  {detail}  ({span})", theme.paint(role, theme.glyph(role)), theme.paint(role, word)));
}

fn skipped(page: &mut Page, state: &RunState) {
    for step in state.steps.values() {
        if let Some(StepOutcome::Skipped { reason }) = step.outcome() {
            let text = format!("{} was skipped: {}", step.summary.id, describe::skip_text(reason));
            let sign = format!("{} ", page.theme().glyph(Role::Dim));
            page.hanging(2, &sign, Role::Dim, &text);
        }
    }
}

fn warnings(page: &mut Page, state: &RunState) {
    for step in state.steps.values() {
        for warning in &step.warnings {
            page.hanging(2, "! ", Role::Doubt, &format!("{}: the server warns: {warning}", step.summary.id));
        }
    }
}

fn left_behind(page: &mut Page, state: &RunState, started: &RunStarted) {
    if started.target.is_lab() {
        not_undone(page, state);
    } else if state.standing_changes().next().is_some() {
        page.blank();
        standing(page, state);
    }
}

/// What the clean-up of a rehearsal left: nobody has to act, but the run on a cluster will leave it, too.
fn not_undone(page: &mut Page, state: &RunState) {
    let reason = |result: &UndoResult| match result {
        UndoResult::Refused { reason } => Some(reason.clone()),
        UndoResult::Failed { error } => Some(error.clone()),
        _ => None,
    };
    let left: Vec<_> =
        state.changes.values().filter_map(|change| Some((change, change.undone.as_ref().and_then(reason)?))).collect();
    if left.is_empty() {
        return;
    }
    page.blank();
    page.line(0, Role::Strong, "Not taken back by the clean-up");
    for (change, why) in &left {
        page.prose(2, Role::Plain, &format!("{} by {}: {why}", change.intent.object, change.step));
    }
    page.prose(2, Role::Dim, "What is meant to stay belongs into `cleanup: {keep: [STEP]}`.");
}

fn standing(page: &mut Page, state: &RunState) {
    let standing: Vec<_> = state.standing_changes().collect();
    let changes = plural::count(standing.len(), "change");
    page.line(0, Role::Strong, &format!("Left in the cluster: {changes} of this run"));
    for change in standing.iter().take(LISTED) {
        let did = match &change.progress {
            ChangeProgress::Made(made) => made.result.to_string(),
            ChangeProgress::Intended | ChangeProgress::PerhapsMade { .. } => "perhaps changed".to_owned(),
            ChangeProgress::Refused { .. } => continue,
        };
        let undone = match &change.undone {
            Some(UndoResult::Refused { reason }) => format!("; not undone: {reason}"),
            Some(UndoResult::Failed { error }) => format!("; not undone: {error}"),
            _ => String::new(),
        };
        page.prose(2, Role::Plain, &format!("{} {did} by {}{undone}", change.intent.object, change.step));
    }
    if standing.len() > LISTED {
        page.line(2, Role::Dim, &format!("+ {} more", standing.len() - LISTED));
    }
}

fn next(page: &mut Page, state: &RunState, started: &RunStarted) {
    let book = shell_word(&started.runbook.path);
    match &started.target {
        Target::Lab { .. } if state.result == Some(RunResult::Passed) => {
            page.blank();
            page.line(0, Role::Plain, "To do this on a cluster:");
            page.line(2, Role::Command, &format!("periplus run {book} --context NAME"));
        }
        Target::Lab { .. } => {}
        Target::Cluster { .. } => {
            let has_standing = state.standing_changes().next().is_some();
            page.blank();
            if has_standing {
                page.line(0, Role::Plain, "To take this run back:");
                page.line(2, Role::Command, &format!("periplus undo {}", started.run));
            }
            page.line(0, Role::Plain, "To read this report again:");
            page.line(2, Role::Command, &format!("periplus show {}", started.run));
        }
    }
}

/// The changes that stand, below a heading: what an undo asks about.
#[must_use]
pub fn standing_list(state: &RunState, heading: &str, theme: Theme) -> String {
    let mut page = Page::new(theme);
    page.line(0, Role::Strong, heading);
    standing(&mut page, state);
    page.into_text()
}

/// The text as one word of a POSIX shell.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
