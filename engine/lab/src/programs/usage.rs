//! The complaints about a wrong call that many programs share.
//!
//! Invariant: GNU and BusyBox word them differently; the image decides.

use crate::process::{Exit, Process};

/// BusyBox answers a wrong call with its version and a page of usage, which differ from build to build.
pub(super) fn busybox(process: &Process) -> Exit {
    Exit::not_simulated(format!("the usage text of {} for {:?}", process.name(), process.args()))
}

/// `missing operand` in GNU's words.
pub(super) async fn gnu_missing_operand(process: &Process) -> Exit {
    process.warn(format!("{0}: missing operand\nTry '{0} --help' for more information.\n", process.name())).await;
    Exit::FAILURE
}

/// A call with an unknown option: in BusyBox's or GNU's words.
pub(super) async fn invalid_option(process: &Process, option: char) -> Exit {
    let name = process.name();
    if process.image.is_busybox() {
        process.warn(format!("{name}: unrecognized option: {option}\n")).await;
    } else {
        process
            .warn(format!("{name}: invalid option -- '{option}'\nTry '{name} --help' for more information.\n"))
            .await;
    }
    Exit::FAILURE
}
