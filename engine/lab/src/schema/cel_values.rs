//! JSON values as CEL sees them through a schema: names escaped, dates and durations read.
//!
//! Invariant: a value that does not read as its format stays text; a rule then finds text, and nothing fails here.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, Program, Value as CelValue};
use serde_json::Value;

use super::node::Node;

/// CEL's own words, which no field may be called by as they stand. Source: Kubernetes' documentation of validation rules.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A field's name in rules.
pub(super) fn escaped(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__").replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}

/// The value at `node` for rules.
pub(super) fn to_cel(node: Option<Node<'_>>, value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) if node.is_none_or(|node| node.text("type") != "number") => CelValue::Int(integer),
            (None, Some(integer)) => CelValue::UInt(integer),
            _ => CelValue::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => text_to_cel(node.map_or("", |node| node.text("format")), text),
        Value::Array(items) => {
            let item_node = node.and_then(|node| node.items());
            CelValue::List(Arc::new(items.iter().map(|item| to_cel(item_node, item)).collect()))
        }
        Value::Object(members) => {
            let is_map = node.is_some_and(|node| node.keyword("additionalProperties").is_some());
            let mut map = HashMap::with_capacity(members.len());
            for (name, value) in members {
                let key = if is_map { name.clone() } else { escaped(name) };
                let member = node.and_then(|node| node.member(name));
                map.insert(Key::String(Arc::new(key)), to_cel(member, value));
            }
            CelValue::Map(Map { map: Arc::new(map) })
        }
    }
}

fn text_to_cel(format: &str, text: &str) -> CelValue {
    let parsed = match format {
        "date-time" => converted(&TIMESTAMP, text),
        "date" => converted(&TIMESTAMP, &format!("{text}T00:00:00Z")),
        "duration" => converted(&DURATION, text),
        "byte" => STANDARD.decode(text).ok().map(|bytes| CelValue::Bytes(Arc::new(bytes))),
        _ => None,
    };
    parsed.unwrap_or_else(|| CelValue::String(Arc::new(text.to_owned())))
}

static TIMESTAMP: LazyLock<Program> = LazyLock::new(|| conversion("timestamp(text)"));
static DURATION: LazyLock<Program> = LazyLock::new(|| conversion("duration(text)"));

fn conversion(text: &str) -> Program {
    Program::compile(text).expect("invariant: a call of one function is CEL")
}

fn converted(conversion: &Program, text: &str) -> Option<CelValue> {
    let mut context = Context::default();
    context.add_variable_from_value("text", text.to_owned());
    conversion.execute(&context).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_kubernetes_says() {
        let rows = [
            ("namespace", "__namespace__"),
            ("a-b", "a__dash__b"),
            ("a.b/c", "a__dot__b__slash__c"),
            ("a__b", "a__underscores__b"),
            ("a_b", "a_b"),
        ];
        for (name, escape) in rows {
            assert_eq!(escaped(name), escape);
        }
    }

    #[test]
    fn formats_become_types_of_cel() {
        let schema = serde_json::json!({"type": "string", "format": "date-time"});
        let found = to_cel(Node::new(&schema), &"2024-01-01T00:00:00Z".into());
        assert!(matches!(found, CelValue::Timestamp(_)));
        assert!(matches!(to_cel(Node::new(&schema), &"soon".into()), CelValue::String(_)));
    }
}
