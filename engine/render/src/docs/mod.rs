//! Pages made from runbooks: what people read, and do by hand, in place of a run.
//!
//! - [`commands`] says what a person types for each step.
//! - [`page()`] puts a runbook's page together from that, from its prose and from samples of what its checks accept;
//!   [`index()`] lists the pages of a folder.
//! - [`Verified`] is output that was really seen in a run; it takes the place of the samples.
//!
//! Every text of a runbook passes through one function for the place where it stands, so that none can break the page.

pub mod commands;
mod difference;
mod example;
mod index;
mod markdown;
mod mermaid;
mod page;
mod sample;
mod skips;
mod verified;
mod words;

pub use difference::difference;
pub use index::{INDEX_MARKER, IndexEntry, index};
pub use page::{PageSource, marker, page};
pub use verified::{NotVerified, Verified};
