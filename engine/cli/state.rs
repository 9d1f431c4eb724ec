//! Where runs are kept on this machine.
//!
//! The environment comes in as a value, so that two calls in one process can use different places.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use periplus_core::event::RunId;
use periplus_run::{StateDir, StateDirError};

use crate::args::StateArgs;
use crate::error::{CliError, chain};
use crate::io::Io;

/// The state directory: `--state-dir`, else `$XDG_STATE_HOME/periplus`, else `~/.local/state/periplus`.
pub(crate) fn state_dir(args: &StateArgs, io: &Io) -> Result<StateDir, CliError> {
    if let Some(dir) = &args.state_dir {
        return Ok(StateDir::new(dir));
    }
    // By the XDG specification a relative path is to be ignored.
    let xdg = io.var("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || io.var("HOME").map(|home| Path::new(home).join(".local/state"));
    match xdg.or_else(home) {
        Some(base) => Ok(StateDir::new(&base.join("periplus"))),
        None => Err(CliError::invalid("there is no place to keep runs: neither XDG_STATE_HOME nor HOME is set")
            .help("name one with --state-dir DIR")),
    }
}

/// The id of a run that starts now. Two runs within one instant of one process differ by the clock's nanoseconds.
pub(crate) fn run_id(runbook: &str, now: Timestamp) -> RunId {
    let noise = now.subsec_nanosecond().unsigned_abs() ^ std::process::id().rotate_left(16);
    RunId(format!("{runbook}-{}-{:04x}", now.strftime("%Y%m%dT%H%M%SZ"), (noise ^ (noise >> 16)) & 0xffff))
}

impl From<StateDirError> for CliError {
    fn from(error: StateDirError) -> Self {
        let text = chain(&error);
        match error {
            StateDirError::NoSuchRun { .. } => Self::invalid(text).help("`periplus runs` lists the runs"),
            StateDirError::Io { .. } => Self::target(text).help("name another place with --state-dir DIR"),
            StateDirError::Journal { .. } => Self::target(text),
        }
    }
}
