//! CustomResourceDefinitions themselves: their defaults, their validation, and how they come to be served.
//!
//! Invariant: a definition that passes is one that the lab can serve: its schema is structural, its patterns and rules are readable.

mod defaults;
mod establish;
mod review;
mod rules;
mod schema;
mod spec;
mod structural;
mod versions;

pub(crate) use establish::{Progress, condition, next_status, prepare, set_condition};
pub(crate) use review::{DefinitionReview, review};
