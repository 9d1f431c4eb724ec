//! `periplus schema`: the JSON Schemas of what Periplus reads and writes, for editors and programs.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use periplus_core::outcome::ExitCode;
use periplus_core::schema;

use crate::error::CliError;
use crate::io::Io;

/// Arguments of `periplus schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus schema > runbook.v1.json
  periplus schema event > event.v1.json

In an editor with a YAML language server, put this above a runbook:
  # yaml-language-server: $schema=runbook.v1.json")]
pub(crate) struct Schema {
    /// What to describe
    #[arg(value_name = "KIND", default_value = "runbook")]
    kind: Kind,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A runbook file.
    Runbook,
    /// An event, as journals hold it.
    Event,
}

impl Schema {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let schema = match self.kind {
            Kind::Runbook => schema::runbook(),
            Kind::Event => schema::event(),
        };
        io.stdout.write_all(format!("{schema:#}\n").as_bytes())?;
        Ok(ExitCode::Passed)
    }
}
