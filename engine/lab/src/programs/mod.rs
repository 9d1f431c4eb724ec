//! The programs that pods can run, each an ordinary `main` over a [`Process`](crate::process::Process).
//!
//! Invariant: an option that a real program has and ours lacks ends the program as not simulated, never in another way.

mod basic;
mod cat;
mod curl;
mod digest;
mod echo;
mod env;
mod files;
mod grep;
mod head;
mod input;
mod kill;
mod list;
mod opts;
mod posix_regex;
mod printf;
mod registry;
mod sed;
mod tail;
mod tar;
mod test;
#[cfg(test)]
mod tests;
mod text;
mod usage;
mod who;

pub(crate) use registry::builtin;
pub use registry::{Main, find};
