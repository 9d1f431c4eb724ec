//! Reading a step: what is common to all, and exactly one verb.

use indexmap::IndexMap;

use super::Decoder;
use super::head::is_identifier;
use super::object::Object;
use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::model::verb::{RESERVED_VERBS, VERBS, Verb};
use crate::model::{Backoff, Capture, CaptureFrom, Retry, Step};
use crate::source::{Node, NodeKind};

/// Verbs that may also stand beside another one.
const BESIDE: [&str; 3] = ["wait", "expect-output", "expect-object"];

impl Decoder<'_> {
    pub(super) fn step(&mut self, node: &Node) -> Option<Step> {
        let mut object = self.object(node, "a step")?;
        let id = object.need(self, "id").and_then(|node| self.step_id(node));
        let title = object.take("title").and_then(|node| self.string(node));
        let doc = object.take("doc").and_then(|node| self.string(node));
        let needs = object.take("needs").and_then(|node| self.list(node, Self::step_id));
        let when = object.take("when").and_then(|node| self.text(node));
        let impact = object.take("impact").and_then(|node| self.text(node));
        let namespace = object.take("namespace").and_then(|node| self.text(node));
        let retry = object.take("retry").and_then(|node| self.retry(node));
        let timeout = object.take("timeout").and_then(|node| self.duration(node));
        let capture = object.take("capture").map(|node| self.captures(node)).unwrap_or_default();
        let key = self.verb_key(&mut object);
        let verb = key.and_then(|key| self.verb(&mut object, key));
        let beside = |key_here: &str| key.is_some_and(|key| key != key_here);
        let wait = if beside("wait") { object.take("wait").and_then(|node| self.wait_beside(node)) } else { None };
        let expect_output = if beside("expect-output") {
            object.take("expect-output").and_then(|node| self.expect_output(node))
        } else {
            None
        };
        let expect_object = if beside("expect-object") {
            object.take("expect-object").and_then(|node| self.expect_object(node))
        } else {
            None
        };
        let span = object.span;
        if key.is_none() {
            // Without a verb it is not known which further keys are right.
            object.rest();
        }
        object.finish(self);
        let Some((id, verb)) = id.clone().zip(verb) else {
            self.lost_steps.extend(id.map(|id| id.value));
            self.lost_names.extend(capture.into_keys());
            return None;
        };
        let step = Step {
            id,
            title,
            doc,
            needs,
            when,
            impact,
            namespace,
            verb,
            wait,
            expect_output,
            expect_object,
            capture,
            retry,
            timeout,
            span,
        };
        self.check_beside(&step);
        Some(step)
    }

    /// The one verb of a step. Of several, those that may stand beside another step back.
    fn verb_key(&mut self, object: &mut Object<'_>) -> Option<&'static str> {
        for reserved in RESERVED_VERBS {
            if let Some(span) = object.key_span(reserved) {
                self.problems.push(
                    Diagnostic::error(Code::ReservedVerb, span, format!("`{reserved}` is not carried out yet"))
                        .help(format!("the verbs of this version are: {}", VERBS.join(", "))),
                );
                object.take(reserved);
                return None;
            }
        }
        let found: Vec<&'static str> = VERBS.into_iter().filter(|key| object.has(key)).collect();
        let main: Vec<&'static str> = found.iter().copied().filter(|key| !BESIDE.contains(key)).collect();
        let problem = match (main.as_slice(), found.as_slice()) {
            ([one], _) | ([], [one]) => return Some(one),
            // `wait` with checks beside it, and an object check after an output check.
            ([], [first, ..]) => {
                return Some(if found.contains(&"wait") { "wait" } else { first });
            }
            ([], []) => {
                let problem = |span| Diagnostic::error(Code::NotOneVerb, span, "this step has no verb");
                match object.left().find_map(|(key, span)| Some((span, nearest(key, VERBS)?))) {
                    Some((span, near)) => problem(span).label("unknown key").help(format!("did you mean `{near}`?")),
                    None => problem(object.key_span("id").unwrap_or(object.span))
                        .help(format!("a step has exactly one of: {}", VERBS.join(", "))),
                }
            }
            ([first, second, ..], _) => {
                let span = object.key_span(second).unwrap_or(object.span);
                let problem = Diagnostic::error(
                    Code::NotOneVerb,
                    span,
                    format!("this step has two verbs, `{first}` and `{second}`"),
                )
                .label("a second verb")
                .help("make two steps of it");
                match object.key_span(first) {
                    Some(first) => problem.also(first, "the first"),
                    None => problem,
                }
            }
        };
        self.problems.push(problem);
        None
    }

    fn verb(&mut self, object: &mut Object<'_>, key: &'static str) -> Option<Verb> {
        let node = object.take(key)?;
        match key {
            "apply" => self.apply(node).map(Verb::Apply),
            "exec" => self.exec(node).map(Verb::Exec),
            "expect-output" => self.expect_output(node).map(Verb::ExpectOutput),
            "log-grep" => self.log_grep(node).map(Verb::LogGrep),
            "delete" => self.delete(node).map(Verb::Delete),
            "patch" => self.patch(node).map(Verb::Patch),
            "wait" => self.wait(node).map(Verb::Wait),
            "get" => self.get(node).map(Verb::Get),
            _ => self.expect_object(node).map(Verb::ExpectObject),
        }
    }

    /// What stands beside a verb must have an effect there.
    fn check_beside(&mut self, step: &Step) {
        let misplaced = |key: &str, span, why: &str| {
            Diagnostic::error(Code::MisplacedKey, span, format!("`{key}` has no effect here: {why}"))
        };
        let verb = &step.verb;
        if let Some(expect) = &step.expect_output {
            if !matches!(verb, Verb::Exec(_)) {
                self.problems.push(misplaced("expect-output", expect.span, "this step runs no program"));
            } else if let Some(of) = &expect.of {
                self.problems.push(
                    misplaced("of", of.span, "beside an `exec` its own output is judged")
                        .help("drop `of:`, or make it a step of its own"),
                );
            }
        }
        if let (Verb::ExpectOutput(expect), None) = (verb, &step.expect_output)
            && expect.of.is_none()
        {
            self.problems.push(
                Diagnostic::error(Code::MissingKey, expect.span, "`expect-output` on its own needs `of:`")
                    .help("name the step whose output it judges, or put it beside an `exec`"),
            );
        }
        if let Some(wait) = &step.wait
            && wait.object.is_none()
            && !matches!(verb, Verb::Apply(_) | Verb::Patch(_) | Verb::Delete(_))
        {
            self.problems.push(misplaced("wait", wait.span, "this step writes nothing that could be waited for"));
        }
        for capture in step.capture.values() {
            let fits = match capture.from {
                CaptureFrom::Path(_) => matches!(verb, Verb::Get(_) | Verb::Apply(_) | Verb::Patch(_)),
                CaptureFrom::Find(_) => matches!(verb, Verb::Exec(_)),
            };
            if !fits {
                self.problems.push(misplaced(
                    "capture",
                    capture.span,
                    "a path is taken from an object (`get`, `apply`, `patch`), a `find` from the output of an `exec`",
                ));
            }
        }
        if let (Some(_), crate::model::Effect::Read) = (step.retry, step.effect()) {
            self.problems.push(
                misplaced("retry", step.id.span, "it repeats changes that fail")
                    .help("for a check that does not hold yet use `within:`"),
            );
        }
    }

    fn retry(&mut self, node: &Node) -> Option<Retry> {
        let mut object = self.object(node, "`retry`")?;
        let mut retry = Retry::default();
        if let Some(attempts) = object.take("attempts").and_then(|node| self.count(node)) {
            retry.attempts = attempts;
        }
        if let Some(node) = object.take("backoff") {
            retry.backoff = self.backoff(node, retry.backoff);
        }
        if let Some(node) = object.take("for") {
            self.one_or_list(node, |decoder, item| decoder.word(item, &[("transient", ())]));
        }
        object.finish(self);
        Some(retry)
    }

    fn backoff(&mut self, node: &Node, default: Backoff) -> Backoff {
        if let NodeKind::Scalar(_) = node.kind {
            let initial = self.duration(node).unwrap_or(default.initial);
            return Backoff { initial, max: default.max.max(initial) };
        }
        let Some(mut object) = self.object(node, "`backoff`") else { return default };
        let initial = object.take("initial").and_then(|node| self.duration(node)).unwrap_or(default.initial);
        let max = object.take("max").and_then(|node| self.duration(node)).unwrap_or(default.max.max(initial));
        object.finish(self);
        Backoff { initial, max }
    }

    fn captures(&mut self, node: &Node) -> IndexMap<String, Capture> {
        let Some(mut object) = self.object(node, "`capture`") else { return IndexMap::new() };
        let mut captures = IndexMap::new();
        for (name, span, node) in object.rest() {
            if !is_identifier(name) {
                self.problems.push(
                    Diagnostic::error(Code::BadValue, span, format!("`{name}` cannot name a capture"))
                        .help("a name has letters, digits and underscores, and does not start with a digit"),
                );
                continue;
            }
            let capture = if let NodeKind::Scalar(_) = node.kind {
                self.text(node).map(|path| Capture { from: CaptureFrom::Path(path), default: None, span })
            } else {
                self.capture(node)
            };
            match capture {
                Some(capture) => {
                    captures.insert(name.to_owned(), capture);
                }
                None => {
                    self.lost_names.insert(name.to_owned());
                }
            }
        }
        captures
    }

    fn capture(&mut self, node: &Node) -> Option<Capture> {
        let mut object = self.object(node, "a capture")?;
        let path = object.take("path").and_then(|node| self.text(node)).map(CaptureFrom::Path);
        let find = object.take("find").and_then(|node| self.text(node)).map(CaptureFrom::Find);
        let default = object.take("default").and_then(|node| self.text_or_empty(node));
        let span = object.span;
        object.finish(self);
        match (path, find) {
            (Some(from), None) | (None, Some(from)) => Some(Capture { from, default, span }),
            _ => {
                self.problem(Code::MissingKey, span, "a capture has exactly one of `path:` and `find:`".to_owned());
                None
            }
        }
    }
}
