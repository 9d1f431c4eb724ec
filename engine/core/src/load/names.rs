//! What templates and conditions refer to: every name is a parameter or a capture, and is known when it is used.
//!
//! Only names are looked at. In which order steps run follows from what is found here, and is decided in
//! [`super::order`].

use std::collections::{BTreeMap, BTreeSet};

use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::expect::Pattern;
use crate::model::verb::{Exec, Manifest, Program, Verb};
use crate::model::{Runbook, Step, Text};
use crate::source::{Source, Span};
use crate::template::{Condition, Flavour, Problem, Template, Templates, is_helper, place, shell_variables};

use super::like::Like;
use super::texts;

/// Bytes that a script may have: it is sent in a URL, and its quoting is followed for every value.
const SCRIPT_BYTES: usize = 64 << 10;

/// A use of a capture by a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The step that uses it, by position.
    pub user: usize,
    /// The step that takes it, by position.
    pub taker: usize,
    /// Its name.
    pub name: String,
    /// Where it is used.
    pub span: Span,
    /// Whether it says where a log is: then it must be known before the step that opens the window.
    pub in_log: bool,
}

/// Who takes a capture.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Position among the steps; `None` for steps of clean-up and of `on-failure`.
    step: Option<usize>,
    span: Span,
}

/// Checks all names of a runbook and gives back the uses of captures by its steps.
///
/// `lost` are names that were declared but could not be read: whoever uses them made no mistake.
pub(super) fn check<'r>(
    runbook: &'r Runbook,
    source: &'r Source,
    like: &Like<'r>,
    lost: &'r BTreeSet<String>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Use> {
    let mut names = Names {
        source: &source.text,
        runbook,
        captures: BTreeMap::new(),
        lost,
        templates: Templates::default(),
        uses: Vec::new(),
        problems,
    };
    names.declare();
    names.outside_steps();
    for (position, step) in runbook.steps.iter().enumerate() {
        names.step(step, Some(position), like);
    }
    for step in runbook.cleanup.iter().flat_map(|cleanup| &cleanup.steps).chain(&runbook.on_failure) {
        names.step(step, None, like);
    }
    names.uses
}

struct Names<'r, 'p> {
    source: &'r str,
    runbook: &'r Runbook,
    captures: BTreeMap<String, Taken>,
    lost: &'r BTreeSet<String>,
    templates: Templates,
    uses: Vec<Use>,
    problems: &'p mut Vec<Diagnostic>,
}

/// Where a name is used.
#[derive(Clone, Copy)]
enum Place {
    /// Before any step: only parameters have values.
    Early,
    /// In a step, by position; `None` in clean-up and `on-failure`, where all captures may be used.
    Step { position: Option<usize>, in_log: bool },
}

