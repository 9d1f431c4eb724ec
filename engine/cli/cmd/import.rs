//! `periplus import`: a Markdown tutorial becomes a runbook.
//!
//! What a page means is decided in `periplus-import`; here files are read and written, and the report is shown.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use periplus_core::outcome::ExitCode;
use periplus_import::{File, ImportError, Imported, MAX_PAGE, Options, Report, Unread, import};
use periplus_render::clean;
use periplus_render::plural::count;
use periplus_render::style::{Role, Theme};

use crate::args::Output;
use crate::book::read_text;
use crate::error::CliError;
use crate::io::Io;
use crate::whole::write;

/// Where the schema lies in a repository of runbooks.
const SCHEMA: &str = "schemas/runbook.v1.json";

/// How many folders up the schema is looked for.
const FOLDERS_UP: usize = 5;

/// Arguments of `periplus import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus import tutorial.md > runbook.yaml
  periplus import tutorial.md -o runbooks/my-tutorial/
      writes runbook.yaml there, and the files that the page shows beside it
  periplus import tutorial.md -o out/ --output json | jq '.report.unread'

Commands of kubectl become steps, what the page shows of their output becomes
checks, variables become parameters and captures. What could not be read stays
as a comment at its place, and is listed on standard error with its line.
The runbook loads as it stands; read it before you run it.

Exit codes: 0 when a runbook was made, also where parts were not read;
2 when the page shows no command that could be read, or cannot be read.")]
pub(crate) struct Import {
    /// A Markdown page
    #[arg(value_name = "PAGE", value_hint = ValueHint::FilePath)]
    page: PathBuf,

    /// A file, or a folder for runbook.yaml and the files beside it. Default: standard output
    #[arg(short, long = "out", value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    out: Option<PathBuf>,

    /// Write over files that are there
    #[arg(long, requires = "out")]
    force: bool,

    /// The runbook's name. Default: made from the page's title
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Form of the report; `json` prints runbook, files and report as one object
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
}

impl Import {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let shown = self.page.display().to_string();
        let limit = u64::try_from(MAX_PAGE).unwrap_or(u64::MAX);
        let text = read_text(&self.page, limit)
            .map_err(|problem| CliError::invalid(format!("cannot read the page {shown}: {}", problem.text())))?;
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        let file = self.out.as_deref().map(runbook_file);
        let folder = file.as_deref().map(|file| file.parent().map_or_else(PathBuf::new, Path::to_path_buf));
        let schema = folder.as_deref().and_then(schema_near).unwrap_or_else(|| "runbook.v1.json".to_owned());
        let options = Options { name: self.name.clone(), schema: Some(schema) };
        let theme = io.stderr.theme();
        let imported = import(&text, &options).map_err(|error| refused(&error, &shown))?;
        if let (Some(file), Some(folder)) = (&file, &folder) {
            self.write(file, folder, &imported)?;
        }
        match self.output {
            Output::Json => {
                let value = serde_json::json!({
                    "runbook": imported.runbook, "files": imported.files, "report": imported.report,
                });
                io.stdout.write_all(format!("{value:#}\n").as_bytes())?;
            }
            Output::Text if file.is_none() => io.stdout.write_all(imported.runbook.as_bytes())?,
            Output::Text => {}
        }
        let place = file.as_deref().map(|file| file.display().to_string());
        io.message(&report(&imported.report, &imported.files, &shown, place.as_deref(), theme));
        Ok(ExitCode::Passed)
    }

    fn write(&self, file: &Path, folder: &Path, imported: &Imported) -> Result<(), CliError> {
        let texts = std::iter::once((file.to_owned(), imported.runbook.as_str()))
            .chain(imported.files.iter().map(|beside| (folder.join(&beside.path), beside.text.as_str())));
        let texts: Vec<(PathBuf, &str)> = texts.collect();
        let there: Vec<String> =
            texts.iter().filter(|(path, _)| path.exists()).map(|(path, _)| path.display().to_string()).collect();
        if !there.is_empty() && !self.force {
            let what = format!("{} {} there already", there.join(", "), if there.len() == 1 { "is" } else { "are" });
            return Err(CliError::invalid(what).help("write over it with --force, or choose another place"));
        }
        if let Some((path, _)) = texts.iter().skip(1).find(|(path, _)| path == file) {
            let what = format!("the page writes a file that has the runbook's name, {}", path.display());
            return Err(CliError::invalid(what).help("choose another name for the runbook with -o FILE"));
        }
        texts.iter().try_for_each(|(path, text)| write(path, text))
    }
}

fn check_name(name: &str) -> Result<(), CliError> {
    let fits = !name.is_empty()
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fits {
        return Ok(());
    }
    Err(CliError::invalid(format!("`{name}` cannot name a runbook"))
        .help("a name has up to 63 lower-case letters, digits and dashes"))
}

/// The file that the runbook goes to: `out` itself, or `runbook.yaml` in it.
fn runbook_file(out: &Path) -> PathBuf {
    let is_file = out.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_file && !out.is_dir() { out.to_owned() } else { out.join("runbook.yaml") }
}

/// The schema of a repository around a folder, relative to that folder.
fn schema_near(folder: &Path) -> Option<String> {
    let start = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    (0..FOLDERS_UP).map(|up| "../".repeat(up) + SCHEMA).find(|path| start.join(path).is_file())
}

fn refused(error: &ImportError, page: &str) -> CliError {
    match error {
        ImportError::TooLong(_) => CliError::invalid(format!("{page}: {error}")),
        ImportError::NoCommands => CliError::invalid(format!("{page}: {error}"))
            .help("commands are looked for in fenced blocks, such as ```bash"),
        ImportError::NothingRead(unread) => {
            let mut list = String::new();
            unread_list(unread, page, &mut list);
            CliError::invalid(format!("{page}: {error}")).help(list.trim_end().to_owned())
        }
    }
}

fn report(report: &Report, files: &[File], page: &str, place: Option<&str>, theme: Theme) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        " {}: {}, {}{}",
        place.unwrap_or(&report.name),
        count(report.steps, "step"),
        count(report.params.len(), "parameter"),
        if files.is_empty() { String::new() } else { format!(", {} beside it", count(files.len(), "file")) },
    );
    if place.is_none() && !files.is_empty() {
        let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let _ = writeln!(out, "not written, since the runbook goes to standard output: {}", names.join(", "));
    }
    if !report.unread.is_empty() {
        let _ = writeln!(out, "\nNot read ({}), kept as comments:", report.unread.len());
        unread_list(&report.unread, page, &mut out);
    }
    if !report.notes.is_empty() {
        let _ = writeln!(out, "\nTo look at ({}):", report.notes.len());
        for note in &report.notes {
            let _ = writeln!(out, "  {page}:{}: {}", note.line, note.text);
        }
    }
    if let Some(place) = place {
        let _ = writeln!(out, "\nNext:\n  periplus lint {place}\n  periplus rehearse {place}");
    }
    // A page may hold anything: nothing of it reaches a terminal as more than text.
    format!("{}{}", theme.paint(Role::Good, theme.glyph(Role::Good)), clean::block(&out))
}

fn unread_list(unread: &[Unread], page: &str, out: &mut String) {
    for item in unread {
        let _ = writeln!(out, "  {page}:{}: {}", item.line, item.reason);
        let first = item.text.lines().next().unwrap_or_default();
        let more = if item.text.lines().count() > 1 { " …" } else { "" };
        let _ = writeln!(out, "      {first}{more}");
    }
}
