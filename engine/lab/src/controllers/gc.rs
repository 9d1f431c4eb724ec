//! Garbage collection along owner references.
//!
//! Invariant: an object goes when none of its owners is left; an owner that waits for its dependents goes after them.

use std::sync::Arc;

use serde_json::Value;

use super::plan::{Action, Plan, View};
use crate::store::{GroupResource, meta};

/// What follows from an owner that is gone: its dependents go too, unless another owner keeps them.
pub(super) fn after(view: &View<'_>, uid: &str) -> Plan {
    let mut plan = Plan::default();
    for (resource, object) in dependents(view, uid) {
        if meta::is_deleting(&object) {
            continue;
        }
        let others: Vec<&Value> = meta::owner_references(&object)
            .iter()
            .filter(|owner| owner["uid"] != uid && is_alive(view, owner, meta::namespace(&object)))
            .collect();
        if others.is_empty() {
            plan.push(Action::delete(&resource, &object));
        } else {
            let mut kept = Value::clone(&object);
            meta::metadata(&mut kept).insert("ownerReferences".to_owned(), others.into_iter().cloned().collect());
            plan.push(Action::Update(resource, kept));
        }
    }
    plan
}

/// What an owner with the finalizer `foregroundDeletion` or `orphan` waits for.
pub(super) fn release(view: &View<'_>, resource: &GroupResource, owner: &Value) -> Plan {
    let mut plan = Plan::default();
    if !meta::is_deleting(owner) {
        return plan;
    }
    let uid = meta::uid(owner);
    let has = |name: &str| meta::finalizers(owner).any(|finalizer| finalizer == name);
    let dependents = dependents(view, uid);
    if has("orphan") {
        for (resource, object) in dependents {
            let mut freed = Value::clone(&object);
            let metadata = meta::metadata(&mut freed);
            if let Some(owners) = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut) {
                owners.retain(|owner| owner["uid"] != uid);
                if owners.is_empty() {
                    metadata.shift_remove("ownerReferences");
                }
            }
            plan.push(Action::Update(resource, freed));
        }
        plan.push(Action::Update(resource.clone(), without_finalizer(owner, "orphan")));
    } else if has("foregroundDeletion") {
        let blocks = |object: &Value| {
            meta::owner_references(object)
                .iter()
                .any(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true)
        };
        let mut blocked = false;
        for (resource, object) in &dependents {
            blocked |= blocks(object);
            if !meta::is_deleting(object) {
                plan.push(foreground(resource, object));
            }
        }
        if !blocked {
            plan.push(Action::Update(resource.clone(), without_finalizer(owner, "foregroundDeletion")));
        }
    }
    plan
}

/// Dependents are deleted in the foreground too, so that an owner outlives all that stands below it.
fn foreground(resource: &GroupResource, object: &Value) -> Action {
    let mut action = Action::delete(resource, object);
    if let Action::Delete { options, .. } = &mut action
        && *resource != GroupResource::PODS
    {
        options.propagation = Some(crate::store::Propagation::Foreground);
    }
    action
}

fn without_finalizer(object: &Value, finalizer: &str) -> Value {
    let mut object = object.clone();
    if let Some(list) = meta::metadata(&mut object).get_mut("finalizers").and_then(Value::as_array_mut) {
        list.retain(|known| known != finalizer);
    }
    object
}

fn dependents(view: &View<'_>, uid: &str) -> Vec<(GroupResource, Arc<Value>)> {
    let mut found = Vec::new();
    for resource in view.resources() {
        for object in view.list(&resource, "") {
            if meta::owner_references(&object).iter().any(|owner| owner["uid"] == uid) {
                found.push((resource.clone(), object));
            }
        }
    }
    found
}

/// Whether the owner that a reference names exists. References name a kind; every kind's objects are looked through.
fn is_alive(view: &View<'_>, owner: &Value, namespace: &str) -> bool {
    let name = owner["name"].as_str().unwrap_or_default();
    view.resources().iter().any(|resource| {
        [namespace, ""].iter().any(|namespace| {
            view.get(resource, namespace, name)
                .is_some_and(|object| meta::uid(&object) == owner["uid"].as_str().unwrap_or_default())
        })
    })
}
