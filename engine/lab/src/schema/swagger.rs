//! Schemas of OpenAPI v3 in the form of v2, as the API server derives them.
//!
//! Invariant: v2 says less than v3, never anything else.

use serde_json::{Map, Value};

/// A schema in the form of v2. Of custom kinds v2 leaves out what its older readers choked on: the shape of what may be null or
/// of several types, or holds unknown fields.
pub(super) fn to_swagger(schema: &Value, custom: bool) -> Value {
    let Some(map) = schema.as_object() else { return schema.clone() };
    if let Some(reference) = map.get("$ref").or_else(|| map.get("allOf")?.get(0)?.get("$ref")).and_then(Value::as_str) {
        let mut out = Map::new();
        out.extend(map.get("description").map(|text| ("description".to_owned(), text.clone())));
        let name = reference.trim_start_matches("#/components/schemas/");
        out.insert("$ref".into(), format!("#/definitions/{name}").into());
        out.extend(extensions(map));
        return Value::Object(out);
    }
    let flag = |key: &str| map.get(key) == Some(&Value::Bool(true));
    let shapeless = custom
        && (flag("nullable") || flag("x-kubernetes-preserve-unknown-fields") || flag("x-kubernetes-int-or-string"));
    let mut out = Map::new();
    for (key, value) in map {
        match key.as_str() {
            "default" | "nullable" | "oneOf" | "anyOf" | "allOf" | "not" => {}
            "type" | "items" | "properties" | "additionalProperties" | "required" if shapeless => {}
            "properties" => {
                let members = value.as_object().into_iter().flatten();
                let members = members.map(|(name, member)| (name.clone(), to_swagger(member, custom)));
                out.insert(key.clone(), Value::Object(members.collect()));
            }
            "items" | "additionalProperties" => {
                out.insert(key.clone(), to_swagger(value, custom));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

fn extensions(map: &Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    let own = map.iter().filter(|(key, _)| key.starts_with("x-"));
    own.map(|(key, value)| (key.clone(), value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As kube-apiserver v1.36.2 shows the same schema in both forms.
    #[test]
    fn custom_schemas_lose_what_v2_can_not_say() {
        let schema = json!({"type": "object", "properties": {
            "e": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "io": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true},
            "n": {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer", "default": 1, "enum": [1, 2]}}},
            "nu": {"type": "string", "nullable": true},
            "metadata": {"allOf": [{"$ref": "#/components/schemas/x.ObjectMeta"}]},
        }});
        let expected = json!({"type": "object", "properties": {
            "e": {"x-kubernetes-preserve-unknown-fields": true},
            "io": {"x-kubernetes-int-or-string": true},
            "n": {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer", "enum": [1, 2]}}},
            "nu": {},
            "metadata": {"$ref": "#/definitions/x.ObjectMeta"},
        }});
        assert_eq!(to_swagger(&schema, true), expected);
    }
}
