//! What can only be seen on all steps together: which call a log tells of, what is repeated until it holds, what the
//! target must have.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::{Reader, Remark};
use crate::draft::{Check, Entry, Exec, Manifests, Step, Verb, Wait};
use crate::guess;
use crate::write::Yaml;

/// How long a check may wait for what a change brings about: a reader takes as long from one command to the next.
const WITHIN: &str = "60s";

static OBJECT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^apiVersion:\s*(\S+)\s*\n(?:.*\n)*?kind:\s*(\S+)").expect("a pattern"));

impl Reader {
    pub(super) fn finish(&mut self) {
        if !self.generated {
            self.repeated();
            self.pace();
            self.await_files();
            self.requirements();
        }
        self.windows();
        self.alike();
        self.types();
        for (path, line) in self.missing.clone() {
            self.remark(
                line,
                format!("the page names the file {path} and does not show it: put it beside the runbook"),
            );
        }
    }

    fn steps(&mut self) -> Vec<&mut Step> {
        self.draft
            .entries
            .iter_mut()
            .filter_map(|entry| match entry {
                Entry::Step(step) => Some(step),
                _ => None,
            })
            .collect()
    }

    /// A call that a page makes again, without saying what it prints, must print the same; and one that is made before
    /// the step that makes it work must not.
    fn repeated(&mut self) {
        let mut remarks = Vec::new();
        let mut steps = self.steps();
        for at in 0..steps.len() {
            let Some(program) = called(steps[at]).map(|exec| (exec.program.clone(), exec.env.clone())) else {
                continue;
            };
            let same =
                |step: &Step| called(step).is_some_and(|exec| (&exec.program, &exec.env) == (&program.0, &program.1));
            let weak = |step: &Step| {
                step.expect.as_ref().is_none_or(|check| {
                    check.equals.is_none() && check.lines.is_none() && !check.fails && check.exit.is_empty()
                })
            };
            if !weak(steps[at]) {
                continue;
            }
            let told = [&steps[at].title, &steps[at].doc];
            let without = told.iter().any(|text| text.as_deref().is_some_and(says_without));
            let again = steps[at + 1..].iter().position(|step| same(step)).map(|later| at + 1 + later);
            let changed = again.is_some_and(|again| steps[at + 1..again].iter().any(|step| step.changes()));
            if without && changed {
                steps[at].expect = Some(Check { fails: true, ..Check::default() });
                let text = "the page does not say outright that this call fails: it is made again below, after a change \
                            without which it cannot succeed";
                remarks.push(Remark { line: steps[at].line, text: text.to_owned() });
                steps[at]
                    .remarks
                    .push("Must fail: the page makes the same call again below, once a change allows it.".to_owned());
                continue;
            }
            let first = steps[..at].iter().find(|step| {
                same(step) && step.expect.as_ref().is_some_and(|check| !check.fails && check.exit.is_empty())
            });
            if let Some(first) = first
                && let Some(expect) = first.expect.clone()
                && filters_alike(&expect, steps[at].expect.as_ref())
            {
                let id = first.id.clone();
                let line = steps[at].line;
                steps[at].expect = Some(expect);
                remarks.push(Remark {
                    line,
                    text: format!("the output is expected to be that of `{id}`, the same call above"),
                });
            }
        }
        self.remarks.extend(remarks);
    }

    /// Checks that follow a change are repeated until they hold: the change takes a while to arrive.
    fn pace(&mut self) {
        let mut changed = false;
        for step in self.steps() {
            let changes = step.changes();
            if let (true, Verb::Exec(exec)) = (changed, &step.verb)
                && !exec.change
            {
                let check = step.expect.get_or_insert_default();
                if !check.asserts() {
                    check.exit = vec![0];
                }
                if check.polling.within.is_none() {
                    check.polling.within = Some(WITHIN.to_owned());
                    if check.fails || check.exit.iter().any(|code| *code != 0) {
                        check.polling.consecutive = Some(3);
                    }
                }
            }
            changed |= changes;
        }
    }

    /// A log tells of the call right above it.
    fn windows(&mut self) {
        let mut call: Option<(String, BTreeSet<String>)> = None;
        let mut captured: BTreeSet<String> = BTreeSet::new();
        let mut remarks = Vec::new();
        for step in self.steps() {
            match &mut step.verb {
                Verb::Exec(_) => call = Some((step.id.clone(), captured.clone())),
                Verb::LogGrep(grep) if grep.since.is_none() => {
                    // Which log it is must be known before the call.
                    let place = format!("{} {:?} {:?}", grep.target.pod.1, grep.target.namespace, grep.file);
                    let early = |known: &BTreeSet<String>| {
                        captured
                            .iter()
                            .filter(|name| place.contains(&format!("{{{{{name}}}}}")))
                            .all(|name| known.contains(name))
                    };
                    match &call {
                        Some((id, known)) if early(known) => grep.since = Some(id.clone()),
                        _ => remarks.push(Remark {
                            line: step.line,
                            text: "no call above it writes into this log: say `since:` which step does".to_owned(),
                        }),
                    }
                }
                _ => {}
            }
            captured.extend(step.capture.iter().map(|(name, _)| name.clone()));
        }
        self.remarks.extend(remarks);
    }

