//! Regular expressions and patterns of lines: they are read when the runbook is loaded, as far as no value is needed.
//!
//! What a check means is not decided here; the matching language itself is in [`crate::expect`].

use std::ops::Range;

use super::checks::all_steps;
use super::head::last_line;
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::expect::{Pattern, PatternError, PatternWarning};
use crate::model::verb::Verb;
use crate::model::{CaptureFrom, Check, Runbook, Text};
use crate::source::Source;
use crate::template::place;

/// Checks all patterns of a runbook.
pub(super) fn check(runbook: &Runbook, source: &Source, problems: &mut Vec<Diagnostic>) {
    let mut patterns = Patterns { source: &source.text, problems };
    for step in all_steps(runbook) {
        match &step.verb {
            Verb::ExpectOutput(expect) => {
                patterns.check(&expect.check);
                expect.stop_on.iter().for_each(|stop| patterns.check(stop));
            }
            Verb::LogGrep(grep) => {
                grep.checks.regex.iter().for_each(|regex| patterns.regex(regex));
                grep.checks.lines.iter().for_each(|lines| patterns.lines(lines));
            }
            _ => {}
        }
        if let Some(expect) = &step.expect_output {
            patterns.check(&expect.check);
            expect.stop_on.iter().for_each(|stop| patterns.check(stop));
        }
        for capture in step.capture.values() {
            if let CaptureFrom::Find(find) = &capture.from {
                patterns.regex(find);
            }
        }
    }
}

struct Patterns<'s, 'p> {
    source: &'s str,
    problems: &'p mut Vec<Diagnostic>,
}

impl Patterns<'_, '_> {
    fn check(&mut self, check: &Check) {
        check.find.iter().chain(&check.regex).for_each(|regex| self.regex(regex));
        check.lines.iter().for_each(|lines| self.lines(lines));
        for bound in check.at_least.iter().chain(&check.at_most) {
            if !bound.has_template() && bound.raw.parse::<f64>().is_err() {
                self.problem(bound, 0..bound.raw.len(), Code::BadValue, format!("`{}` is not a number", bound.raw));
            }
        }
    }

    fn regex(&mut self, text: &Text) {
        if text.has_template() {
            return;
        }
        if let Err(error) = regex::Regex::new(&text.raw) {
            let message = format!("this is no regular expression: {}", last_line(&error));
            self.problem(text, 0..text.raw.len(), Code::BadPattern, message);
        }
    }

    fn lines(&mut self, text: &Text) {
        match Pattern::parse(&text.raw) {
            Ok((_, warnings)) => {
                for warning in warnings {
                    let code = match warning {
                        PatternWarning::NearMiss { .. } | PatternWarning::CaptureName { .. } => Code::NearMissToken,
                    };
                    let span = place(self.source, text, warning.range());
                    self.problems.push(Diagnostic::warning(code, span, warning.to_string()));
                }
            }
            Err(error) => {
                let (at, code) = match &error {
                    PatternError::InsideBlock { range, .. } => (range.clone(), Code::BadPattern),
                    PatternError::TooLong { .. } => (0..0, Code::TooLong),
                };
                self.problem(text, at, code, error.to_string());
            }
        }
    }

    fn problem(&mut self, text: &Text, at: Range<usize>, code: Code, message: String) {
        self.problems.push(Diagnostic::error(code, place(self.source, text, at), message));
    }
}
