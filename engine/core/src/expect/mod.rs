//! The matching language.

pub mod excerpt;
mod line;
mod mismatch;
mod pattern;
mod sequence;
mod spec;
mod token;

pub use excerpt::Excerpt;
pub use line::{Captures, LineError};
pub use mismatch::*;
pub use pattern::{FillError, Pattern, PatternError, PatternWarning};
pub use sequence::Lines;
pub use spec::{CompileError, CountSpec, ExitSpec, LogSpec, ObjectSpec, OutputSpec, Problem, Stream};
pub use token::Token;
