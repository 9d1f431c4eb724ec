//! Commands that the shell carries out itself.
//!
//! Invariant: the table holds what dash and ash hold; a builtin they have and ours lacks is not simulated.

mod control;
mod options;
mod variables;

use super::state::{Flow, Shell, Stop};
use crate::programs::{self, Main};
use futures::future::BoxFuture;

/// A builtin that needs the shell's state.
type Run = for<'a> fn(&'a mut Shell, Vec<String>) -> BoxFuture<'a, Flow>;

/// How a builtin is carried out.
pub(super) enum Builtin {
    /// With the shell's state.
    Shell(Run),
    /// As the program of the same name, inside the shell's process.
    Program(Main),
}

/// Builtins whose failures end the shell and whose assignments last: POSIX calls them special.
pub(super) fn is_special(name: &str) -> bool {
    matches!(
        name,
        ":" | "."
            | "break"
            | "continue"
            | "eval"
            | "exec"
            | "exit"
            | "export"
            | "readonly"
            | "return"
            | "set"
            | "shift"
            | "times"
            | "trap"
            | "unset"
    )
}

pub(super) fn find(name: &str, busybox: bool) -> Option<Builtin> {
    let run: Run = match name {
        ":" => |_, _| Box::pin(async { Ok(0) }),
        "." => |shell, argv| Box::pin(control::source(shell, argv)),
        "source" if busybox => |shell, argv| Box::pin(control::source(shell, argv)),
        "break" => |shell, argv| Box::pin(control::leave_loop(shell, argv)),
        "continue" => |shell, argv| Box::pin(control::leave_loop(shell, argv)),
        "cd" | "chdir" => |shell, argv| Box::pin(variables::cd(shell, argv)),
        "command" => |shell, argv| Box::pin(control::command(shell, argv)),
        "eval" => |shell, argv| Box::pin(control::eval(shell, argv)),
        "exec" => |shell, argv| Box::pin(control::exec(shell, argv)),
        "exit" => |shell, argv| Box::pin(control::exit(shell, argv)),
        "export" | "readonly" => |shell, argv| Box::pin(variables::declare(shell, argv)),
        "local" => |shell, argv| Box::pin(variables::local(shell, argv)),
        "pwd" => |shell, argv| Box::pin(variables::pwd(shell, argv)),
        "read" => |shell, argv| Box::pin(variables::read(shell, argv)),
        "return" => |shell, argv| Box::pin(control::leave_function(shell, argv)),
        "set" => |shell, argv| Box::pin(options::set(shell, argv)),
        "shift" => |shell, argv| Box::pin(variables::shift(shell, argv)),
        "trap" => |shell, argv| Box::pin(control::trap(shell, argv)),
        "type" => |shell, argv| Box::pin(control::describe(shell, argv)),
        "unset" => |shell, argv| Box::pin(variables::unset(shell, argv)),
        "wait" => |shell, argv| Box::pin(control::wait(shell, argv)),
        "[" | "echo" | "false" | "kill" | "printf" | "test" | "true" => {
            return programs::builtin(name, busybox).map(Builtin::Program);
        }
        "[[" if busybox => return programs::builtin(name, busybox).map(Builtin::Program),
        "alias" | "bg" | "fc" | "fg" | "getopts" | "hash" | "jobs" | "times" | "ulimit" | "umask" | "unalias" => {
            |_, argv| Box::pin(async move { Err(Stop::not_simulated(format!("the shell command {}", argv[0]))) })
        }
        "let" if busybox => |_, _| Box::pin(async { Err(Stop::not_simulated("the shell command let")) }),
        _ => return None,
    };
    Some(Builtin::Shell(run))
}
