//! The commands of a whole runbook.

use std::collections::BTreeSet;

use periplus_core::model::verb::{Manifest, Verb};
use periplus_core::model::{ObjectRef, Param, ParamType, Runbook, ScalarType, Step, StepId};

use serde_json::Value;

use super::functions::{Function, FunctionCommand};
use super::kinds;
use super::layout::{Block, Command};
use super::log::Mark;
use super::manifest::Object;
use super::names::{Names, variable};
use super::scribe::Scribe;
use super::undo::{Trace, traces};
use super::word::{ShellText, quote};

/// The commands of a runbook. Knows its parameters and captures, which steps later ones look back to, and which changes
/// have to be taken back.
///
/// All blocks, in the order of the page, are meant for one interactive bash (or zsh): the exports, the files, the
/// requirements, the steps in an order that the runbook allows, and the clean-up. No block ends the shell or changes
/// its options.
#[derive(Debug)]
pub struct Commands<'a> {
    pub(super) runbook: &'a Runbook,
    pub(super) names: Names,
    traces: Vec<Trace>,
}

/// A file beside the runbook, as a command that writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCommand {
    /// Relative to the folder that the commands run in.
    pub path: String,
    /// The command; without a line break at its end.
    pub block: String,
}

/// The commands of a step, of the checks before the first, or of the clean-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commanded {
    /// What is typed; without a line break at its end. `None` where another step's command does it already: a check of
    /// its output. (Such a step has a block all the same where a later step looks back to it in a log.)
    pub block: Option<String>,
    /// What `kubectl` itself says of it on standard output, as far as that is certain. It is said by a page that is
    /// followed from top to bottom on a cluster that has nothing of the runbook yet.
    pub prints: Option<Printed>,
    /// Names whose example value is written out in the block, since the shell cannot say what the runbook asks for:
    /// lists, blocks such as `{{#if}}`, and helpers that have no equivalent. In order, each once.
    pub filled_in: Vec<String>,
    /// Files that keep the state before the change, for the clean-up. The block writes them anew each time.
    pub keeps: Vec<String>,
}

/// What a command prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// In the notation of `lines`: templates as they stand in the runbook, `...` for lines that may come or not,
    /// `[..]` for text that differs from one version of `kubectl` to another.
    pub pattern: String,
}

impl<'a> Commands<'a> {
    /// Reads a runbook.
    #[must_use]
    pub fn new(runbook: &'a Runbook) -> Self {
        let names = Names::of(runbook);
        let traces = traces(runbook, &names);
        Self { runbook, names, traces }
    }

    /// A line of `export` for each parameter; empty if there are none. The value is the default. A parameter without
    /// one, and every secret, has a placeholder in angle brackets, which bash refuses loudly until it is replaced. A list is written with commas.
    #[must_use]
    pub fn exports(&self) -> String {
        // The value of a file is its text, to the last line break, which `$(…)` alone would cut.
        let line = |name: &str, param: &Param, value: String| {
            let name = variable(name);
            match param.kind {
                ParamType::Scalar(ScalarType::File) if !value.is_empty() => {
                    format!("export {name}=$(cat {value} && echo .) && {name}=${{{name}%.}}")
                }
                _ => format!("export {name}={value}"),
            }
        };
        let export = |(name, param): (&String, &Param)| {
            let value = match &param.default {
                _ if param.secret => placeholder(name, param),
                Some(default) if matches!(param.kind, ParamType::List(_)) => quote(&default.value.join(",")),
                Some(default) => quote(default.value.first().map_or("", String::as_str)),
                None if param.optional => String::new(),
                None => placeholder(name, param),
            };
            line(name, param, if value == "''" { String::new() } else { value })
        };
        self.runbook.params.iter().map(export).collect::<Vec<_>>().join("\n")
    }

