//! The programs that pods can run, each an ordinary `main` over a [`Process`](crate::process::Process).
//!
//! Invariant: an option that a real program has and ours lacks ends the program as not simulated, never in another way.

mod awk;
mod basic;
mod cat;
mod curl;
mod diff;
mod digest;
mod dump;
mod echo;
mod env;
mod expr;
mod files;
mod grep;
mod head;
mod input;
mod kill;
mod lines;
mod list;
mod machine;
mod net;
mod openssl;
mod opts;
pub(crate) mod posix_regex;
mod printf;
mod registry;
mod search;
mod sed;
mod seq;
mod server;
pub(crate) mod signals;
mod sort;
mod tail;
mod tar;
mod test;
#[cfg(test)]
mod tests;
mod text;
mod usage;
mod verify;
mod who;
mod x509;

pub(crate) use echo::ansi_c;
pub(crate) use posix_regex::extended as extended_regex;
pub(crate) use registry::builtin;
pub use registry::{Main, find};
pub(crate) use usage::Wording;
