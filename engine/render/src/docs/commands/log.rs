//! `kubectl logs … | grep`: lines that were written since a step.
//!
//! A container's log is read from a time on that an earlier block noted, a file from a line on. Of a file whose reader may
//! be skipped only the last lines are looked at, since it may not be there to be marked.

use periplus_core::model::verb::{LogGrep, Verb};
use periplus_core::model::{Duration, LogChecks, PodRef, Polling, Step, StepId, Text};
use periplus_core::template::Flavour;
use serde_json::Value;

use super::check::{Looked, all_lines};
use super::layout::{Block, Command};
use super::manifest::documents;
use super::observe::{capture_lines, joined, polled, seconds};
use super::pattern::Line;
use super::regex::{self, Expression};
use super::scribe::Scribe;
use super::word::ShellText;

/// A mark in a log, taken before a step for a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    variable: String,
    /// What gives the value, without `$(` and `)`.
    stages: Vec<String>,
}

impl Mark {
    /// The line that takes it, in a block of its own.
    pub(super) fn line(&self) -> String {
        let mut block = Block::default();
        let stages: Vec<Command> = self.stages.iter().map(Command::new).collect();
        block.pipeline(&format!("export {}=$(", self.variable), &stages, ")");
        block.text()
    }
}

const NOW: &str = "date -u +%Y-%m-%dT%H:%M:%SZ";

/// `STEP_ID` for `step-id`.
fn upper(id: &StepId) -> String {
    id.as_str().to_uppercase().replace('-', "_")
}

/// Whether something must not be there, so that it matters exactly where the window opens.
fn is_bounded(grep: &LogGrep) -> bool {
    !grep.checks.not_contains.is_empty() || grep.checks.count.is_some_and(|count| count.max.is_some())
}

/// Whether the lines that a file has are counted before the window opens. A step that may be skipped says nothing of
/// where the file is, unless lines before the window would change the judgement.
fn is_marked(reader: &Step, grep: &LogGrep) -> bool {
    let counts = is_bounded(grep) || grep.checks.count.is_some_and(|count| count.min > 1);
    counts || grep.since.is_some() && reader.when.is_none()
}

impl<'b> Scribe<'b> {
    /// The marks that a step takes, and those that each repeat of it takes anew.
    pub(super) fn marks(&self, step: &'b Step) -> (Vec<Mark>, Vec<Mark>) {
        let (mut once, mut again) = (Vec::new(), Vec::new());
        let readers: Vec<(&Step, &LogGrep)> = self
            .commands
            .runbook
            .steps
            .iter()
            .filter_map(|reader| match &reader.verb {
                Verb::LogGrep(grep) => Some((reader, grep)),
                _ => None,
            })
            .filter(|(reader, grep)| match &grep.since {
                Some(since) => since.value == step.id.value,
                None => reader.id.value == step.id.value,
            })
            .collect();
        let settle = readers.iter().filter(|(_, grep)| is_bounded(grep)).map(|(_, grep)| grep.settle.get()).max();
        for (reader, grep) in readers {
            let Some(variable) = self.mark_variable(reader, grep) else { continue };
            let mark = match &grep.file {
                None => {
                    // Lines of the same second would count: a bound lets that second pass first.
                    let wait = if settle.is_some() { "sleep 1; " } else { "" };
                    Mark { variable, stages: vec![format!("{wait}{NOW}")] }
                }
                Some(file) => {
                    let of = Scribe::new(self.commands, Some(reader));
                    // A file that is not there yet has no lines.
                    let count = match file.has_template() {
                        true => format!("sh -c 'cat \"$1\" 2>/dev/null | wc -l' sh {}", of.word(file)),
                        false => {
                            let script = format!("cat {} 2>/dev/null | wc -l", super::word::quote(&file.raw));
                            format!("sh -c {}", super::word::quote(&script))
                        }
                    };
                    Mark { variable, stages: vec![of.container_command(grep, &count)] }
                }
            };
            if once.contains(&mark) {
                continue;
            }
            if let Some(settle) = settle {
                let mut later = mark.clone();
                if let Some(first) = later.stages.first_mut() {
                    *first = format!("sleep {}; {}", seconds(settle), first.trim_start_matches("sleep 1; "));
                }
                again.push(later);
            }
            once.push(mark);
        }
        (once, again)
    }

