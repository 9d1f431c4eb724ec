//! Validation of a version's `openAPIV3Schema`: structure, defaults, and what an OpenAPI schema of a CRD may say.
//!
//! Invariant: CEL rules are looked at only where the schema around them is sound.

use serde_json::Value;

use super::defaults::check_defaults;
use super::rules::{RuleContext, check_rule_fields, check_rules};
use super::structural::check_structural;
use crate::schema::node::Node;
use crate::status::{Cause, Status};

/// What may stand at the root of a schema with a status subresource.
const AT_ROOT: [&str; 22] = [
    "Description",
    "Type",
    "Format",
    "Title",
    "Maximum",
    "ExclusiveMaximum",
    "Minimum",
    "ExclusiveMinimum",
    "MaxLength",
    "MinLength",
    "Pattern",
    "MaxItems",
    "MinItems",
    "UniqueItems",
    "MultipleOf",
    "Required",
    "Items",
    "Properties",
    "ExternalDocs",
    "Example",
    "XPreserveUnknownFields",
    "XValidations",
];

/// Checks the `schema` of a version (or of all versions) at `path`. An unchanged one was accepted before.
///
/// # Errors
/// 501 for a validation rule that the lab can't read.
pub(super) fn check_schema(
    validation: &Value,
    has_status: bool,
    unchanged: bool,
    path: &str,
    causes: &mut Vec<Cause>,
) -> Result<(), Status> {
    let Some(schema) = validation.get("openAPIV3Schema") else { return Ok(()) };
    // What the server accepted once, it accepts again; and nothing of it needs to be read anew.
    if unchanged {
        return Ok(());
    }
    let path = format!("{path}.openAPIV3Schema");
    if has_status {
        check_root(schema, &path, causes);
    }
    if flag(schema, "nullable") {
        causes.push(Cause::forbidden(format!("{path}.nullable"), "nullable cannot be true at the root"));
    }
    let mut sound = !has_unsupported(schema);
    if sound {
        let problems = check_structural(schema, &path);
        sound = problems.is_empty();
        causes.extend(problems);
    }
    if sound && let Some(root) = Node::custom_root(schema) {
        let before = causes.len();
        check_defaults(root, &path, causes);
        sound = causes.len() == before;
    }
    let mut walk = Walk { causes: Vec::new(), rule_causes: Vec::new() };
    let inside = Inside { rules: sound, ..Inside::default() };
    walk.schema(schema, &path, true, &inside)?;
    causes.extend(walk.causes);
    causes.extend(walk.rule_causes);
    Ok(())
}

/// Whether a schema anywhere uses a word for which structural schemas have no place; that is then all that is said of its shape.
fn has_unsupported(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let here = UNSUPPORTED.iter().any(|key| is_set(schema, key))
                || map.get("items").is_some_and(Value::is_array)
                || map.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false));
            let parts = map.iter().filter(|(key, _)| !matches!(key.as_str(), "default" | "enum" | "example"));
            here || parts.into_iter().any(|(key, part)| match (key.as_str(), part) {
                ("properties", Value::Object(properties)) => properties.values().any(has_unsupported),
                _ => has_unsupported(part),
            })
        }
        Value::Array(list) => list.iter().any(has_unsupported),
        _ => false,
    }
}

/// Words of JSON schema that a CRD may not use.
const UNSUPPORTED: [&str; 6] = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];

fn is_set(schema: &Value, key: &str) -> bool {
    schema.get(key).is_some_and(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(map) => !map.is_empty() || key == "dependencies" || key == "additionalItems",
        _ => true,
    })
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn check_root(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let kind = text(schema, "type");
    if !kind.is_empty() && kind != "object" {
        let detail =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        causes.push(Cause::invalid(format!("{path}.type"), &kind.into(), detail));
    }
    let go_name = |key: &str| match key {
        "x-kubernetes-preserve-unknown-fields" => "XPreserveUnknownFields".to_owned(),
        "x-kubernetes-validations" => "XValidations".to_owned(),
        _ => key[..1].to_uppercase() + &key[1..],
    };
    let known = |key: &String| key.is_empty() || AT_ROOT.contains(&go_name(key).as_str());
    if schema.as_object().is_some_and(|map| !map.keys().all(known)) {
        let detail = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            AT_ROOT.join(" ")
        );
        causes.push(Cause::invalid(path, schema, &detail));
    }
}

/// Where in a schema the walk is.
#[derive(Clone, Debug, Default)]
struct Inside {
    /// Rules are compiled here.
    rules: bool,
    /// Why defaults are forbidden; empty where they are allowed.
    no_defaults: String,
    /// Within `metadata`, `kind` or `apiVersion` of a whole object.
    meta: bool,
    /// The part whose items or members can't be told to be those of the old object.
    uncorrelated: String,
}

struct Walk {
    causes: Vec<Cause>,
    rule_causes: Vec<Cause>,
}

