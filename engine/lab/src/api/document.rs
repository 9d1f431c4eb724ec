//! OpenAPI documents, made from the schemas that the lab checks objects with.
//!
//! Invariant: a document is made when it is first asked for, and kept until what it describes changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, EXPIRES, HeaderValue, IF_NONE_MATCH, VARY};
use http::{HeaderMap, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::body::{Body, encode, response, whole};
use super::paths;
use crate::schema::{Catalog, Resource, fingerprint, schemas_of, swagger_definitions};

/// The form of `/openapi/v2` that `kubectl` reads, and the name by which it asks for it, which is no media type.
const OPENAPI_V2: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
];

/// Documents that were asked for, with the fingerprint of what they describe.
#[derive(Debug, Default)]
pub(super) struct Documents {
    made: Mutex<BTreeMap<String, (String, Bytes)>>,
}

/// A request for a document.
pub(super) struct DocumentRequest<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) headers: &'a HeaderMap,
    /// The `hash` of the URL: an answer to such a URL never changes.
    pub(super) hash: Option<&'a str>,
    pub(super) now: Timestamp,
}

/// `/openapi/v3`
pub(super) fn index(catalog: &Catalog) -> Response<Body> {
    let mut paths = BTreeMap::new();
    for (path, resources) in by_version(catalog) {
        let url = format!("/openapi/v3/{path}?hash={}", fingerprint(&resources));
        paths.insert(path, json!({"serverRelativeURL": url}));
    }
    let paths: Map<String, Value> = paths.into_iter().collect();
    response(StatusCode::OK, "text/plain; charset=utf-8", whole(encode(&json!({"paths": paths}))))
}

fn by_version(catalog: &Catalog) -> BTreeMap<String, Vec<Arc<Resource>>> {
    let mut out: BTreeMap<String, Vec<Arc<Resource>>> = BTreeMap::new();
    for resource in catalog.all() {
        out.entry(paths::root(&resource.group, &resource.version)).or_default().push(resource);
    }
    out
}

impl Documents {
    /// `/openapi/v3/apis/GROUP/VERSION`. An answer without a body for a version that is not there.
    pub(super) fn version_3(&self, request: &DocumentRequest<'_>, group: &str, version: &str) -> Response<Body> {
        let all = request.catalog.all().into_iter();
        let served: Vec<Arc<Resource>> = all.filter(|one| one.group == group && one.version == version).collect();
        let Some(first) = served.first() else {
            let mut missing = Response::new(whole(Bytes::new()));
            *missing.status_mut() = StatusCode::NOT_FOUND;
            return missing;
        };
        let info = if first.is_custom() {
            json!({"title": "Kubernetes CRD Swagger", "version": "v0.1.0"})
        } else {
            json!({"title": "Kubernetes", "version": "1.36"})
        };
        let tag = fingerprint(&served);
        let document = self.cached(&paths::root(group, version), &tag, || {
            json!({
                "openapi": "3.0.0",
                "info": info,
                "paths": paths::of_version(&served),
                "components": {"schemas": schemas_of(&served)},
            })
        });
        tagged(request, &tag, "application/json", document)
    }

    /// `/openapi/v2` as JSON. In protobuf it is a document about nothing, which has no bytes: clients that find a kind in
    /// v3 do not ask for it; of a kind that is nowhere `kubectl` asks here as well, and says that it does not know the kind
    /// only if there is an answer.
    pub(super) fn version_2(&self, request: &DocumentRequest<'_>) -> Response<Body> {
        let accept = request.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
        let asks = |wanted: &[&str]| accept.split([',', ';']).any(|part| wanted.contains(&part.trim()));
        let tag = fingerprint(&request.catalog.all());
        if asks(&OPENAPI_V2) {
            return tagged(request, &tag, OPENAPI_V2[0], Bytes::new());
        }
        if !asks(&["application/json", "application/*", "*/*"]) {
            let mut refusal = Response::new(whole(Bytes::new()));
            *refusal.status_mut() = StatusCode::NOT_ACCEPTABLE;
            return refusal;
        }
        let document = self.cached("v2", &tag, || {
            json!({
                "swagger": "2.0",
                "info": {"title": "Kubernetes", "version": "1.36"},
                "paths": paths::of_version_2(&request.catalog.all()),
                "definitions": swagger_definitions(request.catalog),
            })
        });
        tagged(request, &tag, "application/json", document)
    }

    fn cached(&self, key: &str, tag: &str, make: impl FnOnce() -> Value) -> Bytes {
        let known = |made: &BTreeMap<String, (String, Bytes)>| {
            made.get(key).filter(|(known, _)| known == tag).map(|(_, document)| document.clone())
        };
        let lock = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = known(&lock()) {
            return document;
        }
        // Made without the lock: two who ask at once make it twice, and nobody waits for long.
        let document = Bytes::from(encode(&make()));
        lock().insert(key.to_owned(), (tag.to_owned(), document.clone()));
        document
    }
}

/// An answer that a client may keep: with its tag, or none if the client has it already.
pub(super) fn tagged(request: &DocumentRequest<'_>, tag: &str, kind: &'static str, body: Bytes) -> Response<Body> {
    let quoted = format!("\"{tag}\"");
    let mut answer = if is_known(request.headers, &quoted) {
        let mut unchanged = Response::new(whole(Bytes::new()));
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        response(StatusCode::OK, kind, whole(body))
    };
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.extend(HeaderValue::from_str(&quoted).ok().map(|tag| (ETAG, tag)));
    if request.hash.is_some() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        let year = SignedDuration::from_hours(365 * 24);
        let expires = request.now.checked_add(year).unwrap_or(request.now).strftime("%a, %d %b %Y %H:%M:%S UTC");
        headers.extend(HeaderValue::from_str(&expires.to_string()).ok().map(|at| (EXPIRES, at)));
    } else {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    }
    answer
}

/// Whether the client names that tag as one that it has.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == tag)
}
