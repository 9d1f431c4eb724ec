//! What tests of the program share.

mod book;
mod case;
mod lab;
mod page;
mod redact;

pub(crate) use book::loaded;
pub(crate) use case::{Case, Done};
pub(crate) use lab::Lab;
pub(crate) use page::{Page, documents};
