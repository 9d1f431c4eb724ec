//! The one writer behind real writes and dry runs.
//!
//! A write goes out once; what the server warns about comes back beside the object. Whether a write is meant is a
//! parameter that only this file and [`DryRun`](super::DryRun) set.

use http::Method;
use serde_json::{Value, json};

use super::client::{Cluster, decode};
use super::error::ClusterError;
use super::objects::ObjectAddress;
use super::request::Call;

/// The name under which fields are managed.
pub const FIELD_MANAGER: &str = "periplus";

/// What a write left.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The object as the server has it now, or would have it after a dry run.
    pub object: Value,
    /// Texts of the server's warnings.
    pub warnings: Vec<String>,
}

/// A change to parts of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 7386: maps are merged, lists are replaced, null removes.
    Merge(Value),
    /// RFC 6902: a list of operations.
    Json(Value),
    /// Kubernetes' own: lists are merged by their keys. Built-in kinds only.
    Strategic(Value),
}

/// How server-side apply treats fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether to take over fields that someone else manages.
    pub force: bool,
}

/// What happens to the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What happens to what it owns.
    pub propagation: Propagation,
    /// Refuse unless the object has this UID: one of the same name may be another.
    pub uid: Option<String>,
    /// Refuse unless the object is at this version.
    pub resource_version: Option<String>,
}

/// How a deletion was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Deleted {
    /// The object is gone.
    Gone,
    /// The object is marked, and goes when its finalizers, its grace period or its contents are through.
    Started(Box<Value>),
}

/// Whether a write is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Real,
    Dry,
}

impl Cluster {
    /// Writes an object by server-side apply, as field manager [`FIELD_MANAGER`]. `object` holds exactly the fields
    /// that are wanted.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Conflict`] with the owners where someone else manages a field and `force` is off.
    pub async fn apply(
        &self,
        at: &ObjectAddress,
        object: &Value,
        options: ApplyOptions,
    ) -> Result<Written, ClusterError> {
        self.do_apply(at, object, options, Mode::Real).await
    }

    /// Creates an object.
    ///
    /// # Errors
    ///
    /// [`ClusterError::AlreadyExists`] where one of that name is there.
    pub async fn create(&self, at: &ObjectAddress, object: &Value) -> Result<Written, ClusterError> {
        self.do_create(at, object, Mode::Real).await
    }

    /// Replaces an object as a whole. With `metadata.resourceVersion` in it, only if nobody wrote since.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Conflict`] where somebody wrote since.
    pub async fn replace(&self, at: &ObjectAddress, object: &Value) -> Result<Written, ClusterError> {
        self.do_replace(at, object, Mode::Real).await
    }

    /// Changes parts of an object.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where there is none to change.
    pub async fn patch(&self, at: &ObjectAddress, patch: &Patch) -> Result<Written, ClusterError> {
        self.do_patch(at, patch, Mode::Real).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where there is none; [`ClusterError::Conflict`] where the preconditions of `options`
    /// do not hold.
    pub async fn delete(&self, at: &ObjectAddress, options: &DeleteOptions) -> Result<Deleted, ClusterError> {
        self.do_delete(at, options, Mode::Real).await
    }

    pub(super) async fn do_apply(
        &self,
        at: &ObjectAddress,
        object: &Value,
        options: ApplyOptions,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let call = at
            .call(Method::PATCH, "patch")?
            .query("fieldManager", FIELD_MANAGER)
            .query_opt("force", options.force.then_some("true"))
            .query("fieldValidation", "Strict");
        // JSON is YAML, and the server wants this type.
        self.write(call.content_type("application/apply-patch+yaml").json(object), mode).await
    }

    pub(super) async fn do_create(
        &self,
        at: &ObjectAddress,
        object: &Value,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let path = at.resource.path(at.namespace.as_deref())?;
        let call = Call::new(Method::POST, "create", path)
            .about(at.resource.full_plural(), at.namespace.as_deref())
            .query("fieldManager", FIELD_MANAGER)
            .query("fieldValidation", "Strict");
        self.write(call.json(object), mode).await
    }

    pub(super) async fn do_replace(
        &self,
        at: &ObjectAddress,
        object: &Value,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let call = at.call(Method::PUT, "update")?.query("fieldManager", FIELD_MANAGER);
        self.write(call.json(object), mode).await
    }

    pub(super) async fn do_patch(
        &self,
        at: &ObjectAddress,
        patch: &Patch,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let (content_type, body) = match patch {
            Patch::Merge(body) => ("application/merge-patch+json", body),
            Patch::Json(body) => ("application/json-patch+json", body),
            Patch::Strategic(body) => ("application/strategic-merge-patch+json", body),
        };
        let call =
            at.call(Method::PATCH, "patch")?.query("fieldManager", FIELD_MANAGER).query("fieldValidation", "Strict");
        self.write(call.content_type(content_type).json(body), mode).await
    }

    pub(super) async fn do_delete(
        &self,
        at: &ObjectAddress,
        options: &DeleteOptions,
        mode: Mode,
    ) -> Result<Deleted, ClusterError> {
        let propagation = match options.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
        let mut preconditions = serde_json::Map::new();
        for (key, value) in [("uid", &options.uid), ("resourceVersion", &options.resource_version)] {
            if let Some(value) = value {
                preconditions.insert(key.to_owned(), json!(value));
            }
        }
        if !preconditions.is_empty() {
            body["preconditions"] = Value::Object(preconditions);
        }
        let answer = self.write(at.call(Method::DELETE, "delete")?.json(&body), mode).await?.object;
        // Some kinds are answered with a status, others with the object itself: the last state of one that is gone,
        // or the present one of an object that something still holds.
        let held = !answer.pointer("/metadata/deletionTimestamp").is_none_or(Value::is_null);
        Ok(if held { Deleted::Started(Box::new(answer)) } else { Deleted::Gone })
    }

    async fn write(&self, call: Call, mode: Mode) -> Result<Written, ClusterError> {
        let call = match mode {
            Mode::Real => call,
            Mode::Dry => call.query("dryRun", "All"),
        };
        let asked = call.asked(self.request_timeout());
        let answer = self.send(call).await?;
        Ok(Written { object: decode(&answer.body, &asked)?, warnings: answer.warnings })
    }
}
