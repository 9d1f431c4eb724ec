//! `kubectl exec`: where a program runs, what it is, what it must print.

use indexmap::IndexMap;

use super::filter::{self, Filter};
use super::names::escape;
use super::{Context, Read, Reader};
use crate::draft::{Exec, In, LogGrep, Program, Step, Verb};
use crate::guess;
use crate::kubectl::{self, Call, kind, workload};
use crate::shell::{Command, Part, Pipeline, Simple, Word, mark_variable, marked_chunks, parse};

/// The variables and the words of a script of one plain command.
type PlainScript = (IndexMap<String, String>, Vec<String>);

impl Reader {
    pub(super) fn exec(
        &mut self,
        call: &Call,
        first: &Simple,
        rest: &[Simple],
        negated: bool,
        at: &Context<'_>,
    ) -> Read {
        let Some(pod) = call.args.first() else { return Err("it names no pod".to_owned()) };
        let words = call.after.as_deref().unwrap_or_default();
        if words.is_empty() {
            return Err("it runs no program".to_owned());
        }
        let target = self.target(pod, call, at)?;
        let filter = self.filter(first, rest, at)?;
        if let Some(file) = log_file(words) {
            let file = self.template(file, at)?;
            let tail = words.iter().any(|word| word.literal() == Some("-f"));
            let looks_like_log = file.contains("/log") || file.ends_with(".log");
            if looks_like_log || tail {
                return self.log_step(target, Some(file), &filter, &Context { fails: at.fails || negated, ..*at });
            }
        }
        let mut exec = self.program(words, at)?;
        exec.target = Some(target);
        exec.change = changes(exec.program.as_ref());
        let mut check = self.check(&filter, at);
        if negated {
            let mut unwanted = crate::draft::Check::default();
            unwanted.not_contains.extend(filter.lines.iter().filter_map(|select| select.literal.clone()));
            unwanted.fails = unwanted.not_contains.is_empty();
            check = Some(unwanted);
        }
        let mut step = Step::new(Verb::Exec(exec), at.line, at.source);
        step.expect = check;
        Ok(vec![step])
    }

    /// The pod that a word names.
    pub(super) fn target(&mut self, pod: &Word, call: &Call, at: &Context<'_>) -> Result<In, String> {
        let mut namespace = self.namespace(call.flag("namespace"), at)?;
        let container = call.flag("container").map(|word| self.name(word, at)).transpose()?;
        let pod = if let Some(script) = pod.run() {
            let (simple, rest) = self.inner(script)?;
            let is_kubectl = simple.words.first().and_then(Word::literal) == Some("kubectl");
            let inner = kubectl::call(simple.words.get(1..).filter(|_| is_kubectl).unwrap_or_default())?;
            if inner.subcommand != "get" || !rest.is_empty() {
                return Err("which pod is meant cannot be read".to_owned());
            }
            if namespace.is_none() {
                namespace = self.namespace(inner.flag("namespace"), at)?;
            }
            match inner.flag("selector") {
                Some(selector) => ("selector", self.template(selector, at)?),
                None => return Err("it takes a pod without naming its labels".to_owned()),
            }
        } else if let Some((kind_name, _)) = pod.lead().split_once('/') {
            let found = kind(kind_name).ok_or_else(|| format!("there is no kind `{kind_name}` that is known here"))?;
            let name = self.name(&pod.without_lead(kind_name.len() + 1), at)?;
            match (found.name.as_str(), workload(&found.name)) {
                ("Pod", _) => ("pod", name),
                (_, Some(short)) => ("workload", format!("{short}/{name}")),
                (other, None) => return Err(format!("a {other} runs no program: name a pod or a workload")),
            }
        } else {
            ("pod", self.name(pod, at)?)
        };
        Ok(In { pod, namespace, container, any: false })
    }

