//! Controllers: each compares what is with what should be, and says what to change.
//!
//! Invariant: a controller reads through [`View`] and returns [`Plan`]s; only the driver's writer writes.

mod carry;
pub(crate) mod condition;
mod cron;
mod daemon_set;
mod deployment;
mod disruption;
mod driver;
mod endpoints;
mod event;
mod gc;
mod graph;
mod hash;
mod job;
mod namespace;
mod node;
mod notice;
mod object;
mod owned;
mod plan;
mod pods;
mod ranking;
mod registry;
mod replica_set;
mod revision;
mod scheduler;
mod selector;
mod stateful_set;
pub(crate) mod volumes;

pub(crate) use disruption::covers;
pub use driver::Controllers;
pub use event::{Note, record};
pub(crate) use hash::fnv32;
pub use plan::{Action, Plan, Told, View};

#[cfg(test)]
mod tests;
