//! Custom resources against their structural schema: pruning, defaults, validation.
//!
//! Invariant: rules in CEL (`x-kubernetes-validations`) are not evaluated here; whoever asks can see whether a schema has any.

use serde_json::{Map, Value};

use super::catalog::Resource;
use super::decode::{Decoded, fits};
use super::names::check_metadata;
use super::node::{ListType, Node, NodeType};
use crate::status::Cause;

impl Decoded {
    /// Decodes a custom resource: prunes unknown fields and fills in defaults.
    pub(crate) fn custom(root: Node<'_>, object: &mut Value) -> Self {
        let mut out = Self::default();
        if let Some(meta_node) = root.property("metadata")
            && let Some(metadata) = object.get_mut("metadata")
        {
            let nested = Self::builtin(meta_node, metadata);
            out.unknown.extend(nested.unknown.into_iter().map(|path| format!("metadata.{path}")));
            out.mistyped = nested.mistyped;
        }
        prune(root, object, "", &mut out.unknown, true);
        fill_defaults(root, object);
        out
    }
}

fn prune(node: Node<'_>, value: &mut Value, path: &str, unknown: &mut Vec<String>, root: bool) {
    match value {
        Value::Object(map) => {
            let keep = node.preserves_unknown();
            let mut dropped = Vec::new();
            for (name, value) in map.iter_mut() {
                if root && name == "metadata" {
                    continue;
                }
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match node.member(name) {
                    Some(member) => prune(member, value, &at, unknown, false),
                    None if keep => {}
                    None => {
                        unknown.push(at);
                        dropped.push(name.clone());
                    }
                }
            }
            for name in dropped {
                map.shift_remove(&name);
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                for (index, item) in list.iter_mut().enumerate() {
                    prune(items, item, &format!("{path}[{index}]"), unknown, false);
                }
            }
        }
        _ => {}
    }
}

fn fill_defaults(node: Node<'_>, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in node.properties() {
                let null = map.get(name).is_some_and(Value::is_null) && !property.flag("nullable");
                if let Some(default) = property.default_value().filter(|_| null || !map.contains_key(name)) {
                    map.insert(name.to_owned(), default.clone());
                } else if null {
                    map.shift_remove(name);
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(member) = node.member(name) {
                    fill_defaults(member, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                list.iter_mut().for_each(|item| fill_defaults(items, item));
            }
        }
        _ => {}
    }
}

/// Everything that is wrong with a custom resource by its schema, CEL rules aside.
pub(crate) fn validate_custom(resource: &Resource, root: Node<'_>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_metadata(resource, object, &mut causes);
    check(root, object, "", &mut causes);
    if !causes.is_empty() && has_rules(root.keyword("properties")) {
        let message = "Invalid value: null: some validation rules were not checked because the object was invalid; correct the \
                       existing errors to complete validation";
        causes.push(Cause::new("FieldValueInvalid", "<nil>", message));
    }
    causes
}

/// Whether a schema has CEL rules anywhere.
pub(crate) fn has_rules(schema: Option<&Value>) -> bool {
    match schema {
        Some(Value::Object(map)) => {
            map.contains_key("x-kubernetes-validations") || map.values().any(|value| has_rules(Some(value)))
        }
        Some(Value::Array(list)) => list.iter().any(|value| has_rules(Some(value))),
        _ => false,
    }
}

fn check(node: Node<'_>, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && node.flag("nullable") {
        return;
    }
    if !fits(node.node_type(), value) {
        causes.push(type_error(node, value, path));
        return;
    }
    if let Some(allowed) = node.keyword("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<String> =
            allowed.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), Into::into)).collect();
        causes.push(Cause::not_supported(shown(path), value, &allowed));
    }
    match value {
        Value::Object(map) => check_object(node, map, path, causes),
        Value::Array(list) => check_list(node, value, list, path, causes),
        Value::String(text) => check_text(node, value, text, path, causes),
        Value::Number(number) => check_number(node, value, number.as_f64().unwrap_or(0.0), path, causes),
        Value::Null | Value::Bool(_) => {}
    }
    check_combinations(node, value, path, causes);
}

fn check_object(node: Node<'_>, map: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in node.required().filter(|name| !map.contains_key(*name)) {
        causes.push(Cause::required(at(name), ""));
    }
    if let Some(limit) = limit(node, "maxProperties").filter(|limit| map.len() > *limit) {
        let message = format!("Too many: {}: must have at most {limit} items", map.len());
        causes.push(Cause::new("FieldValueTooMany", shown(path), message));
    }
    for (name, value) in map {
        if path.is_empty() && matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
            continue;
        }
        if let Some(member) = node.member(name) {
            check(member, value, &at(name), causes);
        }
    }
}

