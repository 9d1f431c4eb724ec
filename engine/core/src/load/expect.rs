//! Reading checks.

use super::Decoder;
use super::object::Object;
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::model::{Check, Exits, ExpectOutput, LogChecks, LogCount, Polling, Stream, Text};
use crate::source::{Node, NodeKind, Span};

impl Decoder<'_> {
    pub(super) fn expect_output(&mut self, node: &Node) -> Option<ExpectOutput> {
        if matches!(node.kind, NodeKind::List(_)) {
            self.problems.push(
                Diagnostic::error(Code::WrongType, node.span, "`expect-output` must be a mapping, and here is a list")
                    .help("judge the same output again in a step below: `expect-output: {of: STEP, …}`"),
            );
            return None;
        }
        let mut object = self.object(node, "`expect-output`")?;
        let of = object.take("of").and_then(|node| self.step_id(node));
        let check = self.check(&mut object);
        let polling = self.polling(&mut object);
        let stop_on = object.take("stop-on").and_then(|node| {
            let mut object = self.object(node, "`stop-on`")?;
            let check = self.check(&mut object);
            let span = object.span;
            if object.finish(self) {
                self.asserts_something(&check, span);
            }
            Some(check)
        });
        let span = object.span;
        // An unknown key was probably meant to assert something.
        if object.finish(self) {
            self.asserts_something(&check, span);
        }
        Some(ExpectOutput { of, check, polling, stop_on, span })
    }

    /// `within`, `every`, `consecutive`.
    pub(super) fn polling(&mut self, object: &mut Object<'_>) -> Polling {
        let default = Polling::default();
        Polling {
            within: object.take("within").and_then(|node| self.duration(node)),
            every: object.take("every").and_then(|node| self.duration(node)).unwrap_or(default.every),
            consecutive: object.take("consecutive").and_then(|node| self.count(node)).unwrap_or(default.consecutive),
        }
    }

    fn check(&mut self, object: &mut Object<'_>) -> Check {
        let streams = [("stdout", Stream::Stdout), ("stderr", Stream::Stderr), ("both", Stream::Both)];
        let mut text = |decoder: &mut Self, key| object.take(key).and_then(|node| decoder.text_or_empty(node));
        let find = text(self, "find");
        let equals = text(self, "equals");
        let regex = text(self, "regex");
        let lines = text(self, "lines");
        let at_least = text(self, "at-least");
        let at_most = text(self, "at-most");
        Check {
            find,
            stream: object.take("stream").and_then(|node| self.word(node, &streams)).unwrap_or_default(),
            equals,
            contains: self.texts(object, "contains"),
            not_contains: self.texts(object, "not-contains"),
            regex,
            lines,
            json: object.take("json").and_then(|node| self.tree(node)),
            yaml: object.take("yaml").and_then(|node| self.tree(node)),
            exits: self.exits(object),
            at_least,
            at_most,
        }
    }

    fn exits(&mut self, object: &mut Object<'_>) -> Option<Exits> {
        let exit = object.take("exit").map(|node| {
            if matches!(&node.kind, NodeKind::List(codes) if codes.is_empty()) {
                let problem = Diagnostic::error(Code::AssertsNothing, node.span, "`exit` names no code".to_owned());
                self.problems.push(problem.help("name the codes that are right, or leave `exit` out: then it is 0"));
            }
            let codes = self.one_or_list(node, |decoder, item| decoder.integer(item, 0, 255));
            (codes.into_iter().filter_map(|code| i32::try_from(code).ok()).collect::<Vec<_>>(), node.span)
        });
        let fails = object.take("fails").and_then(|node| self.boolean(node).map(|fails| (fails, node.span)));
        match (exit, fails) {
            (Some((codes, _)), None) => Some(Exits::With(codes)),
            (None, Some((true, _))) => Some(Exits::Fails),
            (None, None) => None,
            (_, Some((fails, span))) => {
                let message = if fails {
                    "`exit` and `fails` both say what the program returns"
                } else {
                    "`fails` is `true` or left out; without it a non-zero exit fails the check"
                };
                self.problem(Code::BadValue, span, message.to_owned());
                None
            }
        }
    }

    fn texts(&mut self, object: &mut Object<'_>, key: &'static str) -> Vec<Text> {
        object.take(key).map(|node| self.one_or_list(node, Self::text_or_empty)).unwrap_or_default()
    }

    pub(super) fn log_checks(&mut self, object: &mut Object<'_>) -> Option<LogChecks> {
        let contains = self.texts(object, "contains");
        let not_contains = self.texts(object, "not-contains");
        let regex = object.take("regex").and_then(|node| self.text(node));
        let lines = object.take("lines").and_then(|node| self.text(node));
        let count = object.take("count").map(|node| self.log_count(node));
        let span = object.span;
        let empty = contains.iter().all(|text| text.raw.is_empty())
            && not_contains.iter().all(|text| text.raw.is_empty())
            && regex.is_none()
            && lines.as_ref().is_none_or(|lines| lines.raw.lines().all(|line| matches!(line.trim(), "" | "...")));
        if empty {
            self.problems.push(
                Diagnostic::error(Code::AssertsNothing, span, "this check can never fail")
                    .help("say what a line `contains:`, or what its `lines:` or `regex:` are"),
            );
            return None;
        }
        Some(LogChecks { contains, not_contains, regex, lines, count: count.flatten() })
    }

    fn log_count(&mut self, node: &Node) -> Option<LogCount> {
        let mut object = self.object(node, "`count`")?;
        let bound = |decoder: &mut Self, object: &mut Object<'_>, key| {
            let node = object.take(key)?;
            decoder.integer(node, 0, 1_000_000_000).and_then(|n| u64::try_from(n).ok())
        };
        let min = bound(self, &mut object, "min");
        let max = bound(self, &mut object, "max");
        let span = object.span;
        object.finish(self);
        let count = LogCount { min: min.unwrap_or(u64::from(max.is_none())), max };
        if (count.min == 0 && max.is_none()) || max.is_some_and(|max| max < count.min) {
            self.problems.push(
                Diagnostic::error(Code::AssertsNothing, span, "these bounds hold always or never")
                    .help("`min` is at least 1, or `max` is given and not below `min`"),
            );
            return None;
        }
        Some(count)
    }

    /// Reports a check that holds whatever comes.
    fn asserts_something(&mut self, check: &Check, span: Span) {
        let says = |text: &Option<Text>| text.as_ref().is_some_and(|text| !text.raw.is_empty());
        let lines_say = |text: &Option<Text>| {
            text.as_ref().is_some_and(|text| text.raw.lines().any(|line| !matches!(line.trim(), "" | "...")))
        };
        let some = check.equals.is_some()
            || check.contains.iter().chain(&check.not_contains).any(|text| !text.raw.is_empty())
            || says(&check.regex)
            || lines_say(&check.lines)
            || check.json.is_some()
            || check.yaml.is_some()
            || check.exits.is_some()
            || check.at_least.is_some()
            || check.at_most.is_some();
        if !some {
            let help = if check.find.is_some() {
                "`find` only narrows the output: say what it `equals:`, `contains:` or is `at-least:`"
            } else {
                "say what the output `equals:`, `contains:`, or what its `lines:` are"
            };
            self.problems.push(Diagnostic::error(Code::AssertsNothing, span, "this check can never fail").help(help));
        }
    }
}
