//! Custom resources against their structural schema: pruning, defaults, lists with unique items.
//!
//! Invariant: pruning and defaulting are idempotent; neither looks at anything but schema and value.

use serde_json::{Map, Value};

use super::decode::Decoded;
use super::node::{ListType, Node};
use super::numbers::exact_integer;
use crate::status::Cause;

/// Members that every resource has, whatever its schema says.
const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Decoded {
    /// Decodes a custom resource: prunes unknown fields, drops nulls that may not be and fills in defaults.
    pub(crate) fn custom(root: Node<'_>, object: &mut Value) -> Self {
        let mut out = Self::default();
        if let Some(metadata) = object.get_mut("metadata") {
            out.metadata(root, metadata, "metadata");
        }
        let mut unknown = Vec::new();
        prune(root, object, "", &mut unknown);
        unknown.sort();
        out.unknown.extend(unknown);
        drop_nulls(root, object);
        let before = out.unknown.len();
        coerce_embedded(root, object, "", &mut out);
        out.unknown[before..].sort();
        fill_defaults(root, object);
        write_whole_numbers(object);
        out
    }

    fn metadata(&mut self, root: Node<'_>, metadata: &mut Value, path: &str) {
        let Some(node) = root.object_meta() else { return };
        let nested = Self::builtin(node, metadata);
        self.unknown.extend(nested.unknown.into_iter().map(|name| format!("{path}.{name}")));
        if self.mistyped.is_none() {
            self.mistyped = nested.mistyped;
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Removes what the schema does not name, and lists it. The schema is that of a pruned place unless it says otherwise.
pub(super) fn prune(node: Node<'_>, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let keep = node.flag("x-kubernetes-preserve-unknown-fields");
            map.retain(|name, value| {
                if node.is_resource() && META_FIELDS.contains(&name.as_str()) {
                    return true;
                }
                let at = join(path, name);
                match node.member(name) {
                    Some(member) => prune(member, value, &at, unknown),
                    None if keep => {}
                    None if node.keyword("additionalProperties") == Some(&Value::Bool(true)) => {
                        prune_all(value, &at, unknown);
                    }
                    None => {
                        unknown.push(at);
                        return false;
                    }
                }
                true
            });
        }
        Value::Array(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                let at = format!("{path}[{index}]");
                match node.items() {
                    Some(items) => prune(items, item, &at, unknown),
                    None if node.flag("x-kubernetes-preserve-unknown-fields") => {}
                    None => prune_all(item, &at, unknown),
                }
            }
        }
        _ => {}
    }
}

/// Removes all members of all objects in a value about which the schema says nothing.
fn prune_all(value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            unknown.extend(map.keys().map(|name| join(path, name)));
            map.clear();
        }
        Value::Array(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                prune_all(item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

fn forbids_null(node: Node<'_>) -> bool {
    !node.flag("nullable")
}

/// Drops nulls where the schema allows none, unless a default takes their place.
fn drop_nulls(node: Node<'_>, value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| match node.own_member(name) {
                Some(member) if value.is_null() => !(forbids_null(member) && member.default_value().is_none()),
                _ => true,
            });
            for (name, value) in map.iter_mut() {
                if let Some(member) = node.own_member(name) {
                    drop_nulls(member, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                list.iter_mut().for_each(|item| drop_nulls(items, item));
            }
        }
        _ => {}
    }
}

/// Reads the metadata of objects within the object.
fn coerce_embedded(node: Node<'_>, value: &mut Value, path: &str, out: &mut Decoded) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                let at = join(path, name);
                if !path.is_empty() && node.is_resource() && name == "metadata" {
                    out.metadata(node, value, &at);
                } else if let Some(member) = node.own_member(name) {
                    coerce_embedded(member, value, &at, out);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                for (index, item) in list.iter_mut().enumerate() {
                    coerce_embedded(items, item, &format!("{path}[{index}]"), out);
                }
            }
        }
        _ => {}
    }
}

