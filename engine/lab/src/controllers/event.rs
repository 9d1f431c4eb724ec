//! Events: what controllers and the kubelet tell about objects.
//!
//! Invariant: the same note about the same object is one Event whose count grows, so that a crashing pod does not fill the store.

use serde_json::{Value, json};

use super::hash::fnv32;
use crate::clock::rfc3339_seconds;
use crate::store::{GroupResource, Store, WriteOptions, meta};

/// Something worth telling about an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The object: `kind`, `apiVersion`, `metadata` are enough.
    pub object: Value,
    /// Part of the object, such as `spec.containers{sleep}`; may be empty.
    pub field: String,
    /// `Normal` or `Warning`.
    pub kind: &'static str,
    /// A word such as `ScalingReplicaSet`.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// Who tells it, such as `deployment-controller`.
    pub component: &'static str,
}

impl Note {
    /// A note that all is well.
    pub fn normal(object: &Value, component: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        let object = reference(object);
        Self { object, field: String::new(), kind: "Normal", reason, message: message.into(), component }
    }

    /// A note that something is wrong.
    pub fn warning(object: &Value, component: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: "Warning", ..Self::normal(object, component, reason, message) }
    }

    /// The note about one container of the object.
    pub fn about_container(mut self, list: &str, container: &str) -> Self {
        self.field = format!("spec.{list}{{{container}}}");
        self
    }
}

/// Only what an event says of its object.
fn reference(object: &Value) -> Value {
    let mut reference = serde_json::Map::new();
    for key in ["kind", "apiVersion"] {
        if let Some(value) = object.get(key) {
            reference.insert(key.to_owned(), value.clone());
        }
    }
    for key in ["namespace", "name", "uid", "resourceVersion"] {
        if let Some(value) = object.get("metadata").and_then(|meta| meta.get(key)) {
            reference.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(reference)
}

/// Stores a note as an Event. A namespace that is gone gets none.
pub fn record(store: &Store, note: &Note) {
    let text = |key: &str| note.object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (name, uid) = (text("name"), text("uid"));
    let namespace = match text("namespace") {
        "" => "default",
        namespace => namespace,
    };
    let now = rfc3339_seconds(store.clock().now());
    let hash = fnv32(format!("{uid}/{}/{}/{}", note.field, note.reason, note.message).as_bytes());
    let event_name = format!("{name}.{hash:08x}");
    let options = WriteOptions::by(note.component);
    let seen = store.modify(&options, &GroupResource::EVENTS, namespace, &event_name, |event| {
        let count = event.get("count").and_then(Value::as_u64).unwrap_or(0);
        event["count"] = (count + 1).into();
        event["lastTimestamp"] = now.as_str().into();
        Ok(())
    });
    if seen.is_ok() {
        return;
    }
    let mut involved = note.object.clone();
    if !note.field.is_empty() {
        involved["fieldPath"] = note.field.as_str().into();
    }
    let mut source = json!({"component": note.component});
    if note.component == "kubelet" {
        source["host"] = "lab".into();
    }
    let event = json!({
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": event_name, "namespace": namespace},
        "involvedObject": involved,
        "reason": note.reason,
        "message": note.message,
        "source": source,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "type": note.kind,
        "eventTime": null,
        "reportingComponent": note.component,
        "reportingInstance": if note.component == "kubelet" { "lab" } else { "" },
    });
    if let Err(status) = store.create(&options, &GroupResource::EVENTS, event) {
        tracing::debug!(name = meta::name(&note.object), %status, "event dropped");
    }
}