    /// Each file that the commands of steps name, once. Files whose templates are filled in are not among them: their
    /// text stands in the step.
    #[must_use]
    pub fn files(&self) -> Vec<FileCommand> {
        let mut found: Vec<FileCommand> = Vec::new();
        for step in self.all_steps() {
            let Verb::Apply(apply) = &step.verb else { continue };
            for manifest in &apply.manifests {
                let Manifest::File { path, render: false, text } = manifest else { continue };
                if !found.iter().any(|file| file.path == path.value) {
                    found.push(FileCommand { path: path.value.clone(), block: write_file(&path.value, text) });
                }
            }
        }
        found
    }

    /// Commands that check what `requires:` asks for; none if it asks for nothing. Each prints what was found.
    #[must_use]
    pub fn requirements(&self) -> Commanded {
        let scribe = Scribe::new(self, None);
        let block = scribe.requirements();
        Commanded {
            block: (!block.is_empty()).then(|| block.text()),
            filled_in: scribe.filled_in(),
            ..Commanded::default()
        }
    }

    /// The value that stands for a name where it is written out; a list has blanks between its items.
    #[must_use]
    pub fn example(&self, name: &str) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.names.example.get(name) {
            Some(Value::Array(items)) => items.iter().map(text).collect::<Vec<_>>().join(" "),
            Some(value) => text(value),
            None => String::new(),
        }
    }

    /// The commands of a step: of the runbook's own, of its clean-up, or of those after a failure.
    ///
    /// The block of a step that a later `log-grep` looks back to begins with `export SINCE_STEP_ID=$(date …)`, or with
    /// `export LINES_STEP_ID=$(… | wc -l)` where lines of a file are counted. What a block writes to standard output
    /// ends with what the step's check judges.
    #[must_use]
    pub fn step(&self, step: &Step) -> Commanded {
        self.written(step).0
    }

    /// The commands of a step, and the functions that they call.
    fn written(&self, step: &Step) -> (Commanded, BTreeSet<Function>) {
        let scribe = Scribe::new(self, Some(step));
        let (marks, again) = scribe.marks(step);
        let mut work = Block::default();
        let said = self.verb(&scribe, step, &again, &mut work);
        let mut block = Block::default();
        for mark in &marks {
            block.line(mark.line());
        }
        block.append(work);
        let lines = said.filter(|lines| !lines.is_empty());
        let commanded = Commanded {
            block: (!block.is_empty()).then(|| block.text()),
            prints: lines.map(|lines| Printed { pattern: lines.join("\n") }),
            filled_in: scribe.filled_in(),
            keeps: self.keeps(step),
        };
        (commanded, scribe.functions())
    }

    /// The files that a step writes for the clean-up.
    fn keeps(&self, step: &Step) -> Vec<String> {
        let trace = self.position(step).and_then(|position| self.traces.get(position));
        trace.map_or_else(Vec::new, |trace| {
            let altered = trace.altered.iter().map(|(_, before)| before.clone());
            trace.before.iter().filter(|_| trace.restores).cloned().chain(altered).collect()
        })
    }

    /// The functions of the shell that the steps and the clean-up call: they have to be defined before.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionCommand> {
        let order: Vec<usize> = (0..self.runbook.steps.len()).collect();
        let mut called = self.taken_back(&order).1;
        for step in self.all_steps() {
            called.extend(self.written(step).1);
        }
        called.into_iter().map(Function::command).collect()
    }

    /// The verb and what stands beside it, and what kubectl says of it all if that is certain.
    fn verb<'b>(
        &'b self,
        scribe: &Scribe<'b>,
        step: &'b Step,
        again: &[Mark],
        block: &mut Block,
    ) -> Option<Vec<String>> {
        let none = Trace::default();
        let trace = self.position(step).and_then(|position| self.traces.get(position)).unwrap_or(&none);
        let mut said = None;
        let mut named: Option<ObjectRef> = None;
        match &step.verb {
            Verb::Apply(apply) => {
                for (object, before) in &trace.altered {
                    let get = Command::new(format!("kubectl get {}", scribe.slashed(object)));
                    let get = get.args(scribe.namespace_of(object, apply));
                    block.pipeline("", &[get.arg(format!("-o yaml > {}", quote(before)))], "");
                }
                block.append(scribe.apply(apply));
                let all = scribe.applied(apply);
                let made = !all.is_empty() && all.iter().all(|object| trace.made.contains(object));
                said = if apply.force {
                    // It says the same of what is new and of what was there.
                    (!all.is_empty()).then(|| all.iter().map(|object| written(object, "serverside-applied")).collect())
                } else {
                    made.then(|| all.iter().map(|object| written(object, "created")).collect())
                };
                if let Some(wait) = &step.wait {
                    let (waits, met) = scribe.wait_for_applied(wait, apply);
                    block.append(waits);
                    said = said.zip(met).map(|(said, met): (Vec<String>, _)| [said, met].concat());
                }
            }
            Verb::Exec(exec) => {
                let again: Vec<String> = again.iter().map(Mark::line).collect();
                block.append(scribe.observation(step, exec, &again));
            }
            Verb::LogGrep(grep) => block.append(scribe.log_grep(step, grep)),
            Verb::Delete(delete) => {
                if let (Some(before), true) = (&trace.before, trace.restores) {
                    let get = scribe.kubectl("get", &delete.object).arg("--ignore-not-found");
                    block.pipeline("", &[get.arg(format!("-o yaml > {}", quote(before)))], "");
                }
                block.append(scribe.delete(delete));
                said = scribe.printed(&delete.object).and_then(|resource| match &delete.object.which {
                    periplus_core::model::Which::Name(name) => {
                        Some(vec![format!("{resource} \"{}\" deleted[..]", name.raw)])
                    }
                    periplus_core::model::Which::Selector(_) => None,
                });
            }
            Verb::Patch(patch) => {
                block.append(scribe.patch(patch, trace.before.as_deref()));
                said = scribe.printed(&patch.object).and_then(|resource| match &patch.object.which {
                    periplus_core::model::Which::Name(name) => {
                        let patched = format!("{resource}/{} patched", name.raw);
                        // The difference depends on what was there.
                        Some(if patch.yaml_in.is_some() { vec!["...".to_owned(), patched] } else { vec![patched] })
                    }
                    periplus_core::model::Which::Selector(_) => None,
                });
                named = Some(patch.object.clone());
            }
            Verb::Wait(wait) => {
                block.append(scribe.wait(wait));
                let line = wait.object.as_ref().and_then(|object| scribe.waited(wait, object));
                let rollout = wait.condition == periplus_core::model::verb::WaitCondition::Rollout;
                said = line.map(|line| if rollout { vec!["...".to_owned(), line] } else { vec![line] });
            }
            Verb::Get(get) => block.append(scribe.get(step, get)),
            Verb::ExpectObject(expect) => {
                block.append(scribe.expect_object(expect));
                named = Some(expect.object.clone());
            }
            Verb::ExpectOutput(_) => {}
        }
        if let (Some(wait), false) = (&step.wait, matches!(step.verb, Verb::Apply(_))) {
            let mut wait = wait.clone();
            wait.object = wait.object.or_else(|| named.clone());
            block.append(scribe.wait(&wait));
            let met = wait.object.as_ref().and_then(|object| scribe.waited(&wait, object));
            said = said.zip(met).map(|(said, met): (Vec<String>, _)| [said, vec!["...".to_owned(), met]].concat());
        }
        if let (Some(expect), false) = (&step.expect_object, matches!(step.verb, Verb::ExpectObject(_))) {
            block.append(scribe.expect_object(expect));
            said = None;
        }
        if let (Some(object), false) = (named, step.capture.is_empty()) {
            scribe.capture_from_object(block, &step.capture, &object, None);
        }
        said
    }

    /// Commands that take back what the steps changed, newest first, without those of `cleanup.keep`. `order` holds the
    /// positions of the steps in the order in which the page shows them. None if there is nothing to take back.
    ///
    /// What an exec changed is not among it: only its author knows that; steps of `cleanup.steps` come by
    /// [`Commands::step`]. Objects that go with a namespace which goes are not named.
    #[must_use]
    pub fn clean_up(&self, order: &[usize]) -> Commanded {
        self.taken_back(order).0
    }

    /// The commands of the clean-up, and the functions that they call.
    fn taken_back(&self, order: &[usize]) -> (Commanded, BTreeSet<Function>) {
        let mut called = BTreeSet::new();
        let mut filled_in = BTreeSet::new();
        let keeps = |id: &StepId| {
            self.runbook.cleanup.as_ref().is_some_and(|cleanup| cleanup.keep.iter().any(|kept| kept.value == *id))
        };
        let steps: Vec<(&Step, &Trace)> = order
            .iter()
            .rev()
            .filter_map(|position| Some((self.runbook.steps.get(*position)?, self.traces.get(*position)?)))
            .filter(|(step, _)| !keeps(&step.id.value))
            .collect();
        let going: Vec<&str> = steps
            .iter()
            .flat_map(|(_, trace)| &trace.made)
            .filter(|object| object.kind == "Namespace")
            .map(|object| object.name.as_str())
            .collect();
        let mut block = Block::default();
        for (step, trace) in steps {
            let scribe = Scribe::new(self, Some(step));
            let mut own = Block::default();
            self.take_back(&scribe, step, trace, &going, &mut own);
            called.extend(scribe.functions());
            filled_in.extend(scribe.filled_in());
            match (&step.when, own.is_empty()) {
                (_, true) => {}
                // A step that was skipped has left no file.
                (Some(_), false) if trace.before.is_some() => {
                    block.line(format!("if [ -f {} ]; then", quote(trace.before.as_deref().unwrap_or_default())));
                    block.indented(own);
                    block.line("fi");
                }
                _ => block.append(own),
            }
        }
        let commanded = Commanded {
            block: (!block.is_empty()).then(|| block.text()),
            filled_in: filled_in.into_iter().collect(),
            ..Commanded::default()
        };
        (commanded, called)
    }

    fn take_back<'b>(&'b self, scribe: &Scribe<'b>, step: &'b Step, trace: &Trace, going: &[&str], block: &mut Block) {
        match &step.verb {
            Verb::Apply(apply) => {
                for (_, before) in trace.altered.iter().rev() {
                    replace(block, before);
                }
                let place = apply.namespace.as_ref().or(step.namespace.as_ref()).or(self.runbook.namespace.as_ref());
                let stays = |object: &&Object| {
                    let own = object.namespace.as_deref().or(place.map(|text| text.raw.as_str()));
                    object.is_cluster_wide() || own.is_none_or(|own| !going.contains(&own))
                };
                let left: Vec<&Object> = trace.made.iter().filter(stays).collect();
                self.delete_made(scribe, apply, &left, block);
            }
            Verb::Patch(patch) => {
                if let (Some(before), true) = (&trace.before, trace.restores) {
                    scribe.restore(block, &patch.object, patch.yaml_in.as_ref(), before);
                }
            }
            Verb::Delete(_) => {
                if let (Some(before), true) = (&trace.before, trace.restores) {
                    let file = quote(before);
                    // What was not there has left an empty file.
                    let sed = format!("[ -s {file} ] && sed -E '/^( {{2}}| {{4}})(resourceVersion|uid):/d' {file}");
                    block.pipeline("", &[Command::new(sed), Command::new("kubectl create -f -")], "");
                }
            }
            _ => {}
        }
    }

    /// Deletes what an apply made: by its files where that is all that they hold, else by name.
    fn delete_made<'b>(
        &'b self,
        scribe: &Scribe<'b>,
        apply: &'b periplus_core::model::verb::Apply,
        left: &[&Object],
        block: &mut Block,
    ) {
        if left.is_empty() {
            return;
        }
        let files: Option<Vec<String>> = apply
            .manifests
            .iter()
            .map(|manifest| match manifest {
                Manifest::File { path, render: false, .. } => Some(format!("-f {}", quote(&path.value))),
                Manifest::File { .. } | Manifest::Inline(_) => None,
            })
            .collect();
        let all = scribe.applied(apply);
        let uniform = all.iter().all(Object::needs_namespace) || !all.iter().any(Object::needs_namespace);
        if let Some(files) = files.filter(|_| left.len() == all.len() && uniform) {
            let namespace = all
                .first()
                .filter(|object| object.needs_namespace())
                .and_then(|object| scribe.namespace_of(object, apply));
            let command = Command::new("kubectl delete").args(namespace).args(files).arg("--ignore-not-found");
            block.pipeline("", &[command], "");
            return;
        }
        let mut groups: Vec<(Option<String>, Vec<&Object>)> = Vec::new();
        for object in left.iter().rev() {
            let namespace = scribe.namespace_of(object, apply);
            match groups.iter_mut().find(|(known, _)| *known == namespace) {
                Some((_, objects)) => objects.push(object),
                None => groups.push((namespace, vec![object])),
            }
        }
        for (namespace, objects) in groups {
            let command = match objects.as_slice() {
                [one] => {
                    let resource = kinds::resource(&one.kind, Some(&one.api_version));
                    let name = scribe.raw(&one.name, periplus_core::template::Flavour::Text).word();
                    Command::new(format!("kubectl delete {resource} {name}"))
                }
                several => Command::new("kubectl delete").args(several.iter().map(|object| scribe.slashed(object))),
            };
            block.pipeline("", &[command.args(namespace).arg("--ignore-not-found")], "");
        }
    }

    fn all_steps(&self) -> impl Iterator<Item = &'a Step> {
        let cleanup = self.runbook.cleanup.iter().flat_map(|cleanup| &cleanup.steps);
        self.runbook.steps.iter().chain(cleanup).chain(&self.runbook.on_failure)
    }

    fn position(&self, step: &Step) -> Option<usize> {
        self.runbook.steps.iter().position(|own| own.id.value == step.id.value)
    }

    /// The steps right below an exec that judge its output with it.
    pub(super) fn judges(&self, exec: &Step) -> impl Iterator<Item = &'a Step> {
        let below = self.position(exec).map_or(self.runbook.steps.len(), |position| position + 1);
        let id = exec.id.value.clone();
        self.runbook.steps[below..].iter().take_while(move |step| match &step.verb {
            Verb::ExpectOutput(expect) => {
                step.when.is_none() && step.needs.is_none() && expect.of.as_ref().is_some_and(|of| of.value == id)
            }
            _ => false,
        })
    }
}

