//! Rules for `metadata`: names by kind, labels, annotations, owners, finalizers, managers.
//!
//! Invariant: it reports in the order of the API server; texts are judged in `text`.

use serde_json::Value;

use super::catalog::Resource;
use super::text::{self, Problems};
use crate::status::Cause;
use crate::store::meta;

/// What all annotations of an object may take, in bytes.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Checks `metadata` of an object that is new or replaces another.
pub(super) fn check_metadata(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    let prefix = object.pointer("/metadata/generateName").and_then(Value::as_str).unwrap_or_default();
    if !prefix.is_empty() {
        let stem = prefix.strip_suffix('-').unwrap_or(prefix);
        report(name_problems(resource, stem), "metadata.generateName", prefix, causes);
    }
    let name = meta::name(object);
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else {
        report(name_problems(resource, name), "metadata.name", name, causes);
    }
    check_labels(object.pointer("/metadata/labels"), "metadata.labels", causes);
    check_annotations(object.pointer("/metadata/annotations"), "metadata.annotations", causes);
    check_owners(object, causes);
    check_finalizers(resource, object, causes);
}

fn check_finalizers(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    const FIELD: &str = "metadata.finalizers";
    let finalizers: Vec<&str> = meta::finalizers(object).collect();
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.push(Cause::invalid(FIELD, &finalizers.clone().into(), detail));
    }
    for (index, name) in finalizers.into_iter().enumerate() {
        report(text::qualified_name(name), FIELD, name, causes);
        let standard = matches!(name, "foregroundDeletion" | "orphan" | "kubernetes");
        if !resource.is_custom() && !standard && !name.contains('/') {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(format!("{FIELD}[{index}]"), &name.into(), detail));
        }
    }
}

/// Checks what may not change in `metadata`. `asked` is what the client sent, before the server's own fields were put back.
pub(crate) fn check_metadata_update(old: &Value, asked: &Value, causes: &mut Vec<Cause>) {
    for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let of = |object: &Value| object.get("metadata").and_then(|meta| meta.get(field)).cloned().unwrap_or_default();
        let (before, now) = (of(old), of(asked));
        if !now.is_null() && now != before && now != "" {
            causes.push(Cause::invalid(format!("metadata.{field}"), &now, "field is immutable"));
        }
    }
    if meta::is_deleting(old) {
        let known: Vec<&str> = meta::finalizers(old).collect();
        let new: Vec<String> =
            meta::finalizers(asked).filter(|name| !known.contains(name)).map(|name| format!("{name:?}")).collect();
        if !new.is_empty() {
            let found = format!("found new finalizers []string{{{}}}", new.join(", "));
            let detail = format!("no new finalizers can be added if the object is being deleted, {found}");
            causes.push(Cause::forbidden("metadata.finalizers", &detail));
        }
    }
}

/// Writes problems of one text down as causes.
pub(super) fn report(problems: Problems, field: &str, text: &str, causes: &mut Vec<Cause>) {
    causes.extend(problems.into_iter().map(|problem| Cause::invalid(field, &text.into(), &problem)));
}

/// Checks a map of labels at `field`.
pub(super) fn check_labels(labels: Option<&Value>, field: &str, causes: &mut Vec<Cause>) {
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        report(text::qualified_name(key), field, key, causes);
        let value = value.as_str().unwrap_or_default();
        report(text::label_value(value), field, value, causes);
    }
}

/// Checks a map of annotations at `field`.
pub(super) fn check_annotations(annotations: Option<&Value>, field: &str, causes: &mut Vec<Cause>) {
    let mut size = 0;
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        report(text::qualified_name(&key.to_lowercase()), field, key, causes);
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        let message = format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes");
        causes.push(Cause::new("FieldValueTooLong", field, message));
    }
}

fn check_owners(object: &Value, causes: &mut Vec<Cause>) {
    const FIELD: &str = "metadata.ownerReferences";
    let owners = meta::owner_references(object);
    let mut controller = String::new();
    for owner in owners {
        let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        let version = text("apiVersion").rsplit('/').next().unwrap_or_default();
        if version.is_empty() {
            let field = format!("{FIELD}.apiVersion");
            causes.push(Cause::invalid(field, &text("apiVersion").into(), "version must not be empty"));
        }
        for key in ["kind", "name", "uid"] {
            if text(key).is_empty() {
                causes.push(Cause::invalid(format!("{FIELD}.{key}"), &"".into(), "must not be empty"));
            }
        }
        if owner.get("controller") == Some(&Value::Bool(true)) {
            if !controller.is_empty() {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {controller} and {}/{}",
                    text("kind"),
                    text("name")
                );
                causes.push(Cause::invalid(FIELD, &owners.into(), &detail));
            }
            controller = format!("{}/{}", text("kind"), text("name"));
        }
    }
}

/// What is wrong with an object's name, by its kind. Facts of Kubernetes 1.36.
fn name_problems(resource: &Resource, name: &str) -> Problems {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces" | "services") | ("apps", "statefulsets") => text::dns_label(name),
        ("rbac.authorization.k8s.io" | "certificates.k8s.io" | "policy", _) => text::path_segment(name),
        ("", "events") => Problems::new(),
        _ => text::dns_subdomain(name),
    }
}

/// Whether `text` may be a kind: in lower case, a DNS-1035 label. The problem otherwise.
pub(super) fn kind_problem(text: &str) -> Option<String> {
    label_1035_problem(&text.to_lowercase())
        .map(|problem| format!("may have mixed case, but should otherwise match: {problem}"))
}

/// Whether `text` is a DNS-1035 label. The problems otherwise.
pub(super) fn label_1035_problem(text: &str) -> Option<String> {
    joined(&text::dns_1035_label(text))
}

/// Why `text` is no name of dot-separated RFC 1123 labels; nothing if it is one.
pub(super) fn subdomain_problem(text: &str) -> Option<String> {
    joined(&text::dns_subdomain(text))
}

fn joined<T: std::borrow::Borrow<str>>(problems: &[T]) -> Option<String> {
    (!problems.is_empty()).then(|| problems.join(","))
}
