//! Builtins about the shell's own process: aliases, jobs, limits, the mask of new files.
//!
//! Invariant: what they say about limits and times is what a container without limits says.

use super::super::command::quote;
use super::super::state::{Dialect, Flow, Shell, Stop};
use std::sync::Arc;

/// `alias [NAME[=TEXT]...]`
pub(super) async fn alias(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if argv.len() == 1 {
        let prefix = if shell.is_bash() { "alias " } else { "" };
        let lines: String = shell.aliases.iter().map(|(name, text)| format!("{prefix}{name}='{text}'\n")).collect();
        shell.say(&lines).await?;
        return Ok(0);
    }
    let mut status = 0;
    for arg in &argv[1..] {
        match arg.split_once('=') {
            Some((name, text)) if !name.is_empty() => {
                if shell.aliases.len() > 1000 {
                    return Err(Stop::not_simulated("that many aliases"));
                }
                Arc::make_mut(&mut shell.aliases).insert(name.to_owned(), text.to_owned());
            }
            _ => match shell.aliases.get(arg).cloned() {
                Some(text) => {
                    let prefix = if shell.is_bash() { "alias " } else { "" };
                    shell.say(&format!("{prefix}{arg}='{text}'\n")).await?;
                }
                None => {
                    status = 1;
                    if shell.is_bash() {
                        shell.complain(format!("{arg}: not found")).await;
                    } else {
                        shell.process.warn(format!("alias: {arg} not found\n")).await;
                    }
                }
            },
        }
    }
    Ok(status)
}

/// `unalias [-a] NAME...`
pub(super) async fn unalias(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut status = 0;
    for arg in &argv[1..] {
        let aliases = Arc::make_mut(&mut shell.aliases);
        if arg == "-a" {
            aliases.clear();
        } else if aliases.remove(arg).is_none() {
            status = 1;
            shell.complain(format!("{arg}: not found")).await;
        }
    }
    Ok(status)
}

/// `jobs`: the commands in the background.
pub(super) async fn jobs(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if let Some(option) = argv.get(1) {
        if option != "-p" {
            return Err(Stop::not_simulated(format!("jobs {option}")));
        }
        let pids: String = shell.jobs.iter().map(|job| format!("{}\n", job.pid)).collect();
        shell.say(&pids).await?;
        return Ok(0);
    }
    let count = shell.jobs.len();
    let mut lines = String::new();
    for (index, job) in shell.jobs.iter().enumerate() {
        let mark = match count - index {
            1 => '+',
            2 => '-',
            _ => ' ',
        };
        let state = if job.task.is_finished() { "Done" } else { "Running" };
        let text = &job.text;
        lines.push_str(&match shell.dialect {
            Dialect::Bash => {
                let suffix = if state == "Running" { " &" } else { "" };
                format!("[{}]{mark}  {state:<24}{text}{suffix}\n", index + 1)
            }
            Dialect::Dash => format!("[{}] {mark} {state:<26}{text}\n", index + 1),
            Dialect::Ash => format!("[{}]{mark}  {state:<20}{text}\n", index + 1),
        });
    }
    shell.jobs.retain(|job| !job.task.is_finished());
    shell.say(&lines).await?;
    Ok(0)
}

/// `let EXPRESSION...`
pub(super) async fn let_(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut value = 0;
    for expression in &argv[1..] {
        value = shell.evaluate(expression).await?;
    }
    Ok(u8::from(value == 0))
}

/// `times`: nothing has taken any time of a processor.
pub(super) async fn times(shell: &mut Shell, _argv: Vec<String>) -> Flow {
    let line = if shell.is_bash() { "0m0.000s 0m0.000s\n" } else { "0m0.000000s 0m0.000000s\n" };
    let line = if shell.is_busybox() { "0m0.000s 0m0.000s\n" } else { line };
    shell.say(&line.repeat(2)).await?;
    Ok(0)
}

/// `ulimit`: the limits that a container runtime sets.
pub(super) async fn ulimit(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let line = match argv.get(1).map(String::as_str) {
        Some("-n" | "-Sn" | "-Hn") if argv.len() == 2 => "1048576",
        None | Some("-f" | "-c" | "-u") if argv.len() <= 2 => "unlimited",
        _ => return Err(Stop::not_simulated(format!("ulimit {}", argv[1..].join(" ")))),
    };
    shell.say(&format!("{line}\n")).await?;
    Ok(0)
}

/// `umask [-S] [MODE]`
pub(super) async fn umask(shell: &mut Shell, argv: Vec<String>) -> Flow {
    match argv.get(1).map(String::as_str) {
        None => {
            let line = format!("{:04o}\n", shell.process.fs.umask());
            shell.say(&line).await?;
        }
        Some("-S") if argv.len() == 2 => {
            let of = |shift: u32| {
                let bits = !(shell.process.fs.umask() >> shift) & 7;
                let letters = [(4, 'r'), (2, 'w'), (1, 'x')];
                letters.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| *letter).collect::<String>()
            };
            let line = format!("u={},g={},o={}\n", of(6), of(3), of(0));
            shell.say(&line).await?;
        }
        Some(mode) => match u32::from_str_radix(mode, 8) {
            Ok(mask) if mask <= 0o777 => shell.process.fs = shell.process.fs.with_umask(mask),
            _ if mode.bytes().all(|byte| byte.is_ascii_digit()) => {
                let text = match shell.dialect {
                    Dialect::Dash => format!("Illegal number: {mode}"),
                    Dialect::Ash => format!("illegal mode: {mode}"),
                    Dialect::Bash => format!("{mode}: octal number out of range"),
                };
                return Err(shell.fatal(text).await);
            }
            _ => return Err(Stop::not_simulated(format!("umask {}", quote(mode)))),
        },
    }
    Ok(0)
}
