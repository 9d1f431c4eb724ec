//! The schemas of kinds as OpenAPI documents show them.
//!
//! Invariant: a document refers only to schemas that it holds.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use super::catalog::{Catalog, Resource, SchemaSource};
use super::swagger::to_swagger;
use super::{custom, data};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const REFERENCE: &str = "#/components/schemas/";

/// The name of a kind's schema.
pub(super) fn schema_name(resource: &Resource) -> Option<String> {
    match &resource.schema {
        SchemaSource::Builtin => data::name_of_kind(&resource.group, &resource.version, &resource.kind),
        SchemaSource::Custom(..) => {
            let mut group: Vec<&str> = resource.group.split('.').collect();
            group.reverse();
            Some(format!("{}.{}.{}", group.join("."), resource.version, resource.kind))
        }
    }
}

/// The schemas of these resources, of their lists and of all that they refer to, by name.
pub(crate) fn schemas_of(resources: &[Arc<Resource>]) -> Map<String, Value> {
    let mut out = Map::new();
    for resource in resources {
        let Some(name) = schema_name(resource) else { continue };
        match &resource.schema {
            SchemaSource::Builtin => collect(&name, &mut out),
            SchemaSource::Custom(crd, version, _) => {
                let schema = custom_schema(resource, custom::schema(crd, *version));
                collect_references(&schema, &mut out);
                out.insert(name.clone(), schema);
                let list = list_schema(resource, &name);
                collect_references(&list, &mut out);
                out.insert(format!("{name}List"), list);
            }
        }
        if resource.has_subresource("scale") {
            collect("io.k8s.api.autoscaling.v1.Scale", &mut out);
        }
    }
    for name in ["DeleteOptions", "Patch", "Status"] {
        collect(&format!("{META}.{name}"), &mut out);
    }
    out
}

/// All schemas in the form of OpenAPI v2.
pub(crate) fn swagger_definitions(catalog: &Catalog) -> Map<String, Value> {
    let mut out = Map::new();
    for name in data::schema_names() {
        if let Some(schema) = data::schema(name) {
            out.insert(name.to_owned(), to_swagger(schema, false));
        }
    }
    let custom: Vec<Arc<Resource>> = catalog.all().into_iter().filter(|resource| resource.is_custom()).collect();
    for (name, schema) in schemas_of(&custom).into_iter().filter(|(name, _)| data::schema(name).is_none()) {
        out.insert(name, to_swagger(&schema, true));
    }
    out
}

/// What tells the schemas of these resources from those of any other set: a digest as URLs and entity tags hold it.
pub(crate) fn fingerprint(resources: &[Arc<Resource>]) -> String {
    let mut digest = Sha512::new();
    digest.update(crate::KUBERNETES);
    for resource in resources {
        digest.update(resource.api_version());
        digest.update(&resource.kind);
        if let Some(version) = resource.custom_version() {
            digest.update(version.to_string());
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The schema of a custom kind with the members that all objects have.
fn custom_schema(resource: &Resource, schema: Option<&Value>) -> Value {
    let mut schema = schema.cloned().unwrap_or_else(|| json!({"type": "object"}));
    add_meta(&mut schema);
    complete_embedded(&mut schema);
    let kind = json!({"group": resource.group, "kind": resource.kind, "version": resource.version});
    if let Some(map) = schema.as_object_mut() {
        map.insert("x-kubernetes-group-version-kind".into(), Value::Array(vec![kind]));
    }
    schema
}

fn add_meta(schema: &mut Value) {
    let properties = crate::store::meta::child(schema, "properties");
    for name in ["apiVersion", "kind"] {
        properties.entry(name).or_insert_with(|| json!({"type": "string"}));
    }
    properties.insert("metadata".into(), json!({"allOf": [{"$ref": format!("{REFERENCE}{META}.ObjectMeta")}]}));
    properties.sort_keys();
}

fn complete_embedded(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(complete_embedded);
            if map.get("x-kubernetes-embedded-resource") == Some(&Value::Bool(true)) {
                map.insert("required".into(), json!(["kind", "apiVersion"]));
                add_meta(schema);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(complete_embedded),
        _ => {}
    }
}

fn list_schema(resource: &Resource, name: &str) -> Value {
    let kind = json!({"group": resource.group, "kind": resource.list_kind, "version": resource.version});
    json!({
        "description": format!("{} is a list of {}", resource.list_kind, resource.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": format!("{REFERENCE}{name}")}},
            "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": format!("{REFERENCE}{META}.ListMeta")}]},
        },
        "x-kubernetes-group-version-kind": [kind],
    })
}

fn collect(name: &str, out: &mut Map<String, Value>) {
    if out.contains_key(name) {
        return;
    }
    let Some(schema) = data::schema(name) else { return };
    out.insert(name.to_owned(), schema.clone());
    collect_references(schema, out);
}

fn collect_references(schema: &Value, out: &mut Map<String, Value>) {
    match schema {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                collect(reference.trim_start_matches(REFERENCE), out);
            }
            map.values().for_each(|part| collect_references(part, out));
        }
        Value::Array(list) => list.iter().for_each(|part| collect_references(part, out)),
        _ => {}
    }
}
