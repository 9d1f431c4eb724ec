//! Finds and reads what a command is given: the runbook and the files beside it.
//!
//! A runbook argument is a file, or a folder with a `runbook.yaml`. Nothing outside the runbook's folder is read for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use periplus_core::codes::Code;
use periplus_core::diag::Diagnostic;
use periplus_core::load::{self, Files, Loaded};
use periplus_core::source::{LIMITS, Source};

use sha2::{Digest as _, Sha256};

use crate::error::CliError;

/// The runbook's name in its folder.
const RUNBOOK: &str = "runbook.yaml";

/// Name of the file with what a run saw, beside a runbook of the usual name; others put their own name before it.
const VERIFIED: &str = "verified.json";

/// Most entries of a folder that a message lists.
const LISTED: usize = 12;

/// Largest file beside a runbook that is read, in bytes: no object of a cluster is larger, and a manifest holds few.
const FILE_BYTES: u64 = 16 << 20;

/// A runbook's text, and where it stands.
#[derive(Debug)]
pub(crate) struct Book {
    /// As the user named it.
    pub(crate) named: PathBuf,
    /// The folder that its files are relative to.
    pub(crate) folder: PathBuf,
    /// Its text.
    pub(crate) source: Source,
    /// The files that it names, by path, once it was loaded.
    files: RefCell<BTreeMap<String, String>>,
}

impl Book {
    /// Reads the runbook that `named` means.
    pub(crate) fn read(named: &Path) -> Result<Self, CliError> {
        let file = locate(named)?;
        let text = read_text(&file, LIMITS.file_bytes).map_err(|problem| problem.about(&file))?;
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let source = Source { name: file.display().to_string(), text };
        Ok(Self { named: named.to_owned(), folder, source, files: RefCell::default() })
    }

    /// Loads it, with all that is wrong with it.
    pub(crate) fn load(&self) -> Loaded {
        load::load(&self.source, self)
    }

    /// The file in which what a run of it saw is kept.
    pub(crate) fn verified(&self) -> PathBuf {
        let file = Path::new(&self.source.name);
        let own = if file.file_name().is_some_and(|name| name == RUNBOOK) { None } else { file.file_stem() };
        let name = own.map_or_else(|| VERIFIED.to_owned(), |stem| format!("{}.{VERIFIED}", stem.to_string_lossy()));
        self.folder.join(name)
    }

    /// SHA-256 over the runbook and the files it names, in hex. Lengths go in as well, so that moving text from one file
    /// to another makes a difference.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        let files = self.files.borrow();
        let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        for (path, text) in std::iter::once(("", self.source.text.as_str())).chain(texts) {
            for part in [path, text] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn diagnostic(diagnostic: Diagnostic) -> CliError {
    CliError::Diagnostics { list: vec![diagnostic], source: None }
}

fn locate(named: &Path) -> Result<PathBuf, CliError> {
    let shown = named.display();
    if named.is_dir() {
        let file = named.join(RUNBOOK);
        if file.is_file() {
            return Ok(file);
        }
        let problem = Diagnostic::argument(Code::NotFound, format!("the folder {shown} has no {RUNBOOK}"));
        return Err(diagnostic(problem.help(contents(named))));
    }
    if named.exists() {
        return Ok(named.to_owned());
    }
    let mut problem = Diagnostic::argument(Code::NotFound, format!("there is no file or folder {shown}"));
    if let Some(near) = nearest_sibling(named) {
        problem = problem.help(format!("did you mean {}?", near.display()));
    }
    Err(diagnostic(problem))
}

/// The runbooks in the subfolders of a folder that is none itself, by name. `None` where there are none.
pub(crate) fn of_folder(folder: &Path) -> Option<Vec<PathBuf>> {
    if folder.join(RUNBOOK).exists() {
        return None;
    }
    let books = entries(folder).into_iter().map(|name| folder.join(name));
    let books: Vec<PathBuf> = books.filter(|path| path.join(RUNBOOK).is_file()).collect();
    (!books.is_empty()).then_some(books)
}

/// What a folder holds, for a message: runbooks in its subfolders first.
fn contents(folder: &Path) -> String {
    let names = entries(folder);
    if let Some(books) = of_folder(folder) {
        let books: Vec<String> = books.iter().map(|path| path.display().to_string()).collect();
        return format!("it has runbooks in {}", list(&books));
    }
    if names.is_empty() { "it is empty".to_owned() } else { format!("it holds {}", list(&names)) }
}

fn list(names: &[String]) -> String {
    let mut text = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    text
}

/// The names in a folder that are not hidden, sorted. A folder that cannot be read has none.
fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn nearest_sibling(named: &Path) -> Option<PathBuf> {
    let parent = named.parent().filter(|parent| !parent.as_os_str().is_empty());
    let names = entries(parent.unwrap_or(Path::new(".")));
    let near = periplus_core::diag::nearest(named.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(parent.map_or_else(|| PathBuf::from(near), |parent| parent.join(near)))
}

/// Why a file gave no text.
pub(crate) enum TextProblem {
    NotAFile,
    TooLarge(u64),
    NotUtf8(usize),
    Io(io::Error),
}

impl TextProblem {
    /// As a diagnostic about the runbook itself.
    fn about(self, file: &Path) -> CliError {
        let name = file.display();
        diagnostic(match self {
            Self::NotAFile => Diagnostic::argument(Code::NotFound, format!("{name} is not a regular file")),
            Self::TooLarge(limit) => Diagnostic::argument(
                Code::FileTooLarge,
                format!("{name} is larger than {} MiB, the most that a runbook may have", limit >> 20),
            )
            .help("is this the file you meant? large data belongs into files beside the runbook"),
            Self::NotUtf8(byte) => {
                Diagnostic::argument(Code::NotUtf8, format!("{name} is not UTF-8 text: byte {byte} cannot be read"))
                    .help("save it as UTF-8")
            }
            Self::Io(error) => Diagnostic::argument(Code::NotFound, format!("{name} cannot be read: {error}")),
        })
    }

    /// As a fragment for people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::NotAFile => "it is not a regular file".to_owned(),
            Self::TooLarge(limit) => format!("it is larger than {} MiB", limit >> 20),
            Self::NotUtf8(byte) => format!("it is not UTF-8 text: byte {byte} cannot be read"),
            Self::Io(error) => error.to_string(),
        }
    }
}

/// Reads a whole file of at most `limit` bytes. Pipes and devices are refused: they may never end.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, TextProblem> {
    let is_file = std::fs::metadata(path).map_err(TextProblem::Io)?.is_file();
    if !is_file {
        return Err(TextProblem::NotAFile);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(TextProblem::Io)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(TextProblem::Io)?;
    if bytes.len() as u64 > limit {
        return Err(TextProblem::TooLarge(limit));
    }
    String::from_utf8(bytes).map_err(|error| TextProblem::NotUtf8(error.utf8_error().valid_up_to()))
}

impl Files for Book {
    fn read(&self, path: &str) -> Result<String, String> {
        let relative = Path::new(path);
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            return Err("it must lie in the runbook's folder".to_owned());
        }
        let text = read_text(&self.folder.join(relative), FILE_BYTES).map_err(|problem| problem.text())?;
        self.files.borrow_mut().insert(path.to_owned(), text.clone());
        Ok(text)
    }
}
