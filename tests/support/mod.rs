//! What tests of the program share.

mod case;
mod lab;
mod redact;

pub(crate) use case::{Case, Done};
pub(crate) use lab::Lab;
