//! The paths of resources as OpenAPI documents list them, with what clients look up there: kinds, and options of writes.
//!
//! Invariant: each path leads to a resource that is served.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::schema::Resource;

/// `api/v1` or `apis/GROUP/VERSION`.
pub(super) fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Methods with the verb and the action that they stand for: on all objects, and on one.
const COLLECTION: [(&str, &str, &str); 3] =
    [("get", "list", "list"), ("post", "create", "post"), ("delete", "deletecollection", "deletecollection")];
const OBJECT: [(&str, &str, &str); 4] =
    [("get", "get", "get"), ("put", "update", "put"), ("delete", "delete", "delete"), ("patch", "patch", "patch")];

/// The paths of the resources of one version.
pub(super) fn of_version(resources: &[Arc<Resource>]) -> Value {
    let mut paths = std::collections::BTreeMap::new();
    for resource in resources {
        add_paths(resource, &mut paths, &parameter_3);
    }
    Value::Object(paths.into_iter().collect())
}

/// The paths of all resources in the form of v2.
pub(super) fn of_version_2(resources: &[Arc<Resource>]) -> Value {
    let mut paths = std::collections::BTreeMap::new();
    for resource in resources {
        add_paths(resource, &mut paths, &parameter_2);
    }
    Value::Object(paths.into_iter().collect())
}

fn parameter_3(name: &str) -> Value {
    json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}})
}

fn parameter_2(name: &str) -> Value {
    json!({"uniqueItems": true, "type": "string", "name": name, "in": "query"})
}

fn add_paths(
    resource: &Resource,
    paths: &mut std::collections::BTreeMap<String, Value>,
    parameter: &dyn Fn(&str) -> Value,
) {
    let root = root(&resource.group, &resource.version);
    let plural = &resource.plural;
    let place = if resource.namespaced {
        format!("/{root}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("/{root}/{plural}")
    };
    let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let methods = |rows: &[(&str, &str, &str)], verbs: &[String], kind: &Value| -> Value {
        let able = rows.iter().filter(|(_, verb, _)| verbs.iter().any(|known| known == verb));
        let operations = able.map(|(method, _, action)| ((*method).to_owned(), operation(action, kind, parameter)));
        Value::Object(operations.collect::<Map<_, _>>())
    };
    if resource.namespaced && resource.verbs.iter().any(|verb| verb == "list") {
        paths.insert(format!("/{root}/{plural}"), methods(&COLLECTION[..1], &resource.verbs, &kind));
    }
    paths.insert(place.clone(), methods(&COLLECTION, &resource.verbs, &kind));
    paths.insert(format!("{place}/{{name}}"), methods(&OBJECT, &resource.verbs, &kind));
    for subresource in &resource.subresources {
        let own = json!({
            "group": if subresource.version.is_empty() { &resource.group } else { &subresource.group },
            "version": if subresource.version.is_empty() { &resource.version } else { &subresource.version },
            "kind": subresource.kind,
        });
        let path = format!("{place}/{{name}}/{}", subresource.name);
        paths.insert(path, methods(&OBJECT, &subresource.verbs, &own));
    }
    paths.retain(|_, methods| methods.as_object().is_some_and(|methods| !methods.is_empty()));
}

fn operation(action: &str, kind: &Value, parameter: &dyn Fn(&str) -> Value) -> Value {
    let names: &[&str] = match action {
        "post" | "put" => &["dryRun", "fieldManager", "fieldValidation"],
        "patch" => &["dryRun", "fieldManager", "fieldValidation", "force"],
        "delete" => &["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"],
        _ => &[],
    };
    let mut map = Map::new();
    if !names.is_empty() {
        map.insert("parameters".into(), names.iter().map(|name| parameter(name)).collect());
    }
    map.insert("responses".into(), json!({"200": {"description": "OK"}, "401": {"description": "Unauthorized"}}));
    map.insert("x-kubernetes-action".into(), action.into());
    map.insert("x-kubernetes-group-version-kind".into(), kind.clone());
    Value::Object(map)
}
