//! The state of a running shell: variables, options, functions, jobs.
//!
//! Invariant: a fork is a subshell: it sees everything and changes nothing outside itself.

use super::ast::Node;
use super::job::Job;
use super::trap::Traps;
use crate::process::{Exit, Process};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep functions, substitutions and compound commands may nest while running.
const MAX_DEPTH: usize = 1000;
/// How many levels run on one stack at most: each is a poll on it.
const MAX_LEVELS: usize = 60;
/// After how many levels a function gets a stack of its own.
pub(super) const LEVELS_PER_STACK: usize = 25;
/// How many shells and subshells of one script may live at a time, as a limit of processes would have it.
const MAX_SHELLS: usize = 256;
/// How many bytes the variables of one shell may hold together.
const MAX_VARIABLES: usize = 16 << 20;

/// Whose language a shell speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Debian's `sh`, version 0.5.12.
    Dash,
    /// BusyBox's `sh`.
    Ash,
    /// GNU bash 5.2, as far as it is simulated.
    Bash,
}

/// Why a command list is left early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The shell ends: `exit`, `set -e`, a signal, or something not simulated.
    End(Exit),
    /// An error that ends the shell unless it happens in a builtin that is not special; already told.
    Error(u8),
    /// `return`
    Return(u8),
    /// `break N`
    Break(usize),
    /// `continue N`
    Continue(usize),
}

/// A status, or why there is none.
pub(super) type Flow = Result<u8, Stop>;

impl Stop {
    pub(super) fn not_simulated(what: impl Into<String>) -> Self {
        Self::End(Exit::NotSimulated(what.into()))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) value: Option<String>,
    /// The elements of bash's array; `value` then means nothing.
    pub(super) list: Option<BTreeMap<usize, String>>,
    pub(super) exported: bool,
    pub(super) readonly: bool,
}

impl Variable {
    /// What `$x` gives.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.list {
            Some(list) => list.get(&0).map(String::as_str),
            None => self.value.as_deref(),
        }
    }
}

/// The options of `set`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own in POSIX")]
pub(super) struct Options {
    pub(super) errexit: bool,
    pub(super) nounset: bool,
    pub(super) xtrace: bool,
    pub(super) noglob: bool,
    pub(super) pipefail: bool,
    pub(super) allexport: bool,
    pub(super) noexec: bool,
    pub(super) notify: bool,
    /// The script came with `-c`.
    pub(super) command: bool,
    /// The script comes from standard input.
    pub(super) stdin: bool,
}

pub(super) struct Shell {
    pub(super) dialect: Dialect,
    /// The world as commands will see it; its `env` is rebuilt from the exported variables for each.
    pub(super) process: Process,
    /// `$0`
    pub(super) name: String,
    /// The builtin that is running, which complaints name.
    pub(super) builtin: Option<String>,
    /// Whether the script is a file.
    pub(super) from_file: bool,
    /// `$1` and following.
    pub(super) params: Vec<String>,
    pub(super) vars: Arc<IndexMap<String, Variable>>,
    pub(super) functions: Arc<BTreeMap<String, Arc<Node>>>,
    pub(super) aliases: Arc<BTreeMap<String, String>>,
    pub(super) options: Options,
    /// `$?`
    pub(super) status: u8,
    /// `$$`: the main shell's number, also inside subshells.
    pub(super) main_pid: u32,
    /// `$!`
    pub(super) last_job: Option<u32>,
    pub(super) jobs: Vec<Job>,
    /// Above zero where a failure does not end a shell with `set -e`.
    pub(super) tested: usize,
    /// How many loops the current command is in.
    pub(super) loops: usize,
    /// How many functions the current command is in.
    pub(super) calls: usize,
    pub(super) depth: usize,
    /// The depth at which the current stack began.
    pub(super) base: usize,
    pub(super) line: usize,
    /// The status of the last command substitution of the current command.
    pub(super) substituted: Option<u8>,
    /// How many `eval` the current command is in.
    pub(super) evals: usize,
    /// How many command substitutions this shell is in.
    pub(super) substitutions: usize,
    pub(super) traps: Traps,
    /// Saved values of `local` variables, innermost function last.
    pub(super) locals: Vec<Vec<(String, Option<Variable>)>>,
    /// Commands since the last pause; see [`Shell::breathe`].
    pub(super) commands: u32,
    /// Where `getopts` is inside an argument.
    pub(super) option_at: usize,
    /// The statuses of the last pipeline: bash's `PIPESTATUS`.
    pub(super) pipe_status: Vec<u8>,
    /// Held by every living shell of a script, so that they can be counted.
    live: Arc<()>,
}

