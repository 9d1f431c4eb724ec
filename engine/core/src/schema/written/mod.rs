//! The runbook as it is written, for its JSON Schema alone: nothing is ever read into these types.
//!
//! Every key of the format stands here once, with the sentence that editors show for it. A test holds the loader and
//! the schema to the same files.

mod check;
mod head;
mod step;
mod verb;

use check::{ExpectObject, ExpectOutput, LogGrep};
pub(super) use head::Runbook;
use step::Step;
use verb::{Apply, Exec, Get, In, ObjectRef, Patch, Wait};
