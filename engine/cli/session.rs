//! What `rehearse`, `run` and `undo` have in common while they last: sinks that are fed, a clock that ticks, interrupts.
//!
//! The engine calls the sink; the sink never calls the engine.

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use clap::Args;
use periplus_core::event::Event;
use periplus_core::state::RunState;
use periplus_render::fanout::Fanout;
use periplus_run::cluster::LeaseError;
use periplus_run::{Interrupter, RunError, RunOptions, Sink};
use tokio::runtime::Runtime;

use crate::error::{CliError, chain};

/// Time between two redraws of the live rows.
const TICK: Duration = Duration::from_millis(100);

/// How steps are run.
#[derive(Debug, Args)]
pub(crate) struct PaceArgs {
    /// How many steps may run side by side
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,

    /// After a failure, go on with steps that do not depend on it
    #[arg(long)]
    keep_going: bool,

    /// Take all changes back at the end, whatever comes. Default: as the runbook's cleanup says
    #[arg(long, conflicts_with = "no_cleanup")]
    cleanup: bool,

    /// Leave all changes, even if the runbook has a cleanup
    #[arg(long)]
    no_cleanup: bool,
}

impl PaceArgs {
    pub(crate) fn options(&self) -> RunOptions {
        let cleanup = match (self.cleanup, self.no_cleanup) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        RunOptions { jobs: self.jobs.into(), keep_going: self.keep_going, cleanup, ..RunOptions::default() }
    }
}

/// Sinks that the engine and the ticking clock share.
pub(crate) struct Shared(RefCell<Fanout<'static>>);

impl Shared {
    pub(crate) const fn new(sinks: Fanout<'static>) -> Self {
        Self(RefCell::new(sinks))
    }

    /// What the engine is given.
    pub(crate) const fn feed(&self) -> Feed<'_> {
        Feed(self)
    }

    /// Redraws until it is dropped. For runs in real time only: in a rehearsal nothing must wait for it.
    pub(crate) async fn tick(&self) -> Infallible {
        let started = tokio::time::Instant::now();
        let mut interval = tokio::time::interval(TICK);
        loop {
            interval.tick().await;
            let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.0.borrow_mut().tick(elapsed);
        }
    }

    pub(crate) fn into_inner(self) -> Fanout<'static> {
        self.0.into_inner()
    }
}

/// The engine's end of [`Shared`].
pub(crate) struct Feed<'a>(&'a Shared);

impl Sink for Feed<'_> {
    fn on_event(&mut self, event: &Event, state: &RunState) {
        self.0.0.borrow_mut().on_event(event, state);
    }
}

/// A runtime for a rehearsal: its clock stands still while anything can move, and then jumps to the next timer.
pub(crate) fn in_lab_time() -> Result<Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.map_err(|error| CliError::target(format!("the system does not let us start: {error}")))
}

/// Turns Ctrl-C, and a request to terminate, into interrupts, until it is dropped.
pub(crate) async fn listen(interrupter: Interrupter) -> Infallible {
    loop {
        terminated().await;
        interrupter.interrupt();
    }
}

/// Waits for Ctrl-C or a request to terminate. Never ends where the system cannot tell of either.
pub(crate) async fn terminated() {
    #[cfg(unix)]
    let request = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let request = std::future::pending::<()>();
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = interrupt => {}
        () = request => {}
    }
}

/// A runtime for work in real time.
pub(crate) fn in_real_time() -> Result<Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| CliError::target(format!("the system does not let us start: {error}")))
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Journal(error) => error.into(),
            RunError::Lease(LeaseError::Cluster(error)) => error.into(),
            RunError::Lease(error @ LeaseError::Held { .. }) => Self::target(chain(&error))
                .help("one run of a runbook at a time: wait for it to end; a lease that is not renewed runs out"),
            RunError::Lease(error @ LeaseError::Lost { .. }) => Self::target(chain(&error)),
        }
    }
}
