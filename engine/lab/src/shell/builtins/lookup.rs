//! Builtins that look commands up: `command`, `type`, `hash`.
//!
//! Invariant: what they find is what would run.

use super::super::script::is_keyword;
use super::super::state::{Dialect, Flow, Shell, Stop};
use super::{find, is_special};
use crate::process::Located;

/// `command [-v|-V] NAME [ARG...]`
pub(super) async fn command(shell: &mut Shell, argv: Vec<String>) -> Flow {
    match argv.get(1).map(String::as_str) {
        None => Ok(0),
        Some("-v") => {
            let (mut status, mut any) = (0, false);
            // dash and ash look at the first name only.
            let count = if shell.is_bash() { argv.len() } else { 3.min(argv.len()) };
            for name in &argv[2..count] {
                match shell.look_up(name)? {
                    Some(found) => {
                        let line = format!("{}\n", found.location(name));
                        shell.say(&line).await?;
                        any = true;
                    }
                    None => status = 127,
                }
            }
            // bash is content with one that it finds.
            Ok(if shell.is_bash() { u8::from(!any) } else { status })
        }
        Some("-V") => describe(shell, argv[1..].to_vec()).await,
        Some(option) if option.starts_with('-') => Err(Stop::not_simulated(format!("command {option}"))),
        Some(_) => {
            let argv = argv[1..].to_vec();
            let fds = shell.process.fds.clone();
            if argv[0] == "exec" && argv.len() == 1 {
                return Ok(0);
            }
            let named = shell.builtin.take();
            let flow = match find(&argv[0], shell.dialect) {
                Some(builtin) => shell.builtin(builtin, argv, fds).await,
                None => shell.program(argv, fds).await,
            };
            shell.builtin = named;
            // What `command` runs is no special builtin, so its errors do not end the shell.
            match flow {
                Err(Stop::Error(status)) => Ok(status),
                flow => flow,
            }
        }
    }
}

/// `builtin NAME [ARG...]` of bash
pub(super) async fn only_builtin(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let Some(name) = argv.get(1) else { return Ok(0) };
    match find(name, shell.dialect) {
        Some(builtin) => {
            let fds = shell.process.fds.clone();
            shell.builtin(builtin, argv[1..].to_vec(), fds).await
        }
        None => {
            shell.complain(format!("{name}: not a shell builtin")).await;
            Ok(1)
        }
    }
}

/// `type NAME...`
pub(super) async fn describe(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut status = 0;
    if shell.is_bash() && argv.get(1).is_some_and(|arg| arg.starts_with('-')) {
        return Err(Stop::not_simulated(format!("type {}", argv[1])));
    }
    for name in &argv[1..] {
        match shell.look_up(name)? {
            Some(Found::Function) if shell.is_bash() => return Err(Stop::not_simulated("type of a function in bash")),
            Some(found) => {
                let line = found.description(name, shell.dialect);
                shell.say(&format!("{line}\n")).await?;
            }
            None if shell.is_bash() => {
                status = 1;
                shell.complain(format!("{name}: not found")).await;
            }
            None => {
                status = 127;
                shell.say(&format!("{name}: not found\n")).await?;
            }
        }
    }
    Ok(status)
}

/// `hash [-r] [NAME...]`: nothing is remembered, so there is nothing to show.
pub(super) async fn hash(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut status = 0;
    for name in &argv[1..] {
        if name == "-r" {
            continue;
        }
        if name.starts_with('-') {
            return Err(Stop::not_simulated(format!("hash {name}")));
        }
        if shell.look_up(name)?.is_none() {
            status = 1;
            shell.complain(format!("{name}: not found")).await;
        }
    }
    Ok(status)
}

/// What a command name stands for.
enum Found {
    Keyword,
    Alias(String),
    Function,
    Builtin { special: bool },
    Program(String),
}

impl Found {
    fn location(&self, name: &str) -> String {
        match self {
            Self::Program(path) => path.clone(),
            Self::Alias(text) => format!("alias {name}='{text}'"),
            _ => name.to_owned(),
        }
    }

    fn description(&self, name: &str, dialect: Dialect) -> String {
        match self {
            Self::Function if dialect == Dialect::Ash => format!("{name} is a function"),
            Self::Builtin { .. } if dialect == Dialect::Bash => format!("{name} is a shell builtin"),
            Self::Alias(text) => format!("{name} is an alias for {text}"),
            Self::Keyword => format!("{name} is a shell keyword"),
            Self::Function => format!("{name} is a shell function"),
            Self::Builtin { special: true } => format!("{name} is a special shell builtin"),
            Self::Builtin { special: false } => format!("{name} is a shell builtin"),
            Self::Program(path) => format!("{name} is {path}"),
        }
    }
}

impl Shell {
    fn look_up(&self, name: &str) -> Result<Option<Found>, Stop> {
        if let Some(text) = self.aliases.get(name).filter(|_| !self.is_bash()) {
            return Ok(Some(Found::Alias(text.clone())));
        }
        if is_keyword(name, self.dialect) {
            return Ok(Some(Found::Keyword));
        }
        if self.functions.contains_key(name) {
            return Ok(Some(Found::Function));
        }
        if find(name, self.dialect).is_some() {
            return Ok(Some(Found::Builtin { special: is_special(name) }));
        }
        match self.process.locate(name) {
            Located::At(path) => Ok(Some(Found::Program(path))),
            Located::NotFound | Located::NotExecutable(_) => Ok(None),
            Located::Unknown => {
                let image = &self.process.image;
                Err(Stop::not_simulated(format!("whether image {image} has the program {name}")))
            }
        }
    }

    /// Prints as a builtin: a broken pipe takes the shell with it.
    pub(super) async fn say(&self, text: &str) -> Result<(), Stop> {
        self.process.print(text).await.map_err(Stop::End)
    }
}
