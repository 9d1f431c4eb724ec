//! Owner references: taking over what a selector means, letting go what it means no longer.
//!
//! Invariant: an object has at most one controlling owner, and one that is being deleted takes over nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::plan::{Action, Plan, View};
use super::selector;
use crate::store::{GroupResource, meta};

/// A controlling reference to `owner`.
pub(super) fn owner_reference(owner: &Value, version: &str, kind: &str) -> Value {
    json!({
        "apiVersion": version, "kind": kind, "name": meta::name(owner), "uid": meta::uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Whether `owner` controls the object.
pub(super) fn controls(owner: &Value, object: &Value) -> bool {
    meta::controller(object).is_some_and(|reference| reference["uid"] == meta::uid(owner))
}

/// The objects of `resource` that belong to `owner` by its selector: those that it controls, and those that nobody controls, which
/// it takes over. Those that it controls but no longer selects are let go.
pub(super) fn claim(
    view: &View<'_>,
    resource: &GroupResource,
    owner: &Value,
    selector: Option<&Value>,
    kind: (&str, &str),
    plan: &mut Plan,
) -> Vec<Arc<Value>> {
    let (version, name) = kind;
    let mut claimed = Vec::new();
    for object in view.controlled(resource, owner) {
        if selector::selects(selector, &object) {
            claimed.push(object);
        } else if !meta::is_deleting(owner) {
            plan.push(Action::Update(resource.clone(), released(&object, meta::uid(owner))));
        }
    }
    if meta::is_deleting(owner) {
        return claimed;
    }
    for object in view.free(resource, meta::namespace(owner)) {
        if meta::is_deleting(&object) || !selector::selects(selector, &object) {
            continue;
        }
        let mut taken = Value::clone(&object);
        let references = meta::metadata(&mut taken).entry("ownerReferences").or_insert_with(|| json!([]));
        if let Some(references) = references.as_array_mut() {
            references.push(owner_reference(owner, version, name));
        }
        plan.push(Action::Update(resource.clone(), taken.clone()));
        claimed.push(Arc::new(taken));
    }
    claimed
}

/// The object without its reference to the owner with this uid.
pub(super) fn released(object: &Value, uid: &str) -> Value {
    let mut freed = object.clone();
    let metadata = meta::metadata(&mut freed);
    if let Some(owners) = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut) {
        owners.retain(|owner| owner["uid"] != uid);
        if owners.is_empty() {
            metadata.shift_remove("ownerReferences");
        }
    }
    freed
}
