//! The writes of an API server: create, update, delete, with generations, finalizers and grace.
//!
//! Invariant: a write is computed on a snapshot and committed only if the object still is that snapshot; otherwise it is computed
//! again, or refused if the caller named a `resourceVersion`.

use std::sync::Arc;

use serde_json::Value;

use super::admission::{AdmissionRequest, Operation};
use super::key::{GroupResource, ObjectKey};
use super::memory::Store;
use super::meta;
use super::watch::ChangeKind;
use crate::clock::rfc3339_seconds;
use crate::status::Status;

const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

/// How a write is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Field manager that the changes are put down to; empty writes no managed fields.
    pub manager: String,
    /// Which part of the object the write may change.
    pub subresource: Subresource,
    /// Compute and check everything, store nothing.
    pub dry_run: bool,
}

impl WriteOptions {
    /// A write of the main resource by `manager`.
    pub fn by(manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), ..Self::default() }
    }

    /// A write of the status subresource by `manager`.
    pub fn status_by(manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), subresource: Subresource::Status, ..Self::default() }
    }
}

/// The part of an object that a write may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subresource {
    /// Everything but the status, for kinds that have a status subresource; else everything.
    #[default]
    Main,
    /// The status alone.
    Status,
    /// `spec.replicas` alone, through the scale subresource.
    Scale,
    /// `spec.finalizers` of a namespace.
    Finalize,
}

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds of grace; none means the kind's own (a pod's `terminationGracePeriodSeconds`, else 0).
    pub grace_seconds: Option<u64>,
    /// What becomes of dependents; none means background.
    pub propagation: Option<Propagation>,
    /// Delete only this uid.
    pub uid: Option<String>,
    /// Delete only this revision.
    pub resource_version: Option<String>,
    /// Check everything, delete nothing.
    pub dry_run: bool,
}

/// What becomes of the objects that an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are collected after it is gone.
    Background,
    /// They are collected first; it waits with the finalizer `foregroundDeletion`.
    Foreground,
    /// They stay and lose their owner; it waits with the finalizer `orphan`.
    Orphan,
}

/// How far a deletion came.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Arc<Value>),
    /// The object is marked and waits for its grace period or its finalizers.
    Pending(Arc<Value>),
}

