//! Simple commands: assignments, redirections, then a builtin, a function or a program.
//!
//! Invariant: assignments before a command last only for it, unless it is a special builtin or there is no command.

use super::ast::{AssignedValue, Assignment, Node, Part, Simple, Word};
use super::builtins::{self, Builtin};
use super::expand::finished;
use super::redirect::Refusal;
use super::state::{Dialect, Flow, LEVELS_PER_STACK, Shell, Stop, Variable, is_name};
use crate::fs::FsError;
use crate::process::{Exit, Fd, Located, Process, SIGINT, SIGPIPE};
use crate::programs::Main;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// How much a builtin may complain.
const MAX_COMPLAINT: usize = 1 << 20;

impl Shell {
    pub(super) async fn simple(&mut self, command: &Simple) -> Flow {
        self.line = command.line;
        self.substituted = None;
        let words = &command.words;
        let argv = if declares(words) { self.declaration(words).await? } else { self.arguments(words).await? };
        let Some(name) = argv.first() else {
            return Box::pin(self.bare(command)).await;
        };
        // dash looks at the assignments before it carries out redirections.
        let special = builtins::is_special(name) && !self.is_bash();
        let fds = match self.redirect(&command.redirects).await {
            Ok(fds) => fds,
            Err(Refusal::Stop(stop)) => return Err(stop),
            // POSIX: a failed redirection of a special builtin ends the shell.
            Err(Refusal::Failed(status)) if special => return Err(Stop::Error(status)),
            Err(Refusal::Failed(status)) => return Ok(status),
        };
        if special && !self.functions.contains_key(name) {
            for assignment in &command.assignments {
                self.assign(assignment).await?;
            }
            self.trace(&command.assignments, &argv).await?;
            return Box::pin(self.call(argv, fds)).await;
        }
        let mut saved: Vec<(String, Option<Variable>)> = Vec::new();
        for assignment in &command.assignments {
            saved.push((assignment.name.clone(), self.vars.get(&assignment.name).cloned()));
            self.assign(assignment).await?;
            self.entry(&assignment.name).exported = true;
        }
        self.trace(&command.assignments, &argv).await?;
        let flow = Box::pin(self.call(argv, fds)).await;
        for (name, variable) in saved.into_iter().rev() {
            self.restore(name, variable);
        }
        flow
    }

    /// A command without a name: assignments that last, and redirections that are tried.
    async fn bare(&mut self, command: &Simple) -> Flow {
        match self.redirect(&command.redirects).await {
            Ok(_) => {}
            Err(Refusal::Stop(stop)) => return Err(stop),
            Err(Refusal::Failed(status)) => return Ok(status),
        }
        for assignment in &command.assignments {
            self.assign(assignment).await?;
            if self.is_bash() {
                self.trace(std::slice::from_ref(assignment), &[]).await?;
            }
        }
        if !self.is_bash() {
            self.trace(&command.assignments, &[]).await?;
        }
        Ok(self.substituted.unwrap_or(0))
    }

    /// The arguments of `export` and its like, where a word such as `X=$Y` is not split.
    async fn declaration(&mut self, words: &[Word]) -> Result<Vec<String>, Stop> {
        let mut argv = Vec::new();
        for word in words {
            let name = match word.parts.first() {
                Some(Part::Text(text)) => text.split_once('=').map(|(name, _)| name),
                _ => None,
            };
            if name.is_some_and(is_name) {
                argv.push(self.assigned(word).await?);
            } else {
                argv.extend(self.arguments(std::slice::from_ref(word)).await?);
            }
        }
        Ok(argv)
    }

    async fn assign(&mut self, assignment: &Assignment) -> Result<(), Stop> {
        let name = &assignment.name;
        let word = match &assignment.value {
            AssignedValue::List(words) => {
                let values = self.arguments(words).await?;
                return self.assign_list(name, values, assignment.append).await;
            }
            AssignedValue::Scalar(word) => word,
        };
        let mut value = self.assigned(word).await?;
        let Some(index) = &assignment.index else {
            if assignment.append {
                value.insert_str(0, self.var(name).unwrap_or_default());
            }
            return self.set(name, value).await;
        };
        let index = self.single(index).await?;
        let index = self.evaluate(&index).await?;
        let Ok(index) = usize::try_from(index) else {
            return Err(Stop::not_simulated("a negative subscript in an assignment"));
        };
        self.writable(name).await?;
        self.within_memory(value.len())?;
        let list = self.list_of(name);
        if assignment.append {
            value.insert_str(0, list.get(&index).map_or("", String::as_str));
        }
        if list.len() >= 1 << 16 {
            return Err(Stop::not_simulated("an array of that many elements"));
        }
        list.insert(index, value);
        Ok(())
    }

    pub(super) async fn assign_list(&mut self, name: &str, values: Vec<String>, append: bool) -> Result<(), Stop> {
        self.writable(name).await?;
        self.within_memory(values.iter().map(String::len).sum())?;
        let list = self.list_of(name);
        if !append {
            list.clear();
        }
        let start = list.keys().next_back().map_or(0, |last| last + 1);
        list.extend(values.into_iter().enumerate().map(|(at, value)| (start + at, value)));
        Ok(())
    }

