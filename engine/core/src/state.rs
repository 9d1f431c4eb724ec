//! The state of a run as a pure fold over its events.
//!
//! Scheduler, reports, history and undo all use this one function, so that what was seen live and what is read from a
//! journal cannot differ. An event that cannot follow what came before is an error, never ignored.

use indexmap::IndexMap;
use jiff::Timestamp;
use thiserror::Error;

use crate::call::Call;
use crate::change::ChangeId;
use crate::event::{
    AttemptResult, ChangeIntent, ChangeMade, Event, EventKind, ExecReport, LogMark, RunStarted, StepSummary, UndoResult,
};
use crate::expect::{Excerpt, Mismatch};
use crate::model::StepId;
use crate::outcome::{Requirement, RunResult, StepOutcome};

/// What is known of a run after some of its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// The first fact; `None` before it.
    pub started: Option<RunStarted>,
    /// When the run started.
    pub started_at: Option<Timestamp>,
    /// Time of the last event, in milliseconds since the start.
    pub elapsed_ms: u64,
    /// Number that the next event must carry.
    pub next_seq: u64,
    /// The chosen steps, in file order.
    pub steps: IndexMap<StepId, StepState>,
    /// What was required, and whether it was there.
    pub requirements: Vec<Requirement>,
    /// All changes that were announced, oldest first.
    pub changes: IndexMap<ChangeId, ChangeState>,
    /// Output of `on-failure` steps.
    pub diagnosed: Vec<(String, Excerpt)>,
    /// How often the operator interrupted.
    pub interrupted: u8,
    /// Whether changes are being, or were, taken back.
    pub undoing: bool,
    /// How the run ended; `None` while it goes on.
    pub result: Option<RunResult>,
}

/// What is known of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    /// As the run's first event listed it.
    pub summary: StepSummary,
    /// Where it stands.
    pub status: StepStatus,
    /// Attempts begun.
    pub attempts: u32,
    /// When it started, in milliseconds since the start of the run.
    pub started_ms: Option<u64>,
    /// When it ended, likewise.
    pub finished_ms: Option<u64>,
    /// What it waits for now, as a fragment that completes "waiting for …".
    pub waiting_for: Option<String>,
    /// What differed in the latest attempt that did not hold.
    pub last_mismatches: Vec<Mismatch>,
    /// What the latest exec gave back.
    pub last_exec: Option<ExecReport>,
    /// Why the calls of the last attempt of an exec that failed went where they went.
    pub calls: Vec<Call>,
    /// Cause of the latest attempt that was inconclusive or failed.
    pub last_cause: Option<String>,
    /// Warnings of the API server.
    pub warnings: Vec<String>,
    /// What it captured.
    pub captures: IndexMap<String, String>,
    /// Marks set before its latest attempt, by the step that reads from them.
    pub marks: Vec<(StepId, LogMark)>,
    /// The equivalent `kubectl` line.
    pub kubectl: Option<String>,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum StepStatus {
    /// Not started.
    Pending,
    /// Started and not ended.
    Running,
    /// Ended, or never to start.
    Finished(StepOutcome),
}

impl StepState {
    fn new(summary: StepSummary) -> Self {
        Self {
            summary,
            status: StepStatus::Pending,
            attempts: 0,
            started_ms: None,
            finished_ms: None,
            waiting_for: None,
            last_mismatches: Vec::new(),
            last_exec: None,
            calls: Vec::new(),
            last_cause: None,
            warnings: Vec::new(),
            captures: IndexMap::new(),
            marks: Vec::new(),
            kubectl: None,
        }
    }

    /// How it ended, if it did.
    #[must_use]
    pub const fn outcome(&self) -> Option<&StepOutcome> {
        match &self.status {
            StepStatus::Finished(outcome) => Some(outcome),
            StepStatus::Pending | StepStatus::Running => None,
        }
    }

    /// How long it ran, in milliseconds; `None` if it never started or has not ended.
    #[must_use]
    pub fn duration_ms(&self) -> Option<u64> {
        Some(self.finished_ms?.saturating_sub(self.started_ms?))
    }
}

/// What is known of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeState {
    /// The step that made it.
    pub step: StepId,
    /// What was about to be done, and the object as it was.
    pub intent: ChangeIntent,
    /// How far it came.
    pub progress: ChangeProgress,
    /// What was found in its place at the end of the run, if someone else wrote over it.
    pub reverted: Option<String>,
    /// How taking it back went, if that was tried.
    pub undone: Option<UndoResult>,
}

/// How far a change came.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeProgress {
    /// Announced; whether the server carried it out is not known.
    Intended,
    /// Done.
    Made(ChangeMade),
    /// Refused by the server.
    Refused {
        /// The cause.
        error: String,
    },
    /// The answer was lost; the server may have carried it out.
    PerhapsMade {
        /// The cause.
        error: String,
    },
}