    /// A file that the page does not show is waited for where later steps use its pods.
    fn await_files(&mut self) {
        let mut used: Vec<String> = Vec::new();
        for step in self.steps().into_iter().rev() {
            match &step.verb {
                Verb::Apply { manifests: Manifests::Files(paths, _), .. } if step.wait.is_none() => {
                    let stems = paths.iter().filter_map(|path| path.rsplit('/').next()?.split('.').next());
                    let names: Vec<&str> = stems.collect();
                    if names.iter().any(|name| used.iter().any(|text| has_word(text, name))) {
                        step.wait = Some(Wait::rollout());
                    }
                }
                Verb::Exec(Exec { target: Some(target), .. }) => used.push(target.pod.1.clone()),
                Verb::LogGrep(grep) => used.push(grep.target.pod.1.clone()),
                Verb::Get { object, .. } if object.kind == "Pod" => {
                    used.extend(object.selector.clone());
                }
                _ => {}
            }
        }
    }

    /// What the target must serve and have, as far as the steps tell.
    fn requirements(&mut self) {
        let mut serves: Vec<(String, String)> = Vec::new();
        let mut objects: Vec<Yaml> = Vec::new();
        let mut log = false;
        for step in self.steps() {
            match &step.verb {
                Verb::Apply { manifests: Manifests::Inline(text), .. } => {
                    for document in text.split("\n---") {
                        for found in OBJECT.captures_iter(document).take(1) {
                            let pair = (found[2].to_owned(), found[1].to_owned());
                            if Self::extension(&pair.1, &pair.0) && !pair.0.contains("{{") && !serves.contains(&pair) {
                                serves.push(pair);
                            }
                        }
                    }
                }
                Verb::Patch { object, yaml_in: Some(_), .. } | Verb::Get { object, yaml_in: Some(_), .. } => {
                    let wanted = Yaml::map([("object", Some(crate::write::object(object)))]);
                    if !objects.contains(&wanted) {
                        objects.push(wanted);
                    }
                }
                Verb::LogGrep(grep) if grep.target.container.as_deref() == Some("istio-proxy") => {
                    log |= grep.lines.as_deref().is_some_and(|lines| lines.contains("[[timestamp]]"));
                }
                _ => {}
            }
        }
        self.draft.requires.extend(objects);
        for (kind, version) in serves {
            let value = Yaml::map([("kind", Some(Yaml::text(kind))), ("apiVersion", Some(Yaml::text(version)))]);
            self.draft.requires.push(Yaml::map([("serves", Some(value))]));
        }
        if log {
            self.draft.requires.push(Yaml::map([("access-log", Some(Yaml::bare("text")))]));
        }
    }

    /// An exec that says the same as one above names it.
    fn alike(&mut self) {
        let mut steps = self.steps();
        for at in 1..steps.len() {
            let (above, rest) = steps.split_at_mut(at);
            let Verb::Exec(exec) = &mut rest[0].verb else { continue };
            let long = exec.env.len()
                + match &exec.program {
                    Some(crate::draft::Program::Command(words)) => words.len(),
                    _ => 9,
                };
            if exec.like.is_some() || long < 3 {
                continue;
            }
            let model = above.iter().rev().find_map(|step| match &step.verb {
                Verb::Exec(other)
                    if other.like.is_none()
                        && other.program == exec.program
                        && other.env == exec.env
                        && other.change == exec.change =>
                {
                    Some((step.id.clone(), other.target.clone()))
                }
                _ => None,
            });
            if let Some((id, target)) = model {
                if target == exec.target {
                    exec.target = None;
                }
                *exec = Exec {
                    like: Some(id),
                    target: exec.target.take(),
                    change: exec.change,
                    timeout: exec.timeout.take(),
                    ..Exec::default()
                };
            }
        }
    }

    fn types(&mut self) {
        let mut remarks = Vec::new();
        for (name, param) in &mut self.draft.params {
            if param.of_list || !param.values.is_empty() || self.generated {
                continue;
            }
            let hints = self.hints.get(name).map(Vec::as_slice).unwrap_or_default();
            let (kind, secret) = guess::param_type(name, param.default.as_deref(), hints);
            param.kind = kind;
            param.secret = secret;
            // A default that is empty is none.
            if param.default.as_deref() == Some("") {
                param.default = None;
            }
            if kind == periplus_core::model::ScalarType::String {
                continue;
            }
            remarks.push(Remark { line: param.line, text: format!("the type of {name} is guessed: {}", kind.name()) });
        }
        self.remarks.extend(remarks);
    }
}

/// The exec of a step, if it is one that only looks.
fn called(step: &Step) -> Option<&Exec> {
    match &step.verb {
        Verb::Exec(exec) if !exec.change => Some(exec),
        _ => None,
    }
}

/// Whether what is asked of the same output leaves room for more.
fn filters_alike(full: &Check, weak: Option<&Check>) -> bool {
    match weak {
        None => full.find.is_none(),
        Some(weak) => {
            weak.regex.is_some() && (weak.regex == full.find)
                || weak
                    .contains
                    .iter()
                    .any(|text| full.find.as_ref().is_some_and(|find| find.contains(&regex::escape(text))))
        }
    }
}

/// Whether a text says that something is tried without what makes it work.
fn says_without(text: &str) -> bool {
    let text = text.to_lowercase();
    ["without a ", "without the ", "without any ", "before you ", "not yet "].iter().any(|words| text.contains(words))
}

/// Whether a word stands in a text by itself.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|own| own == word)
}
