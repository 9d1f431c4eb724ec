//! The seam for what an API server does to an object on its way in.
//!
//! Invariant: the store calls it without holding its lock, so an implementation may read the store.

use serde_json::Value;

use super::key::GroupResource;
use crate::status::Status;

/// Defaults, mutation and validation of single kinds. Each method may do nothing.
pub trait Admission: Send + Sync {
    /// Fills in what the API server fills in. Called on every write, and on the result of patches; must be idempotent and depend
    /// on the object alone.
    fn default(&self, resource: &GroupResource, object: &mut Value) {
        let _ = (resource, object);
    }

    /// Mutating admission: allocates addresses, injects sidecars, sets the service account. Called on create and update, after
    /// [`Self::default`]; defaults are filled in once more afterwards.
    ///
    /// # Errors
    /// A [`Status`] refuses the request.
    fn mutate(&self, request: &AdmissionRequest<'_>, object: &mut Value) -> Result<(), Status> {
        let _ = (request, object);
        Ok(())
    }

    /// Rules of single kinds beyond their schema, such as immutable fields.
    ///
    /// # Errors
    /// A [`Status`], commonly [`Status::invalid`], refuses the request.
    fn validate(&self, request: &AdmissionRequest<'_>, object: &Value) -> Result<(), Status> {
        let _ = (request, object);
        Ok(())
    }
}

/// The circumstances of a write.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionRequest<'a> {
    /// What is written.
    pub resource: &'a GroupResource,
    /// Its namespace; empty for objects of the cluster.
    pub namespace: &'a str,
    /// Create or update.
    pub operation: Operation,
    /// The stored object, for an update.
    pub old: Option<&'a Value>,
    /// Nothing will be stored: allocate nothing.
    pub dry_run: bool,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The object is new.
    Create,
    /// The object exists.
    Update,
}

/// Admission that lets everything through, for labs without controllers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AdmitAll;

impl Admission for AdmitAll {}
