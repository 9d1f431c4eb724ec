//! `kill`
//!
//! Invariant: a signal reaches only processes of the same container.

use crate::process::{Exit, Process};

/// Names of the signals that matter, with their numbers on Linux.
const SIGNALS: [(&str, u8); 9] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
];

/// The number of a signal given as a name, with or without `SIG`, or as a number.
pub(super) fn number(text: &str) -> Option<u8> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let named = SIGNALS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number);
    named.or_else(|| text.parse().ok().filter(|number| *number < 65))
}

/// `kill [-SIGNAL | -s SIGNAL] PID...`
pub(super) async fn main(process: Process) -> Exit {
    let (signal, pids) = match process.args() {
        [option, signal, pids @ ..] if option == "-s" => (number(signal), pids),
        [option, pids @ ..] if option.starts_with('-') && option.len() > 1 && option != "--" => {
            (number(&option[1..]), pids)
        }
        pids => (Some(15), pids),
    };
    let Some(signal) = signal else {
        return Exit::not_simulated(format!("kill {}", process.args().join(" ")));
    };
    let mut exit = Exit::SUCCESS;
    for pid in pids {
        let Ok(pid) = pid.parse::<u32>() else {
            return Exit::not_simulated(format!("kill {pid}"));
        };
        if !process.container.signal(pid, signal) {
            // dash puts its own name before the message.
            let text = if process.image.is_busybox() {
                format!("sh: can't kill pid {pid}: No such process\n")
            } else {
                "sh: 1: kill: No such process\n\n".to_owned()
            };
            process.warn(text).await;
            exit = Exit::FAILURE;
        }
    }
    // A signal to oneself arrives before the next command.
    tokio::task::yield_now().await;
    exit
}
