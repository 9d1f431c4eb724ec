//! What a person types in place of the engine: `kubectl`, `bash` and the tools that are everywhere.
//!
//! From a loaded runbook come blocks of shell text, to be pasted one after the other into one interactive bash. Nothing
//! here knows a value that only a run can know, and nothing that a block does ends the reader's shell.

mod apply;
mod book;
mod check;
mod exec;
mod functions;
mod get;
mod kinds;
mod layout;
mod log;
mod manifest;
mod named;
mod names;
mod object;
mod observe;
mod patch;
mod path;
mod pattern;
mod regex;
mod requires;
mod scribe;
mod script;
mod tree;
mod undo;
mod wait;
mod word;

#[cfg(test)]
mod tests;

pub use book::{Commanded, Commands, FileCommand, Printed};
pub use functions::FunctionCommand;
