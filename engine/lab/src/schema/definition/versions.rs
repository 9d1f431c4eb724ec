//! Validation of the smaller parts of a version: names, printer columns, subresources, selectable fields, deprecation.
//!
//! Invariant: it reports; it never alters the definition.

use serde_json::Value;

use crate::schema::field_path;
use crate::schema::names::{kind_problem, label_1035_problem};
use crate::schema::node::Node;
use crate::status::Cause;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().map(|item| item.as_str().unwrap_or_default())
}

/// Names, in `spec` or `status`.
pub(super) fn check_names(names: Option<&Value>, path: &str, causes: &mut Vec<Cause>) {
    let Some(names) = names else { return };
    let mut invalid = |field: String, name: &str, problem: &str| {
        causes.push(Cause::invalid(field, &name.into(), problem));
    };
    for key in ["plural", "singular"] {
        let name = text(names, key);
        if let Some(problem) = label_1035_problem(name).filter(|_| !name.is_empty()) {
            invalid(format!("{path}.{key}"), name, &problem);
        }
    }
    for key in ["kind", "listKind"] {
        let name = text(names, key);
        if let Some(problem) = kind_problem(name).filter(|_| !name.is_empty()) {
            invalid(format!("{path}.{key}"), name, &problem);
        }
    }
    for (index, name) in texts(names, "shortNames").enumerate() {
        if let Some(problem) = label_1035_problem(name) {
            invalid(format!("{path}.shortNames[{index}]"), name, &problem);
        }
    }
    let (kind, list_kind) = (text(names, "kind"), text(names, "listKind"));
    if !kind.is_empty() && kind == list_kind {
        invalid(format!("{path}.listKind"), list_kind, "kind and listKind may not be the same");
    }
    for (index, name) in texts(names, "categories").enumerate() {
        if let Some(problem) = label_1035_problem(name) {
            invalid(format!("{path}.categories[{index}]"), name, &problem);
        }
    }
}

/// The warning of a deprecated version.
pub(super) fn check_deprecation(version: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else { return };
    let mut refuse =
        |detail: &str| causes.push(Cause::invalid(format!("{path}.deprecationWarning"), &warning.into(), detail));
    if version.get("deprecated") != Some(&Value::Bool(true)) {
        return refuse("can only be set for deprecated versions");
    }
    if warning.len() > 256 {
        refuse("must be <= 256 characters long");
    }
    if warning.is_empty() {
        refuse("must not be an empty string");
    }
    if let Some((index, _)) = warning.char_indices().find(|(_, letter)| letter.is_control()) {
        refuse(&format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {index}"
        ));
    }
}

/// `additionalPrinterColumns`.
pub(super) fn check_columns(columns: &Value, path: &str, causes: &mut Vec<Cause>) {
    const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
    const FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    for (index, column) in columns.as_array().into_iter().flatten().enumerate() {
        let at = |name: &str| format!("{path}[{index}].{name}");
        if text(column, "name").is_empty() {
            causes.push(Cause::required(at("name"), ""));
        }
        let (kind, format) = (text(column, "type"), text(column, "format"));
        let detail = format!("must be one of {}", TYPES.join(","));
        if kind.is_empty() {
            causes.push(Cause::required(at("type"), &detail));
        } else if !TYPES.contains(&kind) {
            causes.push(Cause::invalid(at("type"), &kind.into(), &detail));
        }
        if !format.is_empty() && !FORMATS.contains(&format) {
            let detail = format!("must be one of {}", FORMATS.join(","));
            causes.push(Cause::invalid(at("format"), &format.into(), &detail));
        }
        let json_path = text(column, "jsonPath");
        if json_path.is_empty() {
            causes.push(Cause::required(at("JSONPath"), ""));
        } else {
            check_simple_path(json_path, at("JSONPath"), causes);
        }
    }
}

fn check_simple_path(json_path: &str, field: String, causes: &mut Vec<Cause>) -> bool {
    let simple = json_path.starts_with('.');
    if !simple {
        let detail = "must be a simple json path starting with .";
        causes.push(Cause::invalid(field, &json_path.into(), detail));
    }
    simple
}

/// `subresources`.
pub(super) fn check_subresources(subresources: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(scale) = subresources.get("scale") else { return };
    for (name, under) in [("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")] {
        let (json_path, field) = (text(scale, name), format!("{path}.scale.{name}"));
        if json_path.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if check_simple_path(json_path, field.clone(), causes) && !json_path.starts_with(&format!("{under}.")) {
            causes.push(Cause::invalid(field, &json_path.into(), &format!("should be a json path under {under}")));
        }
    }
    let (json_path, field) = (text(scale, "labelSelectorPath"), format!("{path}.scale.labelSelectorPath"));
    if !json_path.is_empty()
        && check_simple_path(json_path, field.clone(), causes)
        && ![".spec.", ".status."].iter().any(|under| json_path.starts_with(under))
    {
        let detail = "should be a json path under either .spec or .status";
        causes.push(Cause::invalid(field, &json_path.into(), detail));
    }
}

/// `selectableFields` of a version.
pub(super) fn check_selectable(fields: &Value, version: &Value, path: &str, causes: &mut Vec<Cause>) {
    const MOST: usize = 8;
    let schema = version.pointer("/schema/openAPIV3Schema");
    let Some(root) = schema.and_then(Node::new) else { return };
    let mut seen: Vec<String> = Vec::new();
    for (index, entry) in fields.as_array().into_iter().flatten().enumerate() {
        let (json_path, field) = (text(entry, "jsonPath"), format!("{path}[{index}].jsonPath"));
        if json_path.is_empty() {
            causes.push(Cause::required(field, ""));
            continue;
        }
        let found = match field_path::resolve(json_path, root, false) {
            Ok(found) => found,
            Err(problem) => {
                let detail = format!("is an invalid path: {problem}");
                causes.push(Cause::invalid(field, &json_path.into(), &detail));
                continue;
            }
        };
        if found.root == "metadata" {
            causes.push(Cause::invalid(field.clone(), &json_path.into(), "must not point to fields in metadata"));
        }
        if !matches!(found.node.text("type"), "string" | "boolean" | "integer") {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with \
                          formats are allowed.";
            causes.push(Cause::invalid(field.clone(), &json_path.into(), detail));
        }
        if seen.contains(&found.text) {
            causes.push(Cause::duplicate(field, &json_path.into()));
        } else {
            seen.push(found.text);
        }
    }
    if seen.len() > MOST {
        let message = format!("Too many: {}: must have at most {MOST} items", seen.len());
        causes.push(Cause::new("FieldValueTooMany", path, message));
    }
}
