//! Rules of single kinds that a schema cannot say.
//!
//! Invariant: a rule looks at the object and its stored form alone.

use serde_json::Value;

use super::rbac;
use crate::access::RBAC_GROUP as RBAC;
use crate::status::{Cause, Status};
use crate::store::{AdmissionRequest, meta};

/// Refuses an object that breaks the rules of its kind.
pub(super) fn check(request: &AdmissionRequest<'_>, object: &Value) -> Result<(), Status> {
    let (group, kind, causes) = match (request.resource.group.as_ref(), request.resource.resource.as_ref()) {
        ("", "pods") => ("", "Pod", containers(object, "/spec/containers", "spec.containers")),
        ("", "services") => ("", "Service", service(request.old, object)),
        ("apps", "deployments") => ("apps", "Deployment", workload(request.old, object)),
        ("apps", "replicasets") => ("apps", "ReplicaSet", workload(request.old, object)),
        ("apps", "statefulsets") => ("apps", "StatefulSet", workload(request.old, object)),
        ("apps", "daemonsets") => ("apps", "DaemonSet", workload(request.old, object)),
        (RBAC, "roles") => (RBAC, "Role", rbac::role(object, true)),
        (RBAC, "clusterroles") => (RBAC, "ClusterRole", rbac::role(object, false)),
        (RBAC, "rolebindings") => (RBAC, "RoleBinding", rbac::binding(request.old, object, true)),
        (RBAC, "clusterrolebindings") => (RBAC, "ClusterRoleBinding", rbac::binding(request.old, object, false)),
        _ => return Ok(()),
    };
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(group, kind, meta::name(object), causes)) }
}

fn containers(object: &Value, pointer: &str, field: &str) -> Vec<Cause> {
    let list = object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        return vec![Cause::required(field, "")];
    }
    let missing = |index: usize, container: &Value, name: &str| {
        let empty = container.get(name).and_then(Value::as_str).is_none_or(str::is_empty);
        empty.then(|| Cause::required(format!("{field}[{index}].{name}"), ""))
    };
    let mut causes = Vec::new();
    for (index, container) in list.iter().enumerate() {
        causes.extend(missing(index, container, "name"));
        causes.extend(missing(index, container, "image"));
        let before = &list[..index];
        if let Some(name) =
            container.get("name").filter(|name| before.iter().any(|other| other.get("name") == Some(name)))
        {
            causes.push(Cause::duplicate(format!("{field}[{index}].name"), name));
        }
    }
    causes
}

fn workload(old: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let selector = object.pointer("/spec/selector").unwrap_or(&Value::Null);
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    let labels = object.pointer("/spec/template/metadata/labels").cloned().unwrap_or_else(|| serde_json::json!({}));
    if wanted.is_none_or(serde_json::Map::is_empty) && selector.get("matchExpressions").is_none() {
        causes.push(Cause::required("spec.selector", ""));
    } else if wanted.into_iter().flatten().any(|(key, value)| labels.get(key) != Some(value)) {
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &labels, detail));
    }
    if let Some(old) = old.and_then(|old| old.pointer("/spec/selector"))
        && old != selector
    {
        causes.push(Cause::invalid("spec.selector", selector, "field is immutable"));
    }
    causes.extend(containers(object, "/spec/template/spec/containers", "spec.template.spec.containers"));
    causes
}

fn service(old: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let kind = text(object, "/spec/type").unwrap_or_default();
    let headless = text(object, "/spec/clusterIP").as_deref() == Some("None");
    let ports = object.pointer("/spec/ports").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if ports.is_empty() && kind != "ExternalName" && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let number = port.get("port").and_then(Value::as_i64).unwrap_or_default();
        if !(1..=65_535).contains(&number) {
            let shown = number.into();
            causes.push(Cause::invalid(
                format!("spec.ports[{index}].port"),
                &shown,
                "must be between 1 and 65535, inclusive",
            ));
        }
        if ports.len() > 1 && port.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
            causes.push(Cause::required(format!("spec.ports[{index}].name"), ""));
        }
    }
    if let Some(old) = old
        && let (Some(before), Some(now)) = (text(old, "/spec/clusterIP"), text(object, "/spec/clusterIP"))
        && before != now
        && !before.is_empty()
        && text(old, "/spec/type").as_deref() != Some("ExternalName")
    {
        causes.push(Cause::invalid("spec.clusterIPs[0]", &now.into(), "may not change once set"));
    }
    causes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{GroupResource, Operation};

    fn refusal(resource: &GroupResource, old: Option<&Value>, object: &Value) -> String {
        let request =
            AdmissionRequest { resource, namespace: "rec", operation: Operation::Create, old, dry_run: false };
        check(&request, object).expect_err("a rule is broken").message
    }

    #[test]
    fn a_pod_without_containers_is_refused_as_recorded() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": []}});
        let message = refusal(&GroupResource::PODS, None, &pod);
        assert_eq!(message, "Pod \"p\" is invalid: spec.containers: Required value");
    }

    #[test]
    fn a_selector_must_match_and_stay() {
        let deployment = |app: &str| {
            json!({"metadata": {"name": "d"}, "spec": {
                "selector": {"matchLabels": {"app": app}},
                "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
            }})
        };
        assert_eq!(
            refusal(&GroupResource::DEPLOYMENTS, None, &deployment("e")),
            "Deployment.apps \"d\" is invalid: spec.template.metadata.labels: Invalid value: {\"app\":\"d\"}: `selector` does not match template `labels`"
        );
        assert!(
            refusal(&GroupResource::DEPLOYMENTS, Some(&deployment("x")), &deployment("d"))
                .ends_with("field is immutable")
        );
    }
}
