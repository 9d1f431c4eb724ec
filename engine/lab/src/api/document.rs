//! OpenAPI v3 documents, made from the schemas that the lab checks objects with.
//!
//! Invariant: a document describes exactly the kinds of its group and version.

use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::{Body, json_response};
use crate::schema::{Catalog, Resource, schema_document};

/// `/openapi/v3`
pub(super) fn index(catalog: &Catalog) -> Response<Body> {
    let mut paths = Map::new();
    for resource in catalog.all() {
        let path = if resource.group.is_empty() {
            format!("api/{}", resource.version)
        } else {
            format!("apis/{}/{}", resource.group, resource.version)
        };
        paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}")}));
    }
    json_response(StatusCode::OK, &json!({"paths": paths}))
}

/// `/openapi/v3/apis/GROUP/VERSION`
pub(super) fn group_version(catalog: &Catalog, group: &str, version: &str) -> Option<Response<Body>> {
    let served: Vec<Arc<Resource>> =
        catalog.all().into_iter().filter(|one| one.group == group && one.version == version).collect();
    if served.is_empty() {
        return None;
    }
    let mut paths = Map::new();
    for resource in &served {
        let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let place = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let path = format!("{root}{place}/{}/{{name}}", resource.plural);
        let kind = json!({"group": group, "version": version, "kind": resource.kind});
        let parameter =
            |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
        let options = json!([parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation")]);
        let operation = |action: &str, parameters: Value| json!({"x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind, "parameters": parameters, "responses": {}});
        paths.insert(path, json!({"get": operation("get", json!([])), "patch": operation("patch", options)}));
    }
    let document = json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": paths,
        "components": {"schemas": schema_document(&served)},
    });
    Some(json_response(StatusCode::OK, &document))
}
