//! Decides which step runs when. The only owner of the run's state.
//!
//! It knows the graph and how steps end; it knows no verb by name and never speaks to a cluster.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use periplus_core::event::EventKind;
use periplus_core::graph::EdgeKind;
use periplus_core::model::StepId;
use periplus_core::outcome::{Failure, FailureKind, SkipReason, StepOutcome};
use periplus_core::plan::Plan;
use periplus_core::state::StepStatus;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::journal::StateDirError;
use crate::ledger::Ledger;
use crate::recorder::Message;
use crate::signal::Interrupts;

/// Carries out one step, and the checks that belong to it; tells everything that happens on the way, its end included.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// Whether the step's `when` holds. `Err` explains why that cannot be told.
    fn is_wanted(&self, step: usize) -> Result<bool, Failure>;

    /// Carries out the step.
    fn carry_out(self: Arc<Self>, step: usize) -> impl Future<Output = ()> + Send;
}

/// Bounds on how steps are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How many steps may run side by side.
    pub(crate) jobs: usize,
    /// Whether branches that do not depend on a failed step go on.
    pub(crate) keep_going: bool,
    /// When the run must have ended.
    pub(crate) deadline: Option<Instant>,
}

/// The steps of one run on their way from waiting to ended.
pub(crate) struct Scheduler<'a, 's, C> {
    plan: &'a Plan,
    carrier: Arc<C>,
    ledger: &'a mut Ledger<'s>,
    facts: mpsc::UnboundedReceiver<Message>,
    pace: Pace,
    /// For each step how many of those it waits for have not ended.
    open_waits: Vec<usize>,
    /// Steps that have let go those that wait for them.
    released: Vec<bool>,
    ready: BinaryHeap<Reverse<usize>>,
    running: JoinSet<()>,
    /// Which step each task carries out, to name it should the task die.
    tasks: BTreeMap<tokio::task::Id, usize>,
    positions: BTreeMap<StepId, usize>,
    /// Why nothing new starts, once that is so.
    stopping: Option<String>,
}

impl<'a, 's, C: Carrier> Scheduler<'a, 's, C> {
    pub(crate) fn new(
        plan: &'a Plan,
        carrier: Arc<C>,
        ledger: &'a mut Ledger<'s>,
        facts: mpsc::UnboundedReceiver<Message>,
        pace: Pace,
    ) -> Self {
        let steps = &plan.runbook.steps;
        let open_waits: Vec<usize> = (0..steps.len()).map(|step| plan.dag.waits_for(step).count()).collect();
        Self {
            plan,
            carrier,
            ledger,
            facts,
            pace,
            released: vec![false; steps.len()],
            open_waits,
            ready: BinaryHeap::new(),
            running: JoinSet::new(),
            tasks: BTreeMap::new(),
            positions: plan.chosen().map(|step| (plan.step(step).id.value.clone(), step)).collect(),
            stopping: None,
        }
    }

    /// Runs until every chosen step has ended or will never start.
    pub(crate) async fn run(mut self, interrupts: &mut Interrupts) -> Result<(), StateDirError> {
        let steps = self.plan.runbook.steps.len();
        for step in (0..steps).filter(|step| self.open_waits[*step] == 0).collect::<Vec<_>>() {
            self.ready.push(Reverse(step));
        }
        loop {
            self.start_ready().await?;
            if self.running.is_empty() {
                break;
            }
            let deadline = self.pace.deadline;
            tokio::select! {
                biased;
                times = interrupts.next() => self.interrupt(times).await?,
                Some(first) = self.facts.recv() => self.take_in(first).await?,
                Some(ended) = self.running.join_next_with_id() => self.task_ended(ended).await?,
                () = until(deadline), if self.stopping.is_none() => {
                    self.stop("the run's time is up");
                    self.cancel_running("the run's time is up").await?;
                }
            }
        }
        self.settle_rest().await
    }

    /// Starts what may start, in file order; settles what is skipped or can never start.
    async fn start_ready(&mut self) -> Result<(), StateDirError> {
        while let Some(Reverse(step)) = self.ready.pop() {
            if !self.plan.is_chosen(step) || self.is_over(step) {
                self.release(step);
                continue;
            }
            if self.is_running(step) {
                // A check that is judged together with its exec: it is let go when that has ended.
                continue;
            }
            if let Some(outcome) = self.verdict_without_running(step) {
                self.finish(step, outcome).await?;
                continue;
            }
            if self.running.len() >= self.pace.jobs {
                self.ready.push(Reverse(step));
                break;
            }
            let carrier = Arc::clone(&self.carrier);
            let task = self.running.spawn(async move { carrier.carry_out(step).await });
            self.tasks.insert(task.id(), step);
        }
        Ok(())
    }

    /// How a step whose waits have ended comes out without being run: blocked, skipped or cancelled.
    fn verdict_without_running(&self, step: usize) -> Option<StepOutcome> {
        let mut blockers = Vec::new();
        let mut skipped = None;
        for (before, kind) in self.plan.dag.waits_for(step).filter(|(before, _)| self.plan.is_chosen(*before)) {
            let id = &self.plan.step(before).id.value;
            match self.ledger.state().steps.get(id).and_then(|state| state.outcome()) {
                Some(StepOutcome::Skipped { .. }) if kind == EdgeKind::Use => skipped = skipped.or(Some(id.clone())),
                Some(outcome) if outcome.lets_go_on() => {}
                _ => blockers.push(id.clone()),
            }
        }
        if !blockers.is_empty() {
            return Some(StepOutcome::Blocked { by: blockers });
        }
        if let Some(why) = &self.stopping {
            return Some(StepOutcome::Cancelled { why: why.clone() });
        }
        if let Some(step) = skipped {
            return Some(StepOutcome::Skipped { reason: SkipReason::Needs { step } });
        }
        match self.carrier.is_wanted(step) {
            Ok(true) => None,
            Ok(false) => {
                let condition = self.plan.step(step).when.as_ref().map_or_else(String::new, |when| when.raw.clone());
                Some(StepOutcome::Skipped { reason: SkipReason::When { condition } })
            }
            Err(failure) => Some(StepOutcome::Failed { failure }),
        }
    }

