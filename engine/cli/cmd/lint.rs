//! `periplus lint`: all that is wrong with a runbook, at once.
//!
//! Parameters are not needed, so no value is asked for or shown.

use std::io::Write as _;

use clap::Args;
use periplus_core::diag::Severity;
use periplus_core::outcome::ExitCode;
use periplus_render::diag;
use periplus_render::style::Role;

use crate::args::{BookArgs, Output};
use crate::book::Book;
use crate::error::CliError;
use crate::io::Io;

/// Arguments of `periplus lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus lint runbooks/external-https-proxy
  periplus lint runbook.yaml --output json | jq -r '.[].code'

Exit codes: 0 without errors (warnings are shown), 2 with errors.")]
pub(crate) struct Lint {
    #[command(flatten)]
    book: BookArgs,

    /// Form of the result
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
}

impl Lint {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let book = Book::read(&self.book.runbook)?;
        let problems = book.load().diagnostics;
        let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
        let theme = io.stdout.theme();
        let text = match self.output {
            Output::Json => format!("{:#}\n", diag::json(&problems, Some(&book.source))),
            Output::Text if problems.is_empty() => {
                format!("{} {} is in order\n", theme.paint(Role::Good, theme.glyph(Role::Good)), book.source.name)
            }
            Output::Text => diag::graphical(&problems, Some(&book.source), theme),
        };
        io.stdout.write_all(text.as_bytes())?;
        Ok(if errors { ExitCode::Invalid } else { ExitCode::Passed })
    }
}
