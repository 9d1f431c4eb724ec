//! The commands of whole runbooks, and of each verb in turn.

mod arrives;
mod loops;
pub(super) mod support;
mod verbs;
mod whole;
