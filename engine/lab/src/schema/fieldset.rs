//! Sets of field paths, in the form that `managedFields` stores them.
//!
//! Invariant: a path element is kept as its stored text (`f:name`, `k:{…}`, `v:…`), so reading and writing `FieldsV1` is a copy.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// A set of paths as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    /// The path up to here is itself in the set.
    pub(crate) member: bool,
    /// Paths that go on, by their next element.
    pub(crate) children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// Whether it holds no path.
    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// Adds `child` under `element`, unless it is empty.
    pub(crate) fn attach(&mut self, element: String, child: FieldSet) {
        if !child.is_empty() {
            self.children.insert(element, child);
        }
    }

    /// Paths in either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.member |= other.member;
        for (element, child) in &other.children {
            let merged = out.children.get(element).map_or_else(|| child.clone(), |mine| mine.union(child));
            out.children.insert(element.clone(), merged);
        }
        out
    }

    /// Paths of this one that are not in the other.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut out = Self { member: self.member && !other.member, children: BTreeMap::new() };
        for (element, child) in &self.children {
            let rest = other.children.get(element).map_or_else(|| child.clone(), |theirs| child.difference(theirs));
            out.attach(element.clone(), rest);
        }
        out
    }

    /// Paths in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut out = Self { member: self.member && other.member, children: BTreeMap::new() };
        for (element, child) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                out.attach(element.clone(), child.intersection(theirs));
            }
        }
        out
    }

    /// This set without any path at or below `path`.
    pub(crate) fn remove_subtree(&mut self, path: &[&str]) {
        match path {
            [] => *self = Self::default(),
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(*first) {
                    child.remove_subtree(rest);
                    if child.is_empty() {
                        self.children.remove(*first);
                    }
                }
            }
        }
    }

    /// This set with every prefix of its paths that names a field or an item. What is owned inside an item owns the item.
    pub(crate) fn with_parents(&self) -> Self {
        let children = self.children.iter().map(|(element, child)| {
            let mut child = child.with_parents();
            child.member = true;
            (element.clone(), child)
        });
        Self { member: self.member, children: children.collect() }
    }

    /// The paths as messages show them, such as `.spec.ports[port=80,protocol="TCP"].name`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect_paths("", &mut out);
        out
    }

    fn collect_paths(&self, prefix: &str, out: &mut Vec<String>) {
        if self.member {
            out.push(prefix.to_owned());
        }
        for (element, child) in &self.children {
            child.collect_paths(&format!("{prefix}{}", shown(element)), out);
        }
    }

    /// From `fieldsV1`, as a client sends it or as the store holds it. What is no object reads as an empty set.
    pub(crate) fn from_fields_v1(fields: &Value) -> Self {
        let read = match fields {
            Value::String(text) => serde_json::from_str(text),
            other => Self::deserialize(other),
        };
        read.unwrap_or_default()
    }

    /// As the store holds `fieldsV1`: its JSON as a text. As a tree of many small maps it would be most of what an object weighs.
    pub(crate) fn to_fields_v1(&self) -> Value {
        Value::String(serde_json::to_string(self).unwrap_or_default())
    }
}

impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.member && !self.children.is_empty() {
            map.serialize_entry(".", &Self::default())?;
        }
        for (element, child) in &self.children {
            map.serialize_entry(element, child)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for FieldSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Paths)
    }
}

/// Reads the paths below one element.
struct Paths;

impl<'de> Visitor<'de> for Paths {
    type Value = FieldSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldSet, A::Error> {
        let mut set = FieldSet::default();
        while let Some(element) = map.next_key::<String>()? {
            if element == "." {
                map.next_value::<IgnoredAny>()?;
                set.member = true;
                continue;
            }
            let mut child: FieldSet = map.next_value()?;
            // What has nothing below it is meant itself.
            child.member |= child.children.is_empty();
            set.attach(element, child);
        }
        Ok(set)
    }
}

/// The path element of a member.
pub(crate) fn field(name: &str) -> String {
    format!("f:{name}")
}

/// A path element as messages show it.
fn shown(element: &str) -> String {
    let (kind, text) = element.split_once(':').unwrap_or(("f", element));
    match kind {
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        "v" => format!("[={text}]"),
        "i" => format!("[{text}]"),
        _ => format!(".{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(fields: &Value) -> FieldSet {
        FieldSet::from_fields_v1(fields)
    }

    #[test]
    fn fields_v1_survives_the_round_trip() {
        let fields = json!({"f:spec": {".": {}, "f:ports": {"k:{\"port\":80}": {".": {}, "f:name": {}}}}});
        let stored = set(&fields).to_fields_v1();
        assert_eq!(stored, fields.to_string());
        assert_eq!(set(&stored), set(&fields));
    }

    #[test]
    fn difference_keeps_the_rest_of_a_branch() {
        let left = set(&json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}}));
        let right = set(&json!({"f:data": {"f:a": {}}}));
        assert_eq!(left.difference(&right), set(&json!({"f:data": {".": {}, "f:b": {}}})));
        assert_eq!(left.intersection(&right), set(&json!({"f:data": {"f:a": {}}})));
        assert_eq!(left.union(&right), left);
    }

    #[test]
    fn paths_read_as_the_server_prints_them() {
        let fields = json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:name": {}}}, "f:l": {"v:\"x\"": {}}}});
        assert_eq!(set(&fields).paths(), [".spec.l[=\"x\"]", ".spec.ports[port=80,protocol=\"TCP\"].name"]);
    }
}
