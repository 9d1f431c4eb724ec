//! The small shapes of the runbook's schema, and the rules that no Rust type says.
//!
//! A schema knows only YAML's values, not how they are written: what it accepts the loader may still refuse.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Declares a type that stands for a schema written out.
macro_rules! shape {
    ($(#[doc = $doc:literal] $name:ident = $schema:tt;)*) => {
        $(
            #[doc = $doc]
            #[derive(PartialEq, Eq, PartialOrd, Ord)]
            pub(super) struct $name;

            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
                fn inline_schema() -> bool {
                    true
                }
                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($schema)
                }
            }
        )*
    };
}

shape! {
    /// Text that may hold a template; a number or a boolean is taken as it is written. The comment tells it from prose.
    Text = {"type": ["string", "number", "boolean"], "$comment": "template"};
    /// Text in which nothing is filled in.
    Prose = {"type": ["string", "number", "boolean"]};
    /// Any value.
    Any = true;
    /// An id.
    Id = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"};
    /// The name of a parameter or a capture.
    Name = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,62}$"};
    /// A span of time.
    Period = {"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$", "examples": ["30s", "1m30s"]};
    /// A number from 1.
    Count = {"type": "integer", "minimum": 1, "maximum": 10_000};
    /// A number from 0.
    Nonnegative = {"type": "integer", "minimum": 0, "maximum": 1_000_000_000};
    /// A JSON Pointer.
    Pointer = {"type": "string", "pattern": "^/"};
    /// What can be waited for.
    Condition = {
        "type": "string",
        "pattern": "^(rollout|deletion|delete|condition=.+|jsonpath=.+)$",
        "examples": ["rollout", "condition=Available", "jsonpath={.status.phase}=Running", "deletion"]
    };
}

/// One value, or a list of them.
pub(super) struct OneOrMany<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

/// Adds a rule to what stands in a schema.
fn also(schema: &mut Schema, rule: Value) {
    let all = schema.ensure_object().entry("allOf").or_insert_with(|| json!([]));
    if let Value::Array(rules) = all {
        rules.push(rule);
    }
}

/// Lets a schema accept something else as well.
fn or(schema: &mut Schema, other: &Value) {
    let description = schema.get("description").cloned();
    let this = std::mem::take(schema.ensure_object());
    let either = schema.ensure_object();
    if let Some(description) = description {
        either.insert("description".to_owned(), description);
    }
    either.insert("anyOf".to_owned(), json!([other, this]));
}

fn required(keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| json!({"required": [key]})).collect()
}

/// Exactly one verb; `wait`, `expect-output` and `expect-object` may stand beside one.
pub(super) fn one_verb(schema: &mut Schema) {
    let alone = required(&["apply", "exec", "log-grep", "delete", "patch", "get"]);
    let beside = required(&["wait", "expect-output", "expect-object"]);
    let mut either = alone.clone();
    either.push(json!({"not": {"anyOf": alone}, "anyOf": beside}));
    also(schema, json!({"oneOf": either}));
}

/// A check that can fail.
pub(super) fn asserts(schema: &mut Schema) {
    let keys = [
        "equals",
        "contains",
        "not-contains",
        "regex",
        "lines",
        "json",
        "yaml",
        "exit",
        "fails",
        "at-least",
        "at-most",
    ];
    also(schema, json!({"anyOf": required(&keys)}));
    also(schema, json!({"not": {"required": ["exit", "fails"]}}));
    also(schema, json!({"properties": {"fails": {"const": true}}}));
}

/// What runs and where, unless another step says so.
pub(super) fn whole_exec(schema: &mut Schema) {
    let program = json!({"oneOf": required(&["command", "sh"])});
    also(schema, json!({"anyOf": [{"required": ["like"]}, {"allOf": [{"required": ["in"]}, program]}]}));
    also(schema, json!({"not": {"required": ["command", "sh"]}}));
}

/// Exactly one of the two, or a JSONPath by itself.
pub(super) fn path_or_find(schema: &mut Schema) {
    also(schema, json!({"oneOf": required(&["path", "find"])}));
    or(schema, &json!({"type": ["string", "number", "boolean"], "$comment": "template"}));
}

/// A duration by itself is the initial one.
pub(super) fn or_period(schema: &mut Schema) {
    or(schema, &json!({"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"}));
}

/// A condition by itself.
pub(super) fn or_condition(schema: &mut Schema) {
    also(schema, json!({"not": {"required": ["name", "selector"]}}));
    let condition = "^(rollout|deletion|delete|condition=.+|jsonpath=.+)$";
    or(schema, &json!({"type": "string", "pattern": condition}));
}

/// An object named in one way, and one thing to hold of it.
pub(super) fn matches_or_absent(schema: &mut Schema) {
    also(schema, json!({"oneOf": required(&["name", "selector"])}));
    also(schema, json!({"oneOf": required(&["matches", "absent"])}));
}

/// Prose in a one-line mapping may go on behind a comma: for YAML, the rest is a key without a value.
pub(super) fn prose_goes_on(schema: &mut Schema) {
    schema.ensure_object().insert("patternProperties".to_owned(), json!({" ": {"type": "null"}}));
}
