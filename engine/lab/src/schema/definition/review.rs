//! The whole of a definition's validation, in the API server's order.
//!
//! Invariant: what was accepted once and did not change is not refused on an update.

use serde_json::Value;

use super::spec::check_spec;
use super::versions::check_names;
use crate::schema::Resource;
use crate::schema::formats;
use crate::schema::names::check_metadata;
use crate::status::{Cause, Status};
use crate::store::meta;

const APPROVAL: &str = "api-approved.kubernetes.io";

/// What a review found.
#[derive(Debug, Default)]
pub(crate) struct DefinitionReview {
    pub(crate) causes: Vec<Cause>,
    pub(crate) warnings: Vec<String>,
}

/// Reviews a definition before it is stored; `old` is the stored one.
///
/// # Errors
/// 501 for a validation rule that the lab can't read though it may be right.
pub(crate) fn review(resource: &Resource, new: &Value, old: Option<&Value>) -> Result<DefinitionReview, Status> {
    let mut causes = Vec::new();
    check_metadata(resource, new, &mut causes);
    if old.is_none() {
        check_name(new, &mut causes);
    }
    check_spec(new, old, &mut causes)?;
    check_names(new.pointer("/status/acceptedNames"), "status.acceptedNames", &mut causes);
    check_stored_versions(new, &mut causes);
    check_approval(new, old, &mut causes);
    let preserves = |crd: &Value| crd.pointer("/spec/preserveUnknownFields") == Some(&Value::Bool(true));
    if preserves(new) && !old.is_some_and(preserves) {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.push(Cause::invalid("spec.preserveUnknownFields", &true.into(), detail));
    }
    let known = old.map(unknown_formats).unwrap_or_default();
    let warnings = unknown_formats(new).into_iter().filter(|format| !known.contains(format));
    Ok(DefinitionReview {
        causes,
        warnings: warnings.map(|format| format!("unrecognized format {format:?}")).collect(),
    })
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn check_name(crd: &Value, causes: &mut Vec<Cause>) {
    let name = meta::name(crd);
    if !name.is_empty() && name != format!("{}.{}", text(crd, "/spec/names/plural"), text(crd, "/spec/group")) {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &name.into(), detail));
    }
}

fn check_stored_versions(crd: &Value, causes: &mut Vec<Cause>) {
    let field = "status.storedVersions";
    let stored = crd.pointer("/status/storedVersions").and_then(Value::as_array).cloned().unwrap_or_default();
    if stored.is_empty() {
        causes.push(Cause::invalid(field, &Value::Null, "must have at least one stored version"));
        return;
    }
    for version in super::spec::versions(crd).filter(|version| version.get("storage") == Some(&Value::Bool(true))) {
        let name = version.get("name").cloned().unwrap_or_default();
        if !stored.contains(&name) {
            let detail = format!("must have the storage version {}", name.as_str().unwrap_or_default());
            causes.push(Cause::invalid(field, &Value::Array(stored.clone()), &detail));
        }
    }
    let names: Vec<&Value> = super::spec::versions(crd).filter_map(|version| version.get("name")).collect();
    for (index, version) in stored.iter().enumerate().filter(|(_, version)| !names.contains(version)) {
        let name = version.as_str().unwrap_or_default();
        let detail = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a \
             storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        );
        causes.push(Cause::invalid(format!("{field}[{index}]"), version, &detail));
    }
}

/// Groups of the Kubernetes community ask for an annotation.
fn check_approval(new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let group = text(new, "/spec/group");
    let is_protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    let approval = |crd: &Value| meta::annotation(crd, APPROVAL).unwrap_or_default().to_owned();
    let is_url = |text: &str| url::Url::parse(text).is_ok_and(|url| url.has_host());
    let approved = approval(new);
    let kind = |text: &str| (text.is_empty(), text.starts_with("unapproved") || is_url(text));
    if !is_protected || kind(&approved).1 || old.is_some_and(|old| kind(&approval(old)) == kind(&approved)) {
        return;
    }
    let field = format!("metadata.annotations[{APPROVAL}]");
    let link = "see https://github.com/kubernetes/enhancements/pull/1111";
    if approved.is_empty() {
        let detail = format!("protected groups must have approval annotation {APPROVAL:?}, {link}");
        causes.push(Cause::required(field, &detail));
    } else {
        let detail = format!(
            "protected groups must have approval annotation {APPROVAL:?} with either a URL or a reason starting with \
             \"unapproved\", {link}"
        );
        causes.push(Cause::invalid(field, &approved.into(), &detail));
    }
}

/// Formats that the server does not check, sorted.
fn unknown_formats(crd: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for version in super::spec::versions(crd) {
        if let Some(schema) = version.pointer("/schema/openAPIV3Schema") {
            collect_formats(schema, &mut out);
        }
    }
    out.sort();
    out.dedup();
    out
}

fn collect_formats(schema: &Value, out: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(format) = map.get("format").and_then(Value::as_str) {
                let known = match map.get("type").and_then(Value::as_str).unwrap_or_default() {
                    "" | "string" => formats::is_known(format),
                    "integer" => matches!(format, "int32" | "int64"),
                    "number" => matches!(format, "float" | "double"),
                    _ => false,
                };
                if !known && !format.is_empty() {
                    out.push(format.to_owned());
                }
            }
            let parts = map.iter().filter(|(key, _)| !matches!(key.as_str(), "default" | "enum" | "example"));
            parts.for_each(|(_, part)| collect_formats(part, out));
        }
        Value::Array(list) => list.iter().for_each(|part| collect_formats(part, out)),
        _ => {}
    }
}
