//! Endpoints and EndpointSlices of Services.
//!
//! Invariant: addresses are in the order of the pods' names, so that the same pods give the same endpoints.

mod legacy;
mod mirror;
mod slice;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::object::{flag, list, map, text};
use super::plan::View;
use super::{pods, selector};
use crate::store::{GroupResource, meta};

pub(super) use legacy::{gone, legacy};
pub(super) use mirror::mirror;
pub(super) use slice::slice;

/// Says when what led to the present endpoints happened.
const TRIGGERED: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// Marks endpoints of Services without an address.
const HEADLESS: &str = "service.kubernetes.io/headless";

/// The pods that a Service selects and that have an address; none if it has no selector or names an outside host.
fn selected_pods(view: &View<'_>, service: &Value) -> Option<Vec<Arc<Value>>> {
    let labels = map(service, "/spec/selector").filter(|labels| !labels.is_empty())?;
    if meta::is_deleting(service) || text(service, "/spec/type") == Some("ExternalName") {
        return None;
    }
    let pods = view.list(&GroupResource::PODS, meta::namespace(service)).into_iter();
    let has_address = |pod: &Value| text(pod, "/status/podIP").is_some() && !pods::is_finished(pod);
    Some(pods.filter(|pod| selector::contains(labels, pod) && has_address(pod)).collect())
}

/// Whether a Service's selector means the pod.
pub(super) fn selects(service: &Value, pod: &Value) -> bool {
    map(service, "/spec/selector").is_some_and(|labels| !labels.is_empty() && selector::contains(labels, pod))
}

/// The Service's ports as they are on a pod. A named target that the pod lacks gives no port.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let mut ports = Vec::new();
    for port in list(service, "/spec/ports") {
        let protocol = text(port, "/protocol").unwrap_or("TCP");
        let number = match port.get("targetPort") {
            Some(Value::String(name)) => container_port(pod, name, protocol),
            Some(number) => number.as_u64(),
            None => port.get("port").and_then(Value::as_u64),
        };
        if let Some(number) = number {
            let name = port.get("name").cloned().unwrap_or_else(|| "".into());
            let mut found = json!({"name": name, "protocol": protocol, "port": number});
            if let Some(protocol) = port.get("appProtocol") {
                found["appProtocol"] = protocol.clone();
            }
            ports.push(found);
        }
    }
    ports
}

fn container_port(pod: &Value, name: &str, protocol: &str) -> Option<u64> {
    let sidecars = list(pod, "/spec/initContainers").iter().filter(|one| text(one, "/restartPolicy") == Some("Always"));
    let containers = list(pod, "/spec/containers").iter().chain(sidecars);
    let mut ports = containers.flat_map(|container| list(container, "/ports"));
    let meant = ports.find(|port| port["name"] == name && text(port, "/protocol").unwrap_or("TCP") == protocol)?;
    meant.get("containerPort")?.as_u64()
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": meta::namespace(pod), "name": meta::name(pod), "uid": meta::uid(pod)})
}

/// The name that the pod has below a headless Service, if it asks for one there.
fn hostname<'a>(service: &Value, pod: &'a Value) -> Option<&'a str> {
    text(pod, "/spec/hostname").filter(|_| text(pod, "/spec/subdomain") == Some(meta::name(service)))
}

/// Whether pods count as ready from the start.
fn publishes_not_ready(service: &Value) -> bool {
    flag(service, "/spec/publishNotReadyAddresses")
}

fn is_headless(service: &Value) -> bool {
    text(service, "/spec/clusterIP") == Some("None")
}

/// The labels of a Service that its endpoints take over, with those of their own.
fn labels(service: &Value, own: &[(&str, &str)]) -> Map<String, Value> {
    let mut labels = map(service, "/metadata/labels").cloned().unwrap_or_default();
    labels.shift_remove(HEADLESS);
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), "".into());
    }
    for (key, value) in own {
        labels.insert((*key).to_owned(), (*value).into());
    }
    labels
}
