//! What a change altered, field by field, and what has to be written to take it back.
//!
//! Pure functions over JSON: this file never sees a cluster. A field that someone else changed since is never
//! overwritten unless the caller forces it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Numbers the changes of a run, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ChangeId(pub u32);

/// Names an object in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectKey {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Absent for objects outside namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl std::fmt::Display for ObjectKey {
    /// `ConfigMap istio-system/istio`, as messages name objects.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            // An exec is announced before its pod is chosen.
            Some(namespace) if self.name.is_empty() => write!(f, "{} of {namespace}", self.kind),
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// One field that a change altered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// JSON Pointer of the field in the object, or in the YAML that [`Self::yaml_in`] points to.
    pub path: String,
    /// JSON Pointer of the string field whose YAML text holds the field, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yaml_in: Option<String>,
    /// The value before. Absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    #[schemars(with = "Option<Value>")]
    pub before: Option<Value>,
    /// The value after. Absent where the field was removed.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    #[schemars(with = "Option<Value>")]
    pub after: Option<Value>,
}

/// Keeps `Some(null)` apart from `None`: a field that is there and null differs from one that is not there.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(deserializer).map(Some)
    }
}

/// Fields that the server or a controller writes by itself, and that no undo must touch.
const SERVER_OWNED: [&str; 8] = [
    "/status",
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/uid",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
    "/metadata/selfLink",
];

/// Finds the fields in which two states of an object differ, leaving out what the server writes by itself.
///
/// Maps are compared key by key. A list is one field: its items have no identity that holds for every kind.
#[must_use]
pub fn field_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare(before, after, &mut String::new(), &mut found);
    found
}

fn compare(before: &Value, after: &Value, path: &mut String, found: &mut Vec<FieldChange>) {
    if SERVER_OWNED.contains(&path.as_str()) || before == after {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        found.push(FieldChange {
            path: path.clone(),
            yaml_in: None,
            before: Some(before.clone()),
            after: Some(after.clone()),
        });
        return;
    };
    let mut visit = |key: &str, was: Option<&Value>, is: Option<&Value>| {
        let length = path.len();
        push_segment(path, key);
        match (was, is) {
            (Some(was), Some(is)) => compare(was, is, path, found),
            _ if SERVER_OWNED.contains(&path.as_str()) => {}
            _ => {
                found.push(FieldChange { path: path.clone(), yaml_in: None, before: was.cloned(), after: is.cloned() });
            }
        }
        path.truncate(length);
    };
    for (key, was) in old {
        visit(key, Some(was), new.get(key));
    }
    for (key, is) in new {
        if !old.contains_key(key) {
            visit(key, None, Some(is));
        }
    }
}

/// Appends a key to a JSON Pointer, escaped as RFC 6901 asks.
pub fn push_segment(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// The keys of a JSON Pointer, unescaped.
pub fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// What has to be written to put fields back, or why it must not be.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    /// The object with the fields back to what they were.
    pub object: Value,
    /// Whether `object` differs from what is there now.
    pub differs: bool,
    /// Fields that someone else changed since, by path. They are as found unless the caller forced them.
    pub foreign: Vec<String>,
}

/// Puts `changes` back in `live`.
///
/// A field whose live value is neither what the change left nor what was there before belongs to someone else by now:
/// it is listed in [`Restore::foreign`] and only overwritten with `force`. Fields within YAML text
/// ([`FieldChange::yaml_in`]) are left to the caller, who edits text.
#[must_use]
pub fn restore(live: &Value, changes: &[FieldChange], force: bool) -> Restore {
    let mut object = live.clone();
    let mut foreign = Vec::new();
    for change in changes.iter().filter(|change| change.yaml_in.is_none()) {
        let now = live.pointer(&change.path);
        if now == change.before.as_ref() {
            continue;
        }
        if now != change.after.as_ref() {
            foreign.push(change.path.clone());
            if !force {
                continue;
            }
        }
        write(&mut object, &change.path, change.before.clone());
    }
    Restore { differs: object != *live, object, foreign }
}