    /// Records what workers told, all that is there at once, so that they share a flush.
    async fn take_in(&mut self, first: Message) -> Result<(), StateDirError> {
        let mut batch = vec![first];
        while let Ok(next) = self.facts.try_recv() {
            batch.push(next);
        }
        let ended: Vec<usize> = batch
            .iter()
            .filter_map(|message| match &message.kind {
                EventKind::StepFinished { step, .. } => self.positions.get(step).copied(),
                _ => None,
            })
            .collect();
        self.ledger.record(batch).await?;
        for step in ended {
            self.after(step);
        }
        Ok(())
    }

    /// Settles a step that is not run.
    async fn finish(&mut self, step: usize, outcome: StepOutcome) -> Result<(), StateDirError> {
        let id = self.plan.step(step).id.value.clone();
        self.ledger.fact(EventKind::StepFinished { step: id, outcome, kubectl: None }).await?;
        self.after(step);
        Ok(())
    }

    /// What the end of a step leads to.
    fn after(&mut self, step: usize) {
        let id = &self.plan.step(step).id.value;
        let failed = matches!(
            self.ledger.state().steps.get(id).and_then(|state| state.outcome()),
            Some(StepOutcome::Failed { .. } | StepOutcome::Inconclusive { .. })
        );
        if failed && !self.pace.keep_going {
            self.stop(&format!("step {id} did not pass"));
        }
        self.release(step);
    }

    /// Lets go those that wait for a step that is over. A check that is judged with its exec may be over before all it
    /// waits for is; it then lets go when that is over as well.
    fn release(&mut self, step: usize) {
        if self.open_waits[step] > 0 || std::mem::replace(&mut self.released[step], true) {
            return;
        }
        for (next, _) in self.plan.dag.releases(step) {
            self.open_waits[next] -= 1;
            if self.open_waits[next] == 0 {
                self.ready.push(Reverse(next));
            }
        }
    }

    fn is_over(&self, step: usize) -> bool {
        let id = &self.plan.step(step).id.value;
        self.ledger.state().steps.get(id).is_some_and(|state| state.outcome().is_some())
    }

    fn is_running(&self, step: usize) -> bool {
        let id = &self.plan.step(step).id.value;
        self.ledger.state().steps.get(id).is_some_and(|state| state.status == StepStatus::Running)
    }

    fn stop(&mut self, why: &str) {
        self.stopping.get_or_insert_with(|| why.to_owned());
    }

    async fn interrupt(&mut self, times: u8) -> Result<(), StateDirError> {
        self.ledger.fact(EventKind::Interrupted { times }).await?;
        self.stop("interrupted");
        if times > 1 {
            self.cancel_running("interrupted").await?;
        }
        Ok(())
    }

    /// Ends all that runs at once.
    async fn cancel_running(&mut self, why: &str) -> Result<(), StateDirError> {
        self.running.shutdown().await;
        self.tasks.clear();
        while let Ok(message) = self.facts.try_recv() {
            self.take_in(message).await?;
        }
        let outcome = StepOutcome::Cancelled { why: why.to_owned() };
        for step in self.steps_with(&StepStatus::Running) {
            self.finish(step, outcome.clone()).await?;
        }
        Ok(())
    }

    /// A worker that died takes its step with it, never the run's books.
    async fn task_ended(&mut self, ended: Result<(tokio::task::Id, ()), JoinError>) -> Result<(), StateDirError> {
        while let Ok(message) = self.facts.try_recv() {
            self.take_in(message).await?;
        }
        let (id, error) = match ended {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error)),
        };
        let Some(step) = self.tasks.remove(&id) else { return Ok(()) };
        let Some(error) = error else { return Ok(()) };
        let failure = Failure {
            kind: FailureKind::Target,
            summary: format!("the engine failed while it carried out this step: {error}"),
            mismatches: Vec::new(),
            advice: vec!["This is a bug of periplus; the journal of this run helps to find it.".to_owned()],
        };
        for open in std::iter::once(step).chain(self.plan.judged_by(step).iter().copied()) {
            if !self.is_over(open) {
                self.finish(open, StepOutcome::Inconclusive { failure: failure.clone() }).await?;
            }
        }
        Ok(())
    }

    fn steps_with(&self, status: &StepStatus) -> Vec<usize> {
        let steps = &self.ledger.state().steps;
        steps
            .iter()
            .filter(|(_, state)| state.status == *status)
            .filter_map(|(id, _)| self.positions.get(id).copied())
            .collect()
    }

    /// Every step has an end, also those that nothing released any more.
    async fn settle_rest(&mut self) -> Result<(), StateDirError> {
        let why = self.stopping.clone().unwrap_or_else(|| "the run ended".to_owned());
        for step in self.steps_with(&StepStatus::Pending) {
            let outcome = StepOutcome::Cancelled { why: why.clone() };
            let id = self.plan.step(step).id.value.clone();
            self.ledger.fact(EventKind::StepFinished { step: id, outcome, kubectl: None }).await?;
        }
        Ok(())
    }
}

/// Never, where there is no deadline.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
