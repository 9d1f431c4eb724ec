//! The lab itself: built from a world, reached through connectors, gone when dropped.
//!
//! Invariant: all tasks of a lab belong to it and end with it.

mod boot;
mod builder;
mod error;
mod furnish;
mod handle;

pub use builder::LabBuilder;
pub use error::LabError;
pub use handle::Lab;
