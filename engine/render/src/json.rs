//! For programs: events as JSON Lines while a run goes on, and one document when it is over.
//!
//! Nothing is shortened or worded for people here, and every number carries its unit in its name. Both forms name the
//! target, so that a line that got lost from its file still says where it happened.

use std::io::{self, Write};

use jiff::Timestamp;
use periplus_core::change::{FieldChange, ObjectKey};
use periplus_core::event::{
    Event, EventKind, EventLine, ExecReport, Operation, ParamShown, RunId, RunbookRef, StepSummary, Target, UndoResult,
};
use periplus_core::expect::{Excerpt, Mismatch};
use periplus_core::model::StepId;
use periplus_core::outcome::{Requirement, RunResult, StepOutcome};
use periplus_core::state::{ChangeProgress, ChangeState, RunState, StepState};
use serde::Serialize;

use crate::reporter::Reporter;
use crate::text::describe::target_word;

/// Writes each event as one line of JSON.
pub struct JsonLines<W> {
    out: W,
    run: Option<RunId>,
    target: String,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, run: None, target: String::new() }
    }
}

impl<W: Write> Reporter for JsonLines<W> {
    fn on_event(&mut self, event: &Event, _: &RunState) -> io::Result<()> {
        if let EventKind::RunStarted(started) = &event.kind {
            self.run = Some(started.run.clone());
            target_word(&started.target).clone_into(&mut self.target);
        }
        let line = EventLine {
            run: self.run.as_ref(),
            target: &self.target,
            seq: event.seq,
            at: event.at,
            elapsed_ms: event.elapsed_ms,
            kind: &event.kind,
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    fn finish(&mut self, _: &RunState) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes the report document when the run is over.
pub struct JsonReport<W> {
    out: W,
}

impl<W: Write> JsonReport<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Reporter for JsonReport<W> {
    fn on_event(&mut self, _: &Event, _: &RunState) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, state: &RunState) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, &report(state))?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

/// The report of a run, see [`report`]. Its form is versioned by [`Self::format`].
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// `periplus-report/1`.
    pub format: &'static str,
    /// The run; `null` where it never started.
    pub run: Option<&'a RunId>,
    /// Version of the engine.
    pub engine: Option<&'a str>,
    /// What was run.
    pub runbook: Option<&'a RunbookRef>,
    /// Where.
    pub target: Option<&'a Target>,
    /// The parameters with their sources; secrets are masked.
    pub params: &'a [ParamShown],
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// How long it took by the clock of its target, in milliseconds.
    pub elapsed_ms: u64,
    /// How it ended; `null` while it goes on.
    pub result: Option<RunResult>,
    /// The exit code of that end.
    pub exit_code: Option<u8>,
    /// What was required.
    pub requirements: &'a [Requirement],
    /// The steps in file order.
    pub steps: Vec<StepReport<'a>>,
    /// The changes, oldest first.
    pub changes: Vec<ChangeReport<'a>>,
    /// What `on-failure` steps saw.
    pub diagnosed: Vec<Diagnosis<'a>>,
}

/// A step in a report.
#[derive(Debug, Serialize)]
pub struct StepReport<'a> {
    /// Id, title, verb and effect.
    pub step: &'a StepSummary,
    /// How it ended; `null` where it has not.
    pub outcome: Option<&'a StepOutcome>,
    /// Attempts made.
    pub attempts: u32,
    /// When it started, in milliseconds since the start of the run.
    pub started_ms: Option<u64>,
    /// How long it ran, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What differed in the last attempt that did not hold.
    pub last_mismatches: &'a [Mismatch],
    /// What the last exec gave back.
    pub last_exec: Option<&'a ExecReport>,
    /// Why the last attempt was inconclusive or failed.
    pub last_cause: Option<&'a str>,
    /// Values it took from the world.
    pub captures: &'a indexmap::IndexMap<String, String>,
    /// Warnings of the API server.
    pub warnings: &'a [String],
    /// The equivalent `kubectl` line.
    pub kubectl: Option<&'a str>,
}

