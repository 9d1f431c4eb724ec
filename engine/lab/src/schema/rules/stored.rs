//! Kinds that hold little more than their own content: ConfigMap, Secret, Namespace, Lease, PriorityClass, Event, Node.
//!
//! Invariant: what a Secret holds never stands in a message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Subject;
use super::report::{At, Report};
use crate::schema::text;
use crate::status::Cause;

/// What a ConfigMap or a Secret may hold, in bytes.
const SIZE_LIMIT: usize = 1024 * 1024;

fn size_of(value: &At<'_>) -> usize {
    value.text().len()
}

fn decoded_size(value: &At<'_>) -> usize {
    value.text().trim_end_matches('=').len() * 3 / 4
}

fn too_long(field: &str, report: &mut Report) {
    let message = format!("Too long: may not be more than {SIZE_LIMIT} bytes");
    report.causes.push(Cause::new("FieldValueTooLong", field, message));
}

/// Keys, in their order as the server has them.
fn keys(map: &At<'_>, report: &mut Report) {
    for (key, at) in map.entries() {
        for problem in text::config_key(key) {
            report.invalid_as(&at, &key.into(), &problem);
        }
    }
}

pub(super) fn config_map(subject: &Subject<'_>, report: &mut Report) {
    let (data, binary) = (subject.object.field("data"), subject.object.field("binaryData"));
    keys(&data, report);
    for (key, at) in data.entries() {
        if binary.value.is_some_and(|binary| binary.get(key).is_some()) {
            report.invalid_as(&at, &key.into(), "duplicate of key present in binaryData");
        }
    }
    keys(&binary, report);
    let size: usize = data.entries().map(|(_, value)| size_of(&value)).sum();
    let size = size + binary.entries().map(|(_, value)| decoded_size(&value)).sum::<usize>();
    if size > SIZE_LIMIT {
        too_long("[]", report);
    }
    sealed(subject, &["data", "binaryData"], report);
}

/// What was declared immutable stays as it is.
fn sealed(subject: &Subject<'_>, fields: &[&str], report: &mut Report) {
    let Some(old) = subject.old.as_ref().filter(|old| old.field("immutable").is(true)) else { return };
    let flag = subject.object.field("immutable");
    let place = At::new(None, "immutable");
    if !flag.is(true) {
        report.forbidden(&place, "field is immutable when `immutable` is set");
    }
    for field in fields {
        if old.field(field).value != subject.object.field(field).value {
            report.forbidden(&At::new(None, *field), "field is immutable when `immutable` is set");
        }
    }
}

pub(super) fn secret(subject: &Subject<'_>, report: &mut Report) {
    let data = subject.object.field("data");
    keys(&data, report);
    if data.entries().map(|(_, value)| decoded_size(&value)).sum::<usize>() > SIZE_LIMIT {
        too_long("data", report);
    }
    let kind = subject.object.field("type");
    let has = |key: &str| data.value.and_then(|data| data.get(key));
    let need = |key: &str, report: &mut Report| {
        if has(key).is_none() {
            report.causes.push(Cause::required(format!("data[{key}]"), ""));
        }
    };
    match kind.text() {
        "kubernetes.io/service-account-token" => {
            let name = subject.object.field("metadata").field("annotations");
            let name = name.value.and_then(|map| map.get("kubernetes.io/service-account.name")?.as_str());
            if name.is_none_or(str::is_empty) {
                let field = "metadata.annotations[kubernetes.io/service-account.name]";
                report.causes.push(Cause::required(field, ""));
            }
        }
        "kubernetes.io/dockercfg" => docker(has(".dockercfg"), ".dockercfg", report),
        "kubernetes.io/dockerconfigjson" => docker(has(".dockerconfigjson"), ".dockerconfigjson", report),
        // One of the two is enough.
        "kubernetes.io/basic-auth" if has("username").is_none() && has("password").is_none() => {
            need("username", report);
            need("password", report);
        }
        "kubernetes.io/ssh-auth" => need("ssh-privatekey", report),
        "kubernetes.io/tls" => {
            need("tls.crt", report);
            need("tls.key", report);
        }
        _ => {}
    }
    if let Some(old) = &subject.old {
        report.immutable(&old.field("type"), &kind);
    }
    sealed(subject, &["data"], report);
}

fn docker(content: Option<&Value>, key: &str, report: &mut Report) {
    let field = format!("data[{key}]");
    let Some(content) = content.and_then(Value::as_str) else {
        report.causes.push(Cause::required(field, ""));
        return;
    };
    let bytes = STANDARD.decode(content).unwrap_or_default();
    if let Err(problem) = serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes) {
        let first = bytes.first().map_or(' ', |byte| char::from(*byte));
        let problem = if problem.is_eof() {
            "unexpected end of JSON input".to_owned()
        } else {
            format!("invalid character '{first}' looking for beginning of value")
        };
        report.causes.push(Cause::invalid(field, &"<secret contents redacted>".into(), &problem));
    }
}

pub(super) fn namespace(subject: &Subject<'_>, report: &mut Report) {
    let list = subject.spec().field("finalizers");
    for finalizer in list.items() {
        let place = At::new(finalizer.value, list.path.as_str());
        report.text(&place, text::qualified_name);
        if !finalizer.text().contains('/') && finalizer.text() != "kubernetes" {
            report.invalid(&place, "name is neither a standard finalizer name nor is it fully qualified");
        }
    }
}

pub(super) fn lease(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let seconds = spec.field("leaseDurationSeconds");
    if seconds.number().is_some_and(|seconds| seconds <= 0) {
        report.invalid(&seconds, "must be greater than 0");
    }
    report.not_negative(&spec.field("leaseTransitions"));
}

pub(super) fn priority_class(subject: &Subject<'_>, report: &mut Report) {
    const HIGHEST: i64 = 1_000_000_000;
    let (name, value) = (subject.object.field("metadata").field("name"), subject.object.field("value"));
    if name.text().starts_with("system-") {
        if !matches!(name.text(), "system-cluster-critical" | "system-node-critical") {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {} is not a known system \
                 priority class",
                name.text()
            );
            report.forbidden(&name, &detail);
        }
    } else if value.number().is_some_and(|number| number > HIGHEST) {
        report.forbidden(&value, &format!("maximum allowed value of a user defined priority is {HIGHEST}"));
    }
    report.one_of(&subject.object.field("preemptionPolicy"), &["PreemptLowerPriority", "Never"]);
    if let Some(old) = &subject.old {
        if old.field("value").value != value.value {
            report.forbidden(&value, "may not be changed in an update.");
        }
        report.immutable(&old.field("preemptionPolicy"), &subject.object.field("preemptionPolicy"));
    }
}

pub(super) fn event(subject: &Subject<'_>, report: &mut Report) {
    let about = subject.object.field("involvedObject").field("namespace");
    let own = subject.object.field("metadata").field("namespace");
    let home = if about.is_empty() { "default" } else { about.text() };
    if home != own.text() {
        report.invalid_as(&about, &about.text().into(), "does not match event.namespace");
    }
}

pub(super) fn node(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let taints = spec.field("taints");
    for (index, taint) in taints.items().enumerate() {
        let at = |name: &str| At::new(taint.field(name).value, format!("metadata.taints[{index}].{name}"));
        report.text(&at("key"), text::qualified_name);
        report.text_if_any(&at("value"), text::label_value);
        if at("effect").is_empty() {
            report.required(&at("effect"), "");
        } else {
            report.one_of(&at("effect"), &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        }
    }
}
