//! What a schema alone says: required fields and closed lists of texts. For kinds that have no rules of their own here.
//!
//! Invariant: members are judged in the order of the object.

use serde_json::Value;

use crate::schema::catalog::Resource;
use crate::schema::node::{Node, NodeType};
use crate::status::Cause;

/// Required lists that may not be empty. Others, such as the rules of a role, may.
const FILLED_LISTS: [&str; 5] = ["containers", "nodeSelectorTerms", "verbs", "paths", "versions"];

/// Required text that may be empty.
const EMPTY_TEXT: [&str; 6] = ["value", "imageID", "image", "message", "reason", "apiGroup"];

/// Judges all of an object but its metadata and its status.
pub(super) fn by_schema(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    let Some(node) = resource.node() else { return };
    for (name, property) in node.properties().filter(|(name, _)| !matches!(*name, "metadata" | "status")) {
        if let Some(value) = object.get(name) {
            check(property, value, name, causes);
        }
    }
}

fn check(node: Node<'_>, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    // The largest objects there are, and nothing in them is required or enumerated.
    if node.type_name() == "JSONSchemaProps" {
        return;
    }
    match value {
        Value::Object(map) => {
            for name in node.required() {
                let Some(property) = node.property(name) else { continue };
                let missing = match (property.node_type(), map.get(name)) {
                    (NodeType::String, value) => {
                        value.and_then(Value::as_str).unwrap_or_default().is_empty() && !EMPTY_TEXT.contains(&name)
                    }
                    (NodeType::Array, value) => {
                        FILLED_LISTS.contains(&name) && value.and_then(Value::as_array).is_none_or(Vec::is_empty)
                    }
                    (NodeType::Object, value) => value.is_none(),
                    _ => false,
                };
                if missing {
                    causes.push(Cause::required(format!("{path}.{name}"), ""));
                }
            }
            for (name, value) in map {
                if let Some(member) = node.property(name) {
                    check(member, value, &format!("{path}.{name}"), causes);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                for (index, item) in list.iter().enumerate() {
                    check(items, item, &format!("{path}[{index}]"), causes);
                }
            }
        }
        Value::String(text) if !text.is_empty() => {
            let allowed = node.keyword("enum").and_then(Value::as_array);
            if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(value)) {
                let allowed: Vec<String> =
                    allowed.iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(Into::into).collect();
                causes.push(Cause::not_supported(path, value, &allowed));
            }
        }
        _ => {}
    }
}
