//! Commands that the shell carries out itself.
//!
//! Invariant: the table holds what dash and ash hold; a builtin they have and ours lacks is not simulated.

mod control;
mod lookup;
mod misc;
mod options;
mod read;
mod variables;

use super::state::{Dialect, Flow, Shell, Stop};
use crate::programs::{self, Main, Wording};
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

pub(super) fn find(name: &str, dialect: Dialect) -> Option<Builtin> {
    let rich = dialect != Dialect::Dash;
    let bash = dialect == Dialect::Bash;
    let run: Run = match name {
        ":" => |_, _| Box::pin(async { Ok(0) }),
        "." => |shell, argv| Box::pin(control::source(shell, argv)),
        "source" if rich => |shell, argv| Box::pin(control::source(shell, argv)),
        "alias" => |shell, argv| Box::pin(misc::alias(shell, argv)),
        "break" | "continue" => |shell, argv| Box::pin(control::leave_loop(shell, argv)),
        "cd" => |shell, argv| Box::pin(variables::cd(shell, argv)),
        "chdir" if !bash => |shell, argv| Box::pin(variables::cd(shell, argv)),
        "command" => |shell, argv| Box::pin(lookup::command(shell, argv)),
        "builtin" if bash => |shell, argv| Box::pin(lookup::only_builtin(shell, argv)),
        "declare" | "typeset" if bash => |shell, argv| Box::pin(variables::declare(shell, argv)),
        "eval" => |shell, argv| Box::pin(control::eval(shell, argv)),
        "exec" => |shell, argv| Box::pin(control::exec(shell, argv)),
        "exit" => |shell, argv| Box::pin(control::exit(shell, argv)),
        "export" | "readonly" => |shell, argv| Box::pin(variables::declare(shell, argv)),
        "getopts" => |shell, argv| Box::pin(options::getopts(shell, argv)),
        "hash" => |shell, argv| Box::pin(lookup::hash(shell, argv)),
        "jobs" => |shell, argv| Box::pin(misc::jobs(shell, argv)),
        "let" if rich => |shell, argv| Box::pin(misc::let_(shell, argv)),
        "local" => |shell, argv| Box::pin(variables::local(shell, argv)),
        "pwd" => |shell, argv| Box::pin(variables::pwd(shell, argv)),
        "read" => |shell, argv| Box::pin(read::read(shell, argv)),
        "return" => |shell, argv| Box::pin(control::leave_function(shell, argv)),
        "set" => |shell, argv| Box::pin(options::set(shell, argv)),
        "shift" => |shell, argv| Box::pin(variables::shift(shell, argv)),
        "times" => |shell, argv| Box::pin(misc::times(shell, argv)),
        "trap" => |shell, argv| Box::pin(control::trap(shell, argv)),
        "type" => |shell, argv| Box::pin(lookup::describe(shell, argv)),
        "ulimit" => |shell, argv| Box::pin(misc::ulimit(shell, argv)),
        "umask" => |shell, argv| Box::pin(misc::umask(shell, argv)),
        "unalias" => |shell, argv| Box::pin(misc::unalias(shell, argv)),
        "unset" => |shell, argv| Box::pin(variables::unset(shell, argv)),
        "wait" => |shell, argv| Box::pin(control::wait(shell, argv)),
        "[" | "echo" | "false" | "kill" | "printf" | "test" | "true" => {
            return programs::builtin(name, wording(dialect)).map(Builtin::Program);
        }
        "[[" if dialect == Dialect::Ash => {
            return programs::builtin(name, Wording::BusyBox).map(Builtin::Program);
        }
        "bg" | "fc" | "fg" => missing,
        "mapfile" | "readarray" | "shopt" | "enable" | "help" | "history" | "compgen" | "complete" | "compopt"
        | "dirs" | "disown" | "caller" | "bind" | "logout" | "popd" | "pushd" | "suspend"
            if bash =>
        {
            missing
        }
        _ => return None,
    };
    Some(Builtin::Shell(run))
}

fn wording(dialect: Dialect) -> Wording {
    match dialect {
        Dialect::Dash => Wording::Dash,
        Dialect::Ash => Wording::BusyBox,
        Dialect::Bash => Wording::Bash,
    }
}

/// A builtin that the shell has and the lab lacks.
fn missing(_shell: &mut Shell, argv: Vec<String>) -> BoxFuture<'_, Flow> {
    Box::pin(async move { Err(Stop::not_simulated(format!("the shell command {}", argv[0]))) })
}
