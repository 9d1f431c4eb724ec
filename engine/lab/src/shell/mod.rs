//! The pods' shell: a POSIX `sh` that speaks with the words of dash or of BusyBox's ash.
//!
//! Invariant: what it does not carry out as those shells do ends as not simulated, for the whole script.

mod arithmetic;
mod ast;
mod braced;
mod braces;
mod builtins;
mod command;
mod compound;
mod conditional;
mod expand;
mod fields;
mod job;
mod lexer;
mod main;
mod parameter;
mod parser;
pub(crate) mod pattern;
mod redirect;
mod script;
mod simple;
mod state;
mod syntax;
#[cfg(test)]
mod tests;
mod trap;

pub(crate) use main::{bash, main};
