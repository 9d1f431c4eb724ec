//! Controllers: each compares what is with what should be, and says what to change.
//!
//! Invariant: a controller reads through [`View`] and returns [`Plan`]s; only the driver writes.

pub(crate) mod condition;
mod deployment;
mod driver;
mod endpoints;
mod event;
mod gc;
mod hash;
mod namespace;
mod plan;
mod progress;
mod replica_set;
mod rollout;

pub use driver::Controllers;
pub use event::{Note, record};
pub(crate) use hash::fnv32;
pub use plan::{Action, Plan, View};

#[cfg(test)]
mod tests;
