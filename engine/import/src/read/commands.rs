//! A command by its program: which are read, which are passed over, which are not read at all.

use super::{Context, Read, Reader};
use crate::draft::{Capture, Step, Verb};
use crate::kubectl::{self, Call};
use crate::shell::{Command, Part, Pipeline, Redirect, Simple, Word, chunks, parse};

/// Programs that change nothing that a runbook knows of.
const PASSED_OVER: [&str; 22] = [
    "echo", "printf", "sleep", "cd", "pushd", "popd", "pwd", "mkdir", "set", "true", ":", "clear", "ls", "alias",
    "date", "unset", "touch", "exit", "wait", "break", "history", "hash",
];

impl Reader {
    /// The steps of a command.
    pub(super) fn command(&mut self, command: &Command, at: &Context<'_>) -> Read {
        match command {
            Command::Pipeline(pipeline) => self.pipeline(pipeline, at),
            Command::All(commands) => self.several(commands, at),
            Command::For { name, words, body } => self.for_loop(name, words, body, at),
            Command::While { condition, body, until } => self.while_loop(condition, body, *until, at),
            Command::If { .. } => Err("`if` is not read: a step has `when:` for that".to_owned()),
            Command::Either(_) => Err("what is done after a failure (`||`) is not read".to_owned()),
            Command::Other(what) => Err(format!("{what} is not read")),
        }
    }

