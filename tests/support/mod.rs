//! What tests of the program share.

mod case;
mod redact;

pub(crate) use case::{Case, Done};
