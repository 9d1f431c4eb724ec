//! Pages that were made from a runbook: a section is a step, its sentences say what is checked.
//!
//! Of a section's commands only what acts or looks is read; the shell around it, which repeats and compares, says nothing
//! that the sentences do not say better.

mod head;
mod judge;

use std::sync::LazyLock;

use periplus_core::model::Duration;
use regex::Regex;
use serde_json::Value;

use super::names::Name;
use super::page::{MAX_COMMANDS, joined, joins};
use super::{Context, Reader};
use crate::draft::{Entry, Polling, Step, Unread, Verb};
use crate::guess::{self, Heading};
use crate::outline::{Outline, Unit};
use crate::shell::{Command, Part, Pipeline, Redirect, Simple, Word, chunks, parse};
use crate::write::Yaml;

static FUNCTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z_][A-Za-z0-9_]*\(\) \{"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d+\. "));
static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\]\(#([a-z0-9-]+)\)"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// A command of a section, and how often it is tried: attempts, and seconds between them.
struct Act {
    pipeline: Pipeline,
    tried: Option<(u64, u64)>,
}

/// What a section holds beside its acts.
#[derive(Default)]
struct Around {
    acts: Vec<Act>,
    /// The defaults of captures.
    defaults: Vec<(String, String)>,
    /// What the shell looks for in an output that it keeps.
    conditions: Vec<Pipeline>,
}

impl Reader {
    pub(super) fn generated_page(&mut self, page: &Outline) {
        self.draft.name = page.name.clone().unwrap_or_default();
        self.shows_seen = page.seen;
        self.param_table(&page.params);
        for need in &page.needs {
            let requirement = self.requirement(need.trim_start_matches("- ").trim());
            self.draft.requires.extend(requirement);
        }
        for (number, unit) in page.units.iter().enumerate() {
            if number >= MAX_COMMANDS {
                let reason = format!("the page has more than {MAX_COMMANDS} sections");
                self.unread.push(Unread { line: unit.line, text: "(all that follows)".to_owned(), reason });
                break;
            }
            match unit.section {
                Some(Heading::Before) => {}
                _ if matches!(
                    unit.heading.as_deref(),
                    Some("Parameters" | "Shell functions" | "Check before you start")
                ) => {}
                _ if unit.heading.as_deref() == Some("Files") => self.shown_files(unit),
                Some(Heading::CleanUp) => {
                    let is_undo =
                        unit.heading.as_deref().is_some_and(|heading| guess::heading(heading) == Heading::CleanUp);
                    let said = unit.prose.join(" ");
                    if said.starts_with("At the end") {
                        self.draft.cleanup.get_or_insert_default();
                        self.draft.keep.extend(LINK.captures_iter(&said).map(|link| link[1].to_owned()));
                    }
                    if !is_undo {
                        let entry = self.section(unit);
                        self.draft.cleanup.get_or_insert_default().extend(entry);
                    }
                }
                Some(Heading::Failure) => {
                    let entry = self.section(unit);
                    self.draft.on_failure.extend(entry);
                }
                _ => {
                    let entry = self.section(unit);
                    self.draft.entries.extend(entry);
                }
            }
        }
    }

    /// The step of a section.
    fn section(&mut self, unit: &Unit) -> Vec<Entry> {
        let title = unit.heading.as_deref().map(|heading| NUMBER.replace(heading, "").into_owned()).unwrap_or_default();
        let line = unit.commands.first().map_or(unit.line, |shown| shown.line);
        let mut prose = unit.prose.clone();
        let mut needs = None;
        if let Some(first) = prose.first() {
            if first.starts_with("You can do this at any time") {
                needs = Some(Vec::new());
            } else if first.starts_with("You can do this as soon as") {
                needs = Some(LINK.captures_iter(first).map(|link| link[1].to_owned()).collect());
            }
            if needs.is_some() {
                prose.remove(0);
            }
        }
        // Between the prose and the commands stand sentences of the page's own.
        let own = prose.iter().position(|text| {
            text.starts_with("Look again at the output of")
                || text.starts_with("The command is written out for ")
                || text.starts_with("This step cannot be done by hand")
        });
        let told = own.map_or_else(Vec::new, |at| prose.split_off(at));
        let step = if unit.commands.is_empty() { self.judged_above(unit, &told) } else { self.acted(unit) };
        let mut step = match step {
            Ok(step) => step,
            Err(reason) => {
                let text = unit.commands.iter().map(|shown| shown.chunk.text.as_str()).collect::<Vec<_>>().join("\n");
                let text = if text.is_empty() { title } else { text };
                let unread = Unread { line, text, reason };
                self.unread.push(unread.clone());
                return vec![Entry::Unread(unread)];
            }
        };
        for (word, text) in &unit.alerts {
            if let (&"WARNING", Some(impact)) = (word, text.strip_prefix("**Impact:** ")) {
                step.impact = Some(self.named(&impact.replace('\n', " ")));
            } else if let Some(rest) = text.strip_prefix("Do this step only if ") {
                let end = rest.rfind(". Otherwise skip it.").unwrap_or(rest.len());
                let code = rest[..end].trim();
                let marks = code.len() - code.trim_start_matches('`').len();
                let inner = code.get(marks..code.len() - marks).unwrap_or(code);
                step.when =
                    Some(inner.strip_prefix(' ').and_then(|inner| inner.strip_suffix(' ')).unwrap_or(inner).to_owned());
            }
        }
        step.title = Some(title.clone()).filter(|title| !title.is_empty());
        step.needs = needs;
        step.doc = Some(joined(&prose)).filter(|doc| !doc.trim().is_empty());
        step.id = match &unit.anchor {
            Some(anchor) if self.ids.take(anchor) => anchor.clone(),
            _ => guess::id(if title.is_empty() { "step" } else { &title }, &mut self.ids),
        };
        for mark in self.marks.values_mut().filter(|mark| mark.is_empty()) {
            mark.clone_from(&step.id);
        }
        vec![Entry::Step(step)]
    }

    /// A step that looks at what a step above prints.
    fn judged_above(&mut self, unit: &Unit, told: &[String]) -> Result<Step, String> {
        let of = told.first().filter(|text| text.starts_with("Look again at the output of"));
        let Some(of) = of.and_then(|text| LINK.captures(text)).map(|link| link[1].to_owned()) else {
            return Err("the page says that this step cannot be done by hand".to_owned());
        };
        let said = self.said(&told[1..].join(" "));
        let mut check = self.check_said(&said, unit.output.as_deref(), None, &[]);
        check.polling.within.clone_from(&said.within);
        let source = format!("(what is expected of the output of {of})");
        Ok(Step::new(Verb::ExpectOutput { of, check }, unit.line, &source))
    }

    /// A step with commands.
    fn acted(&mut self, unit: &Unit) -> Result<Step, String> {
        let line = unit.commands.first().map_or(unit.line, |shown| shown.line);
        let source: Vec<&str> = unit.commands.iter().map(|shown| shown.chunk.text.as_str()).collect();
        let source = source.join("\n");
        let at = Context { line, source: &source, output: None, fails: false };
        let mut around = Around::default();
        let mut steps: Vec<Step> = Vec::new();
        self.edits = None;
        for shown in unit.commands.iter().filter(|shown| !FUNCTION.is_match(&shown.chunk.text)) {
            for command in parse(&shown.chunk)? {
                self.gather(&command, None, &mut around)?;
            }
            for act in std::mem::take(&mut around.acts) {
                for mut step in self.act(&act, &at)? {
                    let taken =
                        steps.last_mut().is_some_and(|last| joins(last, &mut step) || waits_for(last, &mut step));
                    if !taken {
                        steps.push(step);
                    }
                }
            }
        }
        let Some(mut step) = (!steps.is_empty()).then(|| steps.remove(0)) else {
            return Err("none of its commands acts on the cluster".to_owned());
        };
        if !steps.is_empty() {
            return Err("its commands are more than one step".to_owned());
        }
        for (name, default) in std::mem::take(&mut around.defaults) {
            let own = match self.names.get(&name) {
                Some(Name::Value(own)) => Some(own.clone()),
                _ => None,
            };
            if let Some((_, capture)) = step.capture.iter_mut().find(|(capture, _)| Some(capture) == own.as_ref()) {
                capture.default = Some(default);
            }
        }
        let output = unit.commands.iter().rev().find_map(|shown| shown.output.as_ref());
        let intro = output.and_then(|output| output.intro.clone()).unwrap_or_default();
        let said = self.said(&format!("{intro}\n{}", unit.after.join("\n")));
        if let Verb::Exec(exec) = &mut step.verb {
            exec.change |= unit.after.iter().any(|text| text.starts_with("If it fails, look at what it did so far"));
        }
        let shown = output.map(|output| output.text.as_str());
        // An example stands for many things; a value that was seen for one.
        if self.shows_seen && !step.capture.is_empty() {
            self.learn(&step, shown.unwrap_or_default());
        }
        let vague = self.shows_seen && !said.exact && !around.conditions.is_empty();
        self.judge(&mut step, &said, shown.filter(|_| !vague), unit)?;
        if vague {
            // What was seen once says less of what must be there than what the commands look for.
            self.looked_for(&mut step, &around.conditions, &at)?;
        }
        Ok(step)
    }

    /// The commands that act or look, without the shell around them.
    fn gather(&mut self, command: &Command, tried: Option<(u64, u64)>, around: &mut Around) -> Result<(), String> {
        match command {
            Command::All(commands) | Command::Either(commands) => {
                commands.iter().try_for_each(|command| self.gather(command, tried, around))
            }
            Command::For { words, body, .. } => {
                let times = words.iter().map(super::commands::times).sum::<Option<u64>>().unwrap_or(1);
                let pause = body.iter().find_map(sleep).unwrap_or(1);
                body.iter().try_for_each(|command| self.gather(command, Some((times, pause)), around))
            }
            Command::Pipeline(pipeline) => {
                let Some(first) = pipeline.stages.first() else { return Ok(()) };
                let assigned = first
                    .assignments
                    .first()
                    .filter(|_| first.words.is_empty())
                    .map(|(name, value)| (name.clone(), value.clone()));
                let exported =
                    first.words.get(1).filter(|_| first.words[0].literal() == Some("export")).and_then(|word| {
                        let (name, _) = word.lead().split_once('=')?;
                        Some((name.to_owned(), word.without_lead(name.len() + 1)))
                    });
                if let Some((name, Word { parts, .. })) = &exported
                    && let [Part::Default(own, default)] = parts.as_slice()
                    && own == name
                {
                    around.defaults.push((name.clone(), default.clone()));
                    return Ok(());
                }
                match (exported, assigned) {
                    (Some(_), _) => around.acts.push(Act { pipeline: pipeline.clone(), tried }),
                    (None, Some((_, value))) => {
                        // `output=$(kubectl …)`: the program whose output is looked at.
                        let Some(script) = value.run() else { return Ok(()) };
                        for chunk in chunks(script) {
                            for command in parse(&chunk)? {
                                self.gather(&command, tried, around)?;
                            }
                        }
                    }
                    (None, None) => {
                        let program = first.words.first().and_then(Word::literal).unwrap_or_default();
                        if program == "grep"
                            && first.redirects.iter().any(|redirect| matches!(redirect, Redirect::Here(..)))
                        {
                            around.conditions.push(pipeline.clone());
                            return Ok(());
                        }
                        let secret = matches!(program, "printf" | "echo") && pipeline.stages.len() > 1;
                        if matches!(program, "kubectl" | "set_yaml") || secret {
                            around.acts.push(Act { pipeline: pipeline.clone(), tried });
                        }
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, act: &Act, at: &Context<'_>) -> Result<Vec<Step>, String> {
        let stages = &act.pipeline.stages;
        let Some((first, rest)) = stages.split_first() else { return Ok(Vec::new()) };
        let program = first.words.first().and_then(Word::literal).unwrap_or_default();
        let mut steps = match program {
            "export" => {
                let mut steps = Vec::new();
                for word in &first.words[1..] {
                    let Some((name, _)) = word.lead().split_once('=') else { continue };
                    if self.draft.params.contains_key(name) {
                        continue;
                    }
                    steps.extend(self.set(name, &word.without_lead(name.len() + 1), at)?);
                }
                steps
            }
            "set_yaml" => {
                self.set_yaml(first, at)?;
                Vec::new()
            }
            "kubectl" if self.edits.is_some() && rest.len() == 1 => vec![self.edited(stages, at)?],
            "printf" | "echo" => return Err("a secret goes in by standard input, which is not read".to_owned()),
            _ if first.redirects.iter().any(|redirect| matches!(redirect, Redirect::Out(_))) => Vec::new(),
            _ => {
                let call = crate::kubectl::call(&first.words[1..])?;
                self.kubectl(&call, first, rest, act.pipeline.negated, at)?
            }
        };
        if let (Some((times, pause)), Some(step)) = (act.tried, steps.last_mut()) {
            let within = Duration::from_secs(times.saturating_mul(pause).clamp(1, 36_000)).to_string();
            let polling = Polling {
                within: Some(within.clone()),
                every: (pause != 1).then(|| format!("{pause}s")),
                consecutive: None,
            };
            match &mut step.verb {
                Verb::Exec(_) => step.expect.get_or_insert_default().polling = polling,
                Verb::LogGrep(grep) => grep.within = Some(within).filter(|within| within != "30s"),
                Verb::ExpectObject { polling: own, .. } => *own = polling,
                _ => {}
            }
        }
        Ok(steps)
    }

    /// `set_yaml FILE PATH VALUE`
    fn set_yaml(&mut self, stage: &Simple, at: &Context<'_>) -> Result<(), String> {
        let [_, _, path, value] = stage.words.as_slice() else { return Err("`set_yaml` sets one value".to_owned()) };
        let path = path.literal().ok_or("the path of `set_yaml` is not written out")?;
        let text = self.template(value, at)?;
        let value = match serde_yaml::from_str::<Value>(&text) {
            Ok(value) if !text.contains("{{") && !text.is_empty() => value,
            _ if text.is_empty() => Value::Null,
            _ => Value::String(text.trim_matches(['"', '\'']).to_owned()),
        };
        put(self.edits.get_or_insert_with(|| Value::Object(serde_json::Map::new())), path, value);
        Ok(())
    }

    /// `kubectl create configmap … --from-file=KEY=FILE | kubectl patch …`, behind `set_yaml`.
    fn edited(&mut self, stages: &[Simple], at: &Context<'_>) -> Result<Step, String> {
        let mut key = None;
        let mut last = None;
        for stage in stages {
            let call = crate::kubectl::call(stage.words.get(1..).unwrap_or_default())?;
            if let Some(file) = call.flag("from-file").and_then(Word::literal) {
                key = file.split_once('=').map(|(key, _)| key.to_owned());
            }
            last = Some(call);
        }
        let merge = self.edits.take().unwrap_or_default();
        let (Some(key), Some(call)) = (key, last) else {
            return Err("which field is edited is not written out".to_owned());
        };
        let objects = call.objects()?;
        let [(kind, name)] = objects.as_slice() else { return Err("it edits several objects".to_owned()) };
        let named = self.object(&call, kind, name.as_ref(), at)?;
        let pointer = format!("/data/{}", key.replace('~', "~0").replace('/', "~1"));
        let verb = Verb::Patch { object: named, yaml_in: Some(pointer), kind: "merge", patch: Yaml::from(&merge) };
        Ok(Step::new(verb, at.line, at.source))
    }
}

/// The seconds of a `sleep`.
fn sleep(command: &Command) -> Option<u64> {
    let Command::Pipeline(Pipeline { stages, .. }) = command else { return None };
    let words = &stages.first()?.words;
    (words.first()?.literal()? == "sleep").then(|| words.get(1)?.literal()?.parse().ok())?
}

/// Takes a wait into the change above it.
fn waits_for(last: &mut Step, step: &mut Step) -> bool {
    if let (Verb::Apply { .. } | Verb::Patch { .. } | Verb::Delete(_), Verb::Wait { wait, .. }) =
        (&last.verb, &step.verb)
    {
        last.wait = Some(wait.clone());
        return true;
    }
    false
}

/// Sets a value in a tree at a path of keys with dots between.
fn put(tree: &mut Value, path: &str, value: Value) {
    let path = path.replace("\\.", "\u{1}");
    let keys: Vec<String> = path.split('.').map(|key| key.replace('\u{1}', ".")).collect();
    let mut at = tree;
    for key in &keys {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry(key.clone()).or_insert(Value::Null);
    }
    *at = value;
}
