//! Deletion: grace, finalizers, propagation, preconditions.
//!
//! Invariant: an object leaves the store only when nothing holds it: no grace, no finalizer.

use std::sync::Arc;

use serde_json::Value;

use super::key::{GroupResource, ObjectKey};
use super::memory::Store;
use super::meta;
use super::watch::ChangeKind;
use crate::clock::rfc3339_seconds;
use crate::status::Status;

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
        if *resource == GroupResource::NAMESPACES && matches!(name, "default" | "kube-system" | "kube-public") {
            return Err(Status::forbidden("", "namespaces", name, "this namespace may not be deleted"));
        }
        loop {
            let old = self
                .get(resource, namespace, name)
                .ok_or_else(|| Status::not_found(&resource.group, &resource.resource, name))?;
            check_preconditions(resource, name, &old, options)?;
            if *resource == GroupResource::CRDS {
                match self.delete_definition(&old, options) {
                    Some(deleted) => return Ok(deleted),
                    None => continue,
                }
            }
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
pub(super) fn is_finished(object: &Value) -> bool {
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
