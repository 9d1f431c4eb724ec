//! `periplus lint`: all that is wrong with a runbook, at once.
//!
//! Parameters are not needed, so no value is asked for or shown.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use periplus_core::diag::Severity;
use periplus_core::outcome::ExitCode;
use periplus_render::diag;
use periplus_render::style::Role;

use crate::args::Output;
use crate::book::Book;
use crate::error::CliError;
use crate::io::Io;

/// Arguments of `periplus lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus lint runbooks/external-https-proxy
  periplus lint runbooks/*
  periplus lint runbook.yaml --output json | jq -r '.[].code'

Exit codes: 0 without errors (warnings are shown), 2 with errors.")]
pub(crate) struct Lint {
    /// Runbook files, or folders with a runbook.yaml
    #[arg(value_name = "RUNBOOK", required = true, value_hint = ValueHint::AnyPath)]
    runbooks: Vec<PathBuf>,

    /// Form of the result
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
}

impl Lint {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let books = self.runbooks.iter().map(|path| Book::read(path)).collect::<Result<Vec<_>, _>>()?;
        let theme = io.stdout.theme();
        let mut wrong = false;
        let mut all = Vec::new();
        for book in &books {
            let problems = book.load().diagnostics;
            wrong |= problems.iter().any(|problem| problem.severity == Severity::Error);
            let text = match self.output {
                Output::Json => {
                    let json = diag::json(&problems, Some(&book.source));
                    all.extend(json.as_array().cloned().unwrap_or_default());
                    continue;
                }
                Output::Text if problems.is_empty() => {
                    format!("{} {} is in order\n", theme.paint(Role::Good, theme.glyph(Role::Good)), book.source.name)
                }
                Output::Text => diag::graphical(&problems, Some(&book.source), theme),
            };
            io.stdout.write_all(text.as_bytes())?;
        }
        if self.output == Output::Json {
            io.stdout.write_all(format!("{:#}\n", serde_json::Value::from(all)).as_bytes())?;
        }
        Ok(if wrong { ExitCode::Invalid } else { ExitCode::Passed })
    }
}
