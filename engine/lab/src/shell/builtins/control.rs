//! Builtins that steer: leaving, evaluating, replacing the shell, waiting, trapping.
//!
//! Invariant: none of them touches variables.

use super::super::expand::finished;
use super::super::state::{Dialect, Flow, Shell, Stop};
use crate::fs::FsError;
use crate::process::Exit;
use crate::programs::signals;

/// A number argument, or the shell's complaint about it.
async fn number(shell: &mut Shell, argv: &[String]) -> Result<Option<u32>, Stop> {
    let Some(text) = argv.get(1) else { return Ok(None) };
    match (text.parse(), shell.dialect) {
        (Ok(number), _) => Ok(Some(number)),
        // bash takes a negative status for what its low byte says.
        (Err(_), Dialect::Bash) if text.parse::<i32>().is_ok() => Ok(text.parse::<i32>().ok().map(i32::cast_unsigned)),
        (Err(_), Dialect::Dash | Dialect::Ash) => Err(shell.fatal(format!("Illegal number: {text}")).await),
        (Err(_), Dialect::Bash) => {
            shell.complain(format!("{text}: numeric argument required")).await;
            Err(if argv[0] == "exit" { Stop::End(Exit::Code(2)) } else { Stop::Error(2) })
        }
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
    if shell.is_bash() && shell.calls == 0 {
        shell.complain("can only `return' from a function or sourced script").await;
        return Ok(2);
    }
    let status = number(shell, &argv).await?.map_or(shell.status, low_byte);
    Err(Stop::Return(status))
}

/// `break` and `continue`
pub(super) async fn leave_loop(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if shell.loops == 0 && shell.is_bash() {
        shell.complain("only meaningful in a `for', `while', or `until' loop").await;
        return Ok(0);
    }
    let levels = number(shell, &argv).await?.unwrap_or(1);
    if levels == 0 {
        let text = if shell.is_bash() { "0: loop count out of range" } else { "Illegal number: 0" };
        return Err(shell.fatal(text.to_owned()).await);
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
    if shell.is_bash() {
        shell.builtin = None;
    }
    shell.evals += 1;
    let flow = shell.script(&script).await;
    shell.evals -= 1;
    shell.leave();
    flow
}

/// `.`: runs a file in this shell.
pub(super) async fn source(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let Some(file) = argv.get(1) else {
        return match shell.dialect {
            Dialect::Dash => Ok(0),
            Dialect::Ash => Ok(2),
            Dialect::Bash => Err(Stop::not_simulated(". without a file")),
        };
    };
    let mut path = shell.process.path(file);
    if !file.contains('/') {
        let dirs = shell.var("PATH").unwrap_or_default().to_owned();
        let found = dirs.split(':').map(|dir| format!("{dir}/{file}")).find(|path| shell.process.fs.exists(path));
        match (found, shell.dialect) {
            (Some(found), _) => path = found,
            // bash goes on to look in the working directory.
            (None, Dialect::Bash) => {}
            (None, Dialect::Dash) => return Err(shell.fatal(format!("{file}: not found")).await),
            (None, Dialect::Ash) if shell.process.fs.exists(&path) => {}
            (None, Dialect::Ash) => return Err(shell.fatal(format!("{file}: not found")).await),
        }
    }
    let data = match shell.process.fs.read(&path) {
        Ok(data) => data,
        Err(error) => {
            let text = match (shell.dialect, error) {
                (Dialect::Ash, error) => format!("can't open '{file}': {error}"),
                (Dialect::Dash, FsError::NotFound) => format!("cannot open {file}: No such file"),
                (Dialect::Dash, error) => format!("cannot open {file}: {error}"),
                (Dialect::Bash, error) => {
                    shell.builtin = None;
                    format!("{file}: {error}")
                }
            };
            return Err(shell.fatal(text).await);
        }
    };
    shell.enter()?;
    let saved = (argv.len() > 2).then(|| std::mem::replace(&mut shell.params, argv[2..].to_vec()));
    let saved = saved.filter(|_| shell.dialect != Dialect::Dash);
    // Complaints about what the file does name the file.
    shell.builtin = (!shell.is_bash()).then(|| path.clone());
    let (name, from_file) = (shell.name.clone(), shell.from_file);
    if shell.is_bash() {
        shell.name.clone_from(file);
    }
    shell.from_file = true;
    shell.calls += 1;
    let flow = shell.script(&String::from_utf8_lossy(&data)).await;
    shell.calls -= 1;
    shell.from_file = from_file;
    shell.name = name;
    if let Some(params) = saved {
        shell.params = params;
    }
    shell.leave();
    match flow {
        Err(Stop::Return(status)) => Ok(status),
        other => other,
    }
}

/// `exec PROGRAM ARGS`: the program takes the shell's place.
pub(super) async fn exec(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if argv[1].starts_with('-') && shell.dialect != Dialect::Dash {
        return Err(Stop::not_simulated(format!("exec {}", argv[1])));
    }
    let fds = shell.process.fds.clone();
    let pid = shell.process.pid;
    match shell.prepare(argv[1..].to_vec(), fds).await? {
        Ok((mut process, path)) => {
            process.pid = pid;
            process.parent = shell.process.parent;
            shell.traps = super::super::trap::Traps::default();
            // The shell's own descriptors are gone with it: only the program holds the pipes now.
            shell.process.fds.clear();
            Err(Stop::End(process.run_at(path).await))
        }
        Err(status) => Err(Stop::End(Exit::Code(status))),
    }
}

/// `wait [PID|%JOB...]`
pub(super) async fn wait(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if argv.len() == 1 {
        while !shell.jobs.is_empty() {
            let mut job = shell.jobs.remove(0);
            match shell.attend_job(&mut job.task).await? {
                Ok(Ok(exit)) => {
                    finished(exit)?;
                }
                // A task that was cancelled with its container has no status of interest.
                Ok(Err(_)) => {}
                Err(status) => {
                    shell.jobs.insert(0, job);
                    return Ok(status);
                }
            }
        }
        return Ok(0);
    }
    let mut status = 0;
    for wanted in &argv[1..] {
        let index = match wanted.strip_prefix('%').map(str::parse::<usize>) {
            Some(Ok(number)) => number.checked_sub(1).filter(|index| *index < shell.jobs.len()),
            Some(Err(_)) => return Err(Stop::not_simulated(format!("wait {wanted}"))),
            None => match wanted.parse::<u32>() {
                Ok(pid) => shell.jobs.iter().position(|job| job.pid == pid),
                Err(_) if shell.is_bash() => return Err(Stop::not_simulated(format!("wait {wanted}"))),
                Err(_) => return Err(shell.fatal(format!("Illegal number: {wanted}")).await),
            },
        };
        let Some(index) = index else {
            if shell.is_bash() {
                shell.complain(format!("pid {wanted} is not a child of this shell")).await;
            }
            status = 127;
            continue;
        };
        let mut job = shell.jobs.remove(index);
        status = match shell.attend_job(&mut job.task).await? {
            Ok(Ok(exit)) => {
                if let Exit::Signal(signal) = exit {
                    shell.tell_death(signal, job.pid, &job.text).await;
                }
                finished(exit)?
            }
            Ok(Err(_)) => 127,
            Err(status) => {
                shell.jobs.insert(index, job);
                return Ok(status);
            }
        };
    }
    Ok(status)
}

/// `trap [ACTION] [CONDITION...]`
pub(super) async fn trap(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut args = &argv[1..];
    if args.first().is_some_and(|arg| arg == "--") {
        args = &args[1..];
    }
    if args.is_empty() || args[0] == "-p" {
        return list_traps(shell).await;
    }
    if args[0].starts_with('-') && args[0].len() > 1 {
        return Err(Stop::not_simulated(format!("trap {}", args[0])));
    }
    // One argument, or a first one that is a signal's number, puts the default back.
    let (action, conditions) =
        if args.len() == 1 || args[0].parse::<u8>().is_ok() { ("-", args) } else { (args[0].as_str(), &args[1..]) };
    let mut status = 0;
    for condition in conditions {
        let bare = condition.strip_prefix("SIG").filter(|_| shell.dialect != Dialect::Dash).unwrap_or(condition);
        let number = match bare {
            "EXIT" => Some(0),
            "ERR" | "DEBUG" | "RETURN" if shell.is_bash() => {
                return Err(Stop::not_simulated(format!("trap for {condition}")));
            }
            // dash knows the names without their beginning only.
            name if shell.dialect == Dialect::Dash && name.starts_with("SIG") => None,
            name => signals::number(name),
        };
        let Some(number) = number else {
            match shell.dialect {
                Dialect::Dash => shell.process.warn(format!("trap: {condition}: bad trap\n")).await,
                Dialect::Ash | Dialect::Bash => {
                    shell.complain(format!("{condition}: invalid signal specification")).await;
                }
            }
            status = 1;
            continue;
        };
        if action == "-" {
            shell.traps.actions.remove(&number);
        } else {
            shell.traps.actions.insert(number, action.to_owned());
        }
        if number != 0 {
            shell.listen();
        }
    }
    Ok(status)
}

async fn list_traps(shell: &mut Shell) -> Flow {
    let name = |signal: u8| match (signal, signals::name(signal)) {
        (0, _) => "EXIT".to_owned(),
        (_, Some(name)) if shell.is_bash() => format!("SIG{name}"),
        (_, Some(name)) => name.to_owned(),
        (signal, None) => signal.to_string(),
    };
    let lines: String = shell
        .traps
        .actions
        .iter()
        .map(|(signal, action)| format!("trap -- '{}' {}\n", action.replace('\'', "'\\''"), name(*signal)))
        .collect();
    shell.say(&lines).await?;
    Ok(0)
}