impl<'r> Names<'r, '_> {
    fn declare(&mut self) {
        for (name, param) in &self.runbook.params {
            self.not_reserved(name, param.span);
        }
        let steps = self.runbook.steps.iter().enumerate().map(|(position, step)| (Some(position), step));
        let further = self.runbook.cleanup.iter().flat_map(|cleanup| &cleanup.steps).chain(&self.runbook.on_failure);
        for (step, at) in steps.chain(further.map(|step| (None, step))) {
            let own = at.capture.iter().map(|(name, capture)| (name.clone(), capture.span));
            for (name, span) in own.chain(self.in_patterns(at)) {
                self.declare_one(name, Taken { step, span });
            }
        }
    }

    fn declare_one(&mut self, name: String, taken: Taken) {
        self.not_reserved(&name, taken.span);
        let first = match (self.captures.get(&name), self.runbook.params.get(&name)) {
            (Some(first), _) => (first.span, "captured here"),
            (None, Some(param)) => (param.span, "a parameter"),
            (None, None) => {
                self.captures.insert(name, taken);
                return;
            }
        };
        self.problems.push(
            Diagnostic::error(Code::CaptureTaken, taken.span, format!("the name {name} is taken"))
                .label("captured here as well")
                .also(first.0, first.1)
                .help("a name has one value in a run; give this one another name"),
        );
    }

    /// The captures in a step's documented lines: `[ip:POD_IP]`.
    fn in_patterns(&self, step: &Step) -> Vec<(String, Span)> {
        let of_verb = match &step.verb {
            Verb::ExpectOutput(expect) => expect.check.lines.as_ref(),
            Verb::LogGrep(grep) => grep.checks.lines.as_ref(),
            _ => None,
        };
        let beside = step.expect_output.as_ref().and_then(|expect| expect.check.lines.as_ref());
        let mut found = Vec::new();
        for text in of_verb.into_iter().chain(beside) {
            // What is wrong with a pattern is reported where patterns are checked.
            let Ok((pattern, _)) = Pattern::parse(&text.raw) else { continue };
            for name in pattern.captures() {
                let at = text.raw.find(&format!(":{name}]")).map_or(0, |colon| colon + 1);
                found.push((name.to_owned(), place(self.source, text, at..at + name.len())));
            }
        }
        found
    }

    fn not_reserved(&mut self, name: &str, span: Span) {
        if is_helper(name) {
            self.problems.push(
                Diagnostic::error(
                    Code::BadValue,
                    span,
                    format!("`{name}` is a word of templates and cannot be a name"),
                )
                .help(format!("call it {}", name.to_uppercase())),
            );
        }
    }

    fn outside_steps(&mut self) {
        let runbook = self.runbook;
        runbook.namespace.iter().for_each(|namespace| self.text(namespace, Flavour::Text, Place::Early));
        for requirement in &runbook.requires {
            texts::requirement(requirement, &mut |text, flavour| self.text(text, flavour, Place::Early));
        }
    }

    fn step(&mut self, step: &'r Step, position: Option<usize>, like: &Like<'r>) {
        let here = Place::Step { position, in_log: false };
        if let Some(when) = &step.when {
            self.condition(when, here);
        }
        texts::step(step, &mut |text, flavour| self.text(text, flavour, here));
        match &step.verb {
            Verb::Exec(exec) => self.exec(exec, position, like),
            Verb::LogGrep(grep) => {
                let log = Place::Step { position, in_log: true };
                texts::log_place(grep, &mut |text, flavour| self.text(text, flavour, log));
            }
            Verb::Apply(apply) => apply.manifests.iter().for_each(|manifest| self.file(manifest, here)),
            _ => {}
        }
    }

    /// What an exec takes over is filled in when it runs itself, and its shell variables are all of its `env`.
    fn exec(&mut self, exec: &'r Exec, position: Option<usize>, like: &Like<'r>) {
        let here = Place::Step { position, in_log: false };
        let whole = like.resolve(exec);
        if exec.like.is_some() {
            // The place of a mistake is the text itself, where it was reported already; only captures matter here.
            let known = self.problems.len();
            let at = exec.like.as_ref().map_or(exec.span, |like| like.span);
            let before = self.uses.len();
            if let (None, Some(target)) = (&exec.target, whole.target) {
                texts::container(target, &mut |text, flavour| self.text(text, flavour, here));
            }
            if let (None, Some(program)) = (&exec.program, whole.program) {
                texts::program(program, &mut |text, flavour| self.text(text, flavour, here));
            }
            for (name, value) in &whole.env {
                if !exec.env.contains_key(*name) {
                    self.text(value, Flavour::Text, here);
                }
            }
            self.problems.truncate(known);
            self.uses[before..].iter_mut().for_each(|used| used.span = at);
        }
        if let Some(Program::Sh(script)) = &exec.program {
            if script.raw.len() > SCRIPT_BYTES {
                let message = format!("a script may have {SCRIPT_BYTES} bytes, this one has {}", script.raw.len());
                let start = script.span.start;
                self.problems.push(
                    Diagnostic::error(Code::TooLong, Span::new(start, start), message)
                        .help("it travels in the request's URL; put it into a ConfigMap that the container mounts"),
                );
                return;
            }
            for (name, at) in shell_variables(&script.raw) {
                let known = self.runbook.params.contains_key(&name) || self.captures.contains_key(name.as_str());
                if known && !whole.env.contains_key(name.as_str()) {
                    self.problems.push(
                        Diagnostic::error(
                            Code::ShellVariable,
                            place(self.source, script, at),
                            format!("the shell in the container has no variable {name}"),
                        )
                        .help(format!("write {{{{{name}}}}}, or pass it: `env: {{{name}: \"{{{{{name}}}}}\"}}`")),
                    );
                }
            }
        }
    }

    /// A file with `render: true`: its lines are not in the runbook, so the message names them.
    fn file(&mut self, manifest: &Manifest, here: Place) {
        let Manifest::File { path, render: true, text } = manifest else { return };
        let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        match Template::parse(text, Flavour::Manifest) {
            Ok(template) => {
                for reference in template.references() {
                    let before = self.problems.len();
                    self.name(&reference.name, path.span, here);
                    for problem in &mut self.problems[before..] {
                        problem.message = format!("{}:{}: {}", path.value, line(reference.at.start), problem.message);
                    }
                }
            }
            Err(found) => {
                for Problem { code, at, message, help } in found {
                    let message = format!("{}:{}: {message}", path.value, line(at.start));
                    let problem = Diagnostic::error(code, path.span, message);
                    self.problems.push(match help {
                        Some(help) => problem.help(help),
                        None => problem,
                    });
                }
            }
        }
    }

    fn text(&mut self, text: &Text, flavour: Flavour, here: Place) {
        if !text.has_template() {
            return;
        }
        match self.templates.get(&text.raw, flavour) {
            Ok(template) => {
                for reference in template.references() {
                    if !self.is_given(&reference.name) {
                        self.name(&reference.name, place(self.source, text, reference.at.clone()), here);
                    }
                }
                for raw in template.raw_in_shell() {
                    self.problems.push(
                        Diagnostic::warning(
                            Code::ShellQuoting,
                            place(self.source, text, raw.clone()),
                            "this value reaches the shell without quotes",
                        )
                        .help("write {{NAME}}, unless the shell is meant to take the value apart"),
                    );
                }
            }
            Err(found) => {
                let found = found.iter().map(|problem| problem.diagnostic(self.source, text));
                self.problems.extend(found);
            }
        }
    }

    fn condition(&mut self, when: &Text, here: Place) {
        match Condition::parse(&when.raw) {
            Ok(condition) => {
                for reference in condition.references() {
                    self.name(&reference.name, place(self.source, when, reference.at.clone()), here);
                }
            }
            Err(problem) => self.problems.push(problem.diagnostic(self.source, when)),
        }
    }

    /// Whether a name has its value from the start, or would have if its declaration could be read.
    fn is_given(&self, name: &str) -> bool {
        self.runbook.params.contains_key(name) || self.lost.contains(name)
    }

    fn name(&mut self, name: &str, span: Span, here: Place) {
        if self.is_given(name) {
            return;
        }
        match (self.captures.get(name).copied(), here) {
            (None, _) => {
                let known = self.runbook.params.keys().chain(self.captures.keys()).map(String::as_str);
                let problem = Diagnostic::error(Code::UnknownName, span, format!("there is no `{name}`"))
                    .label("neither a parameter nor a capture");
                self.problems.push(match nearest(name, known) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("declare it under `params:`, or take it with `capture:` in a step above"),
                });
            }
            (Some(taken), Place::Early) => self.problems.push(
                Diagnostic::error(Code::CaptureUpstream, span, format!("{name} is not known before the steps run"))
                    .also(taken.span, "captured here"),
            ),
            (Some(Taken { step: Some(taker), .. }), Place::Step { position: Some(user), in_log }) => {
                self.uses.push(Use { user, taker, name: name.to_owned(), span, in_log });
            }
            (Some(Taken { step: None, span: taken }), Place::Step { position: Some(_), .. }) => self.problems.push(
                Diagnostic::error(
                    Code::CaptureUpstream,
                    span,
                    format!("{name} is captured only after the steps have run"),
                )
                .also(taken, "captured here"),
            ),
            (Some(_), Place::Step { position: None, .. }) => {}
        }
    }
}
