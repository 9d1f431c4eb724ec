//! The programs that pods can run, each an ordinary `main` over a [`Process`](crate::process::Process).
//!
//! Invariant: an option that a real program has and ours lacks ends the program as not simulated, never in another way.

mod basic;
mod registry;
mod usage;

pub use registry::{Main, find};
