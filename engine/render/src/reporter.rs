//! What every sink of events implements.
//!
//! A reporter never decides what happened: it is told each event together with the state that holds it already.

use std::io;

use periplus_core::event::Event;
use periplus_core::state::RunState;

/// A sink of events.
///
/// Reporters get every event of a run in order, then [`finish`](Self::finish) once. They may be fed live or from a
/// journal, and cannot tell the difference, except that a journal holds no progress.
pub trait Reporter {
    /// Takes one event. `state` is the fold over all events up to and including this one.
    ///
    /// # Errors
    /// When it cannot be written.
    fn on_event(&mut self, event: &Event, state: &RunState) -> io::Result<()>;

    /// Lets a live display show that time has passed; `elapsed_ms` is the run's age. Most sinks have nothing to do.
    ///
    /// # Errors
    /// When it cannot be written.
    fn tick(&mut self, elapsed_ms: u64) -> io::Result<()> {
        let _ = elapsed_ms;
        Ok(())
    }

    /// Takes the final state, after the last event.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(&mut self, state: &RunState) -> io::Result<()>;
}
