//! Garbage collection along owner references.
//!
//! Invariant: an object goes when none of its owners is left; an owner that waits for its dependents goes after them.

use serde_json::Value;

use super::owned::released;
use super::plan::{Action, Plan, View};
use crate::store::{GroupResource, meta};

/// What follows from an owner that is gone: its dependents go too, unless another owner keeps them.
pub(super) fn after(view: &View<'_>, uid: &str) -> Plan {
    let mut plan = Plan::default();
    for (resource, object) in view.dependents(uid) {
        collect(view, &resource, &object, &mut plan);
    }
    plan
}

/// What follows for an object that names owners which may not exist.
pub(super) fn dependent(view: &View<'_>, resource: &GroupResource, object: &Value) -> Plan {
    let mut plan = Plan::default();
    collect(view, resource, object, &mut plan);
    plan
}

fn collect(view: &View<'_>, resource: &GroupResource, object: &Value, plan: &mut Plan) {
    let owners = meta::owner_references(object);
    if meta::is_deleting(object) || owners.is_empty() {
        return;
    }
    let alive: Vec<&Value> = owners.iter().filter(|owner| is_alive(view, owner, meta::namespace(object))).collect();
    if alive.is_empty() {
        plan.push(Action::delete(resource, object));
    } else if alive.len() < owners.len() {
        let mut kept = object.clone();
        meta::metadata(&mut kept).insert("ownerReferences".to_owned(), alive.into_iter().cloned().collect());
        plan.push(Action::Update(resource.clone(), kept));
    }
}

/// What an owner with the finalizer `foregroundDeletion` or `orphan` waits for.
pub(super) fn release(view: &View<'_>, resource: &GroupResource, owner: &Value) -> Plan {
    let mut plan = Plan::default();
    if !meta::is_deleting(owner) {
        return plan;
    }
    let uid = meta::uid(owner);
    let has = |name: &str| meta::finalizers(owner).any(|finalizer| finalizer == name);
    let dependents = view.dependents(uid);
    if has("orphan") {
        for (resource, object) in dependents {
            plan.push(Action::Update(resource, released(&object, uid)));
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
                plan.push(foreground(view, resource, object));
            }
        }
        if !blocked {
            plan.push(Action::Update(resource.clone(), without_finalizer(owner, "foregroundDeletion")));
        }
    }
    plan
}

/// Dependents with dependents of their own are deleted in the foreground too, so that an owner outlives all that stands below it.
fn foreground(view: &View<'_>, resource: &GroupResource, object: &Value) -> Action {
    let mut action = Action::delete(resource, object);
    if let Action::Delete { options, .. } = &mut action
        && !view.dependents(meta::uid(object)).is_empty()
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

/// Whether the owner that a reference names exists: in the dependent's namespace, or in none.
fn is_alive(view: &View<'_>, owner: &Value, namespace: &str) -> bool {
    let place = owner["uid"].as_str().and_then(|uid| view.place(uid));
    place.is_some_and(|(_, key)| {
        owner["name"] == key.name.as_str() && (key.namespace.is_empty() || key.namespace == namespace)
    })
}
