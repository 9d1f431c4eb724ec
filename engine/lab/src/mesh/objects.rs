//! The objects that decide about the mesh's connections, and how their fields are read.
//!
//! Invariant: a field that is absent, null or of the wrong type reads as its default.

use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The namespace whose objects hold for the whole mesh.
pub(super) const ROOT_NAMESPACE: &str = "istio-system";

/// What the store holds of the mesh.
#[derive(Clone, Debug, Default)]
pub struct MeshObjects {
    /// ConfigMaps of the root namespace: `istio`, or `istio-REVISION`.
    pub config_maps: Vec<Arc<Value>>,
    /// All Services.
    pub services: Vec<Arc<Value>>,
    /// All EndpointSlices.
    pub endpoint_slices: Vec<Arc<Value>>,
    /// Secrets that hold certificates.
    pub secrets: Vec<Arc<Value>>,
    /// All pods.
    pub pods: Vec<Arc<Value>>,
    /// All objects of Istio's groups.
    pub istio: Vec<Arc<Value>>,
}

impl MeshObjects {
    /// The objects of one of Istio's kinds, oldest first.
    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> Vec<&'a Arc<Value>> {
        let mut found: Vec<_> = self.istio.iter().filter(|object| text(object, "/kind") == kind).collect();
        found.sort_by_cached_key(|object| age(object));
        found
    }
}

/// The value at a JSON pointer. Unlike [`Value::pointer`] it makes no text of its own, as a thousand objects are read for each change.
fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.contains('~') {
        return value.pointer(pointer);
    }
    pointer.split('/').skip(1).try_fold(value, |value, name| match value {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
    at(value, pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The texts of a list.
pub(super) fn texts(value: &Value, pointer: &str) -> Vec<String> {
    list(value, pointer).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The fields of a mapping that are not null.
pub(super) fn fields<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let map = at(value, pointer).and_then(Value::as_object);
    map.into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.as_str(), value))
}

/// A mapping of texts, such as labels.
pub(super) fn text_map(value: &Value, pointer: &str) -> BTreeMap<String, String> {
    fields(value, pointer).filter_map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned()))).collect()
}

/// A port number.
pub(super) fn port(value: &Value, pointer: &str) -> Option<u16> {
    at(value, pointer)?.as_u64()?.try_into().ok().filter(|number| *number > 0)
}

/// Whether every wanted label is there.
pub(super) fn selects(wanted: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Orders objects as the control plane does: by age, then by name, then by namespace.
pub(super) fn age(object: &Value) -> (String, String, String) {
    let get = |pointer| text(object, pointer).to_owned();
    (get("/metadata/creationTimestamp"), get("/metadata/name"), get("/metadata/namespace"))
}

/// `ServiceEntry default/proxy`.
pub(super) fn named(object: &Value) -> String {
    format!("{} {}/{}", text(object, "/kind"), text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}

/// The fields that are there and not among the known, each with its path.
pub(super) fn unknown(value: &Value, path: &str, known: &[&str]) -> Vec<String> {
    let lacking = fields(value, "").filter(|(key, _)| !known.contains(key));
    lacking.map(|(key, _)| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }).collect()
}

/// An address or a range of addresses.
pub(super) fn range(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether an object with this `exportTo` is seen from a namespace. An empty list means everywhere.
pub(super) fn exported(export_to: &[String], own: &str, namespace: &str) -> bool {
    export_to.is_empty()
        || export_to.iter().any(|scope| match scope.as_str() {
            "*" => true,
            "." => own == namespace,
            other => other == namespace,
        })
}
