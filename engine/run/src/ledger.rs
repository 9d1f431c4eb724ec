//! Numbers facts, folds them, journals them and shows them, in this order.
//!
//! The only place that makes an [`Event`]. A fact reaches the screen after the journal has it.

use std::sync::{Arc, Mutex, PoisonError};

use periplus_core::event::{Event, EventKind};
use periplus_core::redact::mask;
use periplus_core::state::RunState;

use crate::clock::Clock;
use crate::journal::{JournalWriter, StateDirError};
use crate::recorder::Message;

/// Receives events with the state they lead to.
pub trait Sink {
    /// Takes in one event. Must not block for long; a sink that fails keeps that to itself until the end.
    fn on_event(&mut self, event: &Event, state: &RunState);
}

impl<F: FnMut(&Event, &RunState)> Sink for F {
    fn on_event(&mut self, event: &Event, state: &RunState) {
        self(event, state);
    }
}

/// The run's books.
pub(crate) struct Ledger<'s> {
    state: RunState,
    journal: JournalWriter,
    sink: &'s mut dyn Sink,
    clock: Clock,
    /// Added to the clock's elapsed time, for a run that is continued.
    earlier_ms: u64,
    /// Values that must not be told.
    secrets: Arc<Mutex<Vec<String>>>,
}

impl<'s> Ledger<'s> {
    /// Opens the books, at `state`: empty for a new run, replayed for one that is continued.
    pub(crate) fn new(state: RunState, journal: JournalWriter, sink: &'s mut dyn Sink, clock: Clock) -> Self {
        let earlier_ms = state.elapsed_ms;
        Self { state, journal, sink, clock, earlier_ms, secrets: Arc::default() }
    }

    /// Masks these values in whatever is told from now on.
    pub(crate) fn masking(self, secrets: Arc<Mutex<Vec<String>>>) -> Self {
        Self { secrets, ..self }
    }

    /// What is known of the run, at its end.
    pub(crate) fn into_state(self) -> RunState {
        self.state
    }

    /// What is known of the run.
    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// Records facts in the order given, with one flush at most, and then answers those who wait for it.
    ///
    /// # Panics
    /// When the facts cannot follow what came before: the engine contradicts itself.
    pub(crate) async fn record(&mut self, batch: Vec<Message>) -> Result<(), StateDirError> {
        let mut events = Vec::with_capacity(batch.len());
        let mut waiting = Vec::new();
        for message in batch {
            waiting.extend(message.journaled);
            // A worker's progress may be overtaken by the end of its step.
            let stale = message.kind.is_progress()
                && message
                    .kind
                    .step()
                    .and_then(|step| self.state.steps.get(step))
                    .is_none_or(|s| s.outcome().is_some());
            if stale {
                continue;
            }
            let event = Event {
                seq: self.state.next_seq,
                at: self.clock.now(),
                elapsed_ms: self.earlier_ms + self.clock.elapsed_ms(),
                kind: self.masked(message.kind),
            };
            self.state.apply(&event).unwrap_or_else(|error| panic!("the engine contradicts itself: {error}"));
            events.push(event);
        }
        self.journal.append(&events).await?;
        for event in &events {
            self.sink.on_event(event, &self.state);
        }
        for journaled in waiting {
            // Nobody waits any more where the worker was cancelled meanwhile.
            journaled.send(()).ok();
        }
        Ok(())
    }

    /// The fact with every secret in it masked. The object before a change is left as it is, since an undo puts it back.
    fn masked(&self, kind: EventKind) -> EventKind {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.is_empty() || matches!(kind, EventKind::ChangeIntended { .. }) { kind } else { mask(kind, &secrets) }
    }

    /// Records one fact.
    pub(crate) async fn fact(&mut self, kind: EventKind) -> Result<(), StateDirError> {
        self.record(vec![Message { kind, journaled: None }]).await
    }
}
