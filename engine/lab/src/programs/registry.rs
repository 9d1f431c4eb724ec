//! The one table of programs.
//!
//! Invariant: the table says what the lab can run; what an image holds is said by the image.

use super::{basic, cat, curl, echo, grep, head, printf, tail, test};
use crate::process::{Exit, Process};
use crate::shell;
use futures::future::BoxFuture;

/// A program's entry point.
pub type Main = fn(Process) -> BoxFuture<'static, Exit>;

/// Names a program's main function in the table.
macro_rules! main {
    ($function:path) => {
        |process| Box::pin($function(process))
    };
}

/// The entry point of a program. `program` is what the executable file stands for; a multi-call program such as `busybox`
/// picks by `called`, the name it was called by. `None` when the lab lacks it.
#[must_use]
pub fn find(program: &str, called: &str) -> Option<Main> {
    let name = if program == "busybox" { called } else { program };
    let main: Main = match name {
        "[" | "[[" | "test" => main!(test::main),
        "ash" | "dash" | "sh" => main!(shell::main),
        "cat" => main!(cat::cat),
        "curl" => main!(curl::main),
        "echo" => main!(echo::main),
        "false" => main!(basic::fail),
        "grep" | "egrep" | "fgrep" => main!(grep::main),
        "head" => main!(head::main),
        "pilot-agent" => main!(crate::mesh::agent::main),
        "printf" => main!(printf::main),
        "sleep" => main!(basic::sleep),
        "squid" => main!(crate::squid::main),
        "tail" => main!(tail::main),
        "tee" => main!(cat::tee),
        "true" => main!(basic::succeed),
        _ => return None,
    };
    Some(main)
}

/// The entry point of a program that a shell carries out itself, under the shell's own process number.
pub(crate) fn builtin(name: &str, busybox: bool) -> Option<Main> {
    match name {
        "echo" if !busybox => Some(main!(echo::dash)),
        name => find(name, name),
    }
}
