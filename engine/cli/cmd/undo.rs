//! `periplus undo`: takes back what a run changed, newest first, from its journal.
//!
//! Only the very cluster that the run changed is touched, by the UID that the journal holds.

use clap::{Args, ValueHint};
use jiff::Timestamp;
use periplus_core::event::Target;
use periplus_core::journal::Journal;
use periplus_core::outcome::ExitCode;
use periplus_core::state::RunState;
use periplus_render::text::{standing_list, target_line};
use periplus_run::cluster::{ContextChoice, Identity};
use periplus_run::{Clock, UndoOptions, is_same_cluster, undo_run};

use crate::args::StateArgs;
use crate::cluster::{ClusterArgs, target};
use crate::confirm::confirm;
use crate::error::CliError;
use crate::io::Io;
use crate::output::{OutputArgs, tell_failed};
use crate::session::{Shared, in_real_time};
use crate::state::state_dir;

/// Arguments of `periplus undo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus undo RUN
  periplus undo RUN --context staging --yes

What was created is deleted, what was altered gets its old fields back. What someone else
changed since is left alone and named, unless --force.")]
pub(crate) struct Undo {
    /// The run's id, as `periplus runs` lists it
    run: String,

    /// The kubeconfig context of the run's cluster. Default: the one that the run used
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// The kubeconfig. Default: $KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    kubeconfig: Option<std::path::PathBuf>,

    /// Overwrite also what someone else changed since
    #[arg(long)]
    force: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    state: StateArgs,
}

impl Undo {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let dir = state_dir(&self.state, io)?;
        let journal = dir.read(&self.run)?;
        let context = self.context_of(&journal.state)?;
        if journal.state.standing_changes().next().is_none() {
            io.message(&format!("nothing to take back: run {} left no change in its cluster\n", self.run));
            return Ok(ExitCode::Passed);
        }
        let cluster = ClusterArgs { context: None, kubeconfig: self.kubeconfig.clone() };
        in_real_time()?.block_on(async {
            let (cluster, identity) = cluster.connect(context, io).await?;
            same_cluster(&journal, &identity)?;
            let theme = io.stderr.theme();
            let heading = target_line(&target(identity));
            let text = standing_list(&journal.state, &heading, theme);
            confirm(&text, "Take these changes back?", self.yes, io)?;
            let sinks = self.output.open_for_undo(io)?;
            let writer = dir.append(&self.run, &journal)?;
            let options = UndoOptions { force: self.force };
            let shared = Shared::new(sinks);
            let mut feed = shared.feed();
            let clock = Clock::starting_at(Timestamp::now());
            let undone = undo_run(journal.state, &cluster, writer, clock, options, &mut feed);
            let (state, complete) = tokio::select! {
                biased;
                undone = undone => undone?,
                never = shared.tick() => match never {},
            };
            tell_failed(&shared.into_inner().finish(&state), io);
            Ok(if complete { ExitCode::Passed } else { ExitCode::CleanupIncomplete })
        })
    }

    /// The context to connect to.
    fn context_of(&self, state: &RunState) -> Result<ContextChoice, CliError> {
        let Some(started) = &state.started else {
            return Err(CliError::invalid(format!("run {} never started: there is nothing to take back", self.run)));
        };
        match (&started.target, &self.context) {
            (Target::Lab { .. }, _) => Err(CliError::invalid(format!(
                "run {} was a rehearsal: its lab is gone, and everything with it",
                self.run
            ))),
            (Target::Cluster { .. }, Some(context)) => Ok(ContextChoice::parse(context)),
            (Target::Cluster { context, .. }, None) if context == "in-cluster" => Ok(ContextChoice::InCluster),
            (Target::Cluster { context, .. }, None) => Ok(ContextChoice::Named(context.clone())),
        }
    }
}

fn same_cluster(journal: &Journal, identity: &Identity) -> Result<(), CliError> {
    let Some(started) = &journal.state.started else { return Ok(()) };
    if is_same_cluster(&started.target, identity.uid.as_deref()) {
        return Ok(());
    }
    let what = format!("{} is not the cluster that run {} changed", identity.server, started.run);
    let then = target_line(&started.target);
    Err(CliError::invalid(what).help(format!("it was a {then}; name its context with --context NAME")))
}
