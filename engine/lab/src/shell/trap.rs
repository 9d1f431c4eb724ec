//! Traps and signals.
//!
//! Invariant: a signal that is not trapped does to a shell what it would do to any program.

use super::state::{Flow, Shell, Stop};
use crate::process::{Exit, SIGKILL};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// What `trap` was asked to do, by signal; 0 is the shell's exit, and an empty action ignores.
#[derive(Debug, Default)]
pub(super) struct Traps {
    pub(super) actions: BTreeMap<u8, String>,
    signals: Option<watch::Receiver<Option<u8>>>,
    pending: Vec<u8>,
}

impl Traps {
    /// What a subshell starts with: what is ignored stays so, all else is as by default.
    pub(super) fn inherited(&self) -> Self {
        let actions = self.actions.iter().filter(|(_, action)| action.is_empty());
        Self { actions: actions.map(|(signal, action)| (*signal, action.clone())).collect(), ..Self::default() }
    }

    pub(super) fn forget_exit(&mut self) -> Option<String> {
        self.actions.remove(&0).filter(|action| !action.is_empty())
    }

    /// The next signal; for ever if none is listened to.
    async fn arrival(&mut self) -> u8 {
        let Some(signals) = &mut self.signals else { return std::future::pending().await };
        loop {
            if signals.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(signal) = *signals.borrow_and_update() {
                return signal;
            }
        }
    }

    /// Keeps a signal for later; an ending when nothing is trapped and it ends the process.
    fn note(&mut self, signal: u8, first: bool) -> Result<(), Stop> {
        match self.actions.get(&signal) {
            Some(action) if action.is_empty() => {}
            Some(_) => self.pending.push(signal),
            None if first && signal != SIGKILL => {}
            None => return Err(Stop::End(Exit::Signal(signal))),
        }
        Ok(())
    }
}

impl Shell {
    /// Starts to handle signals, once something is trapped.
    pub(super) fn listen(&mut self) {
        if self.traps.signals.is_none() {
            self.traps.signals = self.process.handle_signals();
        }
    }

    /// Runs the actions of the signals that have arrived.
    pub(super) async fn handle_signals(&mut self) -> Result<(), Stop> {
        if self.traps.signals.is_none() {
            return Ok(());
        }
        let first = self.process.pid == 1;
        while self.traps.signals.as_ref().is_some_and(|signals| signals.has_changed().unwrap_or(false)) {
            let signal = self.traps.arrival().await;
            self.traps.note(signal, first)?;
        }
        while !self.traps.pending.is_empty() {
            let signal = self.traps.pending.remove(0);
            self.act(signal).await?;
        }
        Ok(())
    }

    async fn act(&mut self, signal: u8) -> Result<(), Stop> {
        let Some(action) = self.traps.actions.get(&signal).cloned() else { return Ok(()) };
        let status = self.status;
        self.enter()?;
        self.script(&action).await?;
        self.leave();
        self.status = status;
        Ok(())
    }

    /// Waits for a child. Trapped signals are kept until it has ended; others end the shell at once.
    pub(super) async fn attend<T>(&mut self, child: impl Future<Output = T>) -> Result<T, Stop> {
        let first = self.process.pid == 1;
        let mut child = std::pin::pin!(child);
        loop {
            tokio::select! {
                biased;
                output = &mut child => return Ok(output),
                signal = self.traps.arrival() => self.traps.note(signal, first)?,
            }
        }
    }

    /// Waits for a job as `wait` does: a trapped signal ends the waiting, and its number plus 128 is the status.
    pub(super) async fn attend_job<T>(&mut self, job: impl Future<Output = T>) -> Result<Result<T, u8>, Stop> {
        let first = self.process.pid == 1;
        let mut job = std::pin::pin!(job);
        loop {
            tokio::select! {
                biased;
                output = &mut job => return Ok(Ok(output)),
                signal = self.traps.arrival() => {
                    self.traps.note(signal, first)?;
                    if !self.traps.pending.is_empty() {
                        self.handle_signals().await?;
                        return Ok(Err(128 + signal));
                    }
                }
            }
        }
    }

    /// What a shell (or subshell) comes to when its commands are over: the exit trap, then the status.
    pub(super) async fn end(&mut self, flow: Flow) -> Exit {
        let exit = match flow {
            Ok(status) | Err(Stop::Return(status) | Stop::Error(status)) => Exit::Code(status),
            Err(Stop::Break(_) | Stop::Continue(_)) => Exit::Code(0),
            Err(Stop::End(exit)) => exit,
        };
        let Exit::Code(status) = exit else { return exit };
        let Some(trap) = self.traps.forget_exit() else { return exit };
        self.status = status;
        match self.script(&trap).await {
            Err(Stop::End(exit)) => exit,
            _ => Exit::Code(status),
        }
    }
}
