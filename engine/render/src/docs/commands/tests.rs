//! The commands of whole runbooks, and of each verb in turn.

mod support;
mod whole;
