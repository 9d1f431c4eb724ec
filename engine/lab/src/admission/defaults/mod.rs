//! Defaults of single kinds, as the API server of Kubernetes 1.36 fills them in.
//!
//! Invariant: a value that is there stays, and filling in twice changes nothing.

mod pod_spec;
mod service;
mod stored;
mod workload;

use serde_json::{Map, Value};

use crate::store::{GroupResource, meta};

/// Fills in the defaults of an object.
pub(super) fn fill(resource: &GroupResource, object: &mut Value) {
    match (resource.group.as_ref(), resource.resource.as_ref()) {
        ("", "pods") => pod_spec::pod(object),
        ("", "services") => service::service(object),
        ("", "secrets") => secret(object),
        ("apps", "deployments") => workload::deployment(object),
        ("apps", "replicasets") => workload::replica_set(object),
        ("apps", "statefulsets") => workload::stateful_set(object),
        ("apps", "daemonsets") => workload::daemon_set(object),
        ("batch", "jobs") => workload::job(object),
        ("batch", "cronjobs") => workload::cron_job(object),
        ("", "persistentvolumeclaims") => workload::claim(object),
        ("", "podtemplates") => stored::pod_template(object),
        ("", "replicationcontrollers") => stored::replication_controller(object),
        ("", "persistentvolumes") => stored::volume(object),
        ("storage.k8s.io", "storageclasses") => stored::storage_class(object),
        ("scheduling.k8s.io", "priorityclasses") => stored::priority_class(object),
        ("autoscaling", "horizontalpodautoscalers") => stored::autoscaler(object),
        ("networking.k8s.io", "networkpolicies") => stored::network_policy(object),
        ("", "endpoints") => stored::endpoints(object),
        ("discovery.k8s.io", "endpointslices") => stored::endpoint_slice(object),
        ("", "limitranges") => stored::limit_range(object),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations") => stored::webhooks(object, false),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations") => stored::webhooks(object, true),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => super::rbac::default_binding(object),
        _ => {}
    }
}

/// Sets a member that is absent or null.
fn set(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    match map.get_mut(key) {
        Some(Value::Null) | None => {
            map.insert(key.to_owned(), value.into());
        }
        Some(_) => {}
    }
}

/// The items of a list member that are objects.
fn items<'a>(map: &'a mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The type, and `stringData` moved to `data`.
fn secret(object: &mut Value) {
    use base64::Engine;
    let Some(map) = object.as_object_mut() else { return };
    if let Some(Value::Object(plain)) = map.shift_remove("stringData") {
        let data = meta::child(object, "data");
        for (key, value) in plain {
            if let Value::String(text) = value {
                data.insert(key, base64::engine::general_purpose::STANDARD.encode(text).into());
            }
        }
    }
    if let Some(map) = object.as_object_mut() {
        set(map, "type", "Opaque");
    }
}

#[cfg(test)]
mod tests;
