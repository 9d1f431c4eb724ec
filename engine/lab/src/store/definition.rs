//! CustomResourceDefinitions in the store: how they come to be served, and how they go with all their objects.
//!
//! Invariant: a definition leaves the store only after the last of its objects, so no object is ever without one.

use std::sync::Arc;

use serde_json::{Value, json};

use super::delete::{DeleteOptions, Deleted, is_finished};
use super::key::{GroupResource, ObjectKey};
use super::memory::Store;
use super::meta;
use super::prepare::Preparation;
use super::watch::ChangeKind;
use super::write::WriteOptions;
use crate::clock::rfc3339_seconds;
use crate::schema::{self, Ownership, Progress, Resource};
use crate::status::Status;

/// Who books what the API server itself writes.
const MANAGER: &str = "kube-apiserver";
const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

fn group_of(crd: &Value) -> &str {
    crd.pointer("/spec/group").and_then(Value::as_str).unwrap_or_default()
}

/// The resource that a definition of that name defines.
fn defined_by(name: &str) -> Option<GroupResource> {
    name.split_once('.').map(|(plural, group)| GroupResource::new(group, plural))
}

impl Store {
    /// Stores a definition that is known to be good, as it stands once it is served. What comes with the lab was reviewed by the
    /// server that it was recorded from; a test sends it through [`Store::create`], with the same result.
    ///
    /// # Errors
    /// 409 if it is there already.
    pub(crate) fn install_definition(&self, manager: &str, mut crd: Value) -> Result<(), Status> {
        let at = GroupResource::CRDS;
        let resource = self.served(&at)?;
        let key = ObjectKey::new("", meta::name(&crd));
        self.stamp_new(&resource, &mut crd);
        Preparation::new(self, &resource, &WriteOptions::by(manager)).complete(&mut crd);
        let all = self.list(&at, "").items;
        let siblings: Vec<&Value> =
            all.iter().map(AsRef::as_ref).filter(|one| group_of(one) == group_of(&crd)).collect();
        // The status does not depend on the schemas, which are nearly all of a definition.
        let schemas = crd.pointer_mut("/spec/versions").map(Value::take);
        let now = rfc3339_seconds(self.clock().now());
        let bare = crd.clone();
        while let Progress::Next(next) = schema::next_status(&crd, &siblings, &now) {
            crd = next;
        }
        Self::book_status(&resource, &bare, &mut crd, &now);
        if let (Some(place), Some(schemas)) = (crd.pointer_mut("/spec/versions"), schemas) {
            *place = schemas;
        }
        let added = self.commit(&at, &key, None, ChangeKind::Added, crd);
        added.map(drop).ok_or_else(|| Status::already_exists(&at.group, &at.resource, &key.name))
    }

    /// Takes the definitions of a group as far as they get: names, then serving.
    pub(super) fn settle_definitions(&self, crd: &Value) {
        let group = group_of(crd);
        loop {
            let all = self.list(&GroupResource::CRDS, "").items;
            let now = rfc3339_seconds(self.clock().now());
            let in_group: Vec<&Arc<Value>> = all.iter().filter(|other| group_of(other) == group).collect();
            let step = in_group.iter().find_map(|crd| {
                let siblings: Vec<&Value> =
                    in_group.iter().filter(|other| meta::name(other) != meta::name(crd)).map(AsRef::as_ref).collect();
                match schema::next_status(crd, &siblings, &now) {
                    Progress::Next(next) => Some((Arc::clone(crd), next)),
                    Progress::Done => None,
                }
            });
            let Some((old, next)) = step else { return };
            self.write_status(&old, next, &now);
        }
    }

    /// Writes the status of a definition as the API server's own controllers do. False when someone was faster.
    fn write_status(&self, old: &Arc<Value>, mut next: Value, now: &str) -> bool {
        if let Some(resource) = self.catalog().stored(&GroupResource::CRDS) {
            Self::book_status(&resource, old, &mut next, now);
        }
        let key = ObjectKey::new("", meta::name(old));
        self.commit(&GroupResource::CRDS, &key, Some(old), ChangeKind::Modified, next).is_some()
    }

