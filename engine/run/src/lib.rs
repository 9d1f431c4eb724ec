//! The part of Periplus that acts: what the core has thought through is carried out here, on a cluster or in the lab.
//!
//! Only this crate knows tokio and kube, and only [`cluster`] in it talks to an API server.

pub mod cluster;

mod clock;
mod journal;
mod ledger;
mod recorder;
mod scheduler;
mod signal;

pub use clock::Clock;
pub use journal::{Durability, JournalWriter, StateDir, StateDirError};
pub use ledger::Sink;
pub use signal::{Interrupter, Interrupts};