impl Shell {
    pub(super) fn new(process: Process, dialect: Dialect) -> Self {
        let mut vars: IndexMap<String, Variable> = process
            .env
            .iter()
            .filter(|(name, _)| is_name(name))
            .map(|(name, value)| (name.clone(), Variable { exported: true, ..plain(value) }))
            .collect();
        vars.insert("IFS".to_owned(), plain(" \t\n"));
        vars.entry("PS4".to_owned()).or_insert_with(|| plain("+ "));
        vars.insert("OPTIND".to_owned(), plain("1"));
        vars.insert("PPID".to_owned(), plain(&process.parent.to_string()));
        vars.insert("PWD".to_owned(), Variable { exported: true, ..plain(&process.cwd) });
        if dialect == Dialect::Bash {
            vars.insert("BASH_VERSION".to_owned(), plain("5.2.15(1)-release"));
            vars.insert("UID".to_owned(), plain(&process.fs.user().0.to_string()));
            vars.insert("EUID".to_owned(), plain(&process.fs.user().0.to_string()));
            vars.entry("SHLVL".to_owned()).or_insert_with(|| Variable { exported: true, ..plain("1") });
        }
        Self {
            dialect,
            main_pid: process.pid,
            name: process.argv.first().cloned().unwrap_or_default(),
            process,
            builtin: None,
            from_file: false,
            params: Vec::new(),
            vars: Arc::new(vars),
            functions: Arc::default(),
            aliases: Arc::default(),
            options: Options::default(),
            status: 0,
            last_job: None,
            jobs: Vec::new(),
            tested: 0,
            loops: 0,
            calls: 0,
            depth: 0,
            base: 0,
            line: 1,
            substituted: None,
            evals: 0,
            substitutions: 0,
            traps: Traps::default(),
            locals: Vec::new(),
            commands: 0,
            option_at: 0,
            pipe_status: Vec::new(),
            live: Arc::new(()),
        }
    }

    /// A subshell; an error when there are too many already.
    pub(super) async fn fork(&mut self) -> Result<Self, Stop> {
        if Arc::strong_count(&self.live) > MAX_SHELLS {
            let text = match self.dialect {
                Dialect::Dash => "Cannot fork".to_owned(),
                Dialect::Ash => "can't fork: Resource temporarily unavailable".to_owned(),
                Dialect::Bash => "fork: retry: Resource temporarily unavailable".to_owned(),
            };
            // Whoever forks without end must not do so without time.
            self.process.clock.sleep(std::time::Duration::from_millis(10)).await;
            return Err(self.fatal(text).await);
        }
        Ok(self.copy())
    }

    /// The same shell once more.
    pub(super) fn copy(&self) -> Self {
        Self {
            dialect: self.dialect,
            process: self.process.clone(),
            name: self.name.clone(),
            builtin: None,
            from_file: self.from_file,
            params: self.params.clone(),
            vars: Arc::clone(&self.vars),
            functions: Arc::clone(&self.functions),
            aliases: Arc::clone(&self.aliases),
            options: self.options,
            status: self.status,
            main_pid: self.main_pid,
            last_job: self.last_job,
            jobs: Vec::new(),
            tested: self.tested,
            loops: 0,
            calls: self.calls,
            depth: self.depth,
            base: self.base,
            line: self.line,
            substituted: None,
            evals: self.evals,
            substitutions: self.substitutions,
            traps: self.traps.inherited(),
            locals: self.locals.clone(),
            commands: 0,
            option_at: self.option_at,
            pipe_status: Vec::new(),
            live: Arc::clone(&self.live),
        }
    }

    pub(super) fn is_busybox(&self) -> bool {
        self.dialect == Dialect::Ash
    }

