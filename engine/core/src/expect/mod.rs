//! The matching language.

mod align;
mod compile;
mod diff;
mod excerpt;
mod line;
mod lines_diff;
mod log;
mod mismatch;
mod output;
mod pattern;
mod sequence;
mod spec;
mod text;
mod token;
mod value;

pub use excerpt::Excerpt;
pub use line::{Captures, LineError};
pub use log::{LogCheck, LogJudgement, LogScan};
pub use mismatch::{
    DiffLine, Difference, ExpectedExit, LogLine, Matcher, Mismatch, MissingText, NearLine, NearestLine, Note,
    PathDifference, Piece, Subject, UnwantedText,
};
pub use output::{ExecOutput, Judgement, OutputCheck};
pub use pattern::{FillError, Pattern, PatternError, PatternWarning};
pub use sequence::Lines;
pub use spec::{CompileError, CountSpec, ExitSpec, LogSpec, ObjectSpec, OutputSpec, Problem, Stream};
pub use token::Token;
pub use value::ObjectCheck;

#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod output_tests;
#[cfg(test)]
mod pattern_tests;
#[cfg(test)]
mod properties_tests;
#[cfg(test)]
mod value_tests;
