//! `periplus rehearse`: carries a runbook out in the embedded lab.
//!
//! No kubeconfig is read and no cluster is contacted. Time is the lab's: it jumps to the next thing that happens, so
//! that a wait costs nothing. The same runbook, world, values and seed give the same events, time stamps included.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueHint};
use periplus_core::event::Target;
use periplus_core::outcome::{ExitCode, RunResult};
use periplus_lab::KUBERNETES;
use periplus_run::cluster::Cluster;
use periplus_run::{Clock, Interrupts, Job};

use crate::args::{BookArgs, StateArgs};
use crate::error::CliError;
use crate::io::Io;
use crate::output::{OutputArgs, tell_failed};
use crate::params::ParamArgs;
use crate::prepare::{Prepared, SelectArgs};
use crate::session::{PaceArgs, Shared, in_lab_time, listen};
use crate::state::{rehearsal_id, rehearsal_journal, state_dir};
use crate::witness::LabWitness;
use crate::world::{Setting, overrides};

/// Arguments of `periplus rehearse`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus rehearse runbooks/external-https-proxy
  periplus rehearse runbooks/external-https-proxy --set TITLE=Other     see a check fail
  periplus rehearse runbooks/external-https-proxy --report junit=junit.xml

The world of the rehearsal is world.yaml beside the runbook, unless --world names another.")]
pub(crate) struct Rehearse {
    #[command(flatten)]
    book: BookArgs,

    /// What the lab starts with. Default: world.yaml beside the runbook
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    world: Option<PathBuf>,

    /// Draw everything that varies from this number. Default: the world's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    #[command(flatten)]
    params: ParamArgs,

    #[command(flatten)]
    select: SelectArgs,

    #[command(flatten)]
    pace: PaceArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    state: StateArgs,
}

impl Rehearse {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let prepared = Prepared::new(&self.book, &self.select, io)?;
        let mut setting = Setting::read(self.world.as_deref(), Some(&prepared.book.folder))?;
        if let Some(seed) = self.seed {
            setting.set_seed(seed);
        }
        let mut given = self.params.given()?;
        given.world = Some(setting.expected());
        let expected = prepared.bind(&given, io)?;
        let dir = state_dir(&self.state, io)?;
        in_lab_time()?.block_on(async {
            let lab = Arc::new(setting.start(overrides(&expected)).await?);
            given.world = Some(setting.resolved(lab.params()));
            let bound = prepared.bind(&given, io)?;
            let sinks = self.output.open(io)?;
            let target = Target::Lab { seed: setting.seed() };
            let options = self.pace.options();
            let inputs = format!("{:?}{:?}{options:?}{}", bound, target, setting.text);
            let run = rehearsal_id(&prepared.plan.runbook.name.value, setting.epoch(), &prepared.book.hash(), &inputs);
            let job = Job {
                plan: prepared.plan.clone(),
                cluster: Cluster::over(lab.connector(), &"http://lab".parse().expect("invariant: a URI"), "periplus")?,
                values: bound.scope(),
                journal: rehearsal_journal(&dir, &run)?,
                started: prepared.started(run, (target, KUBERNETES.to_owned()), bound.shown()),
                clock: Clock::starting_at(lab.clock().now()),
                witness: Some(Arc::new(LabWitness(Arc::clone(&lab)))),
            };
            let (interrupter, mut interrupts) = Interrupts::new();
            let shared = Shared::new(sinks);
            let mut feed = shared.feed();
            let state = tokio::select! {
                biased;
                state = periplus_run::run(job, &options, &mut feed, &mut interrupts) => state?,
                never = listen(interrupter) => match never {},
            };
            let stored = lab.not_simulated();
            if !stored.is_empty() {
                io.message(&format!("not simulated: stored without effect were {}\n", stored.join(", ")));
            }
            if setting.is_empty() && state.result == Some(RunResult::Inconclusive) {
                io.message(
                    "note: there is no world.yaml beside the runbook, so the lab started empty (--world FILE)\n",
                );
            }
            tell_failed(&shared.into_inner().finish(&state), io);
            Ok(state.result.map_or(ExitCode::Target, RunResult::exit))
        })
    }
}