fn replace(block: &mut Block, before: &str) {
    let sed = Command::new(format!("sed -E '/^( {{2}}| {{4}})resourceVersion:/d' {}", quote(before)));
    block.pipeline("", &[sed, Command::new("kubectl replace -f -")], "");
}

/// `serviceentry.networking.istio.io/proxy created`.
fn written(object: &Object, how: &str) -> String {
    let resource = kinds::printed(&object.kind, Some(&object.api_version)).unwrap_or_default();
    format!("{resource}/{} {how}", object.name)
}

/// `<ADDRESS_OF_THE_PROXY>`.
fn placeholder(name: &str, param: &Param) -> String {
    let described = param.description.as_deref().unwrap_or_default();
    let short = described.split([',', ';', ':', '.', '(', '\n']).next().unwrap_or_default();
    let mut words = String::new();
    for word in short.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if words.len() + word.len() > 40 {
            break;
        }
        if !words.is_empty() {
            words.push('_');
        }
        words.push_str(&word.to_uppercase());
    }
    format!("<{}>", if words.is_empty() { name } else { &words })
}

/// A command that writes a file, to the byte.
pub(super) fn write_file(path: &str, text: &str) -> String {
    let mut block = Block::default();
    let file = quote(path);
    if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
        block.line(format!("mkdir -p {}", quote(folder)));
    }
    let (open, lines) = ShellText::literal(text).here_document();
    if text.is_empty() {
        block.line(format!(": > {file}"));
        return block.text();
    }
    // A here-document always ends with a line break; where the file does not, the last one is left out.
    let cat = if text.ends_with('\n') {
        "cat"
    } else {
        "awk 'NR > 1 { print line } { line = $0 } END { printf \"%s\", line }'"
    };
    block.pipeline("", &[Command::new(cat).arg(format!("> {file}"))], &open);
    block.line_below(&lines);
    block.text()
}
