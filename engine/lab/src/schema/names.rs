//! Rules for names, labels and annotations, with the messages of the API server.
//!
//! Invariant: one rule, one message; who asks decides where it is reported.

use serde_json::Value;

use super::catalog::Resource;
use crate::status::Cause;
use crate::store::meta;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
                         start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
                     with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
                     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
                          character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
                          validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                         alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
                           start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
                           for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn is_dns_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

/// Whether `text` is a name of dot-separated RFC 1123 labels.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

fn is_qualified_part(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

/// Checks `metadata`: name, labels and annotations.
pub(super) fn check_metadata(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    let name = meta::name(object);
    if name.is_empty() {
        let detail = "name or generateName is required";
        causes.push(Cause::required("metadata.name", detail));
    } else if let Some(problem) = name_problem(resource, name) {
        causes.push(Cause::invalid("metadata.name", &name.into(), &problem));
    }
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    for (key, value) in labels.into_iter().flatten() {
        check_label(key, value, "metadata.labels", causes);
    }
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    for key in annotations.into_iter().flatten().map(|(key, _)| key) {
        if let Some(problem) = qualified_problem(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &key.as_str().into(), &problem));
        }
    }
}

/// Checks one label at `field`.
pub(super) fn check_label(key: &str, value: &Value, field: &str, causes: &mut Vec<Cause>) {
    if let Some(problem) = qualified_problem(key) {
        causes.push(Cause::invalid(field, &key.into(), &problem));
    }
    let text = value.as_str().unwrap_or_default();
    if text.len() > 63 {
        causes.push(Cause::invalid(field, value, "must be no more than 63 bytes"));
    } else if !text.is_empty() && !is_qualified_part(text) {
        causes.push(Cause::invalid(field, value, LABEL_VALUE));
    }
}

fn qualified_problem(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_some_and(|prefix| !is_dns_subdomain(prefix)) {
        return Some(format!("prefix part {SUBDOMAIN}"));
    }
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".to_owned());
    }
    (!is_qualified_part(name)).then(|| QUALIFIED.to_owned())
}

fn name_problem(resource: &Resource, name: &str) -> Option<String> {
    let too_long = |limit: usize| (name.len() > limit).then(|| format!("must be no more than {limit} bytes"));
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces") => too_long(63).or_else(|| (!is_dns_label(name)).then(|| LABEL.to_owned())),
        ("", "services") => {
            let ok = is_dns_label(name) && name.as_bytes()[0].is_ascii_lowercase();
            too_long(63).or_else(|| (!ok).then(|| LABEL_1035.to_owned()))
        }
        ("rbac.authorization.k8s.io", _) => {
            let bad = name == "." || name == ".." || name.contains('/') || name.contains('%');
            bad.then(|| "may not contain '/'".to_owned())
        }
        _ => too_long(253).or_else(|| (!is_dns_subdomain(name)).then(|| SUBDOMAIN.to_owned())),
    }
}

/// Whether `text` may name a container or a port: an RFC 1123 label. The problem otherwise.
pub(super) fn label_problem(text: &str) -> Option<&'static str> {
    (!is_dns_label(text) || text.len() > 63).then_some(LABEL)
}

/// Whether `text` may be a kind: in lower case, a DNS-1035 label. The problem otherwise.
pub(super) fn kind_problem(text: &str) -> Option<String> {
    label_1035_problem(&text.to_lowercase())
        .map(|problem| format!("may have mixed case, but should otherwise match: {problem}"))
}

/// Whether `text` is a DNS-1035 label. The problem otherwise.
pub(super) fn label_1035_problem(text: &str) -> Option<&'static str> {
    let ok = is_dns_label(text) && text.len() <= 63 && text.as_bytes()[0].is_ascii_lowercase();
    (!ok).then_some(LABEL_1035)
}
