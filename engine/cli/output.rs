//! Which sinks a run feeds: progress on standard error, results on standard output, reports in files.
//!
//! Files are opened before the run starts, so that a path that cannot be written is known before anything is changed.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use clap::Args;
use periplus_render::fanout::{Fanout, SinkError};
use periplus_render::json::{JsonLines, JsonReport};
use periplus_render::junit::JunitReport;
use periplus_render::text::{LineReporter, ProgressReporter, Screen, SummaryReporter, Verbosity};

use crate::args::Output;
use crate::error::CliError;
use crate::io::{Io, Stream};

/// How a run is shown and reported.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Write reports when the run is over: json=FILE, junit=FILE, or both with a comma between
    #[arg(long, value_name = "KIND=FILE", value_delimiter = ',', value_parser = ReportFile::parse)]
    report: Vec<ReportFile>,

    /// Form of what goes to standard output: text is the summary, json is each event as a line
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,

    /// Also show each attempt, and the kubectl line of each step
    #[arg(long, short)]
    verbose: bool,
}

/// A report and where it goes.
#[derive(Clone, Debug)]
struct ReportFile {
    kind: ReportKind,
    path: PathBuf,
}

#[derive(Clone, Copy, Debug)]
enum ReportKind {
    Json,
    Junit,
}

impl ReportFile {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, path) = text.split_once('=').ok_or("write it as json=FILE or junit=FILE")?;
        let kind = match kind {
            "json" => ReportKind::Json,
            "junit" => ReportKind::Junit,
            _ => return Err(format!("there is no report {kind:?}; the reports are json and junit")),
        };
        if path.is_empty() {
            return Err("the file is missing after `=`".to_owned());
        }
        Ok(Self { kind, path: path.into() })
    }
}

impl OutputArgs {
    /// Opens the sinks of a run.
    pub(crate) fn open(&self, io: &Io) -> Result<Fanout<'static>, CliError> {
        self.open_with(SummaryReporter::new(io.stdout.clone(), io.stdout.theme()), io)
    }

    /// Opens the sinks of an undo.
    pub(crate) fn open_for_undo(&self, io: &Io) -> Result<Fanout<'static>, CliError> {
        self.open_with(SummaryReporter::of_undo(io.stdout.clone(), io.stdout.theme()), io)
    }

    fn open_with(&self, summary: SummaryReporter<Stream>, io: &Io) -> Result<Fanout<'static>, CliError> {
        let verbosity = if self.verbose { Verbosity::Verbose } else { Verbosity::Normal };
        let mut sinks = Fanout::new();
        // Events on the same terminal would be torn apart by the bars.
        let shares_terminal = self.output == Output::Json && io.stdout.is_terminal();
        if io.stderr.is_terminal() && !shares_terminal {
            sinks.add("standard error", ProgressReporter::new(Screen::stderr(), io.stderr.theme(), verbosity));
        } else if !shares_terminal {
            sinks.add("standard error", LineReporter::new(io.stderr.clone(), io.stderr.theme(), verbosity));
        }
        match self.output {
            Output::Text => sinks.add("standard output", summary),
            Output::Json => sinks.add("standard output", JsonLines::new(io.stdout.clone())),
        }
        for report in &self.report {
            let name = report.path.display().to_string();
            let file = File::create(&report.path)
                .map_err(|error| CliError::invalid(format!("the report {name} cannot be written: {error}")))?;
            match report.kind {
                ReportKind::Json => sinks.add(name, JsonReport::new(BufWriter::new(file))),
                ReportKind::Junit => sinks.add(name, JunitReport::new(BufWriter::new(file))),
            }
        }
        Ok(sinks)
    }
}

/// Tells of sinks that could not be written. The run's own result stands: what was done was done.
pub(crate) fn tell_failed(failed: &[SinkError], io: &mut Io) {
    for sink in failed {
        CliError::target(format!("{} could not be written: {}", sink.name, sink.error)).show(io);
    }
}