impl Walk {
    fn schema(&mut self, schema: &Value, path: &str, is_root: bool, inside: &Inside) -> Result<(), Status> {
        let before = self.causes.len();
        self.standard(schema, path, inside);
        let at = |name: &str| format!("{path}.{name}");
        if flag(schema, "uniqueItems") {
            let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.causes.push(Cause::forbidden(at("uniqueItems"), detail));
        }
        let properties = schema.get("properties").and_then(Value::as_object).filter(|map| !map.is_empty());
        if let Some(additional) = schema.get("additionalProperties") {
            if properties.is_some() && (additional.is_object() || additional == &Value::Bool(false)) {
                let detail = "additionalProperties and properties are mutual exclusive";
                self.causes.push(Cause::forbidden(at("additionalProperties"), detail));
            }
            let mut below = inside.clone();
            if inside.meta {
                "inside additionalProperties applying to object metadata".clone_into(&mut below.no_defaults);
            }
            self.part(additional, &at("additionalProperties"), &below)?;
        }
        for (name, property) in properties.into_iter().flatten() {
            let below = inside_property(schema, name, path, is_root, inside);
            self.part(property, &at(&format!("properties[{name}]")), &below)?;
        }
        let junctor = Inside { rules: false, ..inside.clone() };
        if let Some(not) = schema.get("not") {
            self.part(not, &at("not"), &junctor)?;
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            for (index, branch) in schema.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
                self.part(branch, &at(&format!("{key}[{index}]")), &junctor)?;
            }
        }
        if let Some(items) = schema.get("items") {
            let mut below = inside.clone();
            if text(schema, "x-kubernetes-list-type") != "map" && below.uncorrelated.is_empty() {
                path.clone_into(&mut below.uncorrelated);
            }
            self.part(items, &at("items"), &below)?;
        }
        self.extensions(schema, path);
        self.list_map(schema, path);
        check_rule_fields(schema, path, &mut self.causes);
        if self.causes.len() == before
            && inside.rules
            && let Some(node) = if is_root { Node::custom_root(schema) } else { Node::new(schema) }
        {
            let context = RuleContext { path, uncorrelated: &inside.uncorrelated };
            check_rules(node, &context, &mut self.rule_causes)?;
        }
        Ok(())
    }

    fn part(&mut self, schema: &Value, path: &str, inside: &Inside) -> Result<(), Status> {
        if schema.is_object() { self.schema(schema, path, false, inside) } else { Ok(()) }
    }

    /// Words of JSON schema that a CRD may not use.
    fn standard(&mut self, schema: &Value, path: &str, inside: &Inside) {
        const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
        let at = |name: &str| format!("{path}.{name}");
        let kind = text(schema, "type");
        if !kind.is_empty() && !TYPES.contains(&kind) {
            let allowed = TYPES.map(ToOwned::to_owned);
            self.causes.push(Cause::not_supported(at("type"), &kind.into(), &allowed));
        }
        if !inside.no_defaults.is_empty() && schema.get("default").is_some() {
            let detail = format!("must not be set {}", inside.no_defaults);
            self.causes.push(Cause::forbidden(at("default"), &detail));
        }
        for key in UNSUPPORTED.iter().filter(|key| is_set(schema, key)) {
            self.causes.push(Cause::forbidden(at(key), &format!("{key} is not supported")));
        }
        if kind == "null" {
            let detail = "type cannot be set to null, use nullable as an alternative";
            self.causes.push(Cause::forbidden(at("type"), detail));
        }
        if schema.get("items").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
            self.causes.push(Cause::forbidden(at("items"), "items must be a schema object and not an array"));
        }
        if inside.meta && flag(schema, "x-kubernetes-embedded-resource") {
            let detail = "must not be used inside of resource meta";
            self.causes.push(Cause::forbidden(at("x-kubernetes-embedded-resource"), detail));
        }
    }

    /// Kubernetes' own words, as far as they stand alone.
    fn extensions(&mut self, schema: &Value, path: &str) {
        let at = |name: &str| format!("{path}.{name}");
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
            let field = at("x-kubernetes-preserve-unknown-fields");
            self.causes.push(Cause::invalid(field, &false.into(), "must be true or undefined"));
        }
        let rows: [(&str, &str, &[&str]); 2] = [
            ("x-kubernetes-map-type", "object", &["atomic", "granular"]),
            ("x-kubernetes-list-type", "array", &["atomic", "set", "map"]),
        ];
        for (key, wanted, allowed) in rows {
            let Some(value) = schema.get(key).and_then(Value::as_str) else { continue };
            let kind = text(schema, "type");
            let detail = format!("must be {wanted} if {key} is specified");
            if kind.is_empty() {
                self.causes.push(Cause::required(at("type"), &detail));
            } else if kind != wanted {
                self.causes.push(Cause::invalid(at("type"), &kind.into(), &detail));
            } else if value == "set" {
                self.set_items(schema, path);
            }
            if !allowed.contains(&value) {
                let allowed: Vec<String> = allowed.iter().map(|one| (*one).to_owned()).collect();
                self.causes.push(Cause::not_supported(at(key), &value.into(), &allowed));
            }
        }
    }

    fn set_items(&mut self, schema: &Value, path: &str) {
        let Some(items) = schema.get("items").filter(|items| items.is_object()) else { return };
        let list_type = items.get("x-kubernetes-list-type").cloned().unwrap_or_default();
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let wrong = match text(items, "type") {
            "array" if !list_type.is_null() && list_type != "atomic" => "x-kubernetes-list-type",
            "object" if text(items, "x-kubernetes-map-type") != "atomic" => "x-kubernetes-map-type",
            _ => return,
        };
        self.causes.push(Cause::invalid(format!("{path}.items.{wrong}"), &list_type, detail));
    }

    /// Lists that are maps by keys.
    fn list_map(&mut self, schema: &Value, path: &str) {
        let at = |name: &str| format!("{path}.{name}");
        let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
        let keys_value = schema.get("x-kubernetes-list-map-keys").cloned().unwrap_or_default();
        let keys: Vec<&str> = keys_value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !keys.is_empty() && list_type != Some("map") {
            let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
            self.causes.push(match list_type {
                None => Cause::required(at("x-kubernetes-list-type"), detail),
                Some(other) => Cause::invalid(at("x-kubernetes-list-type"), &other.into(), detail),
            });
        }
        let Some(list_type @ ("map" | "set")) = list_type else { return };
        let items = schema.get("items");
        if list_type == "map" {
            if keys.is_empty() {
                let detail = "must not be empty if x-kubernetes-list-type is map";
                self.causes.push(Cause::required(at("x-kubernetes-list-map-keys"), detail));
            }
            match items {
                None => {
                    let detail = "must have a schema if x-kubernetes-list-type is map";
                    self.causes.push(Cause::required(at("items"), detail));
                }
                Some(items) if text(items, "type") != "object" => {
                    let detail = "must be object if parent array's x-kubernetes-list-type is map";
                    self.causes.push(Cause::invalid(at("items.type"), &text(items, "type").into(), detail));
                }
                Some(items) => self.map_keys(items, &keys, &keys_value, path),
            }
        }
        let Some(items) = items.filter(|items| items.is_object()) else { return };
        if flag(items, "nullable") {
            let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
            self.causes.push(Cause::forbidden(at("items.nullable"), &detail));
        }
        if list_type == "map" {
            self.key_presence(items, &keys, path);
        }
    }

    fn map_keys(&mut self, items: &Value, keys: &[&str], shown: &Value, path: &str) {
        let field = format!("{path}.x-kubernetes-list-map-keys");
        for (index, key) in keys.iter().enumerate() {
            match items.get("properties").and_then(|properties| properties.get(*key)) {
                Some(property) if matches!(text(property, "type"), "array" | "object") => {
                    let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                    let field = format!("{path}.items.properties[{key}].type");
                    self.causes.push(Cause::invalid(field, &text(items, "type").into(), detail));
                }
                Some(_) => {}
                None => {
                    let detail = "entries must all be names of item properties";
                    self.causes.push(Cause::invalid(field.clone(), shown, detail));
                }
            }
            if keys[..index].contains(key) {
                self.causes.push(Cause::invalid(field.clone(), shown, "must not contain duplicate entries"));
            }
        }
    }

    fn key_presence(&mut self, items: &Value, keys: &[&str], path: &str) {
        let required = items.get("required").and_then(Value::as_array);
        for key in keys {
            let Some(property) = items.get("properties").and_then(|properties| properties.get(*key)) else { continue };
            let at = |name: &str| format!("{path}.items.properties[{key}].{name}");
            let is_required = required.is_some_and(|names| names.iter().any(|name| name == key));
            if !is_required && property.get("default").is_none() {
                let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required \
                              property";
                self.causes.push(Cause::required(at("default"), detail));
            }
            if flag(property, "nullable") {
                let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
                self.causes.push(Cause::forbidden(at("nullable"), detail));
            }
        }
    }
}

fn inside_property(schema: &Value, name: &str, path: &str, is_root: bool, inside: &Inside) -> Inside {
    let mut below = inside.clone();
    if text(schema, "x-kubernetes-map-type") == "atomic" && below.uncorrelated.is_empty() {
        path.clone_into(&mut below.uncorrelated);
    }
    let is_resource = is_root || flag(schema, "x-kubernetes-embedded-resource");
    if is_resource && matches!(name, "metadata" | "kind" | "apiVersion") {
        below.meta = true;
        if is_root {
            below.no_defaults = format!("in top-level {name}");
        }
    }
    below
}
