//! The state of a running shell: variables, options, functions, jobs.
//!
//! Invariant: a clone is a subshell: it sees everything and changes nothing outside itself.

use crate::process::{Exit, Process};
use brush_parser::ast;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// How deep functions, substitutions and compound commands may nest while running: each level is a poll on the stack.
const MAX_DEPTH: usize = 60;

/// Why a command list is left early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The shell ends: `exit`, `set -e`, a fatal error, a signal, or something not simulated.
    End(Exit),
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

#[derive(Clone, Debug, Default)]
pub(super) struct Variable {
    pub(super) value: Option<String>,
    pub(super) exported: bool,
    pub(super) readonly: bool,
}

/// The options of `set`, as far as they are simulated.
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
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) pid: u32,
    pub(super) task: JoinHandle<Exit>,
}

#[derive(Debug)]
pub(super) struct Shell {
    /// The world as commands will see it; its `env` is rebuilt from the exported variables for each.
    pub(super) process: Process,
    /// `$0`
    pub(super) name: String,
    /// `$1` and following.
    pub(super) params: Vec<String>,
    pub(super) vars: IndexMap<String, Variable>,
    pub(super) functions: BTreeMap<String, Arc<ast::FunctionBody>>,
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
    /// How many functions (or sourced files) the current command is in.
    pub(super) calls: usize,
    pub(super) depth: usize,
    pub(super) line: usize,
    /// The status of the last command substitution of the current command.
    pub(super) substituted: Option<u8>,
    /// What `trap ... EXIT` asked for.
    pub(super) exit_trap: Option<String>,
    /// Saved values of `local` variables, innermost function last.
    pub(super) locals: Vec<Vec<(String, Option<Variable>)>>,
    /// Commands since the last pause; see [`Shell::breathe`].
    pub(super) commands: u32,
}

impl Shell {
    pub(super) fn new(process: Process, name: String, params: Vec<String>) -> Self {
        let mut vars: IndexMap<String, Variable> = process
            .env
            .iter()
            .filter(|(name, _)| is_name(name))
            .map(|(name, value)| {
                (name.clone(), Variable { value: Some(value.clone()), exported: true, readonly: false })
            })
            .collect();
        let plain = |value: &str| Variable { value: Some(value.to_owned()), ..Variable::default() };
        vars.insert("IFS".to_owned(), plain(" \t\n"));
        vars.entry("PS4".to_owned()).or_insert_with(|| plain("+ "));
        vars.entry("OPTIND".to_owned()).or_insert_with(|| plain("1"));
        vars.entry("PPID".to_owned()).or_insert_with(|| plain(&process.parent.to_string()));
        let exported = Variable { value: Some(process.cwd.clone()), exported: true, readonly: false };
        vars.insert("PWD".to_owned(), exported);
        Self {
            main_pid: process.pid,
            process,
            name,
            params,
            vars,
            functions: BTreeMap::new(),
            options: Options::default(),
            status: 0,
            last_job: None,
            jobs: Vec::new(),
            tested: 0,
            loops: 0,
            calls: 0,
            depth: 0,
            line: 1,
            substituted: None,
            exit_trap: None,
            locals: Vec::new(),
            commands: 0,
        }
    }

    /// A subshell.
    pub(super) fn fork(&self) -> Self {
        Self {
            process: self.process.clone(),
            name: self.name.clone(),
            params: self.params.clone(),
            vars: self.vars.clone(),
            functions: self.functions.clone(),
            options: self.options,
            status: self.status,
            main_pid: self.main_pid,
            last_job: self.last_job,
            jobs: Vec::new(),
            tested: self.tested,
            loops: 0,
            calls: self.calls,
            depth: self.depth,
            line: self.line,
            substituted: None,
            exit_trap: None,
            locals: self.locals.clone(),
            commands: 0,
        }
    }

    pub(super) fn is_busybox(&self) -> bool {
        self.process.image.is_busybox()
    }

    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).and_then(|variable| variable.value.as_deref())
    }

    /// Sets a variable, keeping its attributes.
    ///
    /// # Errors
    /// A read-only variable ends the shell, as POSIX asks.
    pub(super) async fn set(&mut self, name: &str, value: String) -> Result<(), Stop> {
        if self.vars.get(name).is_some_and(|variable| variable.readonly) {
            return Err(self.fatal(format!("{name}: is read only")).await);
        }
        let exported = self.options.allexport;
        let variable = self.vars.entry(name.to_owned()).or_default();
        variable.value = Some(value);
        variable.exported |= exported;
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

    /// Complains as the shell does: with its name and, in dash, the line.
    pub(super) async fn complain(&self, text: impl std::fmt::Display + Send) {
        let message = if self.is_busybox() {
            format!("{}: {text}\n", self.name)
        } else {
            format!("{}: {}: {text}\n", self.name, self.line)
        };
        drop(text);
        self.process.warn(message).await;
    }

    /// Complains and ends the shell with code 2, as special builtins and expansions do.
    pub(super) async fn fatal(&self, text: String) -> Stop {
        self.complain(text).await;
        Stop::End(Exit::Code(2))
    }

    /// Goes one level deeper; undo it with [`Shell::leave`].
    pub(super) fn enter(&mut self) -> Result<(), Stop> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::not_simulated(format!("a shell script that nests more than {MAX_DEPTH} levels deep")));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
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

/// Whether `text` is a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
