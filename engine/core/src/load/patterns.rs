//! Regular expressions and patterns of lines: they are read when the runbook is loaded, as far as no value is needed.
//!
//! What a check means is not decided here; the matching language itself is in [`crate::expect`].

use std::ops::Range;

use super::checks::all_steps;
use super::head::last_line;
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::expect::{self, Matcher, OutputSpec, Pattern, PatternError, PatternWarning};
use crate::jsonpath::JsonPath;
use crate::model::verb::{Verb, WaitCondition};
use crate::model::{CaptureFrom, Check, Runbook, Text};
use crate::source::{Source, Span};
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
                let checks = &grep.checks;
                patterns.texts(&checks.contains, &checks.not_contains);
                checks.regex.iter().for_each(|regex| patterns.asking_regex(regex));
                checks.lines.iter().for_each(|lines| patterns.lines(lines));
            }
            _ => {}
        }
        if let Some(expect) = &step.expect_output {
            patterns.check(&expect.check);
            expect.stop_on.iter().for_each(|stop| patterns.check(stop));
        }
        for capture in step.capture.values() {
            match &capture.from {
                CaptureFrom::Find(find) => patterns.regex(find),
                CaptureFrom::Path(path) => patterns.path(path),
            }
        }
        let own = if let Verb::Wait(wait) = &step.verb { Some(wait) } else { None };
        for wait in own.into_iter().chain(&step.wait) {
            if let WaitCondition::JsonPath { path, .. } = &wait.condition {
                patterns.path(path);
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
        self.texts(&check.contains, &check.not_contains);
        check.find.iter().for_each(|regex| self.regex(regex));
        check.regex.iter().for_each(|regex| self.asking_regex(regex));
        check.lines.iter().for_each(|lines| self.lines(lines));
        for bound in check.at_least.iter().chain(&check.at_most) {
            if !bound.has_template() && bound.raw.parse::<f64>().is_err() {
                self.problem(bound, 0..bound.raw.len(), Code::BadValue, format!("`{}` is not a number", bound.raw));
            }
        }
        if let (Some(least), Some(most)) = (&check.at_least, &check.at_most)
            && let (Ok(lower), Ok(upper)) = (least.raw.parse::<f64>(), most.raw.parse::<f64>())
            && lower > upper
        {
            let (lower, upper) = (format!("`at-least: {}`", least.raw), format!("`at-most: {}`", most.raw));
            let message = expect::Problem::Bounds { lower, upper }.to_string();
            self.problem(least, 0..least.raw.len(), Code::BadValue, message);
        }
    }

    /// Empty texts: each text holds one, so that one can never fail and the other never hold.
    fn texts(&mut self, contains: &[Text], not_contains: &[Text]) {
        for (texts, key) in [(contains, Matcher::Contains), (not_contains, Matcher::NotContains)] {
            for text in texts.iter().filter(|text| text.raw.trim_end_matches(['\r', '\n']).is_empty()) {
                let problem = match key {
                    Matcher::NotContains => expect::Problem::NeverHolds { key },
                    _ => expect::Problem::AlwaysHolds { key },
                };
                self.vacuous(text, &problem);
            }
        }
    }

    /// A regular expression that is asked for, and so must be able to fail.
    fn asking_regex(&mut self, text: &Text) {
        self.regex(text);
        let spec = OutputSpec { regex: Some(text.raw.clone()), ..OutputSpec::default() };
        let problems = spec.problems();
        if let Some(problem) = problems.iter().find(|problem| matches!(problem, expect::Problem::AlwaysHolds { .. })) {
            self.vacuous(text, problem);
        }
    }

    /// Reports a matcher that nothing depends on, unless its whole check was reported already.
    fn vacuous(&mut self, text: &Text, problem: &expect::Problem) {
        let holds = |span: Span| span.start <= text.span.start && text.span.end <= span.end;
        let known = self.problems.iter().filter(|known| known.code == Code::AssertsNothing);
        if !known.flat_map(|known| &known.labels).any(|label| holds(label.span)) {
            self.problem(text, 0..text.raw.len(), Code::AssertsNothing, problem.to_string());
        }
    }

    fn path(&mut self, text: &Text) {
        if text.has_template() {
            return;
        }
        if let Err(error) = JsonPath::parse(&text.raw) {
            self.problem(text, 0..text.raw.len(), Code::BadPattern, error.to_string());
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
            Ok((pattern, warnings)) => {
                if pattern.asserts_nothing() {
                    self.vacuous(text, &expect::Problem::AlwaysHolds { key: Matcher::Lines });
                }
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
