//! `periplus run`: carries a runbook out on a cluster.
//!
//! Everything that can be known without the cluster is checked before it is contacted, and the plan is confirmed before
//! the first change.

use clap::Args;
use jiff::Timestamp;
use periplus_core::outcome::{ExitCode, RunResult};
use periplus_render::plan::PlanView;
use periplus_render::text::{shell_word, target_line};
use periplus_run::{Clock, Durability, Interrupts, Job};

use crate::args::{BookArgs, StateArgs};
use crate::cluster::{ClusterArgs, target};
use crate::confirm::confirm;
use crate::error::CliError;
use crate::io::Io;
use crate::output::{OutputArgs, tell_failed};
use crate::params::ParamArgs;
use crate::prepare::{Prepared, SelectArgs};
use crate::session::{PaceArgs, Shared, in_real_time, listen};
use crate::state::{run_id, state_dir};

/// Arguments of `periplus run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus run runbooks/external-https-proxy --context staging --set PROXY_IP=10.1.2.3
  periplus run runbooks/external-https-proxy --context @current --yes --report junit=junit.xml
  periplus run runbooks/external-https-proxy --context staging --from registry-only

Ctrl-C once: nothing new starts, what runs is let finish. Twice: it is cancelled.")]
pub(crate) struct RunCommand {
    #[command(flatten)]
    book: BookArgs,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    params: ParamArgs,

    #[command(flatten)]
    select: SelectArgs,

    #[command(flatten)]
    pace: PaceArgs,

    /// Do not ask before the first change
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    state: StateArgs,
}

impl RunCommand {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let book = shell_word(&self.book.runbook.display().to_string());
        let context = self.cluster.choice(&format!("periplus run {book}"), &format!("periplus rehearse {book}"))?;
        let prepared = Prepared::new(&self.book, &self.select, io)?;
        let bound = prepared.bind(&self.params.given()?, io)?;
        let dir = state_dir(&self.state, io)?;
        in_real_time()?.block_on(async {
            let (cluster, identity) = self.cluster.connect(context, io).await?;
            let version = identity.version.clone();
            let target = target(identity);
            if prepared.plan.has_changes() {
                let view = PlanView::new(&prepared.plan, &prepared.captures, bound.shown());
                let text = view.confirmation(&target_line(&target), io.stderr.theme());
                confirm(&text, "Go on?", self.yes, io)?;
            }
            let sinks = self.output.open(io)?;
            let now = Timestamp::now();
            let run = run_id(&prepared.plan.runbook.name.value, now);
            let job = Job {
                plan: prepared.plan.clone(),
                cluster,
                values: bound.scope(),
                journal: dir.create(&run.0, Durability::Disk)?,
                started: prepared.started(run, (target, version), bound.shown()),
                clock: Clock::starting_at(now),
                witness: None,
            };
            let (interrupter, mut interrupts) = Interrupts::new();
            let shared = Shared::new(sinks);
            let mut feed = shared.feed();
            let options = self.pace.options();
            let state = tokio::select! {
                biased;
                state = periplus_run::run(job, &options, &mut feed, &mut interrupts) => state?,
                never = listen(interrupter) => match never {},
                never = shared.tick() => match never {},
            };
            tell_failed(&shared.into_inner().finish(&state), io);
            Ok(state.result.map_or(ExitCode::Target, RunResult::exit))
        })
    }
}