    /// What runs: variables before it become `env`, a script that is a plain command becomes one.
    fn program(&mut self, words: &[Word], at: &Context<'_>) -> Result<Exec, String> {
        let mut exec = Exec::default();
        let mut words = words;
        if words[0].literal() == Some("env") {
            words = &words[1..];
            while let Some((word, after)) = words.split_first() {
                let Some((name, _)) = word.lead().split_once('=') else { break };
                let value = self.template(&word.without_lead(name.len() + 1), at)?;
                exec.env.insert(name.to_owned(), value);
                words = after;
            }
        }
        let shell =
            words.first().and_then(Word::literal).map(|word| word.rsplit('/').next().unwrap_or(word).to_owned());
        let is_shell = matches!(shell.as_deref(), Some("sh" | "bash" | "ash" | "dash"));
        let by_letter = words.get(1).and_then(Word::literal).is_some_and(|word| matches!(word, "-c" | "-lc" | "-ec"));
        match words {
            [] => return Err("it runs no program".to_owned()),
            [_, _, script] if is_shell && by_letter => {
                if let Some((env, command)) = self.plain_script(script, at)? {
                    exec.env.extend(env);
                    exec.program = Some(Program::Command(command));
                } else {
                    let (env, text) = self.script(script, at)?;
                    exec.env.extend(env);
                    exec.program = Some(if shell.as_deref() == Some("bash") {
                        Program::Command(vec!["bash".to_owned(), "-c".to_owned(), text])
                    } else {
                        Program::Sh(text)
                    });
                }
            }
            [_] if is_shell => return Err("it opens a shell for the reader to type into".to_owned()),
            words => {
                let command = words.iter().map(|word| self.template(word, at)).collect::<Result<_, _>>()?;
                exec.program = Some(Program::Command(command));
            }
        }
        Ok(exec)
    }

    /// A script of one plain command: its variables and its words. `None` if it needs a shell.
    fn plain_script(&mut self, script: &Word, at: &Context<'_>) -> Result<Option<PlainScript>, String> {
        let mut text = String::new();
        for part in &script.parts {
            match part {
                // What the inner shell would fill in needs that shell.
                Part::Text(own) if own.contains(['$', '`', '~']) => return Ok(None),
                Part::Text(own) => text.push_str(own),
                Part::Variable(name) => mark_variable(name, &mut text),
                _ => return Ok(None),
            }
        }
        let found = marked_chunks(&text);
        let [chunk] = found.as_slice() else { return Ok(None) };
        let Ok(commands) = parse(chunk) else { return Ok(None) };
        let [Command::Pipeline(Pipeline { stages, negated: false })] = commands.as_slice() else { return Ok(None) };
        let [simple] = stages.as_slice() else { return Ok(None) };
        if !simple.redirects.is_empty() || simple.words.is_empty() {
            return Ok(None);
        }
        let mut env = IndexMap::new();
        for (name, value) in &simple.assignments {
            env.insert(name.clone(), self.template(value, at)?);
        }
        let words = simple.words.iter().map(|word| self.template(word, at)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some((env, words)))
    }

