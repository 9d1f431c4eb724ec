//! What the server serves, told in the plain and in the aggregated form.
//!
//! Invariant: built from the catalog alone, so it can't promise what is not served.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, VARY};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};

use super::body::{Body, json_response, response, whole};
use super::document::is_known;
use crate::schema::{Catalog, Resource, SubresourceInfo};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/version`
pub(super) fn version() -> Response<Body> {
    let version = json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
        "gitVersion": crate::KUBERNETES, "gitCommit": "$Format:%H$", "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.27.3-X:nojsonv2", "compiler": "gc", "platform": "linux/amd64",
    });
    // The real server indents this answer, whatever was asked for.
    response(StatusCode::OK, "application/json", whole(format!("{version:#}").into_bytes()))
}

/// `/api`
pub(super) fn core_versions(catalog: &Catalog, headers: &HeaderMap) -> Response<Body> {
    if wants_aggregated(headers) {
        return aggregated(catalog, headers, str::is_empty);
    }
    let address = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.99.0.1:6443"}]);
    let body = json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": address});
    json_response(StatusCode::OK, &body)
}

/// `/apis`
pub(super) fn groups(catalog: &Catalog, headers: &HeaderMap) -> Response<Body> {
    if wants_aggregated(headers) {
        return aggregated(catalog, headers, |group| !group.is_empty());
    }
    let groups: Vec<Value> = grouped(catalog, |group| !group.is_empty()).iter().map(Group::to_json).collect();
    json_response(StatusCode::OK, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

/// `/apis/GROUP`
pub(super) fn group(catalog: &Catalog, name: &str) -> Option<Response<Body>> {
    let groups = grouped(catalog, |group| group == name && !group.is_empty());
    let mut body = json!({"kind": "APIGroup", "apiVersion": "v1"});
    let fields = groups.first()?.to_json();
    body.as_object_mut()?.extend(fields.as_object()?.clone());
    Some(json_response(StatusCode::OK, &body))
}

/// `/api/v1` and `/apis/GROUP/VERSION`
pub(super) fn resources(catalog: &Catalog, group: &str, version: &str) -> Option<Response<Body>> {
    let served: Vec<Arc<Resource>> =
        catalog.all().into_iter().filter(|one| one.group == group && one.version == version).collect();
    let first = served.first()?;
    let mut body = Map::new();
    body.insert("kind".into(), "APIResourceList".into());
    if !group.is_empty() {
        body.insert("apiVersion".into(), "v1".into());
    }
    body.insert("groupVersion".into(), first.api_version().into());
    body.insert("resources".into(), served.iter().flat_map(|resource| plain(resource)).collect());
    Some(json_response(StatusCode::OK, &Value::Object(body)))
}

fn wants_aggregated(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|part| {
        let words: Vec<&str> = part.split(';').map(str::trim).collect();
        ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"].iter().all(|word| words.contains(word))
    })
}

/// A group and its versions, in the order of preference.
struct Group {
    name: String,
    versions: Vec<(String, Vec<Arc<Resource>>)>,
}

impl Group {
    fn to_json(&self) -> Value {
        let version =
            |version: &String| json!({"groupVersion": format!("{}/{version}", self.name), "version": version});
        let versions: Vec<Value> = self.versions.iter().map(|(name, _)| version(name)).collect();
        json!({"name": self.name, "versions": versions, "preferredVersion": versions.first()})
    }
}

fn grouped(catalog: &Catalog, wanted: impl Fn(&str) -> bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for resource in catalog.all().into_iter().filter(|resource| wanted(&resource.group)) {
        let at = groups.iter().position(|group| group.name == resource.group).unwrap_or_else(|| {
            groups.push(Group { name: resource.group.clone(), versions: Vec::new() });
            groups.len() - 1
        });
        let versions = &mut groups[at].versions;
        match versions.iter_mut().find(|(name, _)| *name == resource.version) {
            Some((_, resources)) => resources.push(resource),
            None => versions.push((resource.version.clone(), vec![resource])),
        }
    }
    for group in groups.iter_mut().filter(|group| group.versions.iter().any(|(_, list)| list[0].is_custom())) {
        group.versions.sort_by_key(|(version, _)| std::cmp::Reverse(crate::schema::version_rank(version)));
    }
    groups
}

fn aggregated(catalog: &Catalog, headers: &HeaderMap, wanted: impl Fn(&str) -> bool) -> Response<Body> {
    let items: Vec<Value> = grouped(catalog, wanted).iter().map(aggregated_group).collect();
    let body = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
    let digest = Sha512::digest(body.to_string());
    let tag: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    let tag = format!("\"{tag}\"");
    let mut response = if is_known(headers, &tag) {
        let mut unchanged = Response::new(whole(Bytes::new()));
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        json_response(StatusCode::OK, &body)
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(AGGREGATED));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    response
}

fn aggregated_group(group: &Group) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|(version, resources)| {
            let resources: Vec<Value> = resources.iter().map(|resource| aggregated_resource(resource)).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": group.name}) };
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_resource(resource: &Resource) -> Value {
    // Built-in kinds leave out the group and version that stand above them; custom ones repeat them.
    let (group, version) =
        if resource.is_custom() { (resource.group.as_str(), resource.version.as_str()) } else { ("", "") };
    let mut map = Map::new();
    map.insert("resource".into(), resource.plural.as_str().into());
    map.insert("responseKind".into(), json!({"group": group, "version": version, "kind": resource.kind}));
    map.insert("scope".into(), if resource.namespaced { "Namespaced" } else { "Cluster" }.into());
    map.insert("singularResource".into(), resource.singular.as_str().into());
    map.insert("verbs".into(), resource.verbs.clone().into());
    insert_texts(&mut map, "shortNames", &resource.short_names);
    insert_texts(&mut map, "categories", &resource.categories);
    if !resource.subresources.is_empty() {
        let subresources = resource.subresources.iter().map(|sub| {
            let own = (sub.group.as_str(), sub.version.as_str());
            let (group, version) = if own.1.is_empty() { (group, version) } else { own };
            let kind = json!({"group": group, "version": version, "kind": sub.kind});
            json!({"subresource": sub.name, "responseKind": kind, "verbs": sub.verbs})
        });
        map.insert("subresources".into(), subresources.collect());
    }
    Value::Object(map)
}

/// The resource and its subresources as plain discovery lists them.
fn plain(resource: &Resource) -> Vec<Value> {
    let mut map = Map::new();
    map.insert("name".into(), resource.plural.as_str().into());
    map.insert("singularName".into(), resource.singular.as_str().into());
    map.insert("namespaced".into(), resource.namespaced.into());
    map.insert("kind".into(), resource.kind.as_str().into());
    map.insert("verbs".into(), resource.verbs.clone().into());
    insert_texts(&mut map, "shortNames", &resource.short_names);
    insert_texts(&mut map, "categories", &resource.categories);
    if resource.verbs.iter().any(|verb| verb == "get" || verb == "list") && resource.plural != "componentstatuses" {
        map.insert("storageVersionHash".into(), storage_version_hash(resource).into());
    }
    let mut out = vec![Value::Object(map)];
    out.extend(resource.subresources.iter().map(|sub| plain_subresource(resource, sub)));
    out
}

fn plain_subresource(resource: &Resource, sub: &SubresourceInfo) -> Value {
    let mut map = Map::new();
    map.insert("name".into(), format!("{}/{}", resource.plural, sub.name).into());
    map.insert("singularName".into(), "".into());
    map.insert("namespaced".into(), resource.namespaced.into());
    if !sub.version.is_empty() {
        map.insert("group".into(), sub.group.as_str().into());
        map.insert("version".into(), sub.version.as_str().into());
    }
    map.insert("kind".into(), sub.kind.as_str().into());
    map.insert("verbs".into(), sub.verbs.clone().into());
    Value::Object(map)
}

fn insert_texts(map: &mut Map<String, Value>, key: &str, texts: &[String]) {
    if !texts.is_empty() {
        map.insert(key.into(), texts.to_vec().into());
    }
}

/// The first eight bytes of a digest over group, stored version and kind, as Kubernetes computes it.
fn storage_version_hash(resource: &Resource) -> String {
    let digest = Sha256::digest(format!("{}/{}/{}", resource.group, resource.storage_version, resource.kind));
    STANDARD.encode(&digest[..8])
}
