//! The one table of programs.
//!
//! Invariant: the table says what the lab can run; what an image holds is said by the image.

use super::usage::Wording;
use super::{
    awk, basic, cat, curl, diff, digest, dump, echo, env, expr, files, grep, head, kill, lines, list, machine, net,
    openssl, printf, search, sed, seq, server, sort, tail, tar, test, text, who,
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
        "bash" => main!(shell::bash),
        "awk" | "mawk" | "nawk" => main!(awk::main),
        "arch" => main!(machine::arch),
        "cmp" => main!(diff::cmp),
        "comm" => main!(lines::comm),
        "diff" => main!(diff::diff),
        "expr" => main!(expr::main),
        "find" => main!(search::main),
        "hd" | "hexdump" => main!(dump::hexdump),
        "md5sum" | "sha1sum" | "sha256sum" | "sha512sum" => main!(digest::sum),
        "mktemp" => main!(machine::mktemp),
        "nc" => main!(net::nc),
        "nl" => main!(lines::nl),
        "nohup" => main!(machine::nohup),
        "nproc" => main!(machine::nproc),
        "nslookup" => main!(net::nslookup),
        "od" => main!(dump::od),
        "openssl" => main!(openssl::main),
        "paste" => main!(lines::paste),
        "perl" => main!(machine::perl),
        "pidof" => main!(machine::pidof),
        "ps" => main!(machine::ps),
        "rev" => main!(lines::rev),
        "tac" => main!(lines::tac),
        "time" => main!(machine::time),
        "tty" => main!(machine::tty),
        "uname" => main!(machine::uname),
        "wget" => main!(net::wget),
        "xxd" => main!(dump::xxd),
        "yes" => main!(lines::yes),
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
        "agnhost" => main!(server::agnhost),
        "bootcamp" => main!(server::bootcamp),
        "hello" => main!(server::hello),
        "hello-app" => main!(server::hello_app),
        "helloworld" => main!(server::helloworld),
        "http-echo" => main!(server::http_echo),
        "httpd-foreground" => main!(server::httpd),
        "nginx" => main!(server::nginx),
        "pause" => main!(server::pause),
        "redis-server" => main!(server::redis),
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
        "seq" => main!(seq::main),
        "sleep" => main!(basic::sleep),
        "sort" => main!(sort::main),
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
pub(crate) fn builtin(name: &str, wording: Wording) -> Option<Main> {
    Some(match (name, wording) {
        ("echo", Wording::Dash) => main!(echo::dash),
        ("kill", Wording::Dash) => main!(kill::dash),
        ("kill", Wording::Bash) => main!(kill::bash),
        ("printf", Wording::Dash) => main!(printf::dash),
        ("printf", Wording::Bash) => main!(printf::bash),
        ("[" | "test", Wording::Dash) => main!(test::dash),
        ("[" | "test", Wording::Bash) => main!(test::bash),
        (name, _) => return find(name, name),
    })
}
