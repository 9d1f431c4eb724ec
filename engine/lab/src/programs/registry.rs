//! The one table of programs.
//!
//! Invariant: the table says what the lab can run; what an image holds is said by the image.

use super::basic;
use crate::process::{Exit, Process};
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
        "true" => main!(basic::succeed),
        "false" => main!(basic::fail),
        "sleep" => main!(basic::sleep),
        "pilot-agent" => main!(crate::mesh::agent::main),
        "squid" => main!(crate::squid::main),
        _ => return None,
    };
    Some(main)
}
