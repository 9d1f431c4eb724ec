//! A call of `kubectl` read by its own rules: subcommand, flags, objects.
//!
//! Invariant: a flag that is not in the table is never ignored.

mod args;
mod flags;
mod kinds;

pub(crate) use args::{Call, call};
pub(crate) use kinds::{Kind, kind, workload};
