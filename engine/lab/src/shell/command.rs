//! Simple commands: assignments, redirections, then a builtin, a function or a program.
//!
//! Invariant: assignments before a command last only for it, unless it is a special builtin or there is no command.

use super::builtins::{self, Builtin};
use super::expand::finished;
use super::parse;
use super::redirect::Refusal;
use super::state::{Flow, Shell, Stop, Variable};
use crate::process::{Exit, Fd, Located};
use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem, FunctionBody, IoRedirect, SimpleCommand,
    Word,
};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Shell {
    pub(super) async fn simple(&mut self, command: &SimpleCommand) -> Flow {
        if let Some(line) = parse::line(command) {
            self.line = line;
        }
        self.substituted = None;
        let mut assignments: Vec<&Assignment> = Vec::new();
        let mut redirects: Vec<&IoRedirect> = Vec::new();
        let mut words: Vec<&Word> = Vec::new();
        let prefix = command.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = command.suffix.iter().flat_map(|suffix| &suffix.0);
        for (item, after_name) in prefix.map(|item| (item, false)).chain(suffix.map(|item| (item, true))) {
            match item {
                CommandPrefixOrSuffixItem::IoRedirect(redirect) => redirects.push(redirect),
                CommandPrefixOrSuffixItem::Word(word) => words.push(word),
                // After the name, as in `export X=1`, it is an argument.
                CommandPrefixOrSuffixItem::AssignmentWord(_, word) if after_name => words.push(word),
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, _) => assignments.push(assignment),
                CommandPrefixOrSuffixItem::ProcessSubstitution(..) => {
                    return Err(Stop::not_simulated("process substitution"));
                }
            }
        }
        let name: Vec<&Word> = command.word_or_name.iter().collect();
        words.splice(0..0, name);
        let argv = if declares(&words) { self.declaration(&words).await? } else { self.arguments(&words).await? };
        let fds = match self.redirect(&redirects).await {
            Ok(fds) => fds,
            Err(Refusal::Stop(stop)) => return Err(stop),
            Err(Refusal::Failed(status)) => {
                let special = argv.first().is_some_and(|name| builtins::is_special(name));
                // POSIX: a failed redirection of a special builtin ends the shell.
                return if special && !self.is_busybox() { Err(Stop::End(Exit::Code(status))) } else { Ok(status) };
            }
        };
        let Some(name) = argv.first() else {
            for assignment in assignments {
                self.assign(assignment).await?;
                if let AssignmentName::VariableName(name) = &assignment.name {
                    let value = self.var(name).unwrap_or_default();
                    let shown = format!("{name}={}", self.shown(value));
                    self.trace(&[shown], &[]).await;
                }
            }
            return Ok(self.substituted.unwrap_or(0));
        };
        if builtins::is_special(name) {
            for assignment in assignments {
                self.assign(assignment).await?;
            }
            self.trace(&[], &argv).await;
            return self.call(argv, fds).await;
        }
        let mut saved: Vec<(String, Option<Variable>)> = Vec::new();
        let mut traced = Vec::new();
        for assignment in assignments {
            let AssignmentName::VariableName(variable) = &assignment.name else {
                return Err(Stop::not_simulated("arrays in a shell script"));
            };
            saved.push((variable.clone(), self.vars.get(variable).cloned()));
            self.assign(assignment).await?;
            if let Some(entry) = self.vars.get_mut(variable) {
                entry.exported = true;
                traced.push(variable.clone());
            }
        }
        let traced: Vec<String> =
            traced.iter().map(|name| format!("{name}={}", self.shown(self.var(name).unwrap_or_default()))).collect();
        self.trace(&traced, &argv).await;
        let flow = self.call(argv, fds).await;
        for (name, variable) in saved.into_iter().rev() {
            match variable {
                Some(variable) => {
                    self.vars.insert(name, variable);
                }
                None => {
                    self.vars.shift_remove(&name);
                }
            }
        }
        flow
    }

    /// The arguments of `export` and its like, where a word such as `X=$Y` is not split.
    async fn declaration(&mut self, words: &[&Word]) -> Result<Vec<String>, Stop> {
        let mut argv = Vec::new();
        for word in words {
            let is_assignment = word.value.split_once('=').is_some_and(|(name, _)| super::state::is_name(name));
            if is_assignment {
                argv.push(self.single(&word.value).await?);
            } else {
                argv.extend(self.arguments(&[*word]).await?);
            }
        }
        Ok(argv)
    }

    async fn assign(&mut self, assignment: &Assignment) -> Result<(), Stop> {
        let (AssignmentName::VariableName(name), AssignmentValue::Scalar(word), false) =
            (&assignment.name, &assignment.value, assignment.append)
        else {
            return Err(Stop::not_simulated("arrays and += in a shell script"));
        };
        let value = self.single(&word.value).await?;
        self.set(name, value).await
    }

    async fn trace(&mut self, assignments: &[String], argv: &[String]) {
        if !self.options.xtrace {
            return;
        }
        let prompt = self.var("PS4").unwrap_or("+ ").to_owned();
        let words: Vec<String> = assignments.iter().cloned().chain(argv.iter().map(|word| self.shown(word))).collect();
        self.process.warn(format!("{prompt}{}\n", words.join(" "))).await;
    }

    /// A word as `set -x` shows it: ash quotes, dash does not.
    fn shown(&self, word: &str) -> String {
        if self.is_busybox() { quote(word) } else { word.to_owned() }
    }

    /// Runs a command with these descriptors.
    async fn call(&mut self, argv: Vec<String>, fds: BTreeMap<u32, Fd>) -> Flow {
        self.breathe().await;
        let name = argv[0].as_str();
        if let Some(function) = self.functions.get(name).cloned()
            && !builtins::is_special(name)
        {
            let saved = std::mem::replace(&mut self.process.fds, fds);
            let flow = self.function(&function, argv[1..].to_vec()).await;
            self.process.fds = saved;
            return flow;
        }
        if let Some(builtin) = builtins::find(name, self.is_busybox()) {
            if name == "exec" && argv.len() == 1 {
                self.process.fds = fds;
                return Ok(0);
            }
            let saved = std::mem::replace(&mut self.process.fds, fds);
            let flow = match builtin {
                Builtin::Shell(run) => run(self, argv).await,
                Builtin::Program(main) => {
                    let mut process = self.process.clone();
                    process.argv = argv;
                    process.env = self.environment();
                    match main(process).await {
                        // Dying of a signal, a builtin takes the shell with it.
                        exit @ Exit::Signal(_) => Err(Stop::End(exit)),
                        exit => finished(exit),
                    }
                }
            };
            self.process.fds = saved;
            return flow;
        }
        self.program(argv, fds).await
    }

    pub(super) async fn function(&mut self, body: &Arc<FunctionBody>, params: Vec<String>) -> Flow {
        self.enter()?;
        let depth = self.depth;
        let saved = std::mem::replace(&mut self.params, params);
        self.locals.push(Vec::new());
        self.calls += 1;
        let loops = std::mem::take(&mut self.loops);
        let flow = self.compound(&body.0, body.1.as_ref()).await;
        self.loops = loops;
        self.calls -= 1;
        for (name, variable) in self.locals.pop().unwrap_or_default().into_iter().rev() {
            match variable {
                Some(variable) => {
                    self.vars.insert(name, variable);
                }
                None => {
                    self.vars.shift_remove(&name);
                }
            }
        }
        self.params = saved;
        self.depth = depth;
        self.leave();
        match flow {
            Err(Stop::Return(status)) => Ok(status),
            other => other,
        }
    }

    /// Runs a program and waits for it.
    pub(super) async fn program(&mut self, argv: Vec<String>, fds: BTreeMap<u32, Fd>) -> Flow {
        match self.prepare(argv, fds).await? {
            Ok((process, path)) => finished(process.run_at(path).await),
            Err(status) => Ok(status),
        }
    }

    /// Finds a program and makes its process. When there is none, complains and gives the status.
    pub(super) async fn prepare(
        &mut self,
        argv: Vec<String>,
        fds: BTreeMap<u32, Fd>,
    ) -> Result<Result<(crate::process::Process, String), u8>, Stop> {
        let name = argv[0].clone();
        let env = self.environment();
        let mut process = self.process.child(argv);
        process.fds = fds;
        process.env = env;
        // The search uses the shell's own path even when it is not exported.
        if let Some(path) = self.var("PATH") {
            self.process.env.insert("PATH".to_owned(), path.to_owned());
        }
        let (status, text) = match if name.is_empty() { Located::NotFound } else { self.process.locate(&name) } {
            Located::At(path) => return Ok(Ok((process, path))),
            Located::NotFound => (127, "not found".to_owned()),
            Located::NotExecutable(_) => (126, "Permission denied".to_owned()),
            Located::Unknown => {
                let image = &self.process.image;
                return Err(Stop::not_simulated(format!("whether image {image} has the program {name}")));
            }
        };
        // The command's own redirection of stderr applies to the complaint.
        let saved = std::mem::replace(&mut self.process.fds, process.fds);
        self.complain(format!("{name}: {text}")).await;
        self.process.fds = saved;
        Ok(Err(status))
    }
}

fn declares(words: &[&Word]) -> bool {
    words.first().is_some_and(|word| matches!(word.value.as_str(), "export" | "readonly" | "local"))
}

/// A word in single quotes where it needs them.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-[]{}^!".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