/// Go writes a float without a fraction as an integer.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(write_whole_numbers),
        Value::Array(list) => list.iter_mut().for_each(write_whole_numbers),
        Value::Number(number) if number.is_f64() => {
            if let Some(integer) = number.as_f64().and_then(exact_integer) {
                *value = integer.into();
            }
        }
        _ => {}
    }
}

/// Fills in the defaults of the schema.
pub(super) fn fill_defaults(node: Node<'_>, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in node.defaulted() {
                let null = map.get(name).is_some_and(Value::is_null) && forbids_null(property);
                if let Some(default) = property.default_value().filter(|_| null || !map.contains_key(name)) {
                    map.insert(name.to_owned(), default.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(member) = node.own_member(name) {
                    default_null(member, value);
                    fill_defaults(member, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                for item in list {
                    default_null(items, item);
                    fill_defaults(items, item);
                }
            }
        }
        _ => {}
    }
}

/// Whether a schema has defaults anywhere.
pub(super) fn has_defaults(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("default") || map.values().any(has_defaults),
        Value::Array(list) => list.iter().any(has_defaults),
        _ => false,
    }
}

/// Whether [`fill_defaults`] would change a value.
pub(super) fn lacks_defaults(node: Node<'_>, value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let lacks = |(name, property): (&str, Node<'_>)| match map.get(name) {
                None => true,
                Some(value) => value.is_null() && forbids_null(property),
            };
            let in_member = |(name, value): (&String, &Value)| {
                node.own_member(name).is_some_and(|member| lacks_defaults(member, value))
            };
            node.defaulted().any(lacks) || map.iter().any(in_member)
        }
        Value::Array(list) => node.items().is_some_and(|items| list.iter().any(|item| lacks_defaults(items, item))),
        _ => value.is_null() && node.default_value().is_some() && forbids_null(node),
    }
}

fn default_null(node: Node<'_>, value: &mut Value) {
    if let Some(default) = node.default_value().filter(|_| value.is_null() && forbids_null(node)) {
        *value = default.clone();
    }
}

/// Items that occur twice in lists of type `set` or `map`.
pub(super) fn check_list_types(node: Node<'_>, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if node.is_resource() && META_FIELDS.contains(&name.as_str()) {
                    continue;
                }
                let at = if node.property(name).is_some() { join(path, name) } else { format!("{path}[{name}]") };
                if let Some(member) = node.member(name) {
                    check_list_types(member, value, &at, causes);
                }
            }
        }
        Value::Array(list) => {
            match node.list_type() {
                ListType::Atomic => {}
                ListType::Set => check_unique(list, path, causes),
                ListType::Map(keys) => check_keys(list, &keys, path, causes),
            }
            if let Some(items) = node.items() {
                for (index, item) in list.iter().enumerate() {
                    check_list_types(items, item, &format!("{path}[{index}]"), causes);
                }
            }
        }
        _ => {}
    }
}

fn check_keys(list: &[Value], keys: &[&str], path: &str, causes: &mut Vec<Cause>) {
    if let Some((index, item)) = list.iter().enumerate().find(|(_, item)| !item.is_object() && !item.is_null()) {
        let detail = "must be an object for an array of list-type map";
        causes.push(Cause::invalid(format!("{path}[{index}]"), item, detail));
        return;
    }
    let named = |item: &Value| -> Value {
        let own = keys.iter().filter_map(|key| Some(((*key).to_owned(), item.get(*key)?.clone())));
        Value::Object(own.collect::<Map<_, _>>())
    };
    check_unique(&list.iter().map(named).collect::<Vec<_>>(), path, causes);
}

/// Reports the second appearance of each value.
fn check_unique(list: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let mut seen = std::collections::BTreeMap::new();
    for (index, item) in list.iter().enumerate() {
        let times = seen.entry(item.to_string()).or_insert(0);
        *times += 1;
        if *times == 2 {
            causes.push(Cause::duplicate(format!("{path}[{index}]"), item));
        }
    }
}
