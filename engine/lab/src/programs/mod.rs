//! The programs that pods can run, each an ordinary `main` over a [`Process`](crate::process::Process).
//!
//! Invariant: an option that a real program has and ours lacks ends the program as not simulated, never in another way.

mod basic;
mod cat;
mod curl;
mod echo;
mod grep;
mod head;
mod input;
mod opts;
mod posix_regex;
mod printf;
mod registry;
mod tail;
mod test;
mod usage;

pub(crate) use registry::builtin;
pub use registry::{Main, find};