    /// The steps of several commands that belong together; what is shown is what the last one prints, unless each of
    /// them has a line of its own.
    pub(super) fn several(&mut self, commands: &[Command], at: &Context<'_>) -> Read {
        let looks = |command: &Command| matches!(command, Command::Pipeline(pipeline) if is_exec(pipeline));
        let execs = commands.iter().filter(|command| looks(command)).count();
        let lines: Vec<&str> = at.output.map(|output| output.text.lines().collect()).unwrap_or_default();
        let each = execs > 1 && lines.len() == execs;
        let mut steps = Vec::new();
        let mut seen = 0;
        for (number, command) in commands.iter().enumerate() {
            let own = if each && looks(command) {
                seen += 1;
                Some(crate::outline::Output { text: lines[seen - 1].to_owned(), intro: None })
            } else {
                None
            };
            let last = number + 1 == commands.len();
            let output = if each { own.as_ref() } else { at.output.filter(|_| last) };
            steps.extend(self.command(command, &Context { output, ..*at })?);
        }
        Ok(steps)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, at: &Context<'_>) -> Read {
        let Some((first, rest)) = pipeline.stages.split_first() else { return Ok(Vec::new()) };
        let Some(program) = first.words.first() else {
            let mut steps = Vec::new();
            for (name, value) in &first.assignments {
                steps.extend(self.set(name, value, at)?);
            }
            return Ok(steps);
        };
        let Some(program) = program.literal() else {
            return Err(format!("which program `{}` is cannot be known", program.raw));
        };
        match program.rsplit('/').next().unwrap_or(program) {
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                let mut steps = Vec::new();
                for word in first.words[1..].iter().filter(|word| !word.lead().starts_with('-')) {
                    if let Some((name, _)) = word.lead().split_once('=') {
                        steps.extend(self.set(name, &word.without_lead(name.len() + 1), at)?);
                    }
                }
                Ok(steps)
            }
            "kubectl" | "oc" | "k" => {
                let call = kubectl::call(&first.words[1..])?;
                self.kubectl(&call, first, rest, pipeline.negated, at)
            }
            "cat" | "tee" | "envsubst" => self.text_program(first, rest, at),
            "echo" | "printf" if !rest.is_empty() || writes_file(first) => self.text_program(first, rest, at),
            "istioctl" if first.words.get(1).and_then(Word::literal) == Some("kube-inject") => {
                self.injected(first, rest, at)
            }
            name if PASSED_OVER.contains(&name) => {
                if name == "sleep" {
                    self.remark(at.line, "the page waits a while here; checks wait by themselves (`within:`)");
                }
                Ok(Vec::new())
            }
            "sudo" => Err("`sudo` acts on the reader's machine".to_owned()),
            name if name.starts_with('-') => Err(format!("`{name}` is no command")),
            name => Err(format!("`{name}` runs on the reader's machine, and a runbook acts on the cluster alone")),
        }
    }

    pub(super) fn kubectl(
        &mut self,
        call: &Call,
        first: &Simple,
        rest: &[Simple],
        negated: bool,
        at: &Context<'_>,
    ) -> Read {
        if call.is_set("help") {
            return Ok(Vec::new());
        }
        if call.flag("context").or_else(|| call.flag("kubeconfig")).or_else(|| call.flag("cluster")).is_some() {
            self.remark(at.line, "the page names a context; a run is told its cluster by --context");
        }
        match call.subcommand {
            "exec" => self.exec(call, first, rest, negated, at),
            "logs" | "log" => self.logs(call, rest, negated, at),
            "get" => self.get(call, rest, at),
            "wait" => self.wait(call, at),
            "rollout status" => self.rollout_status(call, at),
            "apply" | "create" | "replace" => self.apply(call, first, rest, at),
            "create namespace"
            | "create ns"
            | "create configmap"
            | "create cm"
            | "create secret generic"
            | "create serviceaccount"
            | "create sa"
            | "create deployment"
            | "create deploy"
            | "run" => self.made(call, rest, at),
            "delete" => self.delete(call, first, at),
            "patch" => self.patch(call, first, at),
            "label" => self.labels(call, "labels", at),
            "annotate" => self.labels(call, "annotations", at),
            "scale" => self.scale(call, at),
            "rollout restart" => self.restart(call, at),
            "describe" | "version" | "cluster-info" | "api-versions" | "api-resources" | "explain"
            | "rollout history" => Err(format!("`kubectl {}` is for the reader to look at", call.subcommand)),
            other => Err(format!("`kubectl {other}` is not read")),
        }
    }

    /// `NAME=VALUE`: of a command's output it is a capture.
    pub(super) fn set(&mut self, name: &str, value: &Word, at: &Context<'_>) -> Read {
        let Some(script) = value.run() else {
            self.assign(name, value, at)?;
            return Ok(Vec::new());
        };
        let script = script.trim();
        let mark = script.starts_with("date")
            || (self.generated && (name.starts_with("SINCE_") || name.starts_with("LINES_")));
        if mark {
            self.names.insert(name.to_owned(), super::names::Name::Mark);
            self.marks.insert(name.to_owned(), String::new());
            return Ok(Vec::new());
        }
        match self.captured(name, script, at) {
            Ok(steps) => Ok(steps),
            Err(reason) => {
                // What comes later needs a value all the same.
                if !self.names.contains_key(name) {
                    let own = self.free_name(name);
                    self.names.insert(name.to_owned(), super::names::Name::Value(own.clone()));
                    self.declare(&own, None, None, at.line);
                    self.remark(
                        at.line,
                        format!("{name} became a parameter, since the command that finds it was not read"),
                    );
                }
                Err(reason)
            }
        }
    }

    /// The step that takes a value from what a command prints.
    fn captured(&mut self, name: &str, script: &str, at: &Context<'_>) -> Read {
        let (first, rest) = self.inner(script)?;
        if first.words.first().and_then(Word::literal) != Some("kubectl") {
            return Err("its value comes from a program on the reader's machine".to_owned());
        }
        let call = kubectl::call(&first.words[1..])?;
        match call.subcommand {
            "get" => self.captured_by_get(name, &call, &rest, at),
            "exec" if rest.is_empty() => {
                let mut steps =
                    self.exec(&call, &first, &rest, false, &Context { output: None, fails: false, ..*at })?;
                if let Some(Step { verb: Verb::Exec(_), capture, .. }) = steps.first_mut() {
                    let own = self.free_name(name);
                    self.names.insert(name.to_owned(), super::names::Name::Value(own.clone()));
                    let find = Capture { path: None, find: Some(".+".to_owned()), default: None };
                    capture.push((own, find));
                }
                Ok(steps)
            }
            other => Err(format!("a value cannot be taken from `kubectl {other}`")),
        }
    }

    /// The one pipeline of a script that stands within a word.
    pub(super) fn inner(&self, script: &str) -> Result<(Simple, Vec<Simple>), String> {
        let found = chunks(script);
        let [chunk] = found.as_slice() else { return Err("several commands stand within it".to_owned()) };
        match parse(chunk)?.as_slice() {
            [Command::Pipeline(Pipeline { stages, negated: false })] => {
                let (first, rest) = stages.split_first().ok_or("nothing stands within it")?;
                Ok((first.clone(), rest.to_vec()))
            }
            _ => Err("what stands within it is no plain command".to_owned()),
        }
    }

    /// A loop that tries something again and again is a check with `within`; any other is what it repeats, once.
    fn for_loop(&mut self, name: &str, words: &[Word], body: &[Command], at: &Context<'_>) -> Read {
        let used = body.iter().any(|command| uses(command, name));
        let times = words.iter().map(times).sum::<Option<u64>>();
        if used {
            // Each word in turn: the body as often, with the word in place of the variable.
            let literal: Option<Vec<&str>> = words.iter().map(Word::literal).collect();
            let Some(values) = literal.filter(|values| values.len() <= 10 && !values.iter().any(|v| v.contains("{")))
            else {
                return Err("what the loop goes through is not written out".to_owned());
            };
            let before = self.names.get(name).cloned();
            let mut steps = Vec::new();
            for value in values {
                self.names.insert(name.to_owned(), super::names::Name::Text(super::names::escape(value)?));
                steps.extend(self.several(body, &Context { output: None, ..*at })?);
            }
            match before {
                Some(before) => self.names.insert(name.to_owned(), before),
                None => self.names.shift_remove(name),
            };
            return Ok(steps);
        }
        let (tried, pause) = attempts(body)?;
        let mut steps = self.several(&tried, at)?;
        match (times, has_break(body)) {
            (Some(times), true) => poll(&mut steps, times.saturating_mul(pause), pause),
            (Some(times), false) => {
                self.remark(at.line, format!("the page repeats this {times} times; here it is done once"));
            }
            (None, _) => return Err("what the loop goes through is not written out".to_owned()),
        }
        Ok(steps)
    }

    fn while_loop(&mut self, condition: &[Command], body: &[Command], until: bool, at: &Context<'_>) -> Read {
        let negated = matches!(condition, [Command::Pipeline(Pipeline { negated: true, .. })]);
        if until == negated {
            return Err("a loop that goes on while something holds is not read".to_owned());
        }
        let (rest, pause) = attempts(body)?;
        if !rest.is_empty() {
            return Err("the loop does more than wait".to_owned());
        }
        let plain: Vec<Command> = condition
            .iter()
            .map(|command| match command {
                Command::Pipeline(pipeline) => {
                    Command::Pipeline(Pipeline { negated: false, stages: pipeline.stages.clone() })
                }
                other => other.clone(),
            })
            .collect();
        let mut steps = self.several(&plain, at)?;
        poll(&mut steps, 300, pause);
        Ok(steps)
    }
}

