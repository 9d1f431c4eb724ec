//! The runbook as written: every key of the format has one place here.
//!
//! The model knows where its values stand in the file and nothing of any cluster. Text that may hold a template stays
//! [`Text`] until a step runs.

mod expect;
mod param;
mod runbook;
mod step;
mod target;
mod text;
pub mod verb;

pub use expect::{Check, Exits, ExpectOutput, LogChecks, LogCount, Polling, Stream};
pub use param::{Param, ParamType, ScalarType};
pub use runbook::{Can, Cleanup, Requirement, Runbook};
pub use step::{Backoff, Capture, CaptureFrom, Effect, Retry, Step, StepId};
pub use target::{In, ObjectRef, Pick, PodRef, Which};
pub use text::{Duration, Text, Tree};
pub use verb::Verb;
