//! The complaints about a wrong call that many programs share.
//!
//! Invariant: GNU and BusyBox word them differently; the image decides.

use crate::process::{Exit, Process};

/// Whose words a program has that several packages bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// dash's builtins.
    Dash,
    /// BusyBox's programs and builtins.
    BusyBox,
    /// bash's builtins.
    Bash,
    /// GNU's programs.
    Gnu,
}

impl Wording {
    /// Whose programs the image has.
    pub(super) fn of(process: &Process) -> Self {
        if process.image.is_busybox() { Self::BusyBox } else { Self::Gnu }
    }
}

/// BusyBox answers a wrong call with its version and a page of usage, which differ from build to build.
pub(super) fn busybox(process: &Process) -> Exit {
    Exit::not_simulated(format!("the usage text of {} for {:?}", process.name(), process.args()))
}

/// A call that lacks operands.
pub(super) async fn incomplete(process: &Process, code: u8) -> Exit {
    if process.image.is_busybox() {
        return busybox(process);
    }
    let name = process.name();
    process.warn(format!("{name}: missing operand\nTry '{name} --help' for more information.\n")).await;
    Exit::Code(code)
}
