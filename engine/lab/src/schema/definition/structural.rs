//! What makes a schema structural: every value has one known shape, outside of `allOf`, `anyOf`, `oneOf` and `not`.
//!
//! Invariant: the problems are sorted, as the API server sorts them.

use serde_json::{Map, Value, json};

use crate::status::Cause;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Problems of a schema at `path`.
pub(super) fn check_structural(schema: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_shape(schema, Level::Root, path, &mut causes);
    check_completeness(schema, Some(schema), path, path, &mut causes);
    causes.sort_by_cached_key(|cause| format!("{}: {}", cause.field, cause.message));
    causes
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn part<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key).filter(|part| part.is_object())
}

fn check_shape(schema: &Value, level: Level, path: &str, causes: &mut Vec<Cause>) {
    let at = |name: &str| format!("{path}.{name}");
    let kind = text(schema, "type");
    if kind == "array" && schema.get("items").is_none() {
        causes.push(Cause::required(at("items"), "must be specified"));
    }
    if let Some(items) = part(schema, "items") {
        check_shape(items, Level::Item, &at("items"), causes);
    }
    for (name, property) in properties(schema) {
        check_shape(property, Level::Field, &at(&format!("properties[{name}]")), causes);
    }
    let additional = schema.get("additionalProperties");
    if additional.is_some() && level == Level::Root {
        causes.push(Cause::forbidden(at("additionalProperties"), "must not be used at the root"));
    }
    if let Some(additional) = part(schema, "additionalProperties") {
        check_shape(additional, Level::Field, &at("additionalProperties"), causes);
    }
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    for key in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if int_or_string && flag(schema, key) {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            causes.push(Cause::invalid(at(key), &true.into(), detail));
        }
    }
    let pattern = json!([{"type": "integer"}, {"type": "string"}]);
    let any_of = schema.get("anyOf") == Some(&pattern);
    let first_all_of = list(schema, "allOf").first().and_then(|first| first.get("anyOf")) == Some(&pattern);
    check_value_rules(schema, any_of, first_all_of, path, causes);
    check_type(schema, level, path, causes);
    check_meta(schema, level, path, causes);
}

fn check_type(schema: &Value, level: Level, path: &str, causes: &mut Vec<Cause>) {
    let at = |name: &str| format!("{path}.{name}");
    let kind = text(schema, "type");
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let preserves = flag(schema, "x-kubernetes-preserve-unknown-fields");
    if embedded && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        if kind.is_empty() {
            causes.push(Cause::required(at("type"), detail));
        } else {
            causes.push(Cause::invalid(at("type"), &kind.into(), detail));
        }
    } else if kind.is_empty() && !flag(schema, "x-kubernetes-int-or-string") && !preserves {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        causes.push(Cause::required(at("type"), detail));
    }
    if embedded && schema.get("additionalProperties").is_some() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        causes.push(Cause::forbidden(at("additionalProperties"), detail));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        causes.push(Cause::invalid(at("type"), &kind.into(), "must be object at the root"));
    }
    if embedded && !preserves && properties(schema).next().is_none() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        causes.push(Cause::required(at("properties"), detail));
    }
}

/// `kind`, `apiVersion` and `metadata` of whole objects are what they are.
fn check_meta(schema: &Value, level: Level, path: &str, causes: &mut Vec<Cause>) {
    let is_resource = level == Level::Root || flag(schema, "x-kubernetes-embedded-resource");
    let property = |name: &str| schema.get("properties").and_then(|properties| properties.get(name));
    for name in ["kind", "apiVersion"] {
        if let Some(kind) = property(name).map(|property| text(property, "type"))
            && is_resource
            && kind != "string"
        {
            causes.push(Cause::invalid(format!("{path}.properties[{name}].type"), &kind.into(), "must be string"));
        }
    }
    let Some(metadata) = property("metadata") else { return };
    let field = format!("{path}.properties[metadata]");
    if is_resource && text(metadata, "type") != "object" {
        causes.push(Cause::invalid(format!("{field}.type"), &text(metadata, "type").into(), "must be object"));
    }
    if level == Level::Root && !only_names(metadata) {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        causes.push(Cause::forbidden(field, detail));
    }
}

