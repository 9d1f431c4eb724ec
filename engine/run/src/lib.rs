//! The part of Periplus that acts: what the core has thought through is carried out here, on a cluster or in the lab.
//!
//! Only this crate knows tokio and kube, and only [`cluster`] in it talks to an API server.

pub mod cluster;

mod bench;
mod broken;
mod checks;
mod clock;
mod diagnose;
mod journal;
mod kubectl;
mod lease;
mod ledger;
mod observation;
mod recorder;
mod requires;
mod run;
mod scheduler;
mod signal;
mod undo;
mod verbs;
mod witness;
mod worker;

pub use clock::Clock;
pub use journal::{Durability, JournalWriter, StateDir, StateDirError};
pub use ledger::Sink;
pub use run::{Job, RunError, RunOptions, is_same_cluster, run, undo_run};
pub use signal::{Interrupter, Interrupts};
pub use undo::UndoOptions;
pub use witness::Witness;
