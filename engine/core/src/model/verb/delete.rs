//! `delete`: delete objects.

use super::super::ObjectRef;

/// Deletes objects and waits until they are gone. What is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Which.
    pub object: ObjectRef,
}