impl Store {
    /// Stores a new object. `metadata.generateName` is honoured; namespace and `apiVersion` are taken from the object.
    ///
    /// # Errors
    /// 409 `AlreadyExists`, or what admission refuses.
    pub fn create(
        &self,
        options: &WriteOptions,
        resource: &GroupResource,
        mut object: Value,
    ) -> Result<Arc<Value>, Status> {
        if meta::name(&object).is_empty()
            && let Some(prefix) = object.pointer("/metadata/generateName").and_then(Value::as_str)
        {
            let name = format!("{prefix}{}", self.name_suffix());
            meta::metadata(&mut object).insert("name".into(), name.into());
        }
        let key = ObjectKey::new(meta::namespace(&object), meta::name(&object));
        if self.get(resource, &key.namespace, &key.name).is_some() {
            return Err(Status::already_exists(&resource.group, &resource.resource, &key.name));
        }
        let stamp = rfc3339_seconds(self.clock().now());
        let metadata = meta::metadata(&mut object);
        for server_side in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"] {
            metadata.shift_remove(server_side);
        }
        metadata.insert("uid".into(), self.new_uid().into());
        metadata.insert("creationTimestamp".into(), stamp.into());
        self.admit(options, resource, &key, None, &mut object)?;
        if options.dry_run {
            return Ok(Arc::new(object));
        }
        self.commit(resource, &key, None, ChangeKind::Added, object)
            .ok_or_else(|| Status::already_exists(&resource.group, &resource.resource, &key.name))
    }

    /// Replaces an object. A `metadata.resourceVersion` in `object` must be the stored one.
    ///
    /// # Errors
    /// 404, 409 `Conflict`, or what admission refuses.
    pub fn update(
        &self,
        options: &WriteOptions,
        resource: &GroupResource,
        object: Value,
    ) -> Result<Arc<Value>, Status> {
        let key = ObjectKey::new(meta::namespace(&object), meta::name(&object));
        self.modify(options, resource, &key.namespace, &key.name, |stored| {
            *stored = object.clone();
            Ok(())
        })
    }

    /// Replaces the status of an object; all else in `object` is ignored but its name and `resourceVersion`.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn update_status(&self, manager: &str, resource: &GroupResource, object: Value) -> Result<Arc<Value>, Status> {
        self.update(&WriteOptions::status_by(manager), resource, object)
    }

    /// Alters an object in place: `change` gets the stored object and is called again if someone else was faster. An unchanged
    /// object is not written. If `change` alters `metadata.resourceVersion`, that must be the stored one.
    ///
    /// # Errors
    /// 404, 409 `Conflict`, the error of `change`, or what admission refuses.
    pub fn modify(
        &self,
        options: &WriteOptions,
        resource: &GroupResource,
        namespace: &str,
        name: &str,
        mut change: impl FnMut(&mut Value) -> Result<(), Status>,
    ) -> Result<Arc<Value>, Status> {
        let key = ObjectKey::new(namespace, name);
        loop {
            let old = self
                .get(resource, namespace, name)
                .ok_or_else(|| Status::not_found(&resource.group, &resource.resource, name))?;
            let mut new = Value::clone(&old);
            change(&mut new)?;
            let asked = meta::resource_version(&new);
            if !asked.is_empty() && asked != meta::resource_version(&old) {
                return Err(Status::conflict(&resource.group, &resource.resource, name, MODIFIED));
            }
            keep_server_fields(&old, &mut new, options.subresource);
            self.admit(options, resource, &key, Some(&old), &mut new)?;
            let last = is_finished(&new);
            if new == *old && !last {
                return Ok(old);
            }
            if options.dry_run {
                return Ok(Arc::new(new));
            }
            let kind = if last { ChangeKind::Deleted } else { ChangeKind::Modified };
            if let Some(stored) = self.commit(resource, &key, Some(&old), kind, new) {
                return Ok(stored);
            }
        }
    }

    /// Deletes an object, or marks it when grace or finalizers hold it.
    ///
    /// # Errors
    /// 404, or 409 when a precondition fails.
    pub fn delete(
        &self,
        resource: &GroupResource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        let key = ObjectKey::new(namespace, name);
        loop {
            let old = self
                .get(resource, namespace, name)
                .ok_or_else(|| Status::not_found(&resource.group, &resource.resource, name))?;
            check_preconditions(resource, name, &old, options)?;
            let mut new = Value::clone(&old);
            let grace = self.mark_deleted(resource, &mut new, options);
            let gone = grace == 0 && is_finished(&new);
            if options.dry_run {
                return Ok(if gone { Deleted::Gone(old) } else { Deleted::Pending(Arc::new(new)) });
            }
            if gone {
                // The last state that watchers see is the stored one: a direct deletion leaves no mark on it.
                let last = if meta::is_deleting(&old) { new } else { Value::clone(&old) };
                if self.commit(resource, &key, Some(&old), ChangeKind::Deleted, last).is_some() {
                    return Ok(Deleted::Gone(old));
                }
            } else if new == *old {
                return Ok(Deleted::Pending(old));
            } else if let Some(stored) = self.commit(resource, &key, Some(&old), ChangeKind::Modified, new) {
                return Ok(Deleted::Pending(stored));
            }
        }
    }

    /// Sets the marks of a deletion and returns the seconds of grace that are left to the object.
    fn mark_deleted(&self, resource: &GroupResource, object: &mut Value, options: &DeleteOptions) -> u64 {
        let grace = if *resource == GroupResource::PODS { pod_grace(object, options.grace_seconds) } else { 0 };
        let was_deleting = meta::is_deleting(object);
        let namespace_finalizers = *resource == GroupResource::NAMESPACES;
        let metadata = meta::metadata(object);
        let shorter =
            metadata.get("deletionGracePeriodSeconds").and_then(Value::as_u64).is_none_or(|left| grace < left);
        if !was_deleting || shorter {
            let seconds = i64::try_from(grace).unwrap_or(i64::MAX);
            let now = self.clock().now();
            let at = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now);
            metadata.insert("deletionTimestamp".into(), rfc3339_seconds(at).into());
            if !namespace_finalizers {
                metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
            }
        }
        if !was_deleting && let Some(generation) = metadata.get("generation").and_then(Value::as_u64) {
            metadata.insert("generation".into(), (generation + 1).into());
        }
        let finalizer = match options.propagation {
            Some(Propagation::Foreground) => Some("foregroundDeletion"),
            Some(Propagation::Orphan) => Some("orphan"),
            Some(Propagation::Background) | None => None,
        };
        if let Some(finalizer) = finalizer {
            let list = metadata.entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
            if let Some(list) = list.as_array_mut()
                && !list.iter().any(|known| known == finalizer)
            {
                list.push(finalizer.into());
            }
        }
        if namespace_finalizers && has_namespace_finalizers(object) {
            meta::child(object, "status").insert("phase".into(), "Terminating".into());
        }
        grace
    }

    fn admit(
        &self,
        options: &WriteOptions,
        resource: &GroupResource,
        key: &ObjectKey,
        old: Option<&Value>,
        object: &mut Value,
    ) -> Result<(), Status> {
        let admission = self.admission();
        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let request =
            AdmissionRequest { resource, namespace: &key.namespace, operation, old, dry_run: options.dry_run };
        if options.subresource == Subresource::Main {
            admission.default(resource, object);
            admission.mutate(&request, object)?;
            admission.default(resource, object);
        }
        admission.validate(&request, object)
    }
}