    /// The variable that holds the mark of a reader; `None` where it needs none.
    fn mark_variable(&self, reader: &Step, grep: &LogGrep) -> Option<String> {
        let since = grep.since.as_ref().map_or(&reader.id.value, |since| &since.value);
        let Some(file) = &grep.file else { return Some(format!("SINCE_{}", upper(since))) };
        if !is_marked(reader, grep) {
            return None;
        }
        // Readers of one file share a mark; of two files each has its own.
        let steps = &self.commands.runbook.steps;
        let place = |grep: &'_ LogGrep| (grep.target.clone(), grep.file.as_ref().map(|file| file.raw.clone()));
        let same = |left: &LogGrep, right: &LogGrep| {
            let ((left, one), (right, two)) = (place(left), place(right));
            one == two
                && left.container.map(|text| text.raw) == right.container.map(|text| text.raw)
                && raw(&left.pod) == raw(&right.pod)
        };
        let mut first: Vec<&LogGrep> = Vec::new();
        for step in steps {
            if let Verb::LogGrep(other) = &step.verb
                && other.file.is_some()
                && is_marked(step, other)
                && other.since.as_ref().map_or(&step.id.value, |since| &since.value) == since
                && !first.iter().any(|known| same(known, other))
            {
                first.push(other);
            }
        }
        let number = first.iter().position(|known| same(known, grep)).unwrap_or(0);
        let _ = file;
        Some(match number {
            0 => format!("LINES_{}", upper(since)),
            number => format!("LINES_{}_{}", upper(since), number + 1),
        })
    }

    /// `kubectl exec POD -n NS -c C -- PROGRAM`.
    fn container_command(&self, grep: &LogGrep, program: &str) -> String {
        self.in_container(grep).arg(program).on_one_line()
    }

    fn in_container(&self, grep: &LogGrep) -> Command {
        let target = &grep.target;
        Command::new(format!("kubectl exec {}", self.pod(target)))
            .args(self.in_namespace(target.namespace.as_ref()))
            .args(self.container(target))
            .last_before_break("--")
    }

    /// The command that gives the window's lines.
    fn window(&self, step: &Step, grep: &LogGrep) -> Command {
        let target = &grep.target;
        let mark = self.mark_variable(step, grep);
        if let Some(file) = &grep.file {
            let from = match mark {
                Some(mark) => format!("tail -n \"+$(({mark} + 1))\""),
                None => "tail -n 100".to_owned(),
            };
            return self.in_container(grep).arg(format!("{from} {}", self.word(file)));
        }
        let namespace = self.in_namespace(target.namespace.as_ref());
        // Of a workload kubectl would read one pod, and the line may be in another.
        let labels = match &target.pod {
            PodRef::Selector(labels) => Some(self.word(labels)),
            PodRef::Workload(workload) => self.labels_of_several(workload).map(|labels| labels.word()),
            PodRef::Pod(_) => None,
        };
        let command = match labels {
            Some(labels) => Command::new("kubectl logs")
                .args(namespace)
                .arg(format!("-l {labels}"))
                .args(self.container(target))
                .arg("--tail=-1"),
            _ => {
                Command::new(format!("kubectl logs {}", self.pod(target))).args(namespace).args(self.container(target))
            }
        };
        command.args(mark.map(|mark| format!("--since-time=\"${mark}\"")))
    }

    /// The labels of the pods of a workload that a step applies with more pods than one.
    fn labels_of_several(&self, workload: &Text) -> Option<ShellText> {
        let names = &self.commands.names;
        let (kind, name) = workload.raw.split_once('/')?;
        let applies = self.commands.runbook.steps.iter().filter_map(|step| match &step.verb {
            Verb::Apply(apply) => Some(apply),
            _ => None,
        });
        let manifests = applies.flat_map(|apply| documents(apply, names));
        let mut found = manifests.flat_map(|manifest| {
            let read = |text: &str| if manifest.rendered { self.marked(text) } else { text.to_owned() };
            let texts: Vec<String> = manifest.documents.iter().map(|document| read(&document.text)).collect();
            texts.into_iter().flat_map(|text| periplus_core::manifest::parse(&text).unwrap_or_default())
        });
        let object = found.find(|object| {
            let is = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(|text| names.unmark(text));
            let lower = is("/kind").unwrap_or_default().to_lowercase();
            let short = [("deployment", "deploy"), ("statefulset", "sts"), ("daemonset", "ds")];
            let called = lower == kind || short.contains(&(lower.as_str(), kind));
            called && is("/metadata/name").as_deref() == Some(name)
        })?;
        let one = object.pointer("/spec/replicas").is_none_or(|count| count.as_u64().is_some_and(|count| count < 2));
        if one && object["kind"] != "DaemonSet" {
            return None;
        }
        let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
        let pairs: Option<Vec<String>> =
            labels.iter().map(|(key, value)| Some(format!("{key}={}", names.unmark(value.as_str()?)))).collect();
        Some(self.raw(&pairs?.join(","), Flavour::Text))
    }

