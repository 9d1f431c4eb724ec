//! OpenAPI v3 documents, made from the schemas that the lab checks objects with.
//!
//! Invariant: a document of v3 describes exactly the kinds of its group and version.

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::{Body, json_response, response, whole};
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

/// The form of `/openapi/v2` that `kubectl` reads, and the name by which it asks for it, which is no media type.
const OPENAPI_V2: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
];

/// `/openapi/v2`, in protobuf: a document about nothing, which has no bytes. Clients that find a kind in v3 do not ask
/// for it; of a kind that is nowhere `kubectl` asks here as well, and says that it does not know the kind only if there
/// is an answer.
pub(super) fn version_2(headers: &HeaderMap) -> Option<Response<Body>> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = accept.split([',', ';']).any(|part| OPENAPI_V2.contains(&part.trim()));
    asked.then(|| response(StatusCode::OK, OPENAPI_V2[0], whole(Bytes::new())))
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
