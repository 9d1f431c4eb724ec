//! Reading an object as its kind: unknown fields, types, and what a Go struct writes back.
//!
//! Invariant: decoding is idempotent; a decoded object decodes to itself with nothing unknown.

use serde_json::{Map, Value, json};

use super::node::{Node, NodeType};
use super::quantity;

/// What decoding found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Paths of fields that the kind does not have; they are gone from the object.
    pub(crate) unknown: Vec<String>,
    /// The first value of the wrong type, in Go's words.
    pub(crate) mistyped: Option<String>,
}

/// Text fields that Go holds by pointer, so that "" is kept.
const KEPT_EMPTY: [&str; 9] = [
    "apiGroup",
    "deprecationWarning",
    "hostnameOverride",
    "ingressClassName",
    "loadBalancerClass",
    "procMount",
    "runtimeClassName",
    "storageClassName",
    "volumeAttributesClassName",
];

/// Lists that Go writes even when they are empty, though they are optional.
const KEPT_LISTS: [&str; 2] = ["endpoints", "rules"];

/// Numbers and booleans that Go holds by value and leaves out when they are zero.
const DROPPED_ZERO: [&str; 42] = [
    "active",
    "availableReplicas",
    "currentReplicas",
    "deprecated",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "failed",
    "failureThreshold",
    "fullyLabeledReplicas",
    "generation",
    "healthCheckNodePort",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "initialDelaySeconds",
    "minReadySeconds",
    "nodePort",
    "nullable",
    "numberAvailable",
    "numberUnavailable",
    "observedGeneration",
    "paused",
    "periodSeconds",
    "preserveUnknownFields",
    "publishNotReadyAddresses",
    "readOnly",
    "readyReplicas",
    "replicas",
    "signal",
    "stdin",
    "stdinOnce",
    "succeeded",
    "successThreshold",
    "timeoutSeconds",
    "tty",
    "unavailableReplicas",
    "uniqueItems",
    "unschedulable",
    "updatedReplicas",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
];

/// Times that Go's encoder writes as `null` while they are not set: of pods' and Jobs' conditions, and of Events.
const WRITTEN_AS_NULL: [&str; 4] = ["lastProbeTime", "eventTime", "firstTimestamp", "lastTimestamp"];

/// What the server says of an amount that is none.
const NO_QUANTITY: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

impl Decoded {
    /// Decodes a built-in object: drops nulls and unknown fields, writes structs that Go always writes, leaves out what Go omits.
    pub(crate) fn builtin(node: Node<'_>, object: &mut Value) -> Self {
        let mut out = Self::default();
        out.value(node, object, &Place::root(), false);
        out
    }

    fn value(&mut self, node: Node<'_>, value: &mut Value, place: &Place<'_>, spec: bool) {
        if let Some(node) = node.nested_schema().filter(|_| value.is_object()) {
            // Go reads these by a method of their own, which is not strict: what it drops, it drops in silence.
            let known = self.unknown.len();
            self.value(node, value, place, spec);
            self.unknown.truncate(known);
            return;
        }
        match (node.node_type(), &mut *value) {
            (NodeType::Object, Value::Object(map)) => self.object(node, map, place, spec),
            (NodeType::Array, Value::Array(list)) => {
                if let Some(items) = node.items() {
                    for (index, item) in list.iter_mut().enumerate() {
                        self.value(items, item, &place.item(index), spec);
                    }
                }
            }
            (NodeType::IntOrString, found) if node.is_quantity() => {
                let text = found.as_str().map_or_else(|| found.to_string(), ToOwned::to_owned);
                match quantity::canonical(text.trim()) {
                    Some(written) => *value = written.into(),
                    None if self.mistyped.is_none() => self.mistyped = Some(NO_QUANTITY.to_owned()),
                    None => {}
                }
            }
            (NodeType::String, Value::String(text)) if node.is_bytes() => {
                if let (Some(at), None) = (bad_base64(text), &self.mistyped) {
                    self.mistyped = Some(format!("illegal base64 data at input byte {at}"));
                }
            }
            (expected, found) => {
                if !fits(expected, found) && self.mistyped.is_none() {
                    self.mistyped = Some(place.type_error(node, found));
                }
            }
        }
    }