/// A pod's seconds of grace: none once it is on no node or has ended, else as asked or as it says itself.
fn pod_grace(pod: &Value, asked: Option<u64>) -> u64 {
    const DEFAULT: u64 = 30;
    let on_node = pod.pointer("/spec/nodeName").and_then(Value::as_str).is_some_and(|node| !node.is_empty());
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    if !on_node || matches!(phase, Some("Succeeded" | "Failed")) {
        return 0;
    }
    asked.or_else(|| pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_u64)).unwrap_or(DEFAULT)
}

fn has_namespace_finalizers(object: &Value) -> bool {
    let finalizers = object.pointer("/spec/finalizers").and_then(Value::as_array);
    object.get("kind").and_then(Value::as_str) == Some("Namespace") && finalizers.is_some_and(|list| !list.is_empty())
}

/// A marked object that nothing holds any more.
fn is_finished(object: &Value) -> bool {
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(0);
    meta::is_deleting(object)
        && grace == 0
        && meta::finalizers(object).next().is_none()
        && !has_namespace_finalizers(object)
}

fn check_preconditions(
    resource: &GroupResource,
    name: &str,
    old: &Value,
    options: &DeleteOptions,
) -> Result<(), Status> {
    let conflict = |what: &str, asked: &str, is: &str| {
        let why = format!("Precondition failed: {what} in precondition: {asked}, {what} in object meta: {is}");
        Err(Status::conflict(&resource.group, &resource.resource, name, &why))
    };
    if let Some(uid) = &options.uid
        && uid != meta::uid(old)
    {
        return conflict("UID", uid, meta::uid(old));
    }
    if let Some(version) = &options.resource_version
        && version != meta::resource_version(old)
    {
        return conflict("ResourceVersion", version, meta::resource_version(old));
    }
    Ok(())
}

/// Puts back what a client may not change, and what lies outside the part that this write is for.
fn keep_server_fields(old: &Value, new: &mut Value, subresource: Subresource) {
    const KEPT: [&str; 6] = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    match subresource {
        Subresource::Main => {
            let metadata = meta::metadata(new);
            for field in KEPT {
                match old.pointer("/metadata").and_then(|meta| meta.get(field)) {
                    Some(value) => metadata.insert(field.into(), value.clone()),
                    None => metadata.shift_remove(field),
                };
            }
        }
        Subresource::Status => keep_all_but(old, new, "status"),
        Subresource::Scale | Subresource::Finalize => keep_all_but(old, new, "spec"),
    }
}

/// Makes `new` the old object with one member taken from `new`.
fn keep_all_but(old: &Value, new: &mut Value, member: &str) {
    let taken = new.get(member).cloned();
    *new = old.clone();
    if let Some(map) = new.as_object_mut() {
        match taken {
            Some(value) => map.insert(member.into(), value),
            None => map.shift_remove(member),
        };
    }
}
