//! `periplus runs`: past runs and rehearsals, newest last.
//!
//! Each line is read from the run's journal; a damaged one is listed as such and hides no other.

use std::io::Write as _;

use clap::Args;
use periplus_core::outcome::ExitCode;
use periplus_render::history;

use crate::args::{Output, StateArgs};
use crate::error::{CliError, chain};
use crate::io::Io;
use crate::state::{by_age, state_dir};

/// Arguments of `periplus runs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus runs
  periplus runs --limit 0 --output json | jq -r '.[] | select(.result == \"failed\") | .run'")]
pub(crate) struct Runs {
    /// How many runs to list, the latest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// Form of the result
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,

    #[command(flatten)]
    state: StateArgs,
}

impl Runs {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let dir = state_dir(&self.state, io)?;
        let all = by_age(&dir)?;
        let first = if self.limit == 0 { 0 } else { all.len().saturating_sub(self.limit) };
        let entries: Vec<history::Entry> = all[first..]
            .iter()
            .map(|(written, run)| match dir.read(run) {
                Ok(journal) => history::Entry::of(run, *written, &journal.state),
                Err(error) => history::Entry::unreadable(run, *written, chain(&error)),
            })
            .collect();
        let text = match self.output {
            Output::Json => history::json(&entries),
            Output::Text => history::text(&entries, first, io.stdout.theme()),
        };
        io.stdout.write_all(text.as_bytes())?;
        Ok(ExitCode::Passed)
    }
}