fn check_list(node: Node<'_>, whole: &Value, list: &[Value], path: &str, causes: &mut Vec<Cause>) {
    if let Some(limit) = limit(node, "maxItems").filter(|limit| list.len() > *limit) {
        let message = format!("Too many: {}: must have at most {limit} items", list.len());
        causes.push(Cause::new("FieldValueTooMany", shown(path), message));
    }
    if let Some(limit) = limit(node, "minItems").filter(|limit| list.len() < *limit) {
        let detail = format!("{} in body should have at least {limit} items", shown(path));
        causes.push(Cause::invalid(shown(path), &whole.to_string().len().into(), &detail));
    }
    let Some(items) = node.items() else { return };
    let by = node.list_type();
    let mut names: Vec<String> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let at = format!("{path}[{index}]");
        if !matches!(by, ListType::Atomic)
            && let Some(name) = super::compare::element_of(&by, Some(items), item)
        {
            if names.contains(&name) {
                let key =
                    name.split_once(':').and_then(|(_, json)| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
                causes.push(Cause::duplicate(at.clone(), &key));
            }
            names.push(name);
        }
        check(items, item, &at, causes);
    }
}

fn check_text(node: Node<'_>, value: &Value, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count();
    if let Some(limit) = limit(node, "maxLength").filter(|limit| length > *limit) {
        let message = format!("Too long: may not be more than {limit} bytes");
        causes.push(Cause::new("FieldValueTooLong", shown(path), message));
    }
    if let Some(limit) = limit(node, "minLength").filter(|limit| length < *limit) {
        let detail = format!("{} in body should be at least {limit} chars long", shown(path));
        causes.push(Cause::invalid(shown(path), value, &detail));
    }
    let pattern = node.text("pattern");
    // A pattern that this engine can't read (Go's syntax is nearly the same) is not checked.
    if !pattern.is_empty() && regex::Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
        let detail = format!("{} in body should match '{pattern}'", shown(path));
        causes.push(Cause::invalid(shown(path), value, &detail));
    }
}

fn check_number(node: Node<'_>, value: &Value, number: f64, path: &str, causes: &mut Vec<Cause>) {
    let bound = |key: &str| node.keyword(key).and_then(|bound| Some((bound.as_f64()?, bound)));
    if let Some((_, shown_bound)) = bound("minimum").filter(|(bound, _)| number < *bound) {
        let detail = format!("{} in body should be greater than or equal to {shown_bound}", shown(path));
        causes.push(Cause::invalid(shown(path), value, &detail));
    }
    if let Some((_, shown_bound)) = bound("maximum").filter(|(bound, _)| number > *bound) {
        let detail = format!("{} in body should be less than or equal to {shown_bound}", shown(path));
        causes.push(Cause::invalid(shown(path), value, &detail));
    }
}

fn check_combinations(node: Node<'_>, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let holds = |schema: &Value| {
        let mut nested = Vec::new();
        if let Some(branch) = Node::new(schema) {
            check(branch, value, path, &mut nested);
        }
        nested.is_empty()
    };
    let branches = |key: &str| node.keyword(key).and_then(Value::as_array).filter(|list| !list.is_empty());
    let mut refuse = |what: &str| {
        let detail = format!("{} in body {what}", shown(path));
        causes.push(Cause::invalid(shown(path), value, &detail));
    };
    if branches("anyOf").is_some_and(|list| !list.iter().any(holds)) {
        refuse("must validate at least one schema (anyOf)");
    }
    if let Some(list) = branches("oneOf") {
        match list.iter().filter(|schema| holds(schema)).count() {
            1 => {}
            0 => refuse("must validate one and only one schema (oneOf). Found none valid"),
            _ => refuse("must validate one and only one schema (oneOf). Found 2 valid alternatives"),
        }
    }
    if node.keyword("not").is_some_and(holds) {
        refuse("must not validate the schema (not)");
    }
}

fn limit(node: Node<'_>, key: &str) -> Option<usize> {
    node.keyword(key).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok())
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "<nil>" } else { path }
}

fn type_error(node: Node<'_>, value: &Value, path: &str) -> Cause {
    let wanted = match node.node_type() {
        NodeType::Object | NodeType::Any => "object",
        NodeType::Array => "array",
        NodeType::String => "string",
        NodeType::Integer => "integer",
        NodeType::Number => "number",
        NodeType::Boolean => "boolean",
        NodeType::IntOrString => "integer,string",
    };
    let found = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
    };
    let quoted = Value::String(found.to_owned());
    let detail = format!("{} in body must be of type {wanted}: {quoted}", shown(path));
    Cause::type_invalid(shown(path), &quoted, &detail)
}
