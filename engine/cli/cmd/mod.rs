//! The commands, one file each.

pub(crate) mod completions;
pub(crate) mod docs;
pub(crate) mod import;
pub(crate) mod lab;
pub(crate) mod lint;
pub(crate) mod plan;
pub(crate) mod rehearse;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod undo;

use crate::args::Command;
use crate::error::{CliError, Status};
use crate::io::Io;

/// Runs a command.
pub(crate) fn dispatch(command: Command, io: &mut Io) -> Result<Status, CliError> {
    let code = match command {
        Command::Rehearse(rehearse) => rehearse.run(io),
        Command::Run(run) => run.run(io),
        Command::Plan(plan) => plan.run(io),
        Command::Lint(lint) => lint.run(io),
        Command::Docs(docs) => docs.run(io),
        Command::Import(import) => import.run(io),
        Command::Lab(lab) => return lab.run(io),
        Command::Runs(runs) => runs.run(io),
        Command::Show(show) => show.run(io),
        Command::Undo(undo) => undo.run(io),
        Command::Schema(schema) => schema.run(io),
        Command::Completions(completions) => completions.run(io),
    };
    Ok(code?.into())
}
