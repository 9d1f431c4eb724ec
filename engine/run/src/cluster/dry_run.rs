//! Writes that the server checks and does not carry out.
//!
//! A type of its own, so that code which plans cannot write for real: nothing here hands out the [`Cluster`].

use serde_json::Value;

use super::client::Cluster;
use super::error::ClusterError;
use super::objects::ObjectAddress;
use super::write::{ApplyOptions, DeleteOptions, Deleted, Mode, Patch, Written};

/// A cluster that can be read, and whose answers to writes can be seen without any effect.
#[derive(Clone, Debug)]
pub struct DryRun {
    cluster: Cluster,
}

impl Cluster {
    /// The same cluster, for writes without effect.
    #[must_use]
    pub fn dry_run(&self) -> DryRun {
        DryRun { cluster: self.clone() }
    }
}

impl DryRun {
    /// Reads an object that may be absent.
    ///
    /// # Errors
    ///
    /// As [`Cluster::find`].
    pub async fn find(&self, at: &ObjectAddress) -> Result<Option<Value>, ClusterError> {
        self.cluster.find(at).await
    }

    /// What [`Cluster::apply`] would leave.
    ///
    /// # Errors
    ///
    /// As [`Cluster::apply`].
    pub async fn apply(
        &self,
        at: &ObjectAddress,
        object: &Value,
        options: ApplyOptions,
    ) -> Result<Written, ClusterError> {
        self.cluster.do_apply(at, object, options, Mode::Dry).await
    }

    /// What [`Cluster::create`] would leave.
    ///
    /// # Errors
    ///
    /// As [`Cluster::create`].
    pub async fn create(&self, at: &ObjectAddress, object: &Value) -> Result<Written, ClusterError> {
        self.cluster.do_create(at, object, Mode::Dry).await
    }

    /// What [`Cluster::replace`] would leave.
    ///
    /// # Errors
    ///
    /// As [`Cluster::replace`].
    pub async fn replace(&self, at: &ObjectAddress, object: &Value) -> Result<Written, ClusterError> {
        self.cluster.do_replace(at, object, Mode::Dry).await
    }

    /// What [`Cluster::patch`] would leave.
    ///
    /// # Errors
    ///
    /// As [`Cluster::patch`].
    pub async fn patch(&self, at: &ObjectAddress, patch: &Patch) -> Result<Written, ClusterError> {
        self.cluster.do_patch(at, patch, Mode::Dry).await
    }

    /// Whether [`Cluster::delete`] would be allowed.
    ///
    /// # Errors
    ///
    /// As [`Cluster::delete`].
    pub async fn delete(&self, at: &ObjectAddress, options: &DeleteOptions) -> Result<Deleted, ClusterError> {
        self.cluster.do_delete(at, options, Mode::Dry).await
    }
}
