//! Where runs are kept on this machine.
//!
//! The environment comes in as a value, so that two calls in one process can use different places.

use std::io::ErrorKind::AlreadyExists;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use periplus_core::event::RunId;
use periplus_run::{Durability, JournalWriter, StateDir, StateDirError};
use sha2::{Digest as _, Sha256};

use crate::args::StateArgs;
use crate::error::{CliError, chain};
use crate::io::Io;

/// How often the folder of a rehearsal is made anew when another process makes the same one.
const TRIES: u32 = 8;

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

/// All runs with the time at which their folder was last written to, the latest last. Names do not tell: they start with
/// the runbook's, and a rehearsal's stamp is the lab's.
pub(crate) fn by_age(dir: &StateDir) -> Result<Vec<(Option<Timestamp>, String)>, StateDirError> {
    let mut runs: Vec<_> = dir.runs()?.into_iter().map(|run| (written(dir, &run), run)).collect();
    runs.sort();
    Ok(runs)
}

/// When a run was last written to.
pub(crate) fn written(dir: &StateDir, run: &str) -> Option<Timestamp> {
    let files = std::fs::read_dir(dir.folder(run)).ok()?;
    let times = files.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok());
    Timestamp::try_from(times.max()?).ok()
}

/// The id of a run that starts now. Two runs within one instant of one process differ by the clock's nanoseconds.
pub(crate) fn run_id(runbook: &str, now: Timestamp) -> RunId {
    let noise = now.subsec_nanosecond().unsigned_abs() ^ std::process::id().rotate_left(16);
    RunId(format!("{runbook}-{}-{:04x}", now.strftime("%Y%m%dT%H%M%SZ"), (noise ^ (noise >> 16)) & 0xffff))
}

/// The id of a rehearsal. It depends on what the rehearsal depends on and on nothing else, since it is part of the
/// events: the same rehearsal is the same run.
pub(crate) fn rehearsal_id(runbook: &str, epoch: Timestamp, hash: &str, inputs: &str) -> RunId {
    let mut hasher = Sha256::new();
    hasher.update(hash);
    hasher.update(inputs);
    let digest = hasher.finalize();
    RunId(format!("{runbook}-{}-{:02x}{:02x}", epoch.strftime("%Y%m%dT%H%M%SZ"), digest[0], digest[1]))
}

/// The journal of a rehearsal, in the place of that of an earlier one with the same inputs.
pub(crate) fn rehearsal_journal(dir: &StateDir, run: &RunId) -> Result<JournalWriter, CliError> {
    let mut tries = 0;
    loop {
        // Gone already, or not ours to remove: creating tells.
        drop(std::fs::remove_dir_all(dir.folder(&run.0)));
        match dir.create(&run.0, Durability::Handed) {
            // The same rehearsal is starting in another process.
            Err(StateDirError::Io { source, .. }) if source.kind() == AlreadyExists && tries < TRIES => tries += 1,
            created => return Ok(created?),
        }
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