    fn object(&mut self, node: Node<'_>, map: &mut Map<String, Value>, place: &Place<'_>, spec: bool) {
        let additional = node.additional();
        let mut dropped = Vec::new();
        for (name, value) in map.iter_mut() {
            let Some(property) = node.property(name) else {
                match additional {
                    Some(additional) if value.is_null() => *value = zero_of(additional),
                    Some(additional) => self.value(additional, value, &place.key(name), spec),
                    None if node.preserves_unknown() => {}
                    None => {
                        self.unknown.push(place.member(name, node).path());
                        dropped.push(name.clone());
                    }
                }
                continue;
            };
            if value.is_null() {
                if !WRITTEN_AS_NULL.contains(&name.as_str()) {
                    dropped.push(name.clone());
                }
                continue;
            }
            self.value(property, value, &place.member(name, node), spec || name == "spec");
            if is_omitted(node, property, name, value, spec) {
                dropped.push(name.clone());
            }
        }
        for name in dropped {
            map.shift_remove(&name);
        }
        for (name, property) in node.defaulted() {
            if map.contains_key(name) {
                continue;
            }
            if property.is_always_written() && property.node_type() == NodeType::Object {
                map.insert(name.to_owned(), written_struct(property));
            } else if let Some(default) = property.default_value().filter(|default| !default.is_object()) {
                // Go writes required scalars even when they are zero; real defaults, such as a protocol, are the same here.
                map.insert(name.to_owned(), default.clone());
            }
        }
    }
}

/// Where a text stops being base64 for Go's decoder, which skips line breaks.
fn bad_base64(text: &str) -> Option<usize> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let found: Vec<(usize, u8)> = text.bytes().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n')).collect();
    let letters = found.iter().take_while(|(_, byte)| letter(*byte)).count();
    let padding = &found[letters..];
    let (begun, first) = (letters % 4, padding.first().copied());
    match (begun, first) {
        (0, None) => None,
        // What was begun and not ended is blamed on its beginning.
        (_, None) => Some(found[letters - begun].0),
        (0 | 1, Some((at, _))) => Some(at),
        (_, Some((at, byte))) if byte != b'=' => Some(at),
        (2, Some(_)) => match padding.get(1) {
            None => Some(text.len()),
            Some((at, byte)) if *byte != b'=' => Some(at - 1),
            Some(_) => padding.get(2).map(|(at, _)| *at),
        },
        (_, Some(_)) => padding.get(1).map(|(at, _)| *at),
    }
}

/// Whether Go's `omitempty` leaves this value out.
fn is_omitted(parent: Node<'_>, node: Node<'_>, name: &str, value: &Value, spec: bool) -> bool {
    if parent.required().any(|required| required == name) {
        return false;
    }
    // Any JSON, such as the default in a schema, is held as it came.
    if node.node_type() == NodeType::Any {
        return false;
    }
    if name == "priority" && parent.type_name() == "CustomResourceColumnDefinition" {
        return value.as_i64() == Some(0);
    }
    match value {
        Value::Array(list) => list.is_empty() && !KEPT_LISTS.contains(&name),
        Value::Object(map) => map.is_empty() && node.additional().is_some(),
        Value::String(text) => text.is_empty() && !KEPT_EMPTY.contains(&name) && !parent.is_endpoint_port(),
        Value::Bool(false) => DROPPED_ZERO.contains(&name),
        // A desired count of 0 is held by pointer and kept; a counted 0 is not.
        Value::Number(number) => {
            number.as_i64() == Some(0) && DROPPED_ZERO.contains(&name) && !(spec && name == "replicas")
        }
        Value::Null | Value::Bool(true) => false,
    }
}

/// An empty struct as Go writes it.
fn written_struct(node: Node<'_>) -> Value {
    let mut map = Map::new();
    for (name, property) in node.defaulted() {
        if property.is_always_written() && property.node_type() == NodeType::Object {
            map.insert(name.to_owned(), written_struct(property));
        } else if let Some(default) = property.default_value().filter(|default| !default.is_object()) {
            map.insert(name.to_owned(), default.clone());
        }
    }
    Value::Object(map)
}

fn zero_of(node: Node<'_>) -> Value {
    match node.node_type() {
        NodeType::String => "".into(),
        NodeType::Integer | NodeType::Number => 0.into(),
        NodeType::Boolean => false.into(),
        NodeType::Object => json!({}),
        NodeType::Array | NodeType::IntOrString | NodeType::Any => Value::Null,
    }
}

/// The empty object of a kind, with which a new object is compared: structs that Go holds by value are there already, so nobody
/// gets to own them.
pub(crate) fn zero_value(node: Node<'_>) -> Value {
    let mut map = Map::new();
    for (name, property) in node.properties() {
        let required = node.required().any(|required| required == name);
        if property.is_always_written() && property.node_type() == NodeType::Object {
            map.insert(name.to_owned(), zero_value(property));
        } else if required {
            let zero = match property.node_type() {
                NodeType::Object | NodeType::Array => Value::Null,
                _ => zero_of(property),
            };
            map.insert(name.to_owned(), zero);
        }
    }
    Value::Object(map)
}

