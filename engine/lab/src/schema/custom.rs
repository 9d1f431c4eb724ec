//! What a CustomResourceDefinition defines.
//!
//! Invariant: a CRD that lacks what it must have defines nothing; it never panics, for users write CRDs.

use std::sync::Arc;

use serde_json::{Value, json};

use super::catalog::{Resource, SchemaSource, SubresourceInfo};
use super::data;

/// Istio's CustomResourceDefinitions, as they are applied to a cluster.
pub fn istio_crds() -> Vec<Value> {
    data::istio_crds()
}

/// The structural schema of a version.
pub(super) fn schema(crd: &Value, version: usize) -> Option<&Value> {
    crd.pointer("/spec/versions")?.get(version)?.pointer("/schema/openAPIV3Schema")
}

/// The resources of a CRD, one a served version, in the order of preference.
pub(super) fn resources(crd: &Arc<Value>) -> Vec<Resource> {
    let Some(spec) = crd.get("spec") else { return Vec::new() };
    let text = |path: &str| spec.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let texts = |path: &str| -> Vec<String> {
        let list = spec.pointer(path).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let versions: Vec<&Value> = spec.get("versions").and_then(Value::as_array).into_iter().flatten().collect();
    let name_of = |version: &Value| version.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let storage = versions.iter().find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let storage_version = storage.map(|version| name_of(version)).unwrap_or_default();
    let kind = text("/names/kind");
    let list_kind =
        Some(text("/names/listKind")).filter(|kind| !kind.is_empty()).unwrap_or_else(|| format!("{kind}List"));
    let singular = Some(text("/names/singular")).filter(|name| !name.is_empty()).unwrap_or_else(|| kind.to_lowercase());
    let mut out = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        if version.get("served") != Some(&Value::Bool(true)) {
            continue;
        }
        out.push(Resource {
            group: text("/group"),
            version: name_of(version),
            plural: text("/names/plural"),
            singular: singular.clone(),
            kind: kind.clone(),
            list_kind: list_kind.clone(),
            namespaced: text("/scope") == "Namespaced",
            short_names: texts("/names/shortNames"),
            categories: texts("/names/categories"),
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

/// Fills in what the API server adds to a CRD: names, storage versions, and the conditions of one that is served.
pub(crate) fn establish(crd: &mut Value, now: &str) {
    let names = crd.pointer("/spec/names").cloned().unwrap_or_default();
    if let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) {
        if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
            let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            names.entry("listKind").or_insert_with(|| format!("{kind}List").into());
            names.entry("singular").or_insert_with(|| kind.to_lowercase().into());
        }
        spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    }
    let names = crd.pointer("/spec/names").cloned().unwrap_or(names);
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let stored: Vec<Value> = versions
        .filter(|version| version.get("storage") == Some(&Value::Bool(true)))
        .filter_map(|version| version.get("name").cloned())
        .collect();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    let old = crd.pointer("/status/conditions").cloned();
    let conditions = old.filter(|old| old.as_array().is_some_and(|list| !list.is_empty())).unwrap_or_else(|| {
        json!([
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ])
    });
    if let Some(crd) = crd.as_object_mut() {
        let status = json!({"conditions": conditions, "acceptedNames": names, "storedVersions": stored});
        crd.insert("status".into(), status);
    }
}
