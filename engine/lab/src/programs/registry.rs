//! The one table of programs.
//!
//! Invariant: the table says what the lab can run; what an image holds is said by the image.

use super::{
    basic, cat, curl, digest, echo, env, files, grep, head, kill, list, printf, sed, tail, tar, test, text, who,
};
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
        "base64" => main!(digest::base64),
        "basename" | "dirname" => main!(text::path_part),
        "cat" => main!(cat::cat),
        "chmod" => main!(files::chmod),
        "cp" | "mv" => main!(files::transfer),
        "curl" => main!(curl::main),
        "cut" => main!(text::cut),
        "date" => main!(who::date),
        "echo" => main!(echo::main),
        "egrep" | "fgrep" | "grep" => main!(grep::main),
        "env" => main!(env::env),
        "false" => main!(basic::fail),
        "getent" => main!(digest::getent),
        "head" => main!(head::main),
        "hostname" => main!(who::hostname),
        "id" => main!(who::id),
        "kill" => main!(kill::main),
        "ln" => main!(files::link),
        "ls" => main!(list::ls),
        "mkdir" => main!(files::mkdir),
        "pilot-agent" => main!(crate::mesh::agent::main),
        "printenv" => main!(env::printenv),
        "printf" => main!(printf::main),
        "pwd" => main!(who::pwd),
        "readlink" | "realpath" => main!(files::readlink),
        "rm" | "rmdir" => main!(files::remove),
        "sed" => main!(sed::main),
        "seq" => main!(text::seq),
        "sha256sum" => main!(digest::sha256sum),
        "sleep" => main!(basic::sleep),
        "sort" => main!(text::sort),
        "squid" => main!(crate::squid::main),
        "stat" => main!(list::stat),
        "tail" => main!(tail::main),
        "tar" => main!(tar::tar),
        "tee" => main!(cat::tee),
        "timeout" => main!(env::timeout),
        "touch" => main!(files::touch),
        "tr" => main!(text::tr),
        "true" => main!(basic::succeed),
        "uniq" => main!(text::uniq),
        "wc" => main!(text::wc),
        "which" => main!(env::which),
        "whoami" => main!(who::whoami),
        "xargs" => main!(env::xargs),
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
