//! Builtins that steer: leaving, evaluating, waiting, looking commands up.
//!
//! Invariant: none of them touches variables.

use super::super::expand::finished;
use super::super::state::{Flow, Shell, Stop};
use super::{find, is_special};
use crate::process::{Exit, Located};

/// A number argument, or the shell's complaint about it.
async fn number(shell: &Shell, argv: &[String]) -> Result<Option<u32>, Stop> {
    let Some(text) = argv.get(1) else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(shell.fatal(format!("{}: Illegal number: {text}", argv[0])).await),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a status is the low byte of the number, as exit(3) has it")]
fn low_byte(number: u32) -> u8 {
    number as u8
}

pub(super) async fn exit(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let status = number(shell, &argv).await?.map_or(shell.status, low_byte);
    Err(Stop::End(Exit::Code(status)))
}

pub(super) async fn leave_function(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let status = number(shell, &argv).await?.map_or(shell.status, low_byte);
    Err(Stop::Return(status))
}

/// `break` and `continue`
pub(super) async fn leave_loop(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let levels = number(shell, &argv).await?.unwrap_or(1);
    if levels == 0 {
        return Err(shell.fatal(format!("{}: Illegal number: 0", argv[0])).await);
    }
    if shell.loops == 0 {
        return Ok(0);
    }
    let levels = usize::try_from(levels).unwrap_or(usize::MAX).min(shell.loops);
    Err(if argv[0] == "break" { Stop::Break(levels) } else { Stop::Continue(levels) })
}

pub(super) async fn eval(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let script = argv[1..].join(" ");
    shell.enter()?;
    let flow = shell.script(&script).await;
    shell.leave();
    flow
}

/// `.`: runs a file in this shell.
pub(super) async fn source(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let Some(file) = argv.get(1) else { return Err(Stop::not_simulated(". without a file")) };
    let path = if file.contains('/') {
        shell.process.path(file)
    } else {
        let dirs = shell.var("PATH").unwrap_or_default().to_owned();
        let found = dirs.split(':').map(|dir| format!("{dir}/{file}")).find(|path| shell.process.fs.exists(path));
        match found {
            Some(path) => path,
            None => return Err(shell.fatal(format!(".: {file}: not found")).await),
        }
    };
    let data = match shell.process.fs.read(&path) {
        Ok(data) => data,
        Err(error) if shell.is_busybox() => return Err(shell.fatal(format!(".: can't open '{file}': {error}")).await),
        Err(crate::fs::FsError::NotFound) => {
            return Err(shell.fatal(format!(".: cannot open {file}: No such file")).await);
        }
        Err(error) => return Err(shell.fatal(format!(".: cannot open {file}: {error}")).await),
    };
    shell.enter()?;
    let flow = shell.script(&String::from_utf8_lossy(&data)).await;
    shell.leave();
    match flow {
        Err(Stop::Return(status)) => Ok(status),
        other => other,
    }
}

/// `exec PROGRAM ARGS`: the program takes the shell's place.
pub(super) async fn exec(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let fds = shell.process.fds.clone();
    let pid = shell.process.pid;
    match shell.prepare(argv[1..].to_vec(), fds).await? {
        Ok((mut process, path)) => {
            process.pid = pid;
            process.parent = shell.process.parent;
            shell.exit_trap = None;
            // The shell's own descriptors are gone with it: only the program holds the pipes now.
            shell.process.fds.clear();
            Err(Stop::End(process.run_at(path).await))
        }
        Err(status) => Err(Stop::End(Exit::Code(status))),
    }
}

pub(super) async fn wait(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if argv.len() == 1 {
        while !shell.jobs.is_empty() {
            let job = shell.jobs.remove(0);
            // A task that was cancelled with its container has no status of interest.
            if let Ok(exit) = job.task.await {
                finished(exit)?;
            }
        }
        return Ok(0);
    }
    let mut status = 0;
    for pid in &argv[1..] {
        let wanted = pid.parse::<u32>().ok();
        status = match shell.jobs.iter().position(|job| Some(job.pid) == wanted) {
            Some(index) => {
                let job = shell.jobs.remove(index);
                match job.task.await {
                    Ok(exit) => finished(exit)?,
                    Err(_) => 127,
                }
            }
            None => 127,
        };
    }
    Ok(status)
}

/// `command [-v|-V] NAME [ARG...]`
pub(super) async fn command(shell: &mut Shell, argv: Vec<String>) -> Flow {
    match argv.get(1).map(String::as_str) {
        None => Ok(0),
        Some("-v") => {
            let mut status = 0;
            for name in &argv[2..] {
                match shell.look_up(name)? {
                    Some(found) => {
                        let line = format!("{}\n", found.location(name));
                        shell.say(&line).await?;
                    }
                    None => status = 127,
                }
            }
            Ok(status)
        }
        Some("-V") => describe(shell, argv[1..].to_vec()).await,
        Some(option) if option.starts_with('-') => Err(Stop::not_simulated(format!("command {option}"))),
        Some(_) => {
            let argv = argv[1..].to_vec();
            match find(&argv[0], shell.is_busybox()) {
                Some(super::Builtin::Shell(run)) => run(shell, argv).await,
                Some(super::Builtin::Program(_)) | None => {
                    let fds = shell.process.fds.clone();
                    shell.program(argv, fds).await
                }
            }
        }
    }
}

/// `type NAME...`
pub(super) async fn describe(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut status = 0;
    for name in &argv[1..] {
        let line = match shell.look_up(name)? {
            Some(found) => found.description(name),
            None => {
                status = 127;
                format!("{name}: not found")
            }
        };
        shell.say(&format!("{line}\n")).await?;
    }
    Ok(status)
}

/// `trap`: only what happens at the shell's exit is simulated, and forgetting a trap.
pub(super) async fn trap(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let [_, action, conditions @ ..] = argv.as_slice() else {
        return Err(Stop::not_simulated("trap without arguments"));
    };
    for condition in conditions {
        match condition.as_str() {
            "EXIT" | "0" => shell.exit_trap = (action != "-" && !action.is_empty()).then(|| action.clone()),
            // By default nothing is trapped.
            _ if action == "-" => {}
            _ => return Err(Stop::not_simulated(format!("trap for {condition}"))),
        }
    }
    Ok(0)
}

/// What a command name stands for.
enum Found {
    Keyword,
    Function,
    Builtin { special: bool },
    Program(String),
}

impl Found {
    fn location<'a>(&'a self, name: &'a str) -> &'a str {
        match self {
            Self::Program(path) => path,
            _ => name,
        }
    }

    fn description(&self, name: &str) -> String {
        match self {
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
        const KEYWORDS: [&str; 16] = [
            "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until",
            "while",
        ];
        if KEYWORDS.contains(&name) {
            return Ok(Some(Found::Keyword));
        }
        if self.functions.contains_key(name) {
            return Ok(Some(Found::Function));
        }
        if find(name, self.is_busybox()).is_some() {
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