    /// The elements of an array, which a plain variable becomes.
    fn list_of(&mut self, name: &str) -> &mut BTreeMap<usize, String> {
        let variable = self.entry(name);
        let first = variable.value.take();
        variable.list.get_or_insert_with(|| first.into_iter().map(|value| (0, value)).collect())
    }

    async fn trace(&mut self, assignments: &[Assignment], argv: &[String]) -> Result<(), Stop> {
        if !self.options.xtrace || assignments.is_empty() && argv.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        let mut words = Vec::new();
        for assignment in assignments {
            if !matches!(assignment.value, AssignedValue::Scalar(_)) {
                return Err(Stop::not_simulated("the trace of an array"));
            }
            let value = self.var(&assignment.name).unwrap_or_default();
            words.push(format!("{}={}", assignment.name, self.shown(value)));
        }
        if self.is_bash() {
            // bash shows each assignment on a line of its own.
            lines.append(&mut words);
        }
        words.extend(argv.iter().map(|word| self.shown(word)));
        lines.push(words.join(" "));
        let prompt = self.prompt().await?;
        let lines: String =
            lines.iter().filter(|line| !line.is_empty()).map(|line| format!("{prompt}{line}\n")).collect();
        self.process.warn(lines).await;
        Ok(())
    }

    /// `PS4`, expanded.
    async fn prompt(&mut self) -> Result<String, Stop> {
        let mut text = self.var("PS4").unwrap_or("+ ").to_owned();
        if self.is_bash()
            && let Some(first) = text.chars().next()
        {
            // Inside substitutions the first character is repeated.
            text.insert_str(0, &first.to_string().repeat(self.substitutions));
        }
        if !text.contains(['$', '`']) {
            return Ok(text);
        }
        let xtrace = std::mem::replace(&mut self.options.xtrace, false);
        let expanded = self.expand_text(&text).await;
        self.options.xtrace = xtrace;
        expanded
    }

    /// A word as `set -x` shows it: dash shows it as it is, the others quote.
    fn shown(&self, word: &str) -> String {
        match self.dialect {
            Dialect::Dash => word.to_owned(),
            Dialect::Ash => quote_in_ash(word),
            Dialect::Bash => quote(word),
        }
    }

    /// Runs a command with these descriptors.
    async fn call(&mut self, argv: Vec<String>, fds: BTreeMap<u32, Fd>) -> Flow {
        self.breathe().await;
        let name = argv[0].as_str();
        if let Some(function) = self.functions.get(name).cloned() {
            let saved = std::mem::replace(&mut self.process.fds, fds);
            let flow = Box::pin(self.function(function, argv[1..].to_vec())).await;
            self.process.fds = saved;
            return flow;
        }
        if let Some(builtin) = builtins::find(name, self.dialect) {
            if name == "exec" && argv.len() == 1 {
                self.process.fds = fds;
                return Ok(0);
            }
            return Box::pin(self.builtin(builtin, argv, fds)).await;
        }
        Box::pin(self.program(argv, fds)).await
    }

    /// Runs a builtin. An error in one that is not special does not end the shell.
    pub(super) async fn builtin(&mut self, builtin: Builtin, argv: Vec<String>, fds: BTreeMap<u32, Fd>) -> Flow {
        let special = builtins::is_special(&argv[0]);
        let saved = std::mem::replace(&mut self.process.fds, fds);
        let named = self.builtin.replace(argv[0].clone());
        let flow = match builtin {
            Builtin::Shell(run) => run(self, argv).await,
            Builtin::Program(main) => Box::pin(self.builtin_program(main, argv)).await,
        };
        self.builtin = named;
        self.process.fds = saved;
        match flow {
            Err(Stop::Error(status)) if !special || self.is_bash() => Ok(status),
            flow => flow,
        }
    }

    /// Runs a program as a builtin: its complaints begin as the shell's do.
    async fn builtin_program(&mut self, main: Main, argv: Vec<String>) -> Flow {
        let name = argv[0].clone();
        let mut process = self.process.clone();
        process.argv = argv;
        process.env = self.environment();
        let (reader, stderr) = Fd::pipe();
        process.fds.insert(2, stderr);
        let both = async { futures::join!(main(process), reader.read_to_end(MAX_COMPLAINT)) };
        let (exit, complaint) = self.attend(both).await?;
        if let Ok(Some(text)) = complaint
            && !text.is_empty()
        {
            let text = String::from_utf8_lossy(&text).into_owned();
            let text = text.strip_prefix(&format!("{name}: ")).unwrap_or(&text);
            // ash's builtins that are programs, too, complain as the program `sh`.
            let prefix = if self.is_busybox() { "sh: ".to_owned() } else { self.prefix() };
            let complaint = format!("{prefix}{text}");
            self.process.warn(complaint).await;
        }
        match exit {
            // Dying of a signal, a builtin takes the shell with it.
            exit @ Exit::Signal(_) => Err(Stop::End(exit)),
            exit => finished(exit),
        }
    }

