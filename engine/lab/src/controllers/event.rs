//! Events: what controllers, the scheduler and the kubelet tell about objects.
//!
//! Invariant: the same note about the same object is one Event whose count grows, and many alike become one, so that a crashing pod
//! does not fill the store.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::object::{text, time};
use crate::clock::{rfc3339_micros, rfc3339_seconds};
use crate::store::{GroupResource, Store, WriteOptions, meta};

/// Notes of one kind about one object, differing in their words alone, that are told one by one; the next are told as one. As
/// client-go has it.
const ALIKE: usize = 9;

/// Seconds for which notes are compared with earlier ones. As client-go has it.
const MEMORY: i64 = 600;

const COMBINED: &str = "(combined from similar events): ";

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
    /// What was done, for components that use the newer Events; empty for others.
    pub action: &'static str,
}

impl Note {
    /// A note that all is well.
    pub fn normal(object: &Value, component: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        let object = reference(object);
        let message = message.into();
        Self { object, field: String::new(), kind: "Normal", reason, message, component, action: "" }
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

    /// The note as one of `events.k8s.io`: with what was done and the time to the microsecond.
    pub fn doing(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// The program that writes the note.
    fn manager(&self) -> &'static str {
        match self.component {
            "kubelet" => "kubelet",
            "default-scheduler" => "kube-scheduler",
            _ => "kube-controller-manager",
        }
    }

    /// Whether a stored Event is about the same thing, whatever its words.
    fn is_kin(&self, event: &Value) -> bool {
        let same = |pointer: &str, wanted: &str| text(event, pointer).unwrap_or_default() == wanted;
        same("/involvedObject/uid", text(&self.object, "/uid").unwrap_or_default())
            && same("/involvedObject/fieldPath", &self.field)
            && same("/reason", self.reason)
            && same("/type", self.kind)
            && same("/reportingComponent", self.component)
    }

    fn to_event(&self, name: &str, namespace: &str, now: Timestamp) -> Value {
        let mut involved = self.object.clone();
        if !self.field.is_empty() {
            involved["fieldPath"] = self.field.as_str().into();
        }
        let is_new = !self.action.is_empty();
        let mut source = if is_new { json!({}) } else { json!({"component": self.component}) };
        if self.component == "kubelet" {
            source["host"] = "lab".into();
        }
        let seconds = if is_new { Value::Null } else { rfc3339_seconds(now).into() };
        let mut event = json!({
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": self.reason,
            "message": self.message,
            "source": source,
            "firstTimestamp": seconds,
            "lastTimestamp": seconds,
            "count": 1,
            "type": self.kind,
            "eventTime": if is_new { Value::from(rfc3339_micros(now)) } else { Value::Null },
            "action": self.action,
            "reportingComponent": self.component,
            "reportingInstance": match self.component {
                "kubelet" => "lab".to_owned(),
                component if is_new => format!("{component}-lab"),
                _ => String::new(),
            },
        });
        if let Some(event) = event.as_object_mut() {
            event.shift_remove(if is_new { "count" } else { "action" });
        }
        event
    }
}

/// Only what an event says of its object.
fn reference(object: &Value) -> Value {
    let mut reference = serde_json::Map::new();
    let metadata = object.get("metadata");
    for (key, holder) in [
        ("kind", Some(object)),
        ("namespace", metadata),
        ("name", metadata),
        ("uid", metadata),
        ("apiVersion", Some(object)),
        ("resourceVersion", metadata),
    ] {
        if let Some(value) = holder.and_then(|holder| holder.get(key)) {
            reference.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(reference)
}

/// Stores a note as an Event. A namespace that is gone gets none.
pub fn record(store: &Store, note: &Note) {
    let name = text(&note.object, "/name").unwrap_or_default();
    let namespace = text(&note.object, "/namespace").unwrap_or("default");
    let now = store.clock().now();
    let prefix = format!("{name}.");
    let known = store.list_prefixed(&GroupResource::EVENTS, namespace, &prefix);
    let kin: Vec<Arc<Value>> = known
        .into_iter()
        .filter(|event| note.is_kin(event) && last_told(event).is_some_and(|at| is_recent(at, now)))
        .collect();
    let words = |message: &str| kin.iter().find(|event| event["message"] == message).cloned();
    // What is told in the newer way is one series while the object stays the same, whatever the words.
    let version =
        |event: &Value| event.pointer("/involvedObject/resourceVersion") == note.object.get("resourceVersion");
    let mut told = match note.action {
        "" => words(&note.message),
        _ => kin.iter().find(|event| version(event)).cloned(),
    };
    let mut combined = None;
    let is_combined = |event: &Value| text(event, "/message").is_some_and(|text| text.starts_with(COMBINED));
    let single = kin.iter().filter(|event| !is_combined(event)).count();
    if told.is_none() && note.action.is_empty() && single >= ALIKE {
        combined = Some(format!("{COMBINED}{}", note.message));
        told = kin.iter().find(|event| is_combined(event)).cloned();
    }
    let options = WriteOptions::by(note.manager());
    if let Some(told) = told {
        repeat(store, &options, &told, combined.as_deref(), now);
        return;
    }
    let mut note = note.clone();
    if let Some(combined) = combined {
        note.message = combined;
    }
    // Two notes of one moment are told apart by the name's last digits.
    let stamp = u64::try_from(now.as_nanosecond()).unwrap_or(0);
    let free = (stamp..).map(|stamp| format!("{prefix}{stamp:x}"));
    let event_name = free.into_iter().find(|name| store.get(&GroupResource::EVENTS, namespace, name).is_none());
    let event = note.to_event(&event_name.unwrap_or_default(), namespace, now);
    if let Err(status) = store.create(&options, &GroupResource::EVENTS, event) {
        tracing::debug!(name, %status, "event dropped");
    }
}

/// Counts a note that was told before.
fn repeat(store: &Store, options: &WriteOptions, told: &Value, message: Option<&str>, now: Timestamp) {
    let counted = store.modify(options, &GroupResource::EVENTS, meta::namespace(told), meta::name(told), |event| {
        if text(event, "/eventTime").is_some() {
            let count = event.pointer("/series/count").and_then(Value::as_u64).unwrap_or(1);
            event["series"] = json!({"count": count + 1, "lastObservedTime": rfc3339_micros(now)});
        } else {
            let count = event.get("count").and_then(Value::as_u64).unwrap_or(0);
            event["count"] = (count + 1).into();
            event["lastTimestamp"] = rfc3339_seconds(now).into();
        }
        if let Some(message) = message {
            event["message"] = message.into();
        }
        Ok(())
    });
    if let Err(status) = counted {
        tracing::debug!(name = meta::name(told), %status, "event not counted");
    }
}

fn last_told(event: &Value) -> Option<Timestamp> {
    ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"].iter().find_map(|pointer| time(event, pointer))
}

fn is_recent(told: Timestamp, now: Timestamp) -> bool {
    now.duration_since(told).as_secs() < MEMORY
}
