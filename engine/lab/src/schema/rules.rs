//! Validation of built-in kinds: required fields and enumerations from the schema, and the hand-written rules of common kinds.
//!
//! Invariant: it reports; it never alters the object.

use serde_json::Value;

use super::catalog::Resource;
use super::names::{check_labels, check_metadata, report};
use super::node::{Node, NodeType};
use super::text;
use crate::status::Cause;

/// Required lists that may not be empty. Others, such as the rules of a role, may.
const FILLED_LISTS: [&str; 5] = ["containers", "nodeSelectorTerms", "verbs", "paths", "versions"];

/// Required text that may be empty.
const EMPTY_TEXT: [&str; 6] = ["value", "imageID", "image", "message", "reason", "apiGroup"];

/// Everything that is wrong with a built-in object.
pub(crate) fn validate_builtin(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_metadata(resource, object, &mut causes);
    if let Some(node) = resource.node() {
        for (name, property) in node.properties().filter(|(name, _)| !matches!(*name, "metadata" | "status")) {
            if let Some(value) = object.get(name) {
                check(property, value, name, &mut causes);
            }
        }
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "services") => service(object, &mut causes),
        ("", "pods") => pod_spec(object.get("spec"), "spec", &[], &mut causes),
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => workload(object, &mut causes),
        ("", "configmaps" | "secrets") => data_keys(object, &mut causes),
        _ => {}
    }
    causes
}

fn check(node: Node<'_>, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    // The largest objects there are, and nothing in them is required or enumerated.
    if node.type_name() == "JSONSchemaProps" {
        return;
    }
    match value {
        Value::Object(map) => {
            for name in node.required() {
                let Some(property) = node.property(name) else { continue };
                let missing = match (property.node_type(), map.get(name)) {
                    (NodeType::String, value) => {
                        value.and_then(Value::as_str).unwrap_or_default().is_empty() && !EMPTY_TEXT.contains(&name)
                    }
                    (NodeType::Array, value) => {
                        FILLED_LISTS.contains(&name) && value.and_then(Value::as_array).is_none_or(Vec::is_empty)
                    }
                    (NodeType::Object, value) => value.is_none(),
                    _ => false,
                };
                if missing {
                    causes.push(Cause::required(format!("{path}.{name}"), ""));
                }
            }
            for (name, value) in map {
                if let Some(member) = node.property(name) {
                    check(member, value, &format!("{path}.{name}"), causes);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                for (index, item) in list.iter().enumerate() {
                    check(items, item, &format!("{path}[{index}]"), causes);
                }
            }
        }
        Value::String(text) if !text.is_empty() => {
            let allowed = node.keyword("enum").and_then(Value::as_array);
            if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(value)) {
                let allowed: Vec<String> =
                    allowed.iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(Into::into).collect();
                causes.push(Cause::not_supported(path, value, &allowed));
            }
        }
        _ => {}
    }
}

fn list<'a>(value: Option<&'a Value>, key: &str) -> &'a [Value] {
    value.and_then(|value| value.get(key)).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn port(value: Option<&Value>, field: String, causes: &mut Vec<Cause>) {
    if let Some(value) = value.filter(|value| value.is_number())
        && let Some(problem) = text::port_number(value.as_i64().unwrap_or(0)).first()
    {
        causes.push(Cause::invalid(field, value, problem));
    }
}

