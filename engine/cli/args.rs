//! The arguments that commands share, and the list of commands.
//!
//! What only one command takes stands in that command's file.

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};

use crate::cmd;

/// Runbooks for Kubernetes: write a procedure once; rehearse, run, check and publish it.
#[derive(Debug, Parser)]
#[command(
    name = "periplus",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "\
Start here:
  periplus rehearse runbooks/external-https-proxy
      in the embedded lab: nothing to install, no cluster is contacted
  periplus plan runbooks/external-https-proxy
      what would be done, without doing it
  periplus run runbooks/external-https-proxy --context NAME
      on a real cluster

Exit codes:
  0    all held
  1    a check or step failed
  2    the runbook or the arguments are wrong, or a confirmation was
       declined or could not be asked
  3    the target could not be reached or refused, a requirement is unmet,
       or a check stayed inconclusive to the end
  4    clean-up or undo was incomplete: someone must act
  130  interrupted"
)]
pub(crate) struct Cli {
    /// When to use colour. Default: on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", hide_default_value = true)]
    pub(crate) color: ColorChoice,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a runbook without contacting anything
    Lint(cmd::lint::Lint),
    /// Carry a runbook out in the embedded lab: nothing to install, nothing contacted
    Rehearse(cmd::rehearse::Rehearse),
    /// Carry a runbook out on a cluster
    Run(cmd::run::RunCommand),
    /// Make the page that people read, or check that pages are up to date
    Docs(cmd::docs::Docs),
    /// Show what a run would do, without contacting anything
    Plan(cmd::plan::PlanCommand),
    /// Make a runbook of a Markdown tutorial
    Import(cmd::import::Import),
    /// Serve the embedded lab on loopback, for kubectl and other clients
    Lab(cmd::lab::LabCommand),
    /// List past runs and rehearsals
    Runs(cmd::runs::Runs),
    /// Show the report of a past run again
    Show(cmd::show::Show),
    /// Take back what a run changed
    Undo(cmd::undo::Undo),
    /// Print a JSON Schema
    Schema(cmd::schema::Schema),
    /// Print the completion script of a shell
    Completions(cmd::completions::Completions),
}

/// The runbook.
#[derive(Debug, Args)]
pub(crate) struct BookArgs {
    /// A runbook file, or a folder with a runbook.yaml
    #[arg(value_name = "RUNBOOK", value_hint = ValueHint::AnyPath)]
    pub(crate) runbook: PathBuf,
}

/// Where runs are kept.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// Folder for runs and their journals. Default: $XDG_STATE_HOME/periplus, else ~/.local/state/periplus
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state_dir: Option<PathBuf>,
}

/// In which form a result is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
