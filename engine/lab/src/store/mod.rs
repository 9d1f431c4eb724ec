//! The objects of the lab and their history.
//!
//! Invariant: every change of an object goes through one commit here, gets the next revision, and is seen by every subscriber in
//! that order.

mod admission;
mod definition;
mod delete;
mod expiry;
mod history;
mod key;
mod memory;
pub mod meta;
mod prepare;
mod watch;
mod write;

pub use admission::{Admission, AdmissionRequest, Operation};
pub use delete::{DeleteOptions, Deleted, Propagation};
pub use key::{GroupResource, ObjectKey};
pub use memory::{Listing, Store, WeakStore};
pub use watch::{Change, ChangeKind, Expired, Subscription};
pub use write::{FieldValidation, Subresource, WriteOptions, Written};
