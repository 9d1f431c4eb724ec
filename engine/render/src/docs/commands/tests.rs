//! The commands of whole runbooks, and of each verb in turn.

mod arrives;
mod loops;
mod support;
mod verbs;
mod whole;
