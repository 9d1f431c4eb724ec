//! What people read: lines in a pipe, bars on a terminal, the summary at the end.
//!
//! This module only re-exports and names its rooms.

pub(crate) mod call;
pub(crate) mod describe;
pub mod line;
pub(crate) mod mismatch;
pub(crate) mod page;
pub mod progress;
pub mod summary;
pub(crate) mod wrap;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use call::call;
pub use describe::target_line;
pub use line::{LineReporter, Verbosity};
pub use progress::{ProgressReporter, Screen};
pub use summary::{SummaryReporter, shell_word, standing_list};
