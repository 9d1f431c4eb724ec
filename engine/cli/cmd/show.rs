//! `periplus show`: any report of a past run, made from its journal.
//!
//! Nothing is contacted and nothing is run.

use clap::{Args, ValueEnum};
use periplus_core::event::Event;
use periplus_core::journal::Journal;
use periplus_core::outcome::ExitCode;
use periplus_core::state::RunState;
use periplus_render::json::{JsonLines, JsonReport};
use periplus_render::junit::JunitReport;
use periplus_render::reporter::Reporter;
use periplus_render::text::{LineReporter, SummaryReporter, Verbosity};

use crate::args::StateArgs;
use crate::error::CliError;
use crate::io::Io;
use crate::state::{by_age, state_dir};

/// Arguments of `periplus show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus show                                  the latest run
  periplus show RUN --format lines -v            every event of it, one a line
  periplus show RUN --format junit > junit.xml")]
pub(crate) struct Show {
    /// The run's id, as `periplus runs` lists it. Default: the latest
    run: Option<String>,

    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "summary")]
    format: Format,

    /// Also attempts, marks and kubectl lines
    #[arg(long, short)]
    verbose: bool,

    #[command(flatten)]
    state: StateArgs,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// What came of it, as the run itself showed at its end.
    Summary,
    /// One line an event.
    Lines,
    /// One JSON document.
    Json,
    /// One JSON line an event.
    Events,
    /// JUnit XML.
    Junit,
}

impl Show {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let dir = state_dir(&self.state, io)?;
        let run = match self.run {
            Some(run) => run,
            None => by_age(&dir)?.pop().map(|(_, run)| run).ok_or_else(|| {
                CliError::invalid("there is no run yet").help("start with `periplus rehearse RUNBOOK`")
            })?,
        };
        let journal = dir.read(&run)?;
        let (out, theme) = (io.stdout.clone(), io.stdout.theme());
        let verbosity = if self.verbose { Verbosity::Verbose } else { Verbosity::Normal };
        match self.format {
            Format::Summary => replay(&journal, SummaryReporter::new(out, theme))?,
            Format::Lines => replay(&journal, LineReporter::new(out, theme, verbosity))?,
            Format::Json => replay(&journal, JsonReport::new(out))?,
            Format::Events => replay(&journal, JsonLines::new(out))?,
            Format::Junit => replay(&journal, JunitReport::new(out))?,
        }
        if journal.torn_bytes > 0 {
            let note = "note: the end of this journal was torn off, most likely by a crash; what is whole is shown\n";
            io.message(note);
        }
        Ok(ExitCode::Passed)
    }
}

/// Feeds a journal to a reporter as the run did.
fn replay(journal: &Journal, mut reporter: impl Reporter) -> Result<(), CliError> {
    let mut state = RunState::default();
    for event in &journal.events {
        apply(&mut state, event)?;
        reporter.on_event(event, &state)?;
    }
    Ok(reporter.finish(&journal.state)?)
}

fn apply(state: &mut RunState, event: &Event) -> Result<(), CliError> {
    state.apply(event).map_err(|error| CliError::target(format!("the journal cannot be replayed: {error}")))
}
