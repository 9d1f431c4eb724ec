//! How a worker tells the scheduler what happened.
//!
//! Workers never number events and never touch the run's state; they hand facts over and, where a fact must be on disk
//! before they go on, wait for the scheduler's word.

use periplus_core::change::ChangeId;
use periplus_core::event::{ChangeIntent, ChangeMade, EventKind};
use periplus_core::model::StepId;
use tokio::sync::{mpsc, oneshot};

/// A fact on its way to the scheduler.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: EventKind,
    /// Answered once the fact is journaled as durably as it asks for.
    pub(crate) journaled: Option<oneshot::Sender<()>>,
}

/// The run ended while a worker was still at work; the worker is to stop without a word.
#[derive(Debug, thiserror::Error)]
#[error("the run has ended")]
pub(crate) struct RunEnded;

/// One step's line to the scheduler.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    step: StepId,
    facts: mpsc::UnboundedSender<Message>,
    change_ids: std::sync::Arc<std::sync::atomic::AtomicU32>,
}

impl Recorder {
    pub(crate) fn new(
        step: StepId,
        facts: mpsc::UnboundedSender<Message>,
        change_ids: std::sync::Arc<std::sync::atomic::AtomicU32>,
    ) -> Self {
        Self { step, facts, change_ids }
    }

    /// The step it speaks for.
    pub(crate) fn step(&self) -> &StepId {
        &self.step
    }

    /// The same line for another step: one that is judged together with this one.
    pub(crate) fn for_step(&self, step: &StepId) -> Self {
        Self { step: step.clone(), ..self.clone() }
    }

    /// Tells a fact and goes on. A fact that comes after the end of the run is dropped: nobody is there to hear it.
    pub(crate) fn tell(&self, kind: EventKind) {
        drop(self.facts.send(Message { kind, journaled: None }));
    }

    /// Tells what the step waits for now, as a fragment that completes "waiting for …".
    pub(crate) fn waiting(&self, what: impl Into<String>) {
        self.tell(EventKind::Waiting { step: self.step.clone(), what: what.into() });
    }

    /// Announces a change and waits until the announcement is on disk.
    pub(crate) async fn intend(&self, intent: impl FnOnce(ChangeId) -> ChangeIntent) -> Result<ChangeId, RunEnded> {
        let change = ChangeId(self.change_ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
        let (journaled, on_disk) = oneshot::channel();
        let kind = EventKind::ChangeIntended { step: self.step.clone(), intent: intent(change) };
        self.facts.send(Message { kind, journaled: Some(journaled) }).map_err(|_| RunEnded)?;
        on_disk.await.map_err(|_| RunEnded)?;
        Ok(change)
    }

    /// Tells a value that was taken from the world.
    pub(crate) fn captured(&self, name: &str, value: &str) {
        self.tell(EventKind::Captured { step: self.step.clone(), name: name.to_owned(), value: value.to_owned() });
    }

    /// Tells a warning of the API server.
    pub(crate) fn warn(&self, text: String) {
        self.tell(EventKind::Warned { step: self.step.clone(), text });
    }

    /// Tells that a change was made.
    pub(crate) fn made(&self, change: ChangeId, made: ChangeMade) {
        self.tell(EventKind::ChangeMade { step: self.step.clone(), change, made });
    }

    /// Tells that a change was refused, or that its answer was lost.
    pub(crate) fn change_failed(&self, change: ChangeId, error: String, perhaps_made: bool) {
        self.tell(EventKind::ChangeFailed { step: self.step.clone(), change, error, perhaps_made });
    }
}