    pub(super) async fn function(&mut self, body: Arc<Node>, params: Vec<String>) -> Flow {
        self.enter()?;
        let depth = self.depth;
        let saved = std::mem::replace(&mut self.params, params);
        self.locals.push(Vec::new());
        self.calls += 1;
        let loops = std::mem::take(&mut self.loops);
        let named = self.builtin.take();
        let flow = self.on_new_stack(body).await;
        self.builtin = named;
        self.loops = loops;
        self.calls -= 1;
        for (name, variable) in self.locals.pop().unwrap_or_default().into_iter().rev() {
            self.restore(name, variable);
        }
        self.params = saved;
        self.depth = depth;
        self.leave();
        match flow {
            Err(Stop::Return(status)) => Ok(status),
            other => other,
        }
    }

    /// Runs a node; every so many levels in a task of its own, which starts with an empty stack.
    async fn on_new_stack(&mut self, body: Arc<Node>) -> Flow {
        if self.depth < self.base + LEVELS_PER_STACK {
            return self.node(&body).await;
        }
        let copy = self.copy();
        let mut shell = std::mem::replace(self, copy);
        let base = std::mem::replace(&mut shell.base, shell.depth);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let flow = shell.node(&body).await;
            (shell, flow)
        }));
        match task.await {
            Ok((shell, flow)) => {
                *self = shell;
                self.base = base;
                flow
            }
            Err(_) => Err(Stop::not_simulated("a function whose task was lost")),
        }
    }

    /// Runs a program and waits for it.
    pub(super) async fn program(&mut self, argv: Vec<String>, fds: BTreeMap<u32, Fd>) -> Flow {
        match self.prepare(argv, fds).await? {
            Ok((process, path)) => {
                let (pid, command) = (process.pid, process.argv.join(" "));
                let exit = self.attend(process.run_at(path)).await?;
                if let Exit::Signal(signal) = exit {
                    self.tell_death(signal, pid, &command).await;
                }
                finished(exit)
            }
            Err(status) => Ok(status),
        }
    }

    /// Says how a child died, as shells do unless it was an interrupt or a broken pipe.
    pub(super) async fn tell_death(&self, signal: u8, pid: u32, command: &str) {
        if matches!(signal, SIGINT | SIGPIPE) {
            return;
        }
        let Some(text) = crate::programs::signals::description(signal) else { return };
        if self.is_bash() {
            self.complain(format!("{pid:>5} {text:<23} {command}")).await;
        } else {
            self.process.warn(format!("{text}\n")).await;
        }
    }

    /// Finds a program and makes its process. When there is none, complains and gives the status.
    pub(super) async fn prepare(
        &mut self,
        argv: Vec<String>,
        fds: BTreeMap<u32, Fd>,
    ) -> Result<Result<(Process, String), u8>, Stop> {
        let name = argv[0].clone();
        let env = self.environment();
        let mut process = self.process.child(argv);
        process.fds = fds;
        process.env = env;
        // The search uses the shell's own path even when it is not exported.
        let path = self.var("PATH").map(str::to_owned);
        let mut searched = self.process.clone();
        match path {
            Some(path) => searched.env.insert("PATH".to_owned(), path),
            None => searched.env.insert("PATH".to_owned(), String::new()),
        };
        let found = if name.is_empty() { Located::NotFound } else { searched.locate(&name) };
        let (status, text) = match found {
            Located::At(path) => return Ok(Ok((process, path))),
            // The search finds the directory itself.
            Located::NotFound if name.is_empty() && !self.is_bash() => (127, FsError::PermissionDenied.to_string()),
            Located::NotFound => (127, self.not_found(&name)),
            Located::NotExecutable(path) => {
                let fs = &self.process.fs;
                let directory = fs.is_dir(&path) && self.is_bash();
                (126, if directory { FsError::IsADirectory } else { FsError::PermissionDenied }.to_string())
            }
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

    fn not_found(&self, name: &str) -> String {
        match self.dialect {
            Dialect::Bash if name.contains('/') || self.var("PATH").is_none_or(str::is_empty) => {
                FsError::NotFound.to_string()
            }
            Dialect::Bash if self.builtin.as_deref() == Some("exec") => "not found".to_owned(),
            Dialect::Bash => "command not found".to_owned(),
            _ => "not found".to_owned(),
        }
    }
}

fn declares(words: &[Word]) -> bool {
    let name = words.first().map(|word| word.parts.as_slice());
    matches!(name, Some([Part::Text(name)]) if matches!(name.as_str(), "export" | "readonly" | "local" | "declare" | "typeset"))
}

/// A word as ash's trace shows it: in quotes when it holds anything special or is a keyword.
fn quote_in_ash(word: &str) -> String {
    let special = |byte: u8| byte < b'+' || matches!(byte, b';'..=b'?' | b'`' | b'[' | b'\\') || byte > b'z';
    if word.bytes().any(special) || super::script::is_keyword(word, Dialect::Ash) {
        format!("'{}'", word.replace('\'', "'\"'\"'"))
    } else {
        word.to_owned()
    }
}

/// A word in single quotes where it needs them.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