/// Whether a pipeline starts with `kubectl exec`.
fn is_exec(pipeline: &Pipeline) -> bool {
    let words = pipeline.stages.first().map(|stage| stage.words.as_slice()).unwrap_or_default();
    words.first().and_then(Word::literal) == Some("kubectl") && words.iter().any(|word| word.literal() == Some("exec"))
}

fn writes_file(simple: &Simple) -> bool {
    simple.redirects.iter().any(|redirect| matches!(redirect, Redirect::Out(_)))
}

/// Whether a command uses a variable.
fn uses(command: &Command, name: &str) -> bool {
    let in_word = |word: &Word| {
        word.parts.iter().any(|part| match part {
            Part::Variable(own) | Part::Default(own, _) => own == name,
            Part::Run(script) => script.contains(&format!("${name}")) || script.contains(&format!("${{{name}")),
            _ => false,
        })
    };
    let in_stage = |stage: &Simple| {
        stage.words.iter().any(in_word)
            || stage.assignments.iter().any(|(_, word)| in_word(word))
            || stage.redirects.iter().any(|redirect| matches!(redirect, Redirect::Here(word, _) if in_word(word)))
    };
    match command {
        Command::Pipeline(pipeline) => pipeline.stages.iter().any(in_stage),
        Command::All(commands) | Command::Either(commands) => commands.iter().any(|command| uses(command, name)),
        Command::For { body, .. } => body.iter().any(|command| uses(command, name)),
        Command::While { condition, body, .. } | Command::If { condition, body } => {
            condition.iter().chain(body).any(|command| uses(command, name))
        }
        Command::Other(_) => false,
    }
}

