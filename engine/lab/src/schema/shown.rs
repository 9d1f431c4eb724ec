//! Objects as clients see them. The store holds each `fieldsV1` of `managedFields` as a text; a client sees the object that it is.
//!
//! Invariant: nothing else of an object is touched, whatever it is called.

use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Writes a stored object as clients see it, without a copy.
pub(crate) struct Shown<'v>(pub(crate) &'v Value);

/// Makes a copy of a stored object, or of some of its members, one that clients may see.
pub(crate) fn show(object: &mut Value) {
    let metadata = object.get_mut("metadata");
    let entries = metadata.and_then(|metadata| metadata.get_mut("managedFields")).and_then(Value::as_array_mut);
    for fields in entries.into_iter().flatten().filter_map(|entry| entry.get_mut("fieldsV1")) {
        if let Some(read) = fields.as_str().and_then(|text| serde_json::from_str(text).ok()) {
            *fields = read;
        }
    }
}

/// The members of a stored object as clients see them.
pub(crate) fn members(object: &Map<String, Value>) -> impl Iterator<Item = (&String, impl Serialize)> {
    members_at(Place::Object, object)
}

/// Where a value stands.
#[derive(Clone, Copy)]
enum Place {
    Object,
    Metadata,
    Managers,
    Manager,
    Fields,
    Elsewhere,
}

struct At<'v>(Place, &'v Value);

fn members_at(place: Place, map: &Map<String, Value>) -> impl Iterator<Item = (&String, At<'_>)> {
    map.iter().map(move |(name, value)| {
        let inner = match (place, name.as_str()) {
            (Place::Object, "metadata") => Place::Metadata,
            (Place::Metadata, "managedFields") => Place::Managers,
            (Place::Manager, "fieldsV1") => Place::Fields,
            _ => Place::Elsewhere,
        };
        (name, At(inner, value))
    })
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        At(Place::Object, self.0).serialize(serializer)
    }
}

impl Serialize for At<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self(Place::Elsewhere, value) => value.serialize(serializer),
            Self(Place::Managers, Value::Array(entries)) => {
                serializer.collect_seq(entries.iter().map(|entry| At(Place::Manager, entry)))
            }
            Self(Place::Fields, Value::String(text)) => match serde_json::from_str::<&RawValue>(text) {
                Ok(fields) => fields.serialize(serializer),
                Err(_) => text.serialize(serializer),
            },
            Self(place, Value::Object(map)) => serializer.collect_map(members_at(place, map)),
            Self(_, value) => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_fields_of_managers_are_read() {
        let held = r#"{"f:data":{"f:a":{}}}"#;
        let entry = |fields: Value| json!({"manager": "m", "operation": "Update", "fieldsV1": fields});
        let object = |fields: Value| {
            json!({
                "kind": "X",
                "metadata": {"name": "n", "managedFields": [entry(fields)], "annotations": {"fieldsV1": held}},
                "spec": {"metadata": {"managedFields": [entry(held.into())]}, "fieldsV1": held},
            })
        };
        let (stored, seen) = (object(held.into()), object(json!({"f:data": {"f:a": {}}})));
        assert_eq!(serde_json::to_string(&Shown(&stored)).expect("JSON"), seen.to_string());
        assert_eq!(serde_json::to_value(Shown(&stored)).expect("JSON"), seen);
        let mut copy = stored.clone();
        show(&mut copy);
        assert_eq!(copy, seen);
        // What is no JSON, or seen already, stays as it is.
        for other in [object("{".into()), seen] {
            assert_eq!(serde_json::to_value(Shown(&other)).expect("JSON"), other);
        }
    }
}
