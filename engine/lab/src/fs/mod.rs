//! An in-memory file system per container: volumes of inodes, joined by mounts, seen with a user's rights.
//!
//! Invariant: nothing in here reaches a file of the machine that the lab runs on.

mod error;
mod file;
mod path;
#[cfg(test)]
mod tests;
mod tree;
mod view;
mod volume;
mod walk;

pub use error::FsError;
pub use file::{File, OpenOptions};
pub use path::{file_name, join, normal, parent};
pub use view::{Changes, Entry, Fs, Mount};
pub use volume::{Device, FileType, Metadata, Volume};
