//! From runbooks on disk to the pages they give.
//!
//! A folder of runbooks has one page each and an index of them. What a run saw lies beside its runbook, in a file that
//! is committed with it, so that a page can be made anew without the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use periplus_core::model::Runbook;
use periplus_core::outcome::RunResult;
use periplus_render::docs::{INDEX_MARKER, IndexEntry, PageSource, Verified, index, marker, page};
use periplus_run::StateDir;

use crate::args::StateArgs;
use crate::book::{self, Book, read_text};
use crate::error::CliError;
use crate::io::Io;
use crate::state::{by_age, state_dir, written};
use crate::whole::write;

/// Stands for the latest run that passed.
const LATEST: &str = "@latest";

/// Name of an index in its folder: the page that GitHub shows for the folder.
const INDEX: &str = "README.md";

/// Largest file of seen output that is read, in bytes.
const VERIFIED_BYTES: u64 = 16 << 20;

/// A page.
pub(crate) struct Page {
    /// Its file's name.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
}

/// The pages of some runbooks.
pub(crate) struct Pages {
    /// One for each runbook, in the order in which they were named, those of a folder by their names.
    pub(crate) pages: Vec<Page>,
    /// The page that lists them, where a folder was named.
    pub(crate) index: Option<Page>,
}

impl Pages {
    /// Makes the pages of runbooks and of folders of runbooks.
    pub(crate) fn of(named: &[PathBuf]) -> Result<Self, CliError> {
        let mut pages: Vec<Page> = Vec::new();
        let mut runbooks = Vec::new();
        let mut origins: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut is_folder = false;
        for path in named {
            let found = book::of_folder(path);
            is_folder |= found.is_some();
            for path in found.unwrap_or_else(|| vec![path.clone()]) {
                let book = Book::read(&path)?;
                let (text, runbook, verified) = made(&book)?;
                let name = format!("{}.md", runbook.name.value);
                if let Some(other) = origins.insert(name.clone(), path.clone()) {
                    let (other, path) = (other.display(), path.display());
                    let what = format!("{other} and {path} have the same name, {}", runbook.name.value);
                    return Err(CliError::invalid(what).help("give one of them another `metadata.name`"));
                }
                pages.push(Page { name, text });
                runbooks.push((runbook, verified));
            }
        }
        let entries: Vec<IndexEntry<'_>> = pages
            .iter()
            .zip(&runbooks)
            .map(|(page, (runbook, verified))| IndexEntry { page: &page.name, runbook, verified: verified.as_ref() })
            .collect();
        let index = is_folder.then(|| Page { name: INDEX.to_owned(), text: index(&entries) });
        Ok(Self { pages, index })
    }

    /// All pages, the index last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Page> {
        self.pages.iter().chain(&self.index)
    }

    /// Pages in `folder` that were made once and belong to no runbook now. Only an index knows of all there should be.
    pub(crate) fn orphans(&self, folder: &Path) -> Vec<PathBuf> {
        if self.index.is_none() {
            return Vec::new();
        }
        let mut orphans: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { return false };
                let is_page = path.extension().is_some_and(|extension| extension == "md");
                let text = if is_page { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
                let made = text.starts_with(&marker(stem)) || text.starts_with(INDEX_MARKER);
                made && !self.all().any(|page| path.file_name().is_some_and(|name| name == page.name.as_str()))
            })
            .collect();
        orphans.sort();
        orphans
    }
}

/// The page of one runbook.
fn made(book: &Book) -> Result<(String, Runbook, Option<Verified>), CliError> {
    let loaded = book.load();
    let (Some(runbook), Some(order)) = (loaded.runbook, loaded.order) else {
        return Err(CliError::Diagnostics { list: loaded.diagnostics, source: Some(book.source.clone()) });
    };
    let verified = seen(book)?;
    let hash = book.hash();
    let source = PageSource { runbook: &runbook, dag: &order.dag, hash: &hash, verified: verified.as_ref() };
    let text = page(&source);
    Ok((text, runbook, verified))
}

/// What a run saw, where that was written down.
fn seen(book: &Book) -> Result<Option<Verified>, CliError> {
    let path = book.verified();
    if !path.exists() {
        return Ok(None);
    }
    let about = |problem: String| {
        CliError::invalid(format!("{}: {problem}", path.display()))
            .help("delete it, or write it anew with `periplus docs RUNBOOK --verified RUN`")
    };
    let text = read_text(&path, VERIFIED_BYTES).map_err(|problem| about(problem.text()))?;
    serde_json::from_str(&text).map(Some).map_err(|error| about(error.to_string()))
}

/// Writes down beside a runbook what a run of it saw.
pub(crate) fn verify(runbook: &Path, run: &str, state: &StateArgs, io: &mut Io) -> Result<(), CliError> {
    let book = Book::read(runbook)?;
    let loaded = book.load();
    let Some(runbook) = loaded.runbook else {
        return Err(CliError::Diagnostics { list: loaded.diagnostics, source: Some(book.source.clone()) });
    };
    let dir = state_dir(state, io)?;
    let latest;
    let run = if run == LATEST {
        latest = latest_passed(&dir, &runbook.name.value)?;
        &latest
    } else {
        run
    };
    let journal = dir.read(run)?;
    let is_lab = journal.state.started.as_ref().is_some_and(|started| started.target.is_lab());
    // A rehearsal's own clock is the lab's.
    let day = if is_lab { written(&dir, run) } else { journal.state.started_at };
    let date = day.unwrap_or_else(Timestamp::now).to_zoned(TimeZone::UTC).date().to_string();
    let verified = Verified::of(&journal.state, &runbook.name.value, &date)
        .map_err(|reason| CliError::invalid(format!("run {run} cannot vouch for {}: {reason}", runbook.name.value)))?;
    if verified.runbook != book.hash() {
        io.message("note: the runbook has changed since that run; its page will say so\n");
    }
    let text = serde_json::to_string_pretty(&verified).expect("invariant: plain data with string keys");
    write(&book.verified(), &format!("{text}\n"))
}

/// The latest run of a runbook that passed.
fn latest_passed(dir: &StateDir, runbook: &str) -> Result<String, CliError> {
    let passed = |run: &String| {
        let state = dir.read(run).map(|journal| journal.state).ok();
        state.is_some_and(|state| {
            state.result == Some(RunResult::Passed)
                && state.started.is_some_and(|started| started.runbook.name == runbook)
        })
    };
    let runs = by_age(dir)?.into_iter().rev().map(|(_, run)| run);
    runs.filter(|run| run.starts_with(runbook)).find(passed).ok_or_else(|| {
        CliError::invalid(format!("no run of {runbook} has passed yet"))
            .help("rehearse it first: periplus rehearse RUNBOOK")
    })
}
