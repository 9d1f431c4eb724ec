//! Where runs are kept on this machine.
//!
//! The environment comes in as a value, so that two calls in one process can use different places.

use std::path::{Path, PathBuf};

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
