//! A run from its first fact to its last.

use std::sync::Arc;

use periplus_core::event::{EventKind, RunStarted, Target};
use periplus_core::outcome::{RunResult, StepOutcome};
use periplus_core::plan::Plan;
use periplus_core::state::RunState;
use periplus_core::template::Scope;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::bench::Bench;
use crate::clock::Clock;
use crate::cluster::{Cluster, LeaseError};
use crate::journal::{JournalWriter, StateDirError};
use crate::lease::{self, Held};
use crate::ledger::{Ledger, Sink};
use crate::requires;
use crate::scheduler::{Pace, Scheduler};
use crate::signal::Interrupts;
use crate::undo::{self, UndoOptions};
use crate::witness::Witness;

/// How a run is carried out.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many steps may run side by side.
    pub jobs: usize,
    /// Whether branches that do not depend on a failed step go on.
    pub keep_going: bool,
    /// Whether a lease keeps other runs of this runbook off the cluster meanwhile. Runs without changes need none.
    pub lease: bool,
    /// Whether the changes are taken back at the end, whatever comes; `None` does as the runbook says.
    pub cleanup: Option<bool>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { jobs: 8, keep_going: false, lease: true, cleanup: None }
    }
}

/// What a run needs: what is done, where, with which values, and where it is written down.
pub struct Job {
    /// What will be done.
    pub plan: Arc<Plan>,
    /// Where.
    pub cluster: Cluster,
    /// The parameters' values.
    pub values: Scope,
    /// The run's first fact.
    pub started: RunStarted,
    /// The run's journal, which holds its header so far.
    pub journal: JournalWriter,
    /// Its clock.
    pub clock: Clock,
    /// Who saw the calls of programs, if anybody did: a failed exec then tells why its calls went where they went.
    pub witness: Option<Arc<dyn Witness>>,
}

/// Why a run could not be carried to its end.
#[derive(Debug, Error)]
pub enum RunError {
    /// The journal could not be written; no change went out after that.
    #[error(transparent)]
    Journal(#[from] StateDirError),
    /// The target refused before the first step.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

/// Carries out a run and gives the state it ends in.
///
/// # Errors
/// [`RunError`] when the run could not be written down, or could not start. Whatever else goes wrong is part of the
/// state.
pub async fn run(
    job: Job,
    options: &RunOptions,
    sink: &mut dyn Sink,
    interrupts: &mut Interrupts,
) -> Result<RunState, RunError> {
    let Job { plan, cluster, values, started, journal, clock, witness } = job;
    let (facts, inbox) = mpsc::unbounded_channel();
    let bench = Arc::new(Bench::new(Arc::clone(&plan), cluster.clone(), values, facts).watched(clock, witness));
    let mut ledger = Ledger::new(RunState::default(), journal, sink, clock).masking(bench.secrets());
    let lease = if plan.has_changes() && options.lease {
        let namespace = bench.lease_namespace();
        Some(Held::take(&cluster, &namespace, &started, clock).await?)
    } else {
        None
    };
    ledger.fact(EventKind::RunStarted(started)).await?;
    let result = carry_out(&bench, &mut ledger, inbox, options, interrupts).await;
    if let Some(lease) = lease {
        lease.release().await;
    }
    let result = result?;
    ledger.fact(EventKind::RunFinished { result }).await?;
    Ok(ledger.into_state())
}

async fn carry_out(
    bench: &Arc<Bench>,
    ledger: &mut Ledger<'_>,
    inbox: mpsc::UnboundedReceiver<crate::recorder::Message>,
    options: &RunOptions,
    interrupts: &mut Interrupts,
) -> Result<RunResult, RunError> {
    let plan = &bench.plan;
    let mut unmet = false;
    for requirement in requires::check(bench).await {
        unmet |= requirement.unmet.is_some();
        ledger.fact(EventKind::RequirementChecked { requirement }).await?;
    }
    if unmet {
        let why = "a requirement is not met";
        for step in plan.chosen() {
            let outcome = StepOutcome::Cancelled { why: why.to_owned() };
            let step = plan.step(step).id.value.clone();
            ledger.fact(EventKind::StepFinished { step, outcome, kubectl: None }).await?;
        }
        return Ok(RunResult::Inconclusive);
    }
    let deadline = plan.runbook.timeout.map(|timeout| Instant::now() + timeout.get());
    let pace = Pace { jobs: options.jobs.max(1), keep_going: options.keep_going, deadline };
    Scheduler::new(plan, Arc::clone(bench), ledger, inbox, pace).run(interrupts).await?;
    look_again(bench, ledger).await?;
    if ledger.state().broken_steps().next().is_some() {
        crate::diagnose::diagnose(bench, ledger).await?;
    }
    let mut complete = true;
    if options.cleanup.unwrap_or(plan.runbook.cleanup.is_some()) {
        complete = undo::undo(&bench.cluster, ledger, UndoOptions::default()).await?;
    }
    Ok(result(ledger.state(), complete))
}

/// Reads each change again: one that someone else reverted meanwhile makes the run fail.
async fn look_again(bench: &Bench, ledger: &mut Ledger<'_>) -> Result<(), RunError> {
    let standing: Vec<_> = ledger.state().standing_changes().cloned().collect();
    // Of several changes to one object only the latest can stand.
    let mut seen = std::collections::BTreeSet::new();
    for change in standing {
        if !seen.insert(change.intent.object.clone()) {
            continue;
        }
        if let Ok(Some(detail)) = undo::reverted(&bench.cluster, &change).await {
            ledger.fact(EventKind::ChangeReverted { change: change.intent.change, detail }).await?;
        }
    }
    Ok(())
}

fn result(state: &RunState, complete: bool) -> RunResult {
    let counts = state.counts();
    let reverted = state.changes.values().any(|change| change.reverted.is_some());
    if !complete {
        RunResult::CleanupIncomplete
    } else if state.interrupted > 0 {
        RunResult::Interrupted
    } else if counts.failed > 0 || reverted {
        RunResult::Failed
    } else if counts.inconclusive > 0 {
        RunResult::Inconclusive
    } else if counts.not_run > 0 {
        RunResult::Failed
    } else {
        RunResult::Passed
    }
}

/// Takes back what an earlier run changed, and gives the state that leads to.
///
/// # Errors
/// [`RunError`] when that could not be written down.
pub async fn undo_run(
    state: RunState,
    cluster: &Cluster,
    journal: JournalWriter,
    clock: Clock,
    options: UndoOptions,
    sink: &mut dyn Sink,
) -> Result<(RunState, bool), RunError> {
    let mut ledger = Ledger::new(state, journal, sink, clock);
    let complete = undo::undo(cluster, &mut ledger, options).await?;
    if let Some(started) = &ledger.state().started {
        lease::sweep(cluster, started).await;
    }
    Ok((ledger.into_state(), complete))
}

/// Whether a run's target is the cluster that is reached now. An undo anywhere else would be a disaster.
#[must_use]
pub fn is_same_cluster(target: &Target, uid: Option<&str>) -> bool {
    match target {
        Target::Lab { .. } => false,
        Target::Cluster { uid: then, .. } => then.is_some() && then.as_deref() == uid,
    }
}
