//! The pods' shell: a POSIX `sh` that speaks with the words of dash or of BusyBox's ash.
//!
//! Invariant: what it does not carry out as those shells do ends as not simulated, for the whole script.

mod arithmetic;
mod builtins;
mod command;
mod compound;
mod expand;
mod fields;
mod main;
mod parameter;
mod parse;
pub(crate) mod pattern;
mod redirect;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use main::main;
