//! `periplus docs`: pages that people read, made from runbooks.
//!
//! Nothing is contacted and nothing is run. What a page shows as seen comes from a run that was made before.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use periplus_core::outcome::ExitCode;
use periplus_render::docs::difference;
use periplus_render::plural;
use periplus_render::style::Role;
use periplus_render::text::shell_word;

use crate::args::StateArgs;
use crate::error::CliError;
use crate::io::Io;
use crate::pages::{Page, Pages, verify};
use crate::whole::write;

/// Where runbooks lie unless others are named.
const RUNBOOKS: &str = "runbooks";

/// Where pages lie unless another place is named.
const PAGES: &str = "docs/runbooks";

/// Arguments of `periplus docs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus docs runbooks/external-https-proxy          the page, on standard output
  periplus docs                                        all of runbooks/, into docs/runbooks/
  periplus docs runbooks -o site/runbooks              all of a folder, with an index
  periplus docs --check                                in CI: are the committed pages up to date?
  periplus docs runbooks/external-https-proxy --verified @latest
      show the output that the latest run really saw; it is kept in verified.json beside the runbook

Exit codes: 0 all pages are up to date or were written, 1 --check found a difference,
2 a runbook or an argument is wrong, 3 a page could not be written.")]
pub(crate) struct Docs {
    /// Runbooks, or folders of runbooks. Default: the folder runbooks
    #[arg(value_name = "RUNBOOK", value_hint = ValueHint::AnyPath)]
    runbooks: Vec<PathBuf>,

    /// Folder for the pages. Default: docs/runbooks; for a single runbook standard output
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,

    /// Write nothing; show how the pages there are differ from what their runbooks give
    #[arg(long, conflicts_with = "verified")]
    check: bool,

    /// Show the output that this run of the runbook really saw; @latest for the latest one that passed
    #[arg(long, value_name = "RUN")]
    verified: Option<String>,

    #[command(flatten)]
    state: StateArgs,
}

impl Docs {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let named = if self.runbooks.is_empty() { vec![PathBuf::from(RUNBOOKS)] } else { self.runbooks.clone() };
        if let Some(run) = &self.verified {
            let [runbook] = named.as_slice() else {
                return Err(CliError::invalid("--verified takes one runbook: a run is of one"));
            };
            verify(runbook, run, &self.state, io)?;
        }
        let pages = Pages::of(&named)?;
        let single = pages.index.is_none() && pages.pages.len() == 1;
        if single && self.out.is_none() && !self.check {
            io.stdout.write_all(pages.pages[0].text.as_bytes())?;
            return Ok(ExitCode::Passed);
        }
        let folder = self.out.clone().unwrap_or_else(|| PathBuf::from(PAGES));
        if folder.is_file() {
            let what = format!("{} is a file, and pages go into a folder", folder.display());
            return Err(CliError::invalid(what).help("name the folder with -o DIR"));
        }
        if self.check { self.compare(&pages, &folder, io) } else { put(&pages, &folder, io) }
    }

    /// Shows how the pages in `folder` differ.
    fn compare(&self, pages: &Pages, folder: &Path, io: &mut Io) -> Result<ExitCode, CliError> {
        let theme = io.stdout.theme();
        let mut wrong = 0;
        for Page { name, text } in pages.all() {
            let path = folder.join(name);
            let found = std::fs::read_to_string(&path);
            let shown = path.display();
            match found {
                Ok(found) if found == *text => continue,
                Ok(found) => {
                    let heading = (format!("{shown}, as it is"), format!("{shown}, as its runbook gives it"));
                    io.stdout.write_all(difference(&found, text, (&heading.0, &heading.1), theme).as_bytes())?;
                }
                Err(error) => {
                    let line =
                        format!("{} {shown} cannot be read: {error}\n", theme.paint(Role::Bad, theme.glyph(Role::Bad)));
                    io.stdout.write_all(line.as_bytes())?;
                }
            }
            wrong += 1;
        }
        for path in pages.orphans(folder) {
            let glyph = theme.paint(Role::Bad, theme.glyph(Role::Bad));
            io.stdout.write_all(format!("{glyph} {} belongs to no runbook: delete it\n", path.display()).as_bytes())?;
            wrong += 1;
        }
        let count = plural::count(pages.all().count(), "page");
        if wrong == 0 {
            let good = theme.paint(Role::Good, theme.glyph(Role::Good));
            io.stdout.write_all(format!("{good} {count} up to date\n").as_bytes())?;
            return Ok(ExitCode::Passed);
        }
        let what = format!("{wrong} of {count} {} not what the runbooks give", if wrong == 1 { "is" } else { "are" });
        CliError::failed(what).help(format!("write them anew: {}", self.command(folder))).show(io);
        Ok(ExitCode::Failed)
    }

    /// The command that writes the pages.
    fn command(&self, folder: &Path) -> String {
        let mut command = "periplus docs".to_owned();
        for runbook in &self.runbooks {
            command.push_str(&format!(" {}", shell_word(&runbook.display().to_string())));
        }
        if !self.runbooks.is_empty() || self.out.is_some() {
            command.push_str(&format!(" -o {}", shell_word(&folder.display().to_string())));
        }
        command
    }
}

/// Writes what differs, and says so.
fn put(pages: &Pages, folder: &Path, io: &mut Io) -> Result<ExitCode, CliError> {
    for Page { name, text } in pages.all() {
        let path = folder.join(name);
        let done = if std::fs::read_to_string(&path).is_ok_and(|found| found == *text) {
            "is up to date"
        } else {
            write(&path, text).map_err(|error| error.help("name another folder with -o DIR"))?;
            "written"
        };
        io.stdout.write_all(format!("{} {done}\n", path.display()).as_bytes())?;
    }
    for path in pages.orphans(folder) {
        io.message(&format!("note: {} belongs to no runbook any more\n", path.display()));
    }
    Ok(ExitCode::Passed)
}