    pub(super) fn is_bash(&self) -> bool {
        self.dialect == Dialect::Bash
    }

    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).and_then(Variable::scalar)
    }

    /// A variable to change.
    pub(super) fn entry(&mut self, name: &str) -> &mut Variable {
        Arc::make_mut(&mut self.vars).entry(name.to_owned()).or_default()
    }

    /// Puts back a variable as it was, or takes it away.
    pub(super) fn restore(&mut self, name: String, variable: Option<Variable>) {
        let vars = Arc::make_mut(&mut self.vars);
        match variable {
            Some(variable) => vars.insert(name, variable),
            None => vars.shift_remove(&name),
        };
    }

    /// Sets a variable, keeping its attributes.
    ///
    /// # Errors
    /// A read-only variable ends the shell, as POSIX asks.
    pub(super) async fn set(&mut self, name: &str, value: String) -> Result<(), Stop> {
        self.writable(name).await?;
        self.within_memory(value.len())?;
        let exported = self.options.allexport;
        if name == "OPTIND" {
            self.option_at = 0;
        }
        let variable = self.entry(name);
        match &mut variable.list {
            Some(list) => {
                list.insert(0, value);
            }
            None => variable.value = Some(value),
        }
        variable.exported |= exported;
        Ok(())
    }

    /// Complains when a variable is read-only.
    pub(super) async fn writable(&mut self, name: &str) -> Result<(), Stop> {
        if !self.vars.get(name).is_some_and(|variable| variable.readonly) {
            return Ok(());
        }
        let text = if self.is_bash() { "readonly variable" } else { "is read only" };
        Err(self.fatal(format!("{name}: {text}")).await)
    }

    /// Whether a value of this length may be added to what the variables hold.
    pub(super) fn within_memory(&self, length: usize) -> Result<(), Stop> {
        if length < 1 << 10 {
            return if self.vars.len() < 1 << 16 { Ok(()) } else { Err(Stop::not_simulated("that many variables")) };
        }
        let held: usize = self.vars.values().map(|variable| variable.value.as_ref().map_or(0, String::len)).sum();
        if held + length > MAX_VARIABLES {
            return Err(Stop::not_simulated(format!("variables of more than {MAX_VARIABLES} bytes")));
        }
        Ok(())
    }

    /// The environment of a command.
    pub(super) fn environment(&self) -> IndexMap<String, String> {
        self.vars
            .iter()
            .filter(|(_, variable)| variable.exported)
            .filter_map(|(name, variable)| Some((name.clone(), variable.value.clone()?)))
            .collect()
    }

    /// What a complaint begins with: the shell's name, the line and the builtin, as each shell puts them.
    pub(super) fn prefix(&self) -> String {
        let (name, line) = (&self.name, self.line);
        match (self.dialect, &self.builtin) {
            (Dialect::Dash, None) => format!("{name}: {line}: "),
            (Dialect::Dash, Some(builtin)) => format!("{name}: {line}: {builtin}: "),
            (Dialect::Ash, None) if self.from_file => format!("{name}: line {line}: "),
            (Dialect::Ash, None) => format!("{name}: "),
            (Dialect::Ash, Some(builtin)) => format!("{name}: {builtin}: line {line}: "),
            (Dialect::Bash, None) => format!("{name}: line {line}: "),
            (Dialect::Bash, Some(builtin)) => format!("{name}: line {line}: {builtin}: "),
        }
    }

    /// Complains as the shell does.
    pub(super) async fn complain(&self, text: impl std::fmt::Display + Send) {
        let message = format!("{}{text}\n", self.prefix());
        drop(text);
        self.process.warn(message).await;
    }

    /// Complains and gives the error that special builtins and expansions end the shell with.
    pub(super) async fn fatal(&self, text: String) -> Stop {
        self.complain(text).await;
        Stop::Error(if self.is_bash() { 1 } else { 2 })
    }

    /// Goes one level deeper; undo it with [`Shell::leave`].
    pub(super) fn enter(&mut self) -> Result<(), Stop> {
        if self.depth >= MAX_DEPTH || self.depth >= self.base + MAX_LEVELS {
            return Err(Stop::not_simulated("a shell script that nests this deep"));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Lets others run now and then, and lets time pass, so that a loop without end neither hangs the lab nor stands
    /// still in time.
    pub(super) async fn breathe(&mut self) {
        self.commands += 1;
        if self.commands.is_multiple_of(256) {
            self.process.clock.sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

fn plain(value: &str) -> Variable {
    Variable { value: Some(value.to_owned()), ..Variable::default() }
}

/// Whether `text` is a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
