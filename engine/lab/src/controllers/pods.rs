//! What controllers read off pods, and how they make new ones.
//!
//! Invariant: pure functions of the pod and the time.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::condition;
use super::object::{after, text};
use super::owned::owner_reference;
use super::plan::Plan;
use crate::store::meta;

/// The phase, or "".
pub(super) fn phase(pod: &Value) -> &str {
    text(pod, "/status/phase").unwrap_or_default()
}

/// Whether the pod has ended, well or not.
pub(super) fn is_finished(pod: &Value) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Neither ended nor being deleted.
pub(super) fn is_active(pod: &Value) -> bool {
    !meta::is_deleting(pod) && !is_finished(pod)
}

/// Whether the pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    condition::is_true(pod, "Ready")
}

/// Since when the pod is ready.
pub(super) fn ready_since(pod: &Value) -> Option<Timestamp> {
    let ready = condition::find(pod, "Ready").filter(|ready| ready["status"] == "True")?;
    ready["lastTransitionTime"].as_str()?.parse().ok()
}

/// Whether a pod has been ready for `minimum` seconds; if it will be, the plan says when to look again.
pub(super) fn is_available(pod: &Value, minimum: i64, now: Timestamp, plan: &mut Plan) -> bool {
    if minimum <= 0 {
        return is_ready(pod);
    }
    let Some(since) = ready_since(pod) else { return false };
    let due = after(since, minimum);
    if due > now {
        plan.look_again(due);
    }
    due <= now
}

/// A pod of a template, controlled by `owner` of the kind `kind` in `version`. It has no name yet.
pub(super) fn from_template(owner: &Value, version: &str, kind: &str) -> Value {
    let template = owner.pointer("/spec/template").cloned().unwrap_or_default();
    let mut metadata = json!({"generateName": format!("{}-", meta::name(owner)), "namespace": meta::namespace(owner)});
    for key in ["labels", "annotations"] {
        if let Some(value) = template.get("metadata").and_then(|meta| meta.get(key)) {
            metadata[key] = value.clone();
        }
    }
    metadata["ownerReferences"] = json!([owner_reference(owner, version, kind)]);
    if let Some(finalizers) = template.get("metadata").and_then(|meta| meta.get("finalizers")) {
        metadata["finalizers"] = finalizers.clone();
    }
    let spec = template.get("spec").cloned().unwrap_or_else(|| json!({}));
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec})
}
