//! Writing a run's journal: ahead of every change, and on disk before the change goes out.
//!
//! The folder of a run is private to its user. A rehearsal's journal is written without flushing: its lab is gone when
//! the process is, so there is nothing to take back.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use periplus_core::event::Event;
use periplus_core::journal::{self, Header, Journal, JournalError};
use thiserror::Error;

/// The file of a run's folder that holds its events.
const JOURNAL_FILE: &str = "journal.jsonl";

/// How far a record must have come before the engine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Durable events are flushed to the disk, off the runtime's thread.
    Disk,
    /// Handed to the operating system. For rehearsals: order and time stamps do not depend on the disk.
    Handed,
}

/// Why the state directory could not be used.
#[derive(Debug, Error)]
pub enum StateDirError {
    /// Making, reading or writing failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// Such as `create`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// There is no run of that id.
    #[error("there is no run {run} in {}", dir.display())]
    NoSuchRun {
        /// The id that was asked for.
        run: String,
        /// The state directory's folder of runs.
        dir: PathBuf,
    },
    /// The journal is damaged or foreign.
    #[error("the journal of run {run} cannot be used")]
    Journal {
        /// The run.
        run: String,
        /// The cause.
        source: JournalError,
    },
}

/// The folder that holds all runs.
#[derive(Clone, Debug)]
pub struct StateDir {
    runs: PathBuf,
}

impl StateDir {
    /// Uses `dir`, which need not exist yet; runs are kept in its folder `runs`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { runs: dir.join("runs") }
    }

    /// Ids of all runs, oldest first as far as their names sort by time.
    ///
    /// # Errors
    /// When the folder exists and cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, StateDirError> {
        let entries = match fs::read_dir(&self.runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StateDirError::Io { doing: "read", path: self.runs.clone(), source }),
        };
        let mut runs: Vec<String> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                entry.path().join(JOURNAL_FILE).is_file().then(|| entry.file_name().into_string().ok())?
            })
            .collect();
        runs.sort();
        Ok(runs)
    }

    /// The folder of a run.
    #[must_use]
    pub fn folder(&self, run: &str) -> PathBuf {
        self.runs.join(run)
    }

    /// Reads a run's journal.
    ///
    /// # Errors
    /// When there is no such run, or its journal is damaged.
    pub fn read(&self, run: &str) -> Result<Journal, StateDirError> {
        let no_such_run = || StateDirError::NoSuchRun { run: run.to_owned(), dir: self.runs.clone() };
        if run.is_empty() || run.starts_with('.') || run.contains(['/', '\\']) {
            return Err(no_such_run());
        }
        let path = self.folder(run).join(JOURNAL_FILE);
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => no_such_run(),
            _ => StateDirError::Io { doing: "open", path: path.clone(), source },
        })?;
        journal::read(BufReader::new(file)).map_err(|source| StateDirError::Journal { run: run.to_owned(), source })
    }

    /// Makes the folder (mode 0700) and the journal of a new run.
    ///
    /// # Errors
    /// When it exists already or cannot be made.
    pub fn create(&self, run: &str, durability: Durability) -> Result<JournalWriter, StateDirError> {
        let folder = self.folder(run);
        private_dir(&self.runs, true).map_err(io_error("create", &self.runs))?;
        private_dir(&folder, false).map_err(io_error("create", &folder))?;
        let path = folder.join(JOURNAL_FILE);
        let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(io_error("create", &path))?;
        let mut writer = JournalWriter { file: Arc::new(file), path, durability };
        writer.write(journal::line(&Header::default()).as_bytes())?;
        if durability == Durability::Disk {
            for dir in [&folder, &self.runs] {
                File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("flush", dir))?;
            }
        }
        Ok(writer)
    }

    /// Opens the journal of a run to add to it, after what `journal` holds; a torn end is cut off first.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, run: &str, journal: &Journal) -> Result<JournalWriter, StateDirError> {
        let path = self.folder(run).join(JOURNAL_FILE);
        let file = OpenOptions::new().append(true).open(&path).map_err(io_error("open", &path))?;
        file.set_len(journal.whole_bytes).map_err(io_error("truncate", &path))?;
        Ok(JournalWriter { file: Arc::new(file), path, durability: Durability::Disk })
    }
}

#[cfg(unix)]
fn private_dir(path: &Path, recursive: bool) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(recursive).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_dir(path: &Path, recursive: bool) -> io::Result<()> {
    DirBuilder::new().recursive(recursive).create(path)
}

fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StateDirError + 'a {
    move |source| StateDirError::Io { doing, path: path.to_owned(), source }
}

/// Appends events to one journal.
#[derive(Debug)]
pub struct JournalWriter {
    file: Arc<File>,
    path: PathBuf,
    durability: Durability,
}

impl JournalWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StateDirError> {
        (&*self.file).write_all(bytes).map_err(io_error("write", &self.path))
    }

    /// Appends a batch in one write and, if one of its events asks for it, one flush: the group commit that parallel
    /// changes share. Progress is left out.
    ///
    /// # Errors
    /// When the disk refuses; no change may go out then.
    pub async fn append(&mut self, events: &[Event]) -> Result<(), StateDirError> {
        let facts = || events.iter().filter(|event| !event.kind.is_progress());
        let text: String = facts().map(journal::line).collect();
        if !text.is_empty() {
            self.write(text.as_bytes())?;
        }
        if self.durability == Durability::Disk && facts().any(|event| event.kind.is_durable()) {
            let file = Arc::clone(&self.file);
            let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
            synced.map_err(io::Error::other).flatten().map_err(io_error("flush", &self.path))?;
        }
        Ok(())
    }
}