/// A change in a report.
#[derive(Debug, Serialize)]
pub struct ChangeReport<'a> {
    /// Its number, from 1.
    pub change: u32,
    /// The step that made it.
    pub step: &'a StepId,
    /// The object.
    pub object: &'a ObjectKey,
    /// What was done.
    pub operation: &'a Operation,
    /// What came of it, in the word `kubectl` would print, else `intended`, `refused` or `perhaps-made`.
    pub result: String,
    /// Field by field what became different.
    pub fields: &'a [FieldChange],
    /// What was found in its place at the end of the run, if someone else wrote over it.
    pub reverted: Option<&'a str>,
    /// Whether it stands in the target, or may.
    pub stands: bool,
    /// How taking it back went.
    pub undone: Option<&'a UndoResult>,
}

/// What an `on-failure` step saw.
#[derive(Debug, Serialize)]
pub struct Diagnosis<'a> {
    /// What was looked at.
    pub title: &'a str,
    /// What was seen.
    pub text: &'a Excerpt,
}

/// The report of a run as one document.
#[must_use]
pub fn report(state: &RunState) -> Report<'_> {
    let started = state.started.as_ref();
    Report {
        format: "periplus-report/1",
        run: started.map(|started| &started.run),
        engine: started.map(|started| started.engine.as_str()),
        runbook: started.map(|started| &started.runbook),
        target: started.map(|started| &started.target),
        params: started.map_or(&[], |started| &started.params),
        started_at: state.started_at,
        elapsed_ms: state.elapsed_ms,
        result: state.result,
        exit_code: state.result.map(|result| result.exit().code()),
        requirements: &state.requirements,
        steps: state.steps.values().map(step_report).collect(),
        changes: state.changes.values().map(change_report).collect(),
        diagnosed: state.diagnosed.iter().map(|(title, text)| Diagnosis { title, text }).collect(),
    }
}

fn step_report(step: &StepState) -> StepReport<'_> {
    StepReport {
        step: &step.summary,
        outcome: step.outcome(),
        attempts: step.attempts,
        started_ms: step.started_ms,
        duration_ms: step.duration_ms(),
        last_mismatches: &step.last_mismatches,
        last_exec: step.last_exec.as_ref(),
        last_cause: step.last_cause.as_deref(),
        captures: &step.captures,
        warnings: &step.warnings,
        kubectl: step.kubectl.as_deref(),
    }
}

fn change_report(change: &ChangeState) -> ChangeReport<'_> {
    let (result, fields) = match &change.progress {
        ChangeProgress::Made(made) => (made.result.to_string(), made.fields.as_slice()),
        ChangeProgress::Intended => ("intended".to_owned(), [].as_slice()),
        ChangeProgress::Refused { .. } => ("refused".to_owned(), [].as_slice()),
        ChangeProgress::PerhapsMade { .. } => ("perhaps-made".to_owned(), [].as_slice()),
    };
    ChangeReport {
        change: change.intent.change.0,
        step: &change.step,
        object: &change.intent.object,
        operation: &change.intent.operation,
        result,
        fields,
        reverted: change.reverted.as_deref(),
        stands: change.stands(),
        undone: change.undone.as_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::testing::{self, play};

    #[test]
    fn each_line_is_json_and_names_run_and_target() {
        let events = testing::passing_run();
        let mut out = Vec::new();
        play(&mut JsonLines::new(&mut out), &events);
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        assert_eq!(lines.len(), events.len());
        for (line, event) in lines.iter().zip(&events) {
            assert_eq!(line["run"], "proxy-20260101T000000Z-00c0");
            assert_eq!(line["target"], "lab");
            assert_eq!(line["kind"], serde_json::to_value(&event.kind).expect("plain data"));
        }
    }

    #[test]
    fn the_report_tells_result_steps_and_changes() {
        let mut out = Vec::new();
        play(&mut JsonReport::new(&mut out), &testing::interrupted_run());
        let report: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(report["format"], "periplus-report/1");
        assert_eq!(report["target"]["context"], "prod-eu");
        assert_eq!((&report["result"], &report["exit_code"]), (&"cleanup-incomplete".into(), &4.into()));
        assert_eq!(report["steps"][0]["outcome"]["type"], "passed");
        assert_eq!(report["changes"][0]["stands"], true);
        assert_eq!(report["changes"][0]["undone"]["type"], "refused");
    }
}
