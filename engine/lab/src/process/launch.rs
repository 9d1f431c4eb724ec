//! Finding a program and running it until it ends or a signal ends it.
//!
//! Invariant: a program that the image has but the lab lacks ends as not simulated; one that the image lacks is not found.

use super::{Exit, Process, SIGKILL};
use crate::fs::{self, FsError};
use crate::programs;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// How a script that names no interpreter, or one that does, may at most lead to another script.
const MAX_INTERPRETERS: usize = 4;
/// The search path of a process whose environment has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a command was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// At this path, executable.
    At(String),
    /// Nowhere.
    NotFound,
    /// At this path, but not executable for this user, or a directory.
    NotExecutable(String),
    /// The lab does not know whether the image has it.
    Unknown,
}

/// What an executable file turned out to be.
enum Executable {
    Program(Arc<str>),
    Script { interpreter: String, argument: Option<String> },
    Unknown,
}

impl Process {
    /// Finds the command `name` as `execvp` does: by its path if it holds a slash, else along `PATH`.
    #[must_use]
    pub fn locate(&self, name: &str) -> Located {
        if name.contains('/') {
            let path = self.path(name);
            return match self.fs.metadata(&path) {
                Ok(_) if self.executable(&path) => Located::At(path),
                Ok(_) => Located::NotExecutable(path),
                Err(FsError::PermissionDenied) => Located::NotExecutable(path),
                Err(_) => self.absent(fs::file_name(name)),
            };
        }
        let mut refused = None;
        for dir in self.var("PATH").unwrap_or(DEFAULT_PATH).split(':') {
            let path = fs::join(&self.path(if dir.is_empty() { "." } else { dir }), name);
            if self.executable(&path) {
                return Located::At(path);
            }
            if refused.is_none() && self.fs.exists(&path) && !self.fs.is_dir(&path) {
                refused = Some(path);
            }
        }
        match refused {
            Some(path) => Located::NotExecutable(path),
            None => self.absent(name),
        }
    }

    fn absent(&self, name: &str) -> Located {
        if self.image.knows_absence_of(name) { Located::NotFound } else { Located::Unknown }
    }

    fn executable(&self, path: &str) -> bool {
        self.fs.access(path, 1) && !self.fs.is_dir(path)
    }

    /// Runs the program named by the first argument until it ends.
    pub async fn run(self) -> Exit {
        let Some(name) = self.argv.first().cloned() else {
            return Exit::NotFound("args must not be empty".to_owned());
        };
        match self.locate(&name) {
            Located::At(path) => self.run_at(path).await,
            Located::NotFound if name.contains('/') => {
                Exit::NotFound(format!("exec: \"{name}\": stat {name}: no such file or directory"))
            }
            Located::NotFound => Exit::NotFound(format!("exec: \"{name}\": executable file not found in $PATH")),
            Located::NotExecutable(_) => Exit::NotFound(format!("exec: \"{name}\": permission denied")),
            Located::Unknown => Exit::not_simulated(format!("whether image {} has the program {name}", self.image)),
        }
    }

    /// Runs the executable file at `path` with these arguments, whatever the first of them says.
    pub async fn run_at(mut self, path: String) -> Exit {
        let mut path = path;
        for _ in 0..MAX_INTERPRETERS {
            match self.inspect(&path) {
                Executable::Program(program) => return self.enter(&program).await,
                Executable::Script { interpreter, argument } => {
                    let mut argv = vec![interpreter.clone()];
                    argv.extend(argument);
                    // The kernel hands on the path as it was given.
                    let given = self.argv.first().filter(|name| name.contains('/')).cloned();
                    argv.push(given.unwrap_or(path));
                    argv.extend(self.args().iter().cloned());
                    self.argv = argv;
                    match self.locate(&interpreter) {
                        Located::At(found) => path = found,
                        _ => return Exit::not_simulated(format!("the interpreter {interpreter}")),
                    }
                }
                Executable::Unknown => return Exit::not_simulated(format!("the content of the program {path}")),
            }
        }
        Exit::not_simulated(format!("the chain of interpreters of {path}"))
    }

    fn inspect(&self, path: &str) -> Executable {
        if let Ok(Some(program)) = self.fs.program(path) {
            return Executable::Program(program);
        }
        let content = self.fs.as_user(0, 0).read(path).unwrap_or_default();
        let first = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let Ok(line) = std::str::from_utf8(first) else { return Executable::Unknown };
        match line.strip_prefix("#!").map(str::trim) {
            Some(line) if !line.is_empty() => {
                let (interpreter, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let argument = argument.trim();
                let argument = (!argument.is_empty()).then(|| argument.to_owned());
                Executable::Script { interpreter: interpreter.to_owned(), argument }
            }
            // A text without `#!` is what shells run by themselves.
            None if !content.contains(&0) => Executable::Script { interpreter: "/bin/sh".to_owned(), argument: None },
            _ => Executable::Unknown,
        }
    }

    async fn enter(self, program: &str) -> Exit {
        let Some(main) = programs::find(program, self.name()) else {
            let name = if program == "busybox" { self.name() } else { program };
            return Exit::not_simulated(format!("the program {name}"));
        };
        let supervisor = Self { fds: BTreeMap::new(), ..self.clone() };
        supervisor.supervise(main(self)).await
    }

    /// Keeps this process in the container's table while `body` runs, and ends it when a signal says so.
    ///
    /// It is in the table from this call on, even if the future it returns is polled only later.
    pub(crate) fn supervise(self, body: impl Future<Output = Exit> + Send) -> impl Future<Output = Exit> + Send {
        let (guard, signals) = self.container.enter(&self);
        let (container, pid) = (self.container.clone(), self.pid);
        drop(self);
        async move {
            let exit = tokio::select! {
                biased;
                signal = killed(signals, || container.handles_signals(pid)) => Exit::Signal(signal),
                exit = body => exit,
            };
            drop(guard);
            exit
        }
    }
}

/// Waits for a signal that ends the process.
async fn killed(mut signals: watch::Receiver<Option<u8>>, handles: impl Fn() -> bool) -> u8 {
    loop {
        let seen = signals.wait_for(Option::is_some).await.map(|signal| *signal);
        match seen {
            Ok(Some(signal)) if signal == SIGKILL || !handles() => return signal,
            Ok(_) => {
                if signals.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
            Err(_) => return std::future::pending().await,
        }
    }
}