    /// A script for the shell in the container. Values go to it as variables, where its quotes leave them alone.
    fn script(&mut self, script: &Word, at: &Context<'_>) -> Result<(IndexMap<String, String>, String), String> {
        let quoted = script.parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('\'')));
        let mut env = IndexMap::new();
        let mut text = String::new();
        for part in &script.parts {
            match part {
                Part::Text(own) => text.push_str(&escape(own)?),
                Part::Variable(name) | Part::Default(name, _) => {
                    let value = self.variable(name, None, at)?;
                    if quoted {
                        text.push_str(&value);
                    } else {
                        text.push_str(&format!("${{{name}}}"));
                        env.insert(name.clone(), value);
                    }
                }
                other => text.push_str(&self.template(&Word { parts: vec![other.clone()], raw: String::new() }, at)?),
            }
        }
        let text = if text.contains('\n') { text } else { text.trim().to_owned() };
        Ok((env, text))
    }

    /// A step that looks for lines in a log.
    pub(super) fn log_step(&mut self, target: In, file: Option<String>, filter: &Filter, at: &Context<'_>) -> Read {
        let mut grep = LogGrep { target, file, ..LogGrep::default() };
        for select in &filter.lines {
            match (&select.literal, select.invert) {
                (Some(text), false) => grep.contains.push(text.clone()),
                (Some(text), true) => grep.not_contains.push(text.clone()),
                (None, false) => grep.regex = Some(select.regex.clone()),
                (None, true) => {}
            }
        }
        if let (Some(find), None) = (&filter.find, &grep.regex) {
            grep.regex = Some(find.clone());
        }
        if at.fails {
            // Nothing of the kind may be there.
            grep.count = (None, Some(0));
        } else if let Some(output) = filter::text_of(at.output).filter(|_| !filter.changed && !filter.counts)
            && filter.find.is_none()
        {
            let known = self.known();
            grep.lines = Some(guess::pattern(&output, &known));
            // What the lines say is more than what they were chosen by.
            grep.contains.clear();
            grep.regex = None;
        }
        if !grep.asserts() {
            return Err("the page does not say what must be in the log".to_owned());
        }
        Ok(vec![Step::new(Verb::LogGrep(grep), at.line, at.source)])
    }

    pub(super) fn logs(&mut self, call: &Call, rest: &[Simple], negated: bool, at: &Context<'_>) -> Read {
        if call.is_set("previous") {
            return Err("the log of a container that has ended is not read".to_owned());
        }
        let mut target = match (call.args.first(), call.flag("selector")) {
            (Some(pod), _) => self.target(pod, call, at)?,
            (None, Some(selector)) => {
                let pod = ("selector", self.template(selector, at)?);
                let namespace = self.namespace(call.flag("namespace"), at)?;
                let container = call.flag("container").map(|word| self.name(word, at)).transpose()?;
                In { pod, namespace, container, any: false }
            }
            (None, None) => return Err("it names no pod".to_owned()),
        };
        if let (None, Some(container)) = (&target.container, call.args.get(1)) {
            target.container = Some(self.name(container, at)?);
        }
        let filter = self.filter(&Simple::default(), rest, at)?;
        let mut steps = self.log_step(target, None, &filter, &Context { fails: at.fails || negated, ..*at })?;
        if let Some(mark) = call.flag("since-time").and_then(Word::variable)
            && let (Some(since), Some(Step { verb: Verb::LogGrep(grep), .. })) =
                (self.marks.get(mark), steps.last_mut())
        {
            grep.since = Some(since.clone()).filter(|since| !since.is_empty());
        }
        Ok(steps)
    }
}

/// The file that a program only shows.
fn log_file(words: &[Word]) -> Option<&Word> {
    let program = words.first()?.literal()?;
    if !matches!(program, "tail" | "cat") {
        return None;
    }
    let mut files = Vec::new();
    let mut rest = words[1..].iter();
    while let Some(word) = rest.next() {
        match word.literal() {
            Some("-n" | "-c") => {
                rest.next();
            }
            Some(flag) if flag.starts_with('-') => {}
            _ => files.push(word),
        }
    }
    (files.len() == 1 && files[0].lead().starts_with('/')).then(|| files[0])
}

/// Whether a program changes what it is run on.
fn changes(program: Option<&Program>) -> bool {
    let Some(Program::Command(words)) = program else { return false };
    let Some(program) = words.first() else { return false };
    let methods = ["POST", "PUT", "PATCH", "DELETE"];
    match program.rsplit('/').next().unwrap_or(program) {
        "curl" => words.iter().enumerate().any(|(at, word)| {
            matches!(word.as_str(), "-d" | "--data" | "--data-binary" | "--data-raw" | "-F" | "--form" | "-T")
                || matches!(word.as_str(), "-X" | "--request")
                    && words.get(at + 1).is_some_and(|next| methods.contains(&next.as_str()))
                || methods.iter().any(|method| *word == format!("-X{method}"))
        }),
        "rm" | "touch" | "mv" | "cp" | "mkdir" | "kill" | "tee" => true,
        _ => false,
    }
}
