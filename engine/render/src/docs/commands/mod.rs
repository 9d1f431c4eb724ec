//! What a person types in place of the engine: `kubectl`, `bash` and the tools that are everywhere.
//!
//! From a loaded runbook come blocks of shell text, to be pasted one after the other into one interactive bash. Nothing
//! here knows a value that only a run can know, and nothing that a block does ends the reader's shell.

mod book;

pub use book::{Commanded, Commands, FileCommand, Printed};
