//! Field selectors: which fields each kind can be selected by, and how they are written.
//!
//! Invariant: a field that the kind does not offer is an error, never an empty answer.

use serde_json::Value;

use crate::schema::Resource;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldTerm {
    path: String,
    value: String,
    equal: bool,
}

impl FieldTerm {
    /// `metadata.name=NAME`
    pub(super) fn name(name: &str) -> Self {
        Self { path: "metadata.name".into(), value: name.into(), equal: true }
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        (field_value(object, &self.path) == self.value) == self.equal
    }
}

/// The field as selectors compare it: text, with absent as "".
fn field_value(object: &Value, path: &str) -> String {
    let mut at = object;
    for piece in path.split('.') {
        match at.get(piece) {
            Some(next) => at = next,
            None => return absent(path).to_owned(),
        }
    }
    match at {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Flags and counts compare as Go prints their zero.
fn absent(path: &str) -> &'static str {
    match path {
        "spec.unschedulable" | "spec.hostNetwork" => "false",
        "status.replicas" | "status.successful" => "0",
        _ => "",
    }
}

/// The fields that a built-in kind can be selected by beside its name, whether its namespace is among them, and how it refuses
/// others. None for the kinds that have no fields of their own.
struct Fields {
    own: &'static [&'static str],
    namespace: bool,
    refusal: fn(&str) -> String,
}

fn unsupported(path: &str) -> String {
    format!("field label not supported: {path}")
}

/// Facts of Kubernetes 1.36, from the conversion functions of each kind.
fn builtin_fields(resource: &Resource) -> Option<Fields> {
    let fields = |own, namespace| Some(Fields { own, namespace, refusal: unsupported });
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => fields(
            &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.podIPs",
                "status.nominatedNodeName",
            ],
            true,
        ),
        ("", "namespaces") => fields(&["status.phase"], false),
        ("", "nodes") => fields(&["spec.unschedulable"], false),
        ("", "secrets") => fields(&["type"], true),
        ("", "services") => fields(&["spec.clusterIP", "spec.type"], true),
        ("", "replicationcontrollers") => fields(&["status.replicas"], true),
        ("batch", "jobs") => Some(Fields {
            own: &["status.successful"],
            namespace: true,
            refusal: |path| format!("field label {path:?} not supported for Job"),
        }),
        ("certificates.k8s.io", "certificatesigningrequests") => fields(&["spec.signerName"], false),
        ("", "events") => fields(
            &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
            ],
            true,
        ),
        ("events.k8s.io", "events") => fields(
            &[
                "regarding.kind",
                "regarding.namespace",
                "regarding.name",
                "regarding.uid",
                "regarding.apiVersion",
                "regarding.resourceVersion",
                "regarding.fieldPath",
                "reason",
                "reportingController",
                "type",
            ],
            true,
        ),
        _ => None,
    }
}

/// Refuses a field that the kind can't be selected by.
fn check(path: &str, resource: &Resource) -> Result<(), String> {
    if path == "metadata.name" {
        return Ok(());
    }
    if let Some(fields) = builtin_fields(resource) {
        let known = fields.own.contains(&path) || (fields.namespace && path == "metadata.namespace");
        return if known { Ok(()) } else { Err((fields.refusal)(path)) };
    }
    let selectable = resource.custom_version().and_then(|version| version.get("selectableFields")?.as_array());
    let mut selectable = selectable.into_iter().flatten().filter_map(|field| field.get("jsonPath")?.as_str());
    let namespace = path == "metadata.namespace" && (resource.namespaced || !resource.is_custom());
    if namespace || selectable.any(|known| known.trim_start_matches('.') == path) {
        return Ok(());
    }
    if resource.is_custom() {
        return Err(unsupported(path));
    }
    Err(format!("{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""))
}

pub(super) fn parse(text: &str, resource: &Resource) -> Result<Vec<FieldTerm>, String> {
    let mut parts = split_terms(text);
    parts.sort_unstable();
    let mut terms = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let Some((path, value, equal)) = split_term(part) else {
            return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
        };
        let value = unescape(value)?;
        // `=` alone says that nothing is nothing.
        if path.is_empty() && value.is_empty() && equal {
            continue;
        }
        terms.push(FieldTerm { path: path.into(), value, equal });
    }
    for term in &terms {
        check(&term.path, resource)?;
    }
    Ok(terms)
}

/// At commas that no backslash stands before.
fn split_terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Path, value, and whether they are to be equal.
fn split_term(term: &str) -> Option<(&str, &str, bool)> {
    let at = term.find('=')?;
    match term[..at].strip_suffix('!') {
        Some(path) => Some((path, &term[at + 1..], false)),
        None => {
            let rest = &term[at + 1..];
            Some((&term[..at], rest.strip_prefix('=').unwrap_or(rest), true))
        }
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                Some(other) => return Err(format!("invalid field selector: invalid escape sequence: \\{other}")),
                None => return Err("invalid field selector: invalid escape sequence: \\".to_owned()),
            },
            ',' | '=' => {
                return Err(format!("invalid field selector: unescaped character in value: {}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}
