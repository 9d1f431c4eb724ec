//! The JSON Schemas of what users and programs read and write, made from the types.
//!
//! Editors complete and check runbooks by the first; programs that read events or journals rely on the others. The
//! committed files in `schemas/` are compared with these by a test.

mod shapes;
#[expect(dead_code, reason = "the types are there for the schema that is made from them")]
mod written;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// The schema of runbooks.
#[must_use]
pub fn runbook() -> Value {
    make::<written::Runbook>("Runbook", "runbook.v1.json", RecursiveTransform(drop_null))
}

/// The schema of events, as `--output json` writes them.
#[must_use]
pub fn event() -> Value {
    make::<crate::event::EventLine<'_>>("Event", "event.v1.json", RecursiveTransform(|_: &mut Schema| {}))
}

/// All schemas by the names of their files in `schemas/`.
#[must_use]
pub fn all() -> [(&'static str, Value); 2] {
    [("runbook.v1.json", runbook()), ("event.v1.json", event())]
}

fn make<T: JsonSchema>(title: &str, file: &str, transform: impl Transform + Clone + Send + 'static) -> Value {
    let generator = SchemaSettings::draft2020_12().with_transform(transform).into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    let object = schema.ensure_object();
    object.insert("$id".to_owned(), format!("https://periplus.dev/schemas/{file}").into());
    object.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// What may be left out may not be null: the loader refuses that, and messages are clearer without the alternative.
fn drop_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    let is_null = |arm: &Value| arm.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(arms)) = object.get_mut("anyOf")
        && arms.iter().any(is_null)
    {
        arms.retain(|arm| !is_null(arm));
        if let [Value::Object(one)] = arms.as_slice() {
            let one = one.clone();
            object.remove("anyOf");
            // A description beside a reference says what the key is for; the reference says what the type is.
            for (key, value) in one {
                object.entry(key).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