/// Sets or removes the value at a JSON Pointer. Maps that are missing on the way are made; maps that a removal leaves
/// empty stay, since it is not known whose they are.
pub fn write(object: &mut Value, pointer: &str, value: Option<Value>) {
    let mut keys: Vec<String> = segments(pointer).collect();
    let Some(last) = keys.pop() else {
        *object = value.unwrap_or_default();
        return;
    };
    let mut at = object;
    for key in keys {
        if let Value::Array(items) = at {
            match key.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                Some(item) => at = item,
                None => return,
            }
            continue;
        }
        if value.is_none() && at.get(&key).is_none() {
            return;
        }
        at = mapping(at).entry(key).or_insert(Value::Null);
    }
    match value {
        Some(value) => {
            mapping(at).insert(last, value);
        }
        None => {
            if let Value::Object(map) = at {
                map.shift_remove(&last);
            }
        }
    }
}

/// The value as a mapping; what is none becomes an empty one, as in a JSON merge patch.
fn mapping(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made a mapping above")
}

/// Prepares a deleted object for being created again: what the server gave it is taken off.
#[must_use]
pub fn recreatable(before: &Value) -> Value {
    let mut object = before.clone();
    for pointer in SERVER_OWNED {
        write(&mut object, pointer, None);
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changes(before: &Value, after: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
        field_changes(before, after).into_iter().map(|c| (c.path, c.before, c.after)).collect()
    }

    #[test]
    fn differences_are_found_per_field_and_server_fields_left_out() {
        let before = json!({"metadata": {"resourceVersion": "1", "labels": {"a/b": "1"}}, "spec": {"x": 1, "l": [1]}});
        let after = json!({
            "metadata": {"resourceVersion": "2", "generation": 3, "labels": {"a/b": "2", "c": "3"}},
            "spec": {"l": [1, 2]}, "status": {"ready": true}
        });
        assert_eq!(
            changes(&before, &after),
            [
                ("/metadata/labels/a~1b".to_owned(), Some(json!("1")), Some(json!("2"))),
                ("/metadata/labels/c".to_owned(), None, Some(json!("3"))),
                ("/spec/x".to_owned(), Some(json!(1)), None),
                ("/spec/l".to_owned(), Some(json!([1])), Some(json!([1, 2]))),
            ]
        );
    }

    #[test]
    fn restore_is_the_inverse_of_the_change() {
        let before = json!({"metadata": {"labels": {"a/b": "1"}}, "spec": {"x": null, "l": [1]}});
        let after = json!({"metadata": {"labels": {"a/b": "2", "c~d": "3"}}, "spec": {"l": [2]}});
        let back = restore(&after, &field_changes(&before, &after), false);
        assert_eq!((back.object, back.differs, back.foreign), (before, true, vec![]));
    }

    #[test]
    fn a_field_that_someone_else_changed_is_left_alone_and_named() {
        let changes = field_changes(&json!({"d": {"a": "1", "b": "1"}}), &json!({"d": {"a": "2", "b": "2"}}));
        let live = json!({"d": {"a": "theirs", "b": "2"}});
        let polite = restore(&live, &changes, false);
        assert_eq!(polite.object, json!({"d": {"a": "theirs", "b": "1"}}));
        assert_eq!(polite.foreign, ["/d/a"]);
        assert_eq!(restore(&live, &changes, true).object, json!({"d": {"a": "1", "b": "1"}}));
    }

    #[test]
    fn restoring_twice_changes_nothing_the_second_time() {
        let (before, after) = (json!({"d": {"a": "1"}}), json!({"d": {"a": "2"}}));
        let changes = field_changes(&before, &after);
        assert!(!restore(&before, &changes, false).differs);
    }

    #[test]
    fn null_and_absent_stay_apart_on_the_wire() {
        for change in field_changes(&json!({"a": null}), &json!({"b": null})) {
            let text = serde_json::to_string(&change).expect("plain data serializes");
            assert_eq!(serde_json::from_str::<FieldChange>(&text).expect("reads back"), change);
        }
    }

    #[test]
    fn an_object_is_made_ready_for_being_created_again() {
        let before = json!({"metadata": {"name": "a", "uid": "1", "resourceVersion": "2"}, "spec": {}, "status": {}});
        assert_eq!(recreatable(&before), json!({"metadata": {"name": "a"}, "spec": {}}));
    }
}