/// Whether a value may stand where a type is expected.
pub(super) fn fits(expected: NodeType, value: &Value) -> bool {
    match expected {
        NodeType::Any => true,
        NodeType::Object => value.is_object(),
        NodeType::Array => value.is_array(),
        NodeType::String => value.is_string(),
        NodeType::Boolean => value.is_boolean(),
        NodeType::Number => value.is_number(),
        NodeType::Integer => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|float| float.fract() == 0.0)
        }
        NodeType::IntOrString => value.is_string() || value.is_number(),
    }
}

/// A path on the stack, spelled out only when something is wrong.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    name: &'a str,
    index: Option<usize>,
    owner: &'a str,
    is_key: bool,
}

impl<'a> Place<'a> {
    fn root() -> Self {
        Self { parent: None, name: "", index: None, owner: "", is_key: false }
    }

    fn member(&'a self, name: &'a str, owner: Node<'a>) -> Self {
        Self { parent: Some(self), name, index: None, owner: owner.type_name(), is_key: false }
    }

    fn item(&'a self, index: usize) -> Self {
        Self { parent: Some(self), name: "", index: Some(index), owner: self.owner, is_key: false }
    }

    /// A key of a map: to Go no field of its own.
    fn key(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), name, index: None, owner: self.owner, is_key: true }
    }

    /// `spec.ports[0].port`
    fn path(&self) -> String {
        let before = self.parent.map(Place::path).unwrap_or_default();
        match self.index {
            Some(index) => format!("{before}[{index}]"),
            None if before.is_empty() => self.name.to_owned(),
            None => format!("{before}.{}", self.name),
        }
    }

    /// Go's JSON decoder names fields without indices and keys.
    fn go_path(&self) -> String {
        let before = self.parent.map(Place::go_path).unwrap_or_default();
        if self.is_key {
            return before;
        }
        if self.index.is_some() || before.is_empty() {
            format!("{before}{}", self.name)
        } else {
            format!("{before}.{}", self.name)
        }
    }

    fn type_error(&self, node: Node<'_>, found: &Value) -> String {
        let found = match found {
            Value::Object(_) => "object".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) if matches!(node.node_type(), NodeType::Integer) => format!("number {number}"),
            Value::Number(_) => "number".to_owned(),
            Value::Null => "null".to_owned(),
        };
        let wanted = match (node.node_type(), node.text("format")) {
            (NodeType::Integer, "") => "int32".to_owned(),
            (NodeType::Integer, format) => format.to_owned(),
            (NodeType::Boolean, _) => "bool".to_owned(),
            (NodeType::Number, _) => "float64".to_owned(),
            (NodeType::String, _) => "string".to_owned(),
            (NodeType::Array, _) => format!("[]{}", node.items().map_or("string", |items| go_type(items))),
            (NodeType::Object, _) if node.additional().is_some() => "map[string]string".to_owned(),
            _ => node.type_name().to_owned(),
        };
        let owner = if self.owner.is_empty() { String::new() } else { format!("{}.", self.owner) };
        format!("json: cannot unmarshal {found} into Go struct field {owner}{} of type {wanted}", self.go_path())
    }
}

fn go_type<'a>(node: Node<'a>) -> &'a str {
    let name = node.type_name();
    if name.is_empty() { "string" } else { name }
}

#[cfg(test)]
mod tests {
    use super::bad_base64;

    /// What Go's `base64.StdEncoding` says.
    #[test]
    fn base64_ends_where_it_ends_for_go() {
        for (text, at) in [
            ("", None),
            ("abcd", None),
            ("ab==", None),
            ("abc=", None),
            ("YQ==\n", None),
            ("Y\nQ==", None),
            ("a", Some(0)),
            ("ab", Some(0)),
            ("abc", Some(0)),
            ("abcda", Some(4)),
            ("ab=", Some(3)),
            ("ab=c", Some(2)),
            ("abc==", Some(4)),
            ("ab===", Some(4)),
            ("not base64!", Some(3)),
            ("abcd!", Some(4)),
            ("a===", Some(1)),
            ("YQ==YQ==", Some(4)),
            ("abcd=", Some(4)),
            ("=", Some(0)),
            ("a b", Some(1)),
        ] {
            assert_eq!(bad_base64(text), at, "{text:?}");
        }
    }
}
