//! JUnit XML from the final state, for CI systems: the runbook is a suite, each step a case.
//!
//! A check that did not hold is a `failure`; what could not be found out is an `error`; what was not run is `skipped`.
//! Times are the run's own, so a rehearsal shows lab time.

use std::io::{self, Write};
use std::time::Duration;

use periplus_core::event::{Event, RunStarted};
use periplus_core::expect::Excerpt;
use periplus_core::outcome::{Failure, StepOutcome};
use periplus_core::state::{RunState, StepState};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::reporter::Reporter;
use crate::style::Theme;
use crate::text::call;
use crate::text::describe::{self, target_line, target_word};
use crate::text::mismatch;
use crate::text::page::Page;

/// Writes the report when the run is over.
pub struct JunitReport<W> {
    out: W,
}

impl<W: Write> JunitReport<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Reporter for JunitReport<W> {
    fn on_event(&mut self, _: &Event, _: &RunState) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, state: &RunState) -> io::Result<()> {
        let Some(started) = &state.started else { return Ok(()) };
        report(state, started).serialize(&mut self.out).map_err(io::Error::other)?;
        self.out.flush()
    }
}

fn report(state: &RunState, started: &RunStarted) -> Report {
    let mut suite = TestSuite::new(&*started.runbook.name);
    suite.set_time(Duration::from_millis(state.elapsed_ms));
    suite.add_property(("target", &*target_line(&started.target)));
    suite.add_property(("run", &*started.run.0));
    suite.add_property(("engine", &*started.engine));
    suite.add_property(("runbook-sha256", &*started.runbook.hash));
    if let Some(at) = state.started_at {
        suite.add_property(("started-at", &*at.to_string()));
    }
    for param in &started.params {
        suite.add_property(Property::new(format!("param.{}", param.name), &*param.value));
    }
    let class = format!("{}.{}", target_word(&started.target), started.runbook.name);
    for step in state.steps.values() {
        suite.add_test_case(case(step, state, &class));
    }
    let mut report = Report::new("periplus");
    report.set_time(Duration::from_millis(state.elapsed_ms));
    report.add_test_suite(suite);
    report
}

fn case(step: &StepState, state: &RunState, class: &str) -> TestCase {
    let mut case = TestCase::new(step.summary.id.as_str(), status(step, state));
    case.set_classname(class);
    if let Some(ms) = step.duration_ms() {
        case.set_time(Duration::from_millis(ms));
    }
    case.add_property(("title", &*step.summary.title));
    case.add_property(("attempts", &*step.attempts.to_string()));
    if let Some(kubectl) = &step.kubectl {
        case.add_property(("kubectl", &**kubectl));
    }
    if let Some(exec) = &step.last_exec {
        case.set_system_out(text(&exec.stdout));
        case.set_system_err(text(&exec.stderr));
    }
    case
}

fn status(step: &StepState, state: &RunState) -> TestCaseStatus {
    let sentence = step.outcome().map(|outcome| describe::outcome_sentence(outcome, Some(step), state));
    let message = sentence.map_or_else(|| "it never ended".to_owned(), |sentence| sentence.text);
    match step.outcome() {
        Some(StepOutcome::Passed { .. }) => TestCaseStatus::success(),
        Some(StepOutcome::Failed { failure }) => broken(NonSuccessKind::Failure, message, failure, step),
        Some(StepOutcome::Inconclusive { failure }) => broken(NonSuccessKind::Error, message, failure, step),
        Some(StepOutcome::Skipped { .. } | StepOutcome::Blocked { .. } | StepOutcome::Cancelled { .. }) | None => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(message);
            status
        }
    }
}

fn broken(kind: NonSuccessKind, message: String, failure: &Failure, step: &StepState) -> TestCaseStatus {
    let mut page = Page::new(Theme::plain());
    let found = if failure.mismatches.is_empty() { &step.last_mismatches } else { &failure.mismatches };
    for one in found {
        mismatch::write(&mut page, 0, one);
    }
    for one in &step.calls {
        call::write(&mut page, 0, one);
    }
    for advice in &failure.advice {
        page.hanging(0, "Try next: ", crate::style::Role::Plain, advice);
    }
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(kind_word(failure)).set_message(message).set_description(page.into_text());
    status
}

/// The kind of a failure as its serialized form names it.
fn kind_word(failure: &Failure) -> String {
    serde_json::to_value(failure.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

fn text(excerpt: &Excerpt) -> String {
    if excerpt.omitted_bytes == 0 {
        return excerpt.head.clone();
    }
    format!("{}\n… {} bytes left out …\n{}", excerpt.head, excerpt.omitted_bytes, excerpt.tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::testing::{self, play};

    #[test]
    fn a_failing_run_as_junit() {
        let mut out = Vec::new();
        play(&mut JunitReport::new(&mut out), &testing::failing_run(testing::cluster()));
        insta::assert_snapshot!(String::from_utf8(out).expect("text"));
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        let mut events = testing::failing_run(testing::cluster());
        for event in &mut events {
            if let periplus_core::event::EventKind::StepFinished { kubectl: Some(kubectl), .. } = &mut event.kind {
                *kubectl = "a\u{0}\u{1b}[31m<&\"]]>b".to_owned();
            }
        }
        let mut out = Vec::new();
        play(&mut JunitReport::new(&mut out), &events);
        let text = String::from_utf8(out).expect("text");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n') && text.contains("a&lt;&amp;"), "{text}");
    }
}
