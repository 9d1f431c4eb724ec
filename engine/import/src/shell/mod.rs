//! Shell text as commands: pipelines of words with their variables, redirections and here-documents.
//!
//! A library parses; what can nest is counted before it sees anything, since it recurses. Nothing is expanded or run.

mod bounds;
mod marks;
mod parse;
mod split;
mod word;

pub(crate) use marks::mark_variable;
pub(crate) use parse::{Command, Pipeline, Redirect, Simple, parse};
pub(crate) use split::{Chunk, chunks, marked_chunks};
pub(crate) use word::{Part, Word};
