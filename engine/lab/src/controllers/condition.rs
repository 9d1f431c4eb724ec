//! Conditions in a status: a list keyed by type.
//!
//! Invariant: `lastTransitionTime` moves only when `status` does.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::rfc3339_seconds;

/// Sets a condition in a list. With `updates`, the condition also says when anything about it changed last.
pub(crate) fn set(
    conditions: &mut Vec<Value>,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
    updates: bool,
) {
    let now = rfc3339_seconds(now);
    let known = conditions.iter().position(|condition| condition["type"] == kind);
    let old = known.map(|index| &conditions[index]);
    let same =
        |key: &str, value: &str| old.is_some_and(|old| old.get(key).and_then(Value::as_str).unwrap_or("") == value);
    if same("status", status) && same("reason", reason) && same("message", message) {
        return;
    }
    let since = match old.and_then(|old| old.get("lastTransitionTime")) {
        Some(since) if same("status", status) => since.clone(),
        _ => now.as_str().into(),
    };
    let mut condition = json!({"type": kind, "status": status});
    if updates {
        condition["lastUpdateTime"] = now.into();
    }
    condition["lastTransitionTime"] = since;
    for (key, text) in [("reason", reason), ("message", message)] {
        if !text.is_empty() {
            condition[key] = text.into();
        }
    }
    match known {
        Some(index) => conditions[index] = condition,
        None => conditions.push(condition),
    }
}

/// Sets a condition as controllers of workloads do: unless status and reason stay the same, it moves to the end of the list. With
/// `keeps`, the time of the last transition stays while the status does.
pub(super) fn put(conditions: &mut Vec<Value>, condition: Value, keeps: bool) {
    let kind = condition["type"].clone();
    let mut condition = condition;
    if let Some(old) = conditions.iter().find(|old| old["type"] == kind) {
        if old["status"] == condition["status"] && old["reason"] == condition["reason"] {
            return;
        }
        if keeps && old["status"] == condition["status"] {
            condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
        }
    }
    remove(conditions, kind.as_str().unwrap_or_default());
    conditions.push(condition);
}

/// Takes a condition out of a list.
pub(super) fn remove(conditions: &mut Vec<Value>, kind: &str) {
    conditions.retain(|condition| condition["type"] != kind);
}

/// The conditions of an object's status.
pub(super) fn of(object: &Value) -> Vec<Value> {
    object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Whether a condition of an object's status is `True`.
pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    find(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// A condition of an object's status.
pub(crate) fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.get("status")?.get("conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)
}
