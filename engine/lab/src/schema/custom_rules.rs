//! Validation of custom resources: metadata, schema, scale, embedded objects, list types and CEL rules, in the API server's order.
//!
//! Invariant: it reports; it never alters the object.

use serde_json::Value;

use super::catalog::Resource;
use super::cel::{Rules, Verdict};
use super::correlate::Correlation;
use super::names::{check_labels, check_metadata, kind_problem, report};
use super::node::Node;
use super::structural::check_list_types;
use super::text;
use super::values::check_value;
use crate::status::{Cause, Status};

/// Reasons after which CEL rules are not evaluated.
const BLOCKING: [&str; 5] =
    ["FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"];

/// A custom resource that is about to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CustomWrite<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) object: &'a Value,
    /// The stored object, for an update.
    pub(crate) old: Option<&'a Value>,
    /// Only the status is written.
    pub(crate) status_only: bool,
}

/// What is wrong with a custom resource; warnings tell of what was wrong already.
///
/// # Errors
/// 501 for a CEL rule that can't be evaluated here.
pub(crate) fn validate_custom(write: &CustomWrite<'_>, root: Node<'_>) -> Result<(Vec<Cause>, Vec<String>), Status> {
    let (resource, object) = (write.resource, write.object);
    let old = write.old.map(|old| Correlation::new(root, old));
    let mut causes = Vec::new();
    check_metadata(resource, object, &mut causes);
    causes.extend(check_schema(write, root, old));
    check_scale(write, &mut causes);
    check_embedded(root, object, "", &mut causes);
    let had_duplicates = write.old.is_some_and(|old| {
        let mut before = Vec::new();
        check_list_types(root, old, "", &mut before);
        !before.is_empty()
    });
    if !had_duplicates {
        check_list_types(root, object, "", &mut causes);
    }
    let mut warnings = Vec::new();
    if let Some(rules) = resource.rules(root) {
        if causes.iter().any(|cause| BLOCKING.contains(&cause.reason)) {
            causes.push(unchecked());
        } else {
            let verdict = Rules::check(rules, root, object, old, "")?;
            let Verdict { causes: broken, warnings: known } = verdict;
            causes.extend(broken);
            warnings = known;
        }
    }
    Ok((causes, warnings))
}

fn unchecked() -> Cause {
    let message = "some validation rules were not checked because the object was invalid; correct the existing errors to \
                   complete validation";
    Cause::invalid("<nil>", &Value::Null, message)
}

fn check_schema(write: &CustomWrite<'_>, root: Node<'_>, old: Option<Correlation<'_>>) -> Vec<Cause> {
    if !write.status_only {
        return check_value(root.schema(), write.object, old, "");
    }
    let schema = root.schema().pointer("/properties/status");
    match (schema, write.object.get("status")) {
        (Some(schema), Some(status)) => check_value(schema, status, old.and_then(|old| old.member("status")), "status"),
        _ => Vec::new(),
    }
}

/// Counts that the scale subresource shows must be counts.
fn check_scale(write: &CustomWrite<'_>, causes: &mut Vec<Cause>) {
    let scale = write.resource.custom_version().and_then(|version| version.pointer("/subresources/scale"));
    let Some(scale) = scale else { return };
    let path_of = |name: &str| scale.get(name).and_then(Value::as_str).filter(|path| !path.is_empty());
    let at = |path: &str| write.object.pointer(&path.replace('.', "/")).cloned();
    let counts = if write.status_only {
        [None, path_of("statusReplicasPath")]
    } else {
        [path_of("specReplicasPath"), path_of("statusReplicasPath")]
    };
    for path in counts.into_iter().flatten() {
        let Some(value) = at(path) else { continue };
        let problem = match value.as_i64() {
            Some(0..=0x7fff_ffff) => continue,
            Some(..0) => "should be a non-negative integer".to_owned(),
            Some(_) => format!("should be less than or equal to {}", i32::MAX),
            None => {
                format!("{path} accessor error: {} is of the type {}, expected int64", go_text(&value), go_type(&value))
            }
        };
        let shown = if value.is_i64() { value } else { 0.into() };
        causes.push(Cause::invalid(path, &shown, &problem));
    }
    if let Some(path) = path_of("labelSelectorPath")
        && let Some(value) = at(path).filter(|value| !value.is_string())
    {
        let problem =
            format!("{path} accessor error: {} is of the type {}, expected string", go_text(&value), go_type(&value));
        causes.push(Cause::invalid(path, &"".into(), &problem));
    }
}

fn go_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Objects within the object need a kind and a version.
fn check_embedded(node: Node<'_>, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(map) => {
            if node.is_resource() && !path.is_empty() {
                check_type_meta(map, path, causes);
            }
            for (name, value) in map {
                let at = match (path, node.own_property(name)) {
                    ("", _) => name.clone(),
                    (path, Some(_)) => format!("{path}.{name}"),
                    (path, None) => format!("{path}[{name}]"),
                };
                if let Some(member) = node.own_member(name) {
                    check_embedded(member, value, &at, causes);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                for (index, item) in list.iter().enumerate() {
                    check_embedded(items, item, &format!("{path}[{index}]"), causes);
                }
            }
        }
        _ => {}
    }
}

fn check_type_meta(map: &serde_json::Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    for name in ["apiVersion", "kind"] {
        let at = format!("{path}.{name}");
        match map.get(name) {
            None => causes.push(Cause::required(at, "")),
            Some(Value::String(text)) if text.is_empty() => {
                causes.push(Cause::invalid(at, &"".into(), "must not be empty"));
            }
            Some(Value::String(text)) if name == "kind" => {
                if let Some(problem) = kind_problem(text) {
                    causes.push(Cause::invalid(at, &text.as_str().into(), &problem));
                }
            }
            Some(Value::String(text)) if text.matches('/').count() > 1 => {
                let problem = format!("unexpected GroupVersion string: {text}");
                causes.push(Cause::invalid(at, &text.as_str().into(), &problem));
            }
            Some(Value::String(_)) => {}
            Some(other) => causes.push(Cause::invalid(at, other, "must be a string")),
        }
    }
    let metadata = map.get("metadata");
    let name = metadata.and_then(|metadata| metadata.get("name")).and_then(Value::as_str).unwrap_or_default();
    report(text::path_segment(name), &format!("{path}.metadata.name"), name, causes);
    let labels = metadata.and_then(|metadata| metadata.get("labels"));
    check_labels(labels, &format!("{path}.metadata.labels"), causes);
}