fn only_names(metadata: &Value) -> bool {
    let Some(map) = metadata.as_object() else { return false };
    let names = properties(metadata).all(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
    names && map.keys().all(|key| matches!(key.as_str(), "type" | "properties" | "default"))
}

/// Patterns, and schemas below the junctors.
fn check_value_rules(schema: &Value, skip_any: bool, skip_first_all: bool, path: &str, causes: &mut Vec<Cause>) {
    for key in ["anyOf", "allOf", "oneOf"] {
        if key == "anyOf" && skip_any {
            continue;
        }
        for (index, branch) in list(schema, key).iter().enumerate() {
            let skip_any = key == "allOf" && skip_first_all && index == 0;
            check_nested(branch, skip_any, &format!("{path}.{key}[{index}]"), causes);
        }
    }
    if let Some(not) = part(schema, "not") {
        check_nested(not, false, &format!("{path}.not"), causes);
    }
    let pattern = text(schema, "pattern");
    if !pattern.is_empty()
        && let Err(error) = regex::Regex::new(pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {}", go_regex_error(pattern, &error));
        causes.push(Cause::invalid(format!("{path}.pattern"), &pattern.into(), &detail));
    }
}

/// The error in the words of Go's `regexp`, as far as they can be told from the pattern.
fn go_regex_error(pattern: &str, error: &regex::Error) -> String {
    let opened = pattern.matches('(').count();
    let closed = pattern.matches(')').count();
    let problem = if closed > opened {
        format!("unexpected ): `{pattern}`")
    } else if opened > closed {
        format!("missing closing ): `{pattern}`")
    } else if let Some(at) = pattern.find('[').filter(|at| !pattern[*at..].contains(']')) {
        format!("missing closing ]: `{}`", &pattern[at..])
    } else if pattern.starts_with(['*', '+', '?']) {
        format!("missing argument to repetition operator: `{}`", &pattern[..1])
    } else if let Some(at) = pattern.find("(?") {
        let end = (at + 3..=pattern.len()).find(|end| pattern.is_char_boundary(*end)).unwrap_or(pattern.len());
        format!("invalid or unsupported Perl syntax: `{}`", &pattern[at..end])
    } else {
        error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    };
    format!("error parsing regexp: {problem}")
}

fn check_nested(schema: &Value, skip_any: bool, path: &str, causes: &mut Vec<Cause>) {
    let at = |name: &str| format!("{path}.{name}");
    check_value_rules(schema, skip_any, false, path, causes);
    if let Some(items) = part(schema, "items") {
        check_nested(items, false, &at("items"), causes);
    }
    for (name, property) in properties(schema) {
        check_nested(property, false, &at(&format!("properties[{name}]")), causes);
    }
    let mut forbid = |name: &str, detail: &str| causes.push(Cause::forbidden(at(name), detail));
    let filled = |key: &str| schema.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let has = |key: &str| schema.get(key).is_some_and(|value| !value.is_null());
    if !text(schema, "type").is_empty() {
        forbid("type", "must be empty to be structural");
    }
    if has("additionalProperties") && schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        forbid("additionalProperties", "must be undefined to be structural");
    }
    if has("default") {
        forbid("default", "must be undefined to be structural");
    }
    for key in ["title", "description"] {
        if !text(schema, key).is_empty() {
            forbid(key, "must be empty to be structural");
        }
    }
    for key in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if flag(schema, key) {
            forbid(key, "must be false to be structural");
        }
    }
    if filled("x-kubernetes-list-map-keys") {
        forbid("x-kubernetes-list-map-keys", "must be empty to be structural");
    }
    for key in ["x-kubernetes-list-type", "x-kubernetes-map-type"] {
        if has(key) {
            forbid(key, "must be undefined to be structural");
        }
    }
    if filled("x-kubernetes-validations") {
        forbid("x-kubernetes-validations", "must be empty to be structural");
    }
    if schema.pointer("/properties/metadata").is_some() {
        forbid("properties[metadata]", "must not be specified in a nested context");
    }
}

/// Whatever the junctors of `rules` speak of must be in `shape`.
fn check_completeness(rules: &Value, shape: Option<&Value>, path: &str, place: &str, causes: &mut Vec<Cause>) {
    if let Some(not) = part(rules, "not") {
        check_nested_completeness(not, shape, path, &format!("{place}.not"), causes);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, branch) in list(rules, key).iter().enumerate() {
            check_nested_completeness(branch, shape, path, &format!("{place}.{key}[{index}]"), causes);
        }
    }
}

fn check_nested_completeness(rules: &Value, shape: Option<&Value>, path: &str, place: &str, causes: &mut Vec<Cause>) {
    let Some(known) = shape else {
        causes.push(Cause::required(path, &format!("because it is defined in {place}")));
        return;
    };
    check_completeness(rules, shape, path, place, causes);
    if let Some(items) = part(rules, "items") {
        let (path, place) = (format!("{path}.items"), format!("{place}.items"));
        check_nested_completeness(items, part(known, "items"), &path, &place, causes);
    }
    let nothing = Map::new();
    let named = known.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
    for (name, property) in properties(rules) {
        let (path, place) = (format!("{path}.properties[{name}]"), format!("{place}.properties[{name}]"));
        check_nested_completeness(property, named.get(name), &path, &place, causes);
    }
}
