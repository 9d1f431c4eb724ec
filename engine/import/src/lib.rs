//! A Markdown tutorial in, a runbook out, with a list of what could not be read.
//!
//! An import is a function of the page's text: it reads no file and asks no clock, so the same page always gives the same
//! runbook. What it makes always loads; a step that would not is given back as a comment, with the reason.

mod draft;
mod guess;
mod kubectl;
mod markdown;
mod outline;
mod read;
mod report;
mod shell;
mod verify;
mod write;

pub use report::{File, Note, Report, Unread};

use thiserror::Error;

/// The longest page that is read, in bytes.
pub const MAX_PAGE: usize = 4 << 20;

/// How a page is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The runbook's name; made from the page's title where absent.
    pub name: Option<String>,
    /// Where an editor finds the format's schema.
    pub schema: Option<String>,
}

/// What came of a page.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The text of the runbook.
    pub runbook: String,
    /// The files to be put beside it.
    pub files: Vec<File>,
    /// What was read, and what was not.
    pub report: Report,
}

/// Why a page gave no runbook.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImportError {
    /// It is longer than [`MAX_PAGE`].
    #[error("the page has {0} bytes, and at most {MAX_PAGE} are read")]
    TooLong(usize),
    /// No fence of it holds commands.
    #[error("the page shows no commands")]
    NoCommands,
    /// It shows commands, and none of them became a step.
    #[error("no command of the page could be read")]
    NothingRead(Vec<Unread>),
}

/// Reads a page.
///
/// # Errors
/// [`ImportError`] if there is nothing that a runbook could be made of.
pub fn import(page: &str, options: &Options) -> Result<Imported, ImportError> {
    if page.len() > MAX_PAGE {
        return Err(ImportError::TooLong(page.len()));
    }
    let page = page.strip_prefix('\u{feff}').unwrap_or(page).replace("\r\n", "\n");
    let (text, front) = markdown::plain(&page);
    let outline = outline::outline(&markdown::blocks(&text), front);
    if outline.units.iter().all(|unit| unit.commands.is_empty()) {
        return Err(ImportError::NoCommands);
    }
    let mut reader = read::read(&outline);
    let title = reader.draft.title.clone().unwrap_or_else(|| "imported".to_owned());
    let own = Some(std::mem::take(&mut reader.draft.name)).filter(|name| !name.is_empty());
    let name = options.name.clone().or(own);
    reader.draft.name = name.unwrap_or_else(|| guess::id(&title, &mut guess::Ids::default()));
    let runbook = verify::written(&mut reader, options.schema.as_deref());
    let report = Report::new(&reader);
    match runbook {
        Some(runbook) => {
            let files = reader.draft.files.into_iter().map(|(path, text)| File { path, text }).collect();
            Ok(Imported { runbook, files, report })
        }
        None => Err(ImportError::NothingRead(report.unread)),
    }
}
