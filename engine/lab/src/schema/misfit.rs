//! What makes a configuration for apply unreadable as its kind: fields that the kind lacks, values of the wrong type, items that
//! stand twice in a list that is merged by key.
//!
//! Invariant: the first problem in the order of the server is told, members in the order of their names.

use serde_json::Value;

use super::compare::element_of;
use super::node::{ListType, Node, NodeType};

/// The first problem of a configuration, with its place. Nulls are dropped.
pub(crate) fn misfit(node: Node<'_>, config: &mut Value) -> Option<String> {
    check(node, config, "")
}

fn check(node: Node<'_>, value: &mut Value, path: &str) -> Option<String> {
    match (node.node_type(), &mut *value) {
        (NodeType::Object, Value::Object(map)) => {
            map.retain(|name, value| !value.is_null() || node.property(name).is_none());
            let mut names: Vec<String> = map.keys().cloned().collect();
            names.sort();
            names.into_iter().find_map(|name| {
                let at = format!("{path}.{name}");
                match (node.member(&name), map.get_mut(&name)) {
                    (Some(_), Some(Value::Null)) | (_, None) => None,
                    (Some(member), Some(value)) => check(member, value, &at),
                    (None, _) if node.preserves_unknown() => None,
                    (None, _) => Some(format!("{at}: field not declared in schema")),
                }
            })
        }
        (NodeType::Array, Value::Array(list)) => check_list(node, list, path),
        (NodeType::Object, found) => Some(format!("{path}: expected map, got {}", shown(found))),
        (NodeType::Array, found) => Some(format!("{path}: expected list, got {}", shown(found))),
        (NodeType::String, found) if !found.is_string() => {
            Some(format!("{path}: expected string, got {}", scalar(found)))
        }
        (NodeType::Boolean, found) if !found.is_boolean() => {
            Some(format!("{path}: expected boolean, got {}", scalar(found)))
        }
        (NodeType::Integer, found) if !found.is_i64() && !found.is_u64() => {
            Some(format!("{path}: expected numeric (int or float), got {}", go_type(found)))
        }
        _ => None,
    }
}

fn check_list(node: Node<'_>, list: &mut [Value], path: &str) -> Option<String> {
    let items = node.items();
    let by = node.list_type();
    let mut seen: Vec<String> = Vec::new();
    for (index, item) in list.iter_mut().enumerate() {
        let named = match &by {
            ListType::Atomic => None,
            ListType::Set | ListType::Map(_) => element_of(&by, items, item),
        };
        let at = match named.as_deref() {
            Some(name) => format!("{path}{}", place(name)),
            None => format!("{path}[{index}]"),
        };
        if let Some(problem) = items.and_then(|items| check(items, item, &at)) {
            return Some(problem);
        }
        if let Some(name) = named {
            if seen.contains(&name) {
                return Some(format!("{path}: duplicate entries for key {}", place(&name)));
            }
            seen.push(name);
        }
    }
    None
}

/// `k:{"name":"c"}` as `[name="c"]`, `v:"x"` as `[="x"]`.
fn place(element: &str) -> String {
    let Some((kind, json)) = element.split_once(':') else { return String::new() };
    match (kind, serde_json::from_str(json)) {
        ("k", Ok(Value::Object(keys))) => {
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        _ => format!("[={json}]"),
    }
}

/// A value where a map or a list is expected.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("&{{{text}}}"),
        other => format!("&{{{other}}}"),
    }
}

/// The Go type of a value where a number is expected.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Null | Value::Number(_) => "<nil>",
    }
}

/// A value where another scalar is expected.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => format!("&value.valueUnstructured{{Value:{text:?}}}"),
        other => format!("&value.valueUnstructured{{Value:{other}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_problem_is_told_as_recorded() {
        let node = |kind: &str, group: &str| {
            let catalog = crate::schema::Catalog::default();
            catalog.find_kind(group, "v1", kind).expect("built in")
        };
        let config_map = node("ConfigMap", "");
        let problem = |mut config: Value| misfit(config_map.node().expect("a schema"), &mut config);
        assert_eq!(problem(json!({"foo": 1, "bar": 2})).as_deref(), Some(".bar: field not declared in schema"));
        assert_eq!(problem(json!({"data": "x"})).as_deref(), Some(".data: expected map, got &{x}"));
        assert_eq!(
            problem(json!({"data": {"a": 1}})).as_deref(),
            Some(".data.a: expected string, got &value.valueUnstructured{Value:1}")
        );
        let deployment = node("Deployment", "apps");
        let mut config = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "c", "env": [{"name": "A"}, {"name": "A"}]},
        ]}}}});
        assert_eq!(
            misfit(deployment.node().expect("a schema"), &mut config).as_deref(),
            Some(".spec.template.spec.containers[name=\"c\"].env: duplicate entries for key [name=\"A\"]")
        );
    }
}