/// An event that cannot follow what came before it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IllegalEvent {
    /// Events are numbered without gaps.
    #[error("event {found} where {expected} was due")]
    OutOfOrder {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The first event must start the run, and only the first.
    #[error("event {seq} starts the run a second time, or comes before its start")]
    NotStarted {
        /// The event's number.
        seq: u64,
    },
    /// The step is not among those the run listed.
    #[error("event {seq} tells of step {step}, which the run does not have")]
    UnknownStep {
        /// The event's number.
        seq: u64,
        /// The step.
        step: StepId,
    },
    /// The step cannot do that now.
    #[error("event {seq}: step {step} cannot do that {when}")]
    StepTransition {
        /// The event's number.
        seq: u64,
        /// The step.
        step: StepId,
        /// Where the step stands, such as `before it has started`.
        when: &'static str,
    },
    /// The change was never announced, or announced twice.
    #[error("event {seq} tells of change {}, which was never announced or was announced twice", change.0)]
    UnknownChange {
        /// The event's number.
        seq: u64,
        /// The change.
        change: ChangeId,
    },
    /// The change has its answer already.
    #[error("event {seq} answers change {}, which was answered before", change.0)]
    AnsweredTwice {
        /// The event's number.
        seq: u64,
        /// The change.
        change: ChangeId,
    },
}

impl RunState {
    /// Folds a journal's events into a state.
    ///
    /// # Errors
    /// The first event that cannot follow what came before it.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Self, IllegalEvent> {
        let mut state = Self::default();
        for event in events {
            state.apply(event)?;
        }
        Ok(state)
    }

    /// Takes in one event.
    ///
    /// # Errors
    /// [`IllegalEvent`] when the event cannot follow what came before it; the state is then as it was.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        let seq = event.seq;
        if event.kind.is_progress() {
            return self.apply_progress(event);
        }
        if seq != self.next_seq {
            return Err(IllegalEvent::OutOfOrder { expected: self.next_seq, found: seq });
        }
        if self.started.is_some() == matches!(event.kind, EventKind::RunStarted(_)) {
            return Err(IllegalEvent::NotStarted { seq });
        }
        self.apply_fact(event)?;
        self.next_seq = seq + 1;
        self.elapsed_ms = event.elapsed_ms;
        Ok(())
    }

    fn apply_progress(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if let EventKind::Waiting { step, what } = &event.kind {
            let state = self.running(event.seq, step)?;
            state.waiting_for = Some(what.clone());
        }
        Ok(())
    }

    fn apply_fact(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        let seq = event.seq;
        match &event.kind {
            EventKind::RunStarted(started) => {
                self.steps = started.steps.iter().map(|step| (step.id.clone(), StepState::new(step.clone()))).collect();
                self.started_at = Some(event.at);
                self.started = Some(started.clone());
            }
            EventKind::RequirementChecked { requirement } => self.requirements.push(requirement.clone()),
            EventKind::StepStarted { step } => {
                let state = self.step(seq, step)?;
                if state.status != StepStatus::Pending {
                    return Err(transition(seq, step, "after it has started"));
                }
                state.status = StepStatus::Running;
                state.started_ms = Some(event.elapsed_ms);
            }
            EventKind::AttemptStarted { step, attempt } => {
                let state = self.running(seq, step)?;
                if *attempt != state.attempts + 1 {
                    return Err(transition(seq, step, "out of the order of its attempts"));
                }
                state.attempts = *attempt;
                state.marks.clear();
            }
            EventKind::AttemptFinished { step, attempt, result, exec } => {
                let state = self.running(seq, step)?;
                if *attempt != state.attempts {
                    return Err(transition(seq, step, "out of the order of its attempts"));
                }
                state.take_attempt(result, exec.as_ref());
            }
            EventKind::Waiting { .. } => {}
            EventKind::Warned { step, text } => self.running(seq, step)?.warnings.push(text.clone()),
            EventKind::ChangeIntended { step, intent } => {
                self.running(seq, step)?;
                let change = ChangeState {
                    step: step.clone(),
                    intent: intent.clone(),
                    progress: ChangeProgress::Intended,
                    reverted: None,
                    undone: None,
                };
                if self.changes.contains_key(&intent.change) {
                    return Err(IllegalEvent::UnknownChange { seq, change: intent.change });
                }
                self.changes.insert(intent.change, change);
            }
            EventKind::ChangeMade { change, made, .. } => {
                self.unanswered(seq, *change)?.progress = ChangeProgress::Made(made.clone());
            }
            EventKind::ChangeFailed { change, error, perhaps_made, .. } => {
                let error = error.clone();
                self.unanswered(seq, *change)?.progress = if *perhaps_made {
                    ChangeProgress::PerhapsMade { error }
                } else {
                    ChangeProgress::Refused { error }
                };
            }
            EventKind::LogMarked { step, reader, mark } => {
                self.running(seq, step)?.marks.push((reader.clone(), mark.clone()));
            }
            EventKind::CallsExplained { step, calls } => self.running(seq, step)?.calls.clone_from(calls),
            EventKind::Captured { step, name, value } => {
                self.running(seq, step)?.captures.insert(name.clone(), value.clone());
            }
            EventKind::StepFinished { step, outcome, kubectl } => {
                let state = self.step(seq, step)?;
                if matches!(state.status, StepStatus::Finished(_)) {
                    return Err(transition(seq, step, "after it has ended"));
                }
                state.status = StepStatus::Finished(outcome.clone());
                state.finished_ms = Some(event.elapsed_ms);
                state.waiting_for = None;
                state.kubectl.clone_from(kubectl);
            }
            EventKind::ChangeReverted { change, detail } => {
                self.change(seq, *change)?.reverted = Some(detail.clone());
            }
            EventKind::Diagnosed { title, text } => self.diagnosed.push((title.clone(), text.clone())),
            EventKind::Interrupted { times } => self.interrupted = *times,
            EventKind::UndoStarted { .. } => self.undoing = true,
            EventKind::UndoIntended { change, .. } => {
                self.change(seq, *change)?;
            }
            EventKind::UndoFinished { change, result } => {
                self.change(seq, *change)?.undone = Some(result.clone());
            }
            EventKind::RunFinished { result } => self.result = Some(*result),
        }
        Ok(())
    }

    fn step(&mut self, seq: u64, step: &StepId) -> Result<&mut StepState, IllegalEvent> {
        self.steps.get_mut(step).ok_or_else(|| IllegalEvent::UnknownStep { seq, step: step.clone() })
    }

    fn running(&mut self, seq: u64, step: &StepId) -> Result<&mut StepState, IllegalEvent> {
        let state = self.step(seq, step)?;
        match state.status {
            StepStatus::Running => Ok(state),
            StepStatus::Pending => Err(transition(seq, step, "before it has started")),
            StepStatus::Finished(_) => Err(transition(seq, step, "after it has ended")),
        }
    }

    fn change(&mut self, seq: u64, change: ChangeId) -> Result<&mut ChangeState, IllegalEvent> {
        self.changes.get_mut(&change).ok_or(IllegalEvent::UnknownChange { seq, change })
    }

    fn unanswered(&mut self, seq: u64, change: ChangeId) -> Result<&mut ChangeState, IllegalEvent> {
        let state = self.change(seq, change)?;
        if state.progress == ChangeProgress::Intended {
            Ok(state)
        } else {
            Err(IllegalEvent::AnsweredTwice { seq, change })
        }
    }

    /// The changes that stand in the target, or may: newest first, as an undo walks them.
    pub fn standing_changes(&self) -> impl Iterator<Item = &ChangeState> {
        self.changes.values().rev().filter(|change| change.stands())
    }

    /// The steps that failed or were inconclusive, in file order.
    pub fn broken_steps(&self) -> impl Iterator<Item = &StepState> {
        self.steps.values().filter(|step| {
            matches!(step.outcome(), Some(StepOutcome::Failed { .. } | StepOutcome::Inconclusive { .. }))
        })
    }

    /// How many steps ended in which way.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for step in self.steps.values() {
            match step.outcome() {
                Some(StepOutcome::Passed { .. }) => counts.passed += 1,
                Some(StepOutcome::Failed { .. }) => counts.failed += 1,
                Some(StepOutcome::Inconclusive { .. }) => counts.inconclusive += 1,
                Some(StepOutcome::Skipped { .. }) => counts.skipped += 1,
                Some(StepOutcome::Blocked { .. } | StepOutcome::Cancelled { .. }) | None => counts.not_run += 1,
            }
        }
        counts
    }
}

