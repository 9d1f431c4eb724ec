//! The committed facts of the API, inflated when they are first needed.
//!
//! Invariant: only the schemas that a request touches are parsed.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{LazyLock, OnceLock};

use flate2::read::DeflateDecoder;
use serde_json::Value;

static SCHEMAS: LazyLock<HashMap<String, Lazy>> = LazyLock::new(|| {
    let text = inflate(include_bytes!("../../data/schemas.tsv.deflate"));
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    rows.map(|(name, json)| (name.to_owned(), Lazy { json: json.to_owned(), parsed: OnceLock::new() })).collect()
});

struct Lazy {
    json: String,
    parsed: OnceLock<Value>,
}

/// The schema of that name, such as `io.k8s.api.core.v1.Pod`.
pub(super) fn schema(name: &str) -> Option<&'static Value> {
    let lazy = SCHEMAS.get(name)?;
    Some(lazy.parsed.get_or_init(|| parse(&lazy.json)))
}

/// The names of all schemas, sorted.
pub(super) fn schema_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = SCHEMAS.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The schema of a built-in kind.
pub(super) fn schema_of_kind(group: &str, version: &str, kind: &str) -> Option<&'static Value> {
    schema(&name_of_kind(group, version, kind)?)
}

/// The name of a built-in kind's schema, if there is one.
pub(super) fn name_of_kind(group: &str, version: &str, kind: &str) -> Option<String> {
    // Kubernetes names packages after the group's first label; a few live elsewhere.
    let package = match group {
        "" => "io.k8s.api.core".to_owned(),
        "apiextensions.k8s.io" => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned(),
        "apiregistration.k8s.io" => "io.k8s.kube-aggregator.pkg.apis.apiregistration".to_owned(),
        "flowcontrol.apiserver.k8s.io" => "io.k8s.api.flowcontrol".to_owned(),
        other => format!("io.k8s.api.{}", other.split('.').next().unwrap_or(other)),
    };
    Some(format!("{package}.{version}.{kind}")).filter(|name| SCHEMAS.contains_key(name))
}

/// One row a resource: group, version, and the resource as aggregated discovery gives it.
pub(super) fn discovery() -> Vec<(String, String, Value)> {
    let text = inflate(include_bytes!("../../data/discovery.tsv.deflate"));
    let rows = text.lines().filter_map(|line| {
        let mut columns = line.splitn(3, '\t');
        Some((columns.next()?.to_owned(), columns.next()?.to_owned(), parse(columns.next()?)))
    });
    rows.collect()
}

/// Istio's CustomResourceDefinitions.
pub(super) fn istio_crds() -> Vec<Value> {
    let text = inflate(include_bytes!("../../data/istio-crds.tsv.deflate"));
    text.lines().filter_map(|line| line.split_once('\t')).map(|(_, json)| with_all_schemas(parse(json))).collect()
}

/// The data holds a schema that several versions share once, at the first of them.
fn with_all_schemas(mut crd: Value) -> Value {
    let versions = crd.pointer_mut("/spec/versions").and_then(Value::as_array_mut).map(Vec::as_mut_slice);
    if let Some([first, rest @ ..]) = versions {
        let shared = &first["schema"];
        for version in rest.iter_mut().filter_map(Value::as_object_mut) {
            version.entry("schema").or_insert_with(|| shared.clone());
        }
    }
    crd
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).expect("invariant: committed data is JSON, a test reads all of it")
}

fn inflate(deflated: &[u8]) -> String {
    let mut text = String::new();
    DeflateDecoder::new(deflated)
        .read_to_string(&mut text)
        .expect("invariant: committed data inflates, a test reads all of it");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn data_is_what_its_readme_says() {
        let readme = include_str!("../../data/README.md");
        for deflated in [
            include_bytes!("../../data/schemas.tsv.deflate").as_slice(),
            include_bytes!("../../data/discovery.tsv.deflate"),
            include_bytes!("../../data/istio-crds.tsv.deflate"),
        ] {
            let digest = Sha256::digest(inflate(deflated).as_bytes());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(readme.contains(&hex), "{hex}");
        }
    }

    #[test]
    fn all_of_it_parses_and_every_reference_resolves() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(reference)) = map.get("$ref") {
                        found.push(reference.clone());
                    }
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(list) => list.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        for name in SCHEMAS.keys() {
            references(schema(name).expect("listed"), &mut found);
        }
        for reference in found {
            let name = reference.trim_start_matches("#/components/schemas/");
            assert!(schema(name).is_some(), "{name}");
        }
        assert_eq!(istio_crds().len(), 15);
        for (group, version, resource) in discovery() {
            let kind = resource["responseKind"]["kind"].as_str().expect("kind");
            assert!(schema_of_kind(&group, &version, kind).is_some(), "{group} {version} {kind}");
        }
    }
}
