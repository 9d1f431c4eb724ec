//! Pages that were made from a runbook: a section is a step, its sentences say what is checked.
//!
//! Of a section's commands only what acts or looks is read; the shell around it, which repeats and compares, says nothing
//! that the sentences do not say better.

use std::sync::LazyLock;

use periplus_core::expect::Token;
use periplus_core::model::{Duration, ScalarType};
use regex::Regex;
use serde_json::Value;

use super::names::Name;
use super::page::{joined, joins};
use super::said::Said;
use super::{Context, Reader};
use crate::draft::{Check, Entry, Object, Polling, Step, Unread, Verb};
use crate::guess::{self, Heading, Known};
use crate::outline::{Outline, Unit};
use crate::shell::{Command, Part, Pipeline, Redirect, Simple, Word, chunks, parse};
use crate::write::{Yaml, object};

static FUNCTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z_][A-Za-z0-9_]*\(\) \{"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d+\. "));
static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\]\(#([a-z0-9-]+)\)"));
static OBJECT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^the (\S+) `([^`]+)`(?: in namespace `([^`]+)`)?$"));
static SERVES: LazyLock<Regex> = LazyLock::new(|| pattern(r"^a cluster that knows `([^`]+)` of `([^`]+)`$"));
static ACCESS_LOG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^an access log of the mesh's sidecars, as (text|json)"));
static SIDECAR: LazyLock<Regex> = LazyLock::new(|| pattern(r"^an Istio sidecar in the pods with `([^`]+)`$"));
static CAN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^the permission to `([^`]+)` `([^`]+)`$"));
static VALUE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// A command of a section, and how often it is tried: attempts, and seconds between them.
struct Act {
    pipeline: Pipeline,
    tried: Option<(u64, u64)>,
}

impl Reader {
    pub(super) fn generated_page(&mut self, page: &Outline) {
        self.draft.name = page.name.clone().unwrap_or_default();
        self.param_table(&page.params);
        for need in &page.needs {
            let requirement = self.requirement(need.trim_start_matches("- ").trim());
            self.draft.requires.extend(requirement);
        }
        for unit in &page.units {
            match unit.section {
                Some(Heading::Before) => {}
                _ if matches!(unit.heading.as_deref(), Some("Parameters" | "Check before you start")) => {}
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

    /// The table says what the `export` lines cannot.
    fn param_table(&mut self, rows: &[Vec<String>]) {
        for row in rows {
            let [name, kind, default, description] = row.as_slice() else { continue };
            let name = name.trim_matches('`').to_owned();
            let code = |text: &str| text.trim().trim_matches('`').to_owned();
            self.taken.insert(name.clone());
            self.names.insert(name.clone(), Name::Value(name.clone()));
            let secret = description.starts_with("Secret.");
            let description = description.trim_start_matches("Secret.").trim().to_owned();
            self.declare(&name, None, Some(description).filter(|text| !text.is_empty()), 0);
            let Some(param) = self.draft.params.get_mut(&name) else { continue };
            param.env = false;
            param.secret = secret;
            let scalar = |kind: &str| ScalarType::TABLE.iter().find(|(own, _)| *own == kind).map(|(_, kind)| *kind);
            if let Some(of) = kind.strip_prefix("list of ") {
                param.of_list = true;
                param.kind = scalar(of).unwrap_or(ScalarType::String);
            } else if let Some(kind) = scalar(kind) {
                param.kind = kind;
            } else {
                param.values = kind.split(" or ").map(code).collect();
            }
            match default.as_str() {
                "required" => {}
                "optional" => param.optional = true,
                "(secret)" => self.remark(0, format!("the page does not tell the default of {name}, which is secret")),
                value => param.default = Some(code(value)),
            }
        }
    }

    /// Commands that write the files that steps name.
    fn shown_files(&mut self, unit: &Unit) {
        for shown in &unit.commands {
            let at = Context { line: shown.line, source: &shown.chunk.text, output: None, fails: false };
            let read = parse(&shown.chunk).map_err(str::to_owned).and_then(|commands| self.several(&commands, &at));
            if let Err(reason) = read {
                let text = shown.chunk.text.clone();
                self.unread.push(Unread { line: shown.line, text, reason });
            }
        }
    }

    fn requirement(&mut self, text: &str) -> Option<Yaml> {
        let named = |text: &str| Yaml::text(self.named(text));
        if let Some(found) = SERVES.captures(text) {
            let serves = Yaml::map([("kind", Some(named(&found[1]))), ("apiVersion", Some(named(&found[2])))]);
            return Some(Yaml::map([("serves", Some(serves))]));
        }
        if let Some(found) = ACCESS_LOG.captures(text) {
            return Some(Yaml::map([("access-log", Some(Yaml::bare(&found[1])))]));
        }
        if let Some(found) = SIDECAR.captures(text) {
            return Some(Yaml::map([("sidecar", Some(Yaml::map([("selector", Some(named(&found[1])))])))]));
        }
        if let Some(found) = CAN.captures(text) {
            let can = Yaml::map([("verb", Some(named(&found[1]))), ("resource", Some(named(&found[2])))]);
            return Some(Yaml::map([("can", Some(can))]));
        }
        let found = OBJECT.captures(text)?;
        let which = Some(self.named(&found[2]));
        let by_labels = found[2].contains('=');
        let wanted = Object {
            kind: self.named(&found[1]),
            api_version: None,
            name: which.clone().filter(|_| !by_labels),
            selector: which.filter(|_| by_labels),
            namespace: found.get(3).map(|namespace| self.named(namespace.as_str())),
        };
        Some(Yaml::map([("object", Some(object(&wanted)))]))
    }

    /// The step of a section.
    fn section(&mut self, unit: &Unit) -> Vec<Entry> {
        let title = unit.heading.as_deref().map(|heading| NUMBER.replace(heading, "").into_owned()).unwrap_or_default();
        let line = unit.commands.first().map_or(unit.line, |shown| shown.line);
        let mut prose = unit.prose.clone();
        let mut needs = None;
        if let Some(first) = prose.first() {
            if first.starts_with("This step does not depend on") {
                needs = Some(Vec::new());
            } else if first.starts_with("Of the steps above, this one depends on") {
                needs = Some(LINK.captures_iter(first).map(|link| link[1].to_owned()).collect());
            }
            if needs.is_some() {
                prose.remove(0);
            }
        }
        // Between the prose and the commands stand sentences of the page's own.
        let own = prose.iter().position(|text| {
            text.starts_with("There is nothing to type:")
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
            } else if let Some(rest) = text.strip_prefix("**Only if** ") {
                let end = rest.rfind("; else skip this step.").unwrap_or(rest.len());
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
        let of = told.first().filter(|text| text.starts_with("There is nothing to type:"));
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
        let mut acts = Vec::new();
        let mut defaults = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        for shown in unit.commands.iter().filter(|shown| !FUNCTION.is_match(&shown.chunk.text)) {
            for command in parse(&shown.chunk)? {
                self.gather(&command, None, &mut acts, &mut defaults)?;
            }
            for act in std::mem::take(&mut acts) {
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
        for (name, default) in defaults {
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
        self.judge(&mut step, &said, output.map(|output| output.text.as_str()), unit)?;
        Ok(step)
    }

    /// The commands that act or look, without the shell around them.
    fn gather(
        &mut self,
        command: &Command,
        tried: Option<(u64, u64)>,
        acts: &mut Vec<Act>,
        defaults: &mut Vec<(String, String)>,
    ) -> Result<(), String> {
        match command {
            Command::All(commands) => {
                commands.iter().try_for_each(|command| self.gather(command, tried, acts, defaults))
            }
            Command::For { words, body, .. } => {
                let times = words.iter().map(super::commands::times).sum::<Option<u64>>().unwrap_or(1);
                let pause = body.iter().find_map(sleep).unwrap_or(1);
                body.iter().try_for_each(|command| self.gather(command, Some((times, pause)), acts, defaults))
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
                    defaults.push((name.clone(), default.clone()));
                    return Ok(());
                }
                match (exported, assigned) {
                    (Some(_), _) => acts.push(Act { pipeline: pipeline.clone(), tried }),
                    (None, Some((_, value))) => {
                        // `output=$(kubectl …)`: the program whose output is looked at.
                        let Some(script) = value.run() else { return Ok(()) };
                        for chunk in chunks(script) {
                            for command in parse(&chunk)? {
                                self.gather(&command, tried, acts, defaults)?;
                            }
                        }
                    }
                    (None, None) => {
                        let program = first.words.first().and_then(Word::literal).unwrap_or_default();
                        let secret = matches!(program, "printf" | "echo") && pipeline.stages.len() > 1;
                        if matches!(program, "kubectl" | "set_yaml") || secret {
                            acts.push(Act { pipeline: pipeline.clone(), tried });
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
            "set_yaml" => vec![self.set_yaml(stages, at)?],
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

    /// `set_yaml PATH VALUE < FILE | … | kubectl create configmap … | kubectl patch …`
    fn set_yaml(&mut self, stages: &[Simple], at: &Context<'_>) -> Result<Step, String> {
        let mut merge = Value::Object(serde_json::Map::new());
        let mut key = None;
        let mut last = None;
        for stage in stages {
            match stage.words.first().and_then(Word::literal) {
                Some("set_yaml") => {
                    let [_, path, value] = stage.words.as_slice() else {
                        return Err("`set_yaml` sets one value".to_owned());
                    };
                    let path = path.literal().ok_or("the path of `set_yaml` is not written out")?;
                    let text = self.template(value, at)?;
                    let value = match serde_yaml::from_str::<Value>(&text) {
                        Ok(value) if !text.contains("{{") && !text.is_empty() => value,
                        _ if text.is_empty() => Value::Null,
                        _ => Value::String(text.trim_matches(['"', '\'']).to_owned()),
                    };
                    put(&mut merge, path, value);
                }
                Some("kubectl") => {
                    let call = crate::kubectl::call(&stage.words[1..])?;
                    if let Some(file) = call.flag("from-file").and_then(Word::literal) {
                        key = file.split_once('=').map(|(key, _)| key.to_owned());
                    }
                    last = Some(call);
                }
                _ => return Err("what goes on between its commands is not read".to_owned()),
            }
        }
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

    /// Gives a step the checks that the page's sentences and samples say.
    fn judge(&mut self, step: &mut Step, said: &Said, output: Option<&str>, unit: &Unit) -> Result<(), String> {
        match &mut step.verb {
            Verb::Exec(_) => {
                let asked = step.expect.take().unwrap_or_default();
                let polling = Polling { consecutive: said.consecutive, ..asked.polling };
                let find = said.find.clone().or(asked.find);
                let exact = asked.equals.clone().into_iter().collect::<Vec<_>>();
                let mut check = self.check_said(said, output, find, &exact);
                // What stands in the command itself need not be guessed from a sample.
                if check.equals.is_some() && asked.equals.is_some() {
                    check.equals = asked.equals;
                }
                if let Some((notation, text)) = &unit.holds
                    && let Ok(value) = serde_yaml::from_str::<Value>(text)
                {
                    let place = if notation == "json" { &mut check.json } else { &mut check.yaml };
                    *place = Some(Yaml::from(&value));
                }
                if !check.asserts() && (check.find.is_some() || polling.within.is_some()) {
                    check.exit = vec![0];
                    check.find = None;
                }
                check.polling = polling;
                step.expect = check.asserts().then_some(check);
            }
            Verb::LogGrep(grep) => {
                let filters = std::mem::take(&mut grep.contains);
                grep.regex = None;
                let since = grep.since.take();
                grep.not_contains.clone_from(&said.not_contains);
                grep.contains.clone_from(&said.contains);
                grep.regex.clone_from(&said.regex);
                grep.count = said.count;
                grep.since = since;
                grep.lines = output.map(|output| self.sample(output, &filters));
                if !grep.asserts() {
                    grep.contains = filters;
                }
                if !grep.asserts() {
                    return Err("the page does not say what must be in the log".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_said(&self, said: &Said, output: Option<&str>, find: Option<String>, texts: &[String]) -> Check {
        let mut check = Check {
            find: find.or_else(|| said.find.clone()),
            stream: said.stream,
            contains: said.contains.clone(),
            not_contains: said.not_contains.clone(),
            regex: said.regex.clone(),
            exit: said.exit.clone(),
            fails: said.fails,
            at_least: said.at_least.clone(),
            at_most: said.at_most.clone(),
            ..Check::default()
        };
        let output = output.filter(|output| !output.starts_with("command terminated with exit code"));
        if let Some(output) = output {
            let pattern = self.sample(output, texts);
            let one = pattern.lines().count() == 1;
            let plain = !periplus_core::expect::Pattern::parse(&pattern).is_ok_and(|(read, _)| {
                read != periplus_core::expect::Pattern::parse(&periplus_core::expect::Pattern::escape(&pattern))
                    .map_or(read.clone(), |(plain, _)| plain)
            });
            if (one && plain) || check.find.is_some() && plain {
                check.equals = Some(pattern);
            } else {
                check.lines = Some(pattern);
            }
        }
        check
    }

    /// The pattern of a sample: the page fills tokens and parameters with values that are known here.
    fn sample(&self, output: &str, texts: &[String]) -> String {
        let mut known = self.known();
        for (name, param) in &self.draft.params {
            let template = format!("{{{{{name}}}}}");
            match (&param.default, param.kind) {
                (None, ScalarType::Ip) => known.push(Known { value: "192.0.2.10".to_owned(), template }),
                (None, ScalarType::Cidr) => known.push(Known { value: "192.0.2.0/24".to_owned(), template }),
                (None, ScalarType::Name) => known.push(Known { value: "example-name".to_owned(), template }),
                (Some(url), ScalarType::Url) => {
                    let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', ':', '?']).next());
                    if let Some(host) = host.filter(|host| host.contains('.')) {
                        known.push(Known { value: host.to_owned(), template: format!("{{{{host {name}}}}}") });
                    }
                }
                _ => {}
            }
        }
        // Where the command looks for a text with values in it, the sample shows which.
        for text in texts.iter().filter(|text| text.contains("{{")) {
            let mut regex = String::new();
            let mut from = 0;
            for found in VALUE.find_iter(text) {
                regex.push_str(&regex::escape(&text[from..found.start()]));
                regex.push_str(r"\S+?");
                from = found.end();
            }
            regex.push_str(&regex::escape(&text[from..]));
            if let Ok(regex) = Regex::new(&regex) {
                known.extend(
                    regex
                        .find_iter(output)
                        .map(|found| Known { value: found.as_str().to_owned(), template: text.clone() }),
                );
            }
        }
        for token in Token::ALL {
            let telling =
                matches!(token, Token::Number | Token::Duration | Token::Hash | Token::Hex | Token::Int | Token::Port);
            for number in (0..4).filter(|_| telling) {
                let value = token.example(number).to_owned();
                if value.len() > 1 && !known.iter().any(|known| known.value == value) {
                    known.push(Known { value, template: token.to_string() });
                }
            }
        }
        guess::pattern(output, &known)
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