    /// The block of a `log-grep`.
    pub(super) fn log_grep(&self, step: &'b Step, grep: &'b LogGrep) -> Block {
        let checks = &grep.checks;
        let window = self.window(step, grep);
        let count = checks.count;
        let positive =
            !checks.contains.is_empty() || checks.regex.is_some() || checks.lines.is_some() || count.is_some();
        let min = count.map_or(1, |count| count.min);
        let max = count.and_then(|count| count.max);
        let mut block = Block::default();
        let forbidden = || {
            let words = checks.not_contains.iter().map(|text| format!("-e {}", self.text(text).chomped().word()));
            [window.clone(), Command::new("grep -F").args(words)]
        };
        if is_bounded(grep) && (max.is_some() || !positive) {
            block.line(format!("sleep {}", seconds(grep.settle.get())));
        }
        if let (Some(max), true) = (max, positive) {
            let mut stages = vec![window.clone()];
            stages.extend(self.filters(checks));
            block.pipeline(if max == 0 { "! " } else { "" }, &stages, "");
        } else if positive {
            self.await_lines(&mut block, grep, &window, min);
            if !checks.not_contains.is_empty() {
                block.line(format!("sleep {}", seconds(grep.settle.get())));
            }
        }
        if !checks.not_contains.is_empty() {
            block.pipeline("! ", &forbidden(), "");
        }
        block
    }

    /// The greps that leave what is looked for.
    fn filters(&self, checks: &LogChecks) -> Vec<Command> {
        let mut greps: Vec<(String, String)> =
            checks.contains.iter().map(|text| regex::grep("F", &self.text(text).chomped())).collect();
        greps.extend(checks.regex.iter().map(|regex| Expression::of(&self.text(regex), false).grep("")));
        if greps.is_empty() {
            let lines = checks.lines.as_ref().map_or_else(Vec::new, |lines| self.pattern(&lines.raw));
            match lines.as_slice() {
                [] => greps.push(("grep".to_owned(), ".".to_owned())),
                [line] => greps.push(line.grep("")),
                lines => {
                    // Fixed texts can be looked for together.
                    let found: Vec<_> = lines.iter().map(|line| line.grep("")).collect();
                    if found.iter().all(|(program, _)| program == "grep -F") {
                        let words = found.into_iter().map(|(_, word)| format!("-e {}", word.trim_start_matches("-e ")));
                        return vec![Command::new("grep -F").args(words)];
                    }
                    greps.push(("grep".to_owned(), ".".to_owned()));
                }
            }
        }
        greps.into_iter().map(|(program, word)| Command::new(program).arg(word)).collect()
    }

    /// Waits for lines that may come a little late.
    fn await_lines(&self, block: &mut Block, grep: &LogGrep, window: &Command, min: u64) {
        let checks = &grep.checks;
        let polling = Polling { within: Some(grep.within), every: Duration::from_secs(1), consecutive: 1 };
        let lines = checks.lines.as_ref().map_or_else(Vec::new, |lines| self.pattern(&lines.raw));
        let captures = lines.iter().any(|line| !line.captures().is_empty());
        let on_one_line = !checks.contains.is_empty() || checks.regex.is_some();
        let simple = if on_one_line { lines.is_empty() } else { lines.len() <= 1 };
        let mut stages = vec![window.clone()];
        if simple {
            stages.extend(self.filters(checks));
        }
        let mut body = Block::default();
        if simple && !captures && min <= 1 {
            body.pipeline_at(2, "", &stages, " && break");
            block.append(polled(&polling, body));
            return;
        }
        if !simple && !on_one_line {
            stages.extend(self.filters(checks));
        }
        body.pipeline_at(2, "output=$(", &stages, ")");
        let mut chain = Vec::new();
        if !simple || min <= 1 {
            chain.extend(all_lines(&lines, &Looked { variable: "output", find: None }, Line::grep));
        }
        if !simple && on_one_line {
            let greps = self.filters(checks).into_iter().map(|command| command.on_one_line()).collect::<Vec<_>>();
            let last = greps.len().saturating_sub(1);
            let piped = greps.iter().enumerate().map(|(at, grep)| {
                let grep = if at == 0 { format!("{grep} <<< \"$output\"") } else { grep.clone() };
                if at == last { grep.replacen("grep -", "grep -q", 1) } else { grep }
            });
            chain.push(piped.collect::<Vec<_>>().join(" | "));
        }
        if min > 1 {
            chain.push(format!("[ \"$(grep -c . <<< \"$output\")\" -ge {min} ]"));
        }
        chain.push("break".to_owned());
        for line in joined(&chain, 90) {
            body.line(line);
        }
        block.append(polled(&polling, body));
        capture_lines(block, &lines, "<<< \"$output\"");
        block.line("printf '%s\\n' \"$output\"");
    }
}

fn raw(pod: &PodRef) -> &str {
    let (PodRef::Workload(text) | PodRef::Pod(text) | PodRef::Selector(text)) = pod;
    &text.raw
}