fn service(object: &Value, causes: &mut Vec<Cause>) {
    let ports = list(object.get("spec"), "ports");
    let kind = object.pointer("/spec/type").and_then(Value::as_str).unwrap_or("ClusterIP");
    let headless = object.pointer("/spec/clusterIP").and_then(Value::as_str) == Some("None");
    if ports.is_empty() && kind != "ExternalName" && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (index, entry) in ports.iter().enumerate() {
        let at = |name: &str| format!("spec.ports[{index}].{name}");
        let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
        if ports.len() > 1 && name.is_empty() {
            causes.push(Cause::required(at("name"), ""));
        } else if !name.is_empty()
            && let Some(problem) = text::dns_label(name).first()
        {
            causes.push(Cause::invalid(at("name"), &name.into(), problem));
        }
        if !name.is_empty()
            && ports[..index].iter().any(|earlier| earlier.get("name").and_then(Value::as_str) == Some(name))
        {
            causes.push(Cause::duplicate(at("name"), &name.into()));
        }
        port(entry.get("port"), at("port"), causes);
        port(entry.get("targetPort"), at("targetPort"), causes);
    }
    check_labels(object.pointer("/spec/selector"), "spec.selector", causes);
}

/// `claims` are volumes that the pod gets besides those that it names.
fn pod_spec(spec: Option<&Value>, path: &str, claims: &[&str], causes: &mut Vec<Cause>) {
    let mut names: Vec<&str> = Vec::new();
    let volumes: Vec<&str> = list(spec, "volumes").iter().filter_map(|volume| volume.get("name")?.as_str()).collect();
    for (index, name) in volumes.iter().enumerate() {
        if volumes[..index].contains(name) {
            causes.push(Cause::duplicate(format!("{path}.volumes[{index}].name"), &(*name).into()));
        }
    }
    for group in ["containers", "initContainers"] {
        for (index, container) in list(spec, group).iter().enumerate() {
            let at = |name: &str| format!("{path}.{group}[{index}].{name}");
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            if !name.is_empty() {
                if let Some(problem) = text::dns_label(name).first() {
                    causes.push(Cause::invalid(at("name"), &name.into(), problem));
                }
                if names.contains(&name) {
                    causes.push(Cause::duplicate(at("name"), &name.into()));
                }
                names.push(name);
            }
            if container.get("image").and_then(Value::as_str).unwrap_or_default().is_empty() {
                causes.push(Cause::required(at("image"), ""));
            }
            for (number, entry) in list(Some(container), "ports").iter().enumerate() {
                port(entry.get("containerPort"), at(&format!("ports[{number}].containerPort")), causes);
            }
            for (number, mount) in list(Some(container), "volumeMounts").iter().enumerate() {
                let Some(name) = mount.get("name").filter(|name| name.as_str().is_some_and(|name| !name.is_empty()))
                else {
                    continue;
                };
                let named = name.as_str().unwrap_or_default();
                if !volumes.contains(&named) && !claims.contains(&named) {
                    let field = at(&format!("volumeMounts[{number}].name"));
                    causes.push(Cause::new("FieldValueNotFound", field, format!("Not found: {name}")));
                }
            }
        }
    }
}

fn workload(object: &Value, causes: &mut Vec<Cause>) {
    let template = object.pointer("/spec/template");
    let labels = template.and_then(|template| template.pointer("/metadata/labels"));
    let wanted = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let matches =
        wanted.into_iter().flatten().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
    if !matches {
        let shown = labels.cloned().unwrap_or_else(|| serde_json::json!({}));
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &shown, detail));
    }
    let claims = list(object.get("spec"), "volumeClaimTemplates").iter();
    let claims: Vec<&str> = claims.filter_map(|claim| claim.pointer("/metadata/name")?.as_str()).collect();
    pod_spec(template.and_then(|template| template.get("spec")), "spec.template.spec", &claims, causes);
    if let Some(replicas) =
        object.pointer("/spec/replicas").filter(|replicas| replicas.as_i64().is_some_and(|count| count < 0))
    {
        causes.push(Cause::invalid("spec.replicas", replicas, "must be greater than or equal to 0"));
    }
}

fn data_keys(object: &Value, causes: &mut Vec<Cause>) {
    for part in ["data", "binaryData"] {
        for (key, _) in object.get(part).and_then(Value::as_object).into_iter().flatten() {
            report(text::config_key(key), &format!("{part}[{key}]"), key, causes);
        }
    }
}