impl StepState {
    fn take_attempt(&mut self, result: &AttemptResult, exec: Option<&ExecReport>) {
        match result {
            AttemptResult::Held => {
                self.last_mismatches.clear();
                self.last_cause = None;
            }
            AttemptResult::NotHeld { mismatches } => {
                if !mismatches.is_empty() {
                    self.last_mismatches.clone_from(mismatches);
                }
                self.last_cause = None;
            }
            AttemptResult::Inconclusive { cause } | AttemptResult::Failed { cause } => {
                self.last_cause = Some(cause.clone());
            }
        }
        if let Some(exec) = exec {
            self.last_exec = Some(exec.clone());
        }
    }
}

impl ChangeState {
    /// Whether the change is, or may be, in effect and not taken back.
    #[must_use]
    pub fn stands(&self) -> bool {
        use crate::event::ChangeResult;
        let in_effect = match &self.progress {
            ChangeProgress::Made(made) => !matches!(made.result, ChangeResult::Unchanged | ChangeResult::NotFound),
            ChangeProgress::Intended | ChangeProgress::PerhapsMade { .. } => true,
            ChangeProgress::Refused { .. } => false,
        };
        in_effect && !self.undone.as_ref().is_some_and(UndoResult::is_complete)
    }
}

fn transition(seq: u64, step: &StepId, when: &'static str) -> IllegalEvent {
    IllegalEvent::StepTransition { seq, step: step.clone(), when }
}

/// How many steps ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps that passed.
    pub passed: usize,
    /// Steps of which a check did not hold, or that were refused.
    pub failed: usize,
    /// Steps of which nothing could be found out.
    pub inconclusive: usize,
    /// Steps that were not meant to run.
    pub skipped: usize,
    /// Steps that never started or were stopped.
    pub not_run: usize,
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