    fn book_status(resource: &Resource, old: &Value, next: &mut Value, now: &str) {
        let api_version = &resource.api_version();
        let owner = Ownership { manager: MANAGER, api_version, subresource: "status", now, without_status: false };
        schema::track_update(resource.node(), old, next, &owner);
    }

    /// New custom resources need a definition that is there to stay.
    pub(super) fn check_definition(&self, resource: &Resource, key: &ObjectKey) -> Result<(), Status> {
        let name = resource.group_resource().to_string();
        let going = || self.get(&GroupResource::CRDS, "", &name).is_some_and(|crd| meta::is_deleting(&crd));
        if !resource.is_custom() || !going() {
            return Ok(());
        }
        let why = "create not allowed while custom resource definition is terminating";
        Err(Status::forbidden(&resource.group, &resource.plural, &key.name, why))
    }

    /// Marks a definition for deletion, and deletes it once its objects are gone. None when someone was faster.
    pub(super) fn delete_definition(&self, old: &Arc<Value>, options: &DeleteOptions) -> Option<Deleted> {
        let name = meta::name(old).to_owned();
        let now = rfc3339_seconds(self.clock().now());
        let mut marked = Value::clone(old);
        if !meta::is_deleting(old) {
            let metadata = meta::metadata(&mut marked);
            metadata.insert("deletionTimestamp".into(), now.as_str().into());
            let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
            if let Some(list) = finalizers.as_array_mut().filter(|list| !list.iter().any(|one| one == FINALIZER)) {
                list.push(FINALIZER.into());
            }
            let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
            schema::set_condition(&mut marked, ["Terminating", "True", "InstanceDeletionPending", message], &now);
        }
        if options.dry_run {
            return Some(Deleted::Pending(Arc::new(marked)));
        }
        let key = ObjectKey::new("", name.as_str());
        let pending = if marked == **old {
            Arc::clone(old)
        } else {
            self.commit(&GroupResource::CRDS, &key, Some(old), ChangeKind::Modified, marked)?
        };
        let mut next = Value::clone(&pending);
        let message = "CustomResource deletion is in progress";
        schema::set_condition(&mut next, ["Terminating", "True", "InstanceDeletionInProgress", message], &now);
        if next != *pending {
            self.write_status(&pending, next, &now);
        }
        if let Some(resource) = defined_by(&name) {
            for object in self.list(&resource, "").items {
                let (namespace, name) = (meta::namespace(&object), meta::name(&object));
                // Someone else may have been faster; gone is gone.
                let _ = self.delete(&resource, namespace, name, &DeleteOptions::default());
            }
            self.finish_definition(&resource);
        }
        Some(Deleted::Pending(pending))
    }

    /// Lets a definition go that only waited for the last of its objects.
    pub(super) fn finish_definition(&self, resource: &GroupResource) {
        let name = resource.to_string();
        loop {
            let Some(old) = self.get(&GroupResource::CRDS, "", &name).filter(|crd| meta::is_deleting(crd)) else {
                return;
            };
            if !self.list(resource, "").items.is_empty() {
                return;
            }
            let mut last = Value::clone(&old);
            if let Some(list) = meta::metadata(&mut last).get_mut("finalizers").and_then(Value::as_array_mut) {
                list.retain(|one| one != FINALIZER);
            }
            if meta::finalizers(&last).next().is_none() {
                meta::metadata(&mut last).shift_remove("finalizers");
            }
            let now = rfc3339_seconds(self.clock().now());
            let message = "removed all instances";
            schema::set_condition(&mut last, ["Terminating", "False", "InstanceDeletionCompleted", message], &now);
            let kind = if is_finished(&last) { ChangeKind::Deleted } else { ChangeKind::Modified };
            if last == *old {
                return;
            }
            let key = ObjectKey::new("", name.as_str());
            if self.commit(&GroupResource::CRDS, &key, Some(&old), kind, last).is_some() {
                self.settle_definitions(&old);
                return;
            }
        }
    }
}
