//! `kill`
//!
//! Invariant: a signal reaches only processes of the same container.

use super::signals::{name, number};
use super::usage::Wording;
use crate::process::{Exit, Process};

/// `kill [-SIGNAL | -s SIGNAL] PID...`
pub(super) async fn main(process: Process) -> Exit {
    let wording = Wording::of(&process);
    run(process, wording).await
}

/// dash's builtin.
pub(super) async fn dash(process: Process) -> Exit {
    run(process, Wording::Dash).await
}

/// bash's builtin.
pub(super) async fn bash(process: Process) -> Exit {
    run(process, Wording::Bash).await
}

async fn run(process: Process, wording: Wording) -> Exit {
    let args = process.args();
    if args.first().is_some_and(|arg| arg == "-l") && args.len() > 1 {
        return translate(&process, wording, &args[1..]).await;
    }
    let (wanted, pids) = match args {
        [option, signal, pids @ ..] if option == "-s" || option == "-n" && wording == Wording::Bash => {
            (Some(signal.as_str()), pids)
        }
        [option, pids @ ..] if option == "--" => (None, pids),
        [option, pids @ ..] if option.starts_with('-') && option.len() > 1 => (Some(&option[1..]), pids),
        pids => (None, pids),
    };
    let Some(signal) = number(wanted.unwrap_or("TERM")) else {
        let wanted = wanted.unwrap_or_default();
        return match wording {
            Wording::Dash => {
                let letter = wanted.chars().next().unwrap_or_default();
                process.fail(2, format!("Illegal option -{letter}")).await
            }
            Wording::BusyBox => process.fail(1, format!("bad signal name '{wanted}'")).await,
            Wording::Bash => process.fail(1, format!("{wanted}: invalid signal specification")).await,
            Wording::Gnu => Exit::not_simulated(format!("kill {}", args.join(" "))),
        };
    };
    if pids.is_empty() {
        return match wording {
            Wording::Dash => {
                let usage = "Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]";
                process.fail(2, usage).await
            }
            Wording::BusyBox => process.fail(1, "you need to specify whom to kill").await,
            Wording::Bash | Wording::Gnu => Exit::not_simulated("the usage text of kill"),
        };
    }
    let mut exit = Exit::SUCCESS;
    for text in pids {
        let Ok(pid) = text.parse::<u32>() else {
            if text.starts_with(['%', '-']) {
                return Exit::not_simulated(format!("kill {text}"));
            }
            exit = match wording {
                Wording::Dash => return process.fail(2, format!("Illegal number: {text}")).await,
                Wording::BusyBox => process.fail(1, format!("invalid number '{text}'")).await,
                Wording::Bash => process.fail(1, format!("{text}: arguments must be process or job IDs")).await,
                Wording::Gnu => return Exit::not_simulated(format!("kill {text}")),
            };
            continue;
        };
        if !process.container.signal(pid, signal) {
            exit = match wording {
                Wording::Dash => process.fail(1, "No such process\n").await,
                Wording::BusyBox => process.fail(1, format!("can't kill pid {pid}: No such process")).await,
                Wording::Bash | Wording::Gnu => process.fail(1, format!("({pid}) - No such process")).await,
            };
        }
    }
    // A signal to oneself arrives before the next command.
    tokio::task::yield_now().await;
    exit
}

/// `kill -l`: names for numbers, and, except in dash, numbers for names.
async fn translate(process: &Process, wording: Wording, wanted: &[String]) -> Exit {
    for text in wanted {
        // A status of a shell stands for the signal that gave it.
        let low = text.parse::<u8>().ok().map(|number| if number > 128 { number - 128 } else { number });
        let line = match (low.and_then(name), wording) {
            (Some(name), _) => name.to_owned(),
            (None, Wording::Dash) => return process.fail(2, format!("Illegal number: {text}")).await,
            (None, _) => match number(text) {
                Some(number) => number.to_string(),
                None => return Exit::not_simulated(format!("kill -l {text}")),
            },
        };
        if let Err(exit) = process.print(format!("{line}\n")).await {
            return exit;
        }
    }
    Exit::SUCCESS
}
