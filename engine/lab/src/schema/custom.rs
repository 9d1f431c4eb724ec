//! What a CustomResourceDefinition defines.
//!
//! Invariant: a CRD that lacks what it must have defines nothing; it never panics, for users write CRDs.

use std::sync::Arc;

use serde_json::Value;

use super::catalog::{Resource, SchemaSource, SubresourceInfo};
use super::data;
use super::definition::condition;

/// Istio's CustomResourceDefinitions, as they are applied to a cluster.
pub fn istio_crds() -> Vec<Value> {
    data::istio_crds()
}

/// The structural schema of a version.
pub(super) fn schema(crd: &Value, version: usize) -> Option<&Value> {
    crd.pointer("/spec/versions")?.get(version)?.pointer("/schema/openAPIV3Schema")
}

/// The resources of a CRD that is established, one a served version, in the order of preference.
pub(super) fn resources(crd: &Arc<Value>) -> Vec<Resource> {
    let Some(spec) = crd.get("spec") else { return Vec::new() };
    let established = condition(crd, "Established").and_then(|condition| condition.get("status"));
    let Some(names) =
        crd.pointer("/status/acceptedNames").filter(|_| established.is_some_and(|status| status == "True"))
    else {
        return Vec::new();
    };
    let text = |path: &str| spec.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = |key: &str| names.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let texts = |key: &str| -> Vec<String> {
        let list = names.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let versions: Vec<&Value> = spec.get("versions").and_then(Value::as_array).into_iter().flatten().collect();
    let name_of = |version: &Value| version.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let storage = versions.iter().find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let storage_version = storage.map(|version| name_of(version)).unwrap_or_default();
    let (plural, kind) = (name("plural"), name("kind"));
    let (singular, list_kind) = (name("singular"), name("listKind"));
    let mut out = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        if version.get("served") != Some(&Value::Bool(true)) {
            continue;
        }
        out.push(Resource {
            group: text("/group"),
            version: name_of(version),
            plural: plural.clone(),
            singular: singular.clone(),
            kind: kind.clone(),
            list_kind: list_kind.clone(),
            namespaced: text("/scope") == "Namespaced",
            short_names: texts("shortNames"),
            categories: texts("categories"),
            verbs: ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
                .map(Into::into)
                .into(),
            subresources: subresources(version, &kind),
            storage_version: storage_version.clone(),
            schema: SchemaSource::Custom(Arc::clone(crd), index, Arc::default()),
        });
    }
    out.sort_by_key(|resource| std::cmp::Reverse(version_rank(&resource.version)));
    out
}

fn subresources(version: &Value, kind: &str) -> Vec<SubresourceInfo> {
    let has = |name: &str| version.pointer(&format!("/subresources/{name}")).is_some_and(Value::is_object);
    let verbs: Vec<String> = ["get", "patch", "update"].map(Into::into).into();
    let mut out = Vec::new();
    if has("status") {
        let (group, version) = (String::new(), String::new());
        out.push(SubresourceInfo { name: "status".into(), group, version, kind: kind.into(), verbs: verbs.clone() });
    }
    if has("scale") {
        let (group, version) = ("autoscaling".into(), "v1".into());
        out.push(SubresourceInfo { name: "scale".into(), group, version, kind: "Scale".into(), verbs });
    }
    out
}

/// Kubernetes' order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, then anything else.
pub(crate) fn version_rank(version: &str) -> (u8, u32, u32) {
    let digits = |text: &str| -> (u32, usize) {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        (text[..end].parse().unwrap_or(0), end)
    };
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let (major, end) = digits(rest);
    let rest = &rest[end..];
    if major == 0 {
        (0, 0, 0)
    } else if rest.is_empty() {
        (3, major, 0)
    } else if let Some(minor) = rest.strip_prefix("beta") {
        (2, major, digits(minor).0)
    } else if let Some(minor) = rest.strip_prefix("alpha") {
        (1, major, digits(minor).0)
    } else {
        (0, 0, 0)
    }
}