/// How many values a word of a loop stands for: `{1..60}` for sixty, `$(seq 60)` for sixty, any other for one.
pub(super) fn times(word: &Word) -> Option<u64> {
    if let Some(script) = word.run() {
        let words: Vec<&str> = script.split_whitespace().collect();
        return match words.as_slice() {
            ["seq", last] => last.parse().ok(),
            ["seq", first, last] => last.parse::<u64>().ok()?.checked_sub(first.parse::<u64>().ok()?)?.checked_add(1),
            _ => None,
        };
    }
    let text = word.literal()?;
    let Some(inside) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return Some(1) };
    let (first, last) = inside.split_once("..")?;
    last.parse::<u64>().ok()?.checked_sub(first.parse::<u64>().ok()?)?.checked_add(1)
}

/// The commands of a loop without what only paces it, and the seconds of a pause.
fn attempts(body: &[Command]) -> Result<(Vec<Command>, u64), String> {
    let mut tried = Vec::new();
    let mut pause = 1;
    let first_word = |command: &Command| match command {
        Command::Pipeline(Pipeline { stages, .. }) => {
            stages.first().and_then(|stage| stage.words.first()).and_then(Word::literal).map(str::to_owned)
        }
        _ => None,
    };
    for command in body {
        match (first_word(command).as_deref(), command) {
            (Some("sleep"), Command::Pipeline(Pipeline { stages, .. })) => {
                let seconds = stages[0]
                    .words
                    .get(1)
                    .and_then(Word::literal)
                    .and_then(|word| word.trim_end_matches('s').parse().ok());
                pause = seconds.filter(|seconds| (1..=3600).contains(seconds)).unwrap_or(1);
            }
            (Some("break" | "echo" | "printf" | "true" | ":"), _) => {}
            (_, Command::All(commands)) => {
                let kept = commands.iter().filter(|command| {
                    !matches!(first_word(command).as_deref(), Some("break" | "echo" | "printf" | "true" | ":"))
                });
                tried.extend(kept.cloned());
            }
            (_, Command::If { condition, body }) if has_break(body) => tried.extend(condition.iter().cloned()),
            _ => tried.push(command.clone()),
        }
    }
    Ok((tried, pause))
}

/// Whether a loop ends before its words do.
fn has_break(body: &[Command]) -> bool {
    body.iter().any(|command| match command {
        Command::Pipeline(pipeline) => {
            pipeline.stages.first().and_then(|stage| stage.words.first()).and_then(Word::literal) == Some("break")
        }
        Command::All(commands) => has_break(commands),
        Command::If { body, .. } => has_break(body),
        _ => false,
    })
}

/// Lets the check of the last step be repeated.
pub(super) fn poll(steps: &mut [Step], seconds: u64, pause: u64) {
    let Some(step) = steps.last_mut() else { return };
    let within = Some(periplus_core::model::Duration::from_secs(seconds.clamp(1, 36_000)).to_string());
    let every = (pause != 1).then(|| format!("{pause}s"));
    match &mut step.verb {
        Verb::Exec(_) => {
            let check = step.expect.get_or_insert_default();
            if !check.asserts() {
                check.exit = vec![0];
            }
            check.polling.within = within;
            check.polling.every = every;
        }
        Verb::ExpectObject { polling, .. } => {
            polling.within = within;
            polling.every = every;
        }
        Verb::LogGrep(grep) => grep.within = within,
        Verb::Wait { wait, .. } => wait.timeout = within,
        _ => {}
    }
}
