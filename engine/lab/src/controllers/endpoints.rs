//! Endpoints and EndpointSlices of Services with a selector.
//!
//! Invariant: addresses are in the order of the pods' names, so that the same pods give the same slice.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::condition;
use super::hash::name_suffix;
use super::plan::{Action, Plan, View};
use super::replica_set::owner_reference;
use crate::store::{GroupResource, meta};

/// Label that ties a slice to its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: (&str, &str) = ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io");

/// Compares the endpoints of a Service with the pods that it selects.
pub(super) fn reconcile(view: &View<'_>, service: &Value) -> Plan {
    let mut plan = Plan::default();
    let Some(selector) = service.pointer("/spec/selector").and_then(Value::as_object).filter(|map| !map.is_empty())
    else {
        return plan;
    };
    if meta::is_deleting(service) || service.pointer("/spec/type").and_then(Value::as_str) == Some("ExternalName") {
        return plan;
    }
    let namespace = meta::namespace(service);
    let pods: Vec<_> =
        view.list(&GroupResource::PODS, namespace).into_iter().filter(|pod| selected(selector, pod)).collect();
    slice(view, service, &pods, &mut plan);
    endpoints(view, service, &pods, &mut plan);
    plan
}

/// Whether a Service's selector means the pod.
pub(super) fn selected(selector: &Map<String, Value>, pod: &Value) -> bool {
    selector.iter().all(|(key, value)| meta::label(pod, key) == value.as_str())
}

fn address(pod: &Value) -> Option<&str> {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return None;
    }
    pod.pointer("/status/podIP").and_then(Value::as_str)
}

/// The Service's ports as they are on a pod: name, number, protocol. A named target that the pod lacks gives no port.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let mut ports = Vec::new();
    for port in service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten() {
        let number = match port.get("targetPort") {
            Some(Value::String(name)) => container_port(pod, name),
            Some(number) => number.as_u64(),
            None => port.get("port").and_then(Value::as_u64),
        };
        if let Some(number) = number {
            let mut found = json!({"name": port.get("name").cloned().unwrap_or_else(|| "".into()), "port": number});
            found["protocol"] = port.get("protocol").cloned().unwrap_or_else(|| "TCP".into());
            if let Some(protocol) = port.get("appProtocol") {
                found["appProtocol"] = protocol.clone();
            }
            ports.push(found);
        }
    }
    ports
}

fn container_port(pod: &Value, name: &str) -> Option<u64> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let ports = containers.into_iter().flatten().filter_map(|container| container.get("ports")?.as_array()).flatten();
    ports.into_iter().find(|port| port["name"] == name)?.get("containerPort")?.as_u64()
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": meta::namespace(pod), "name": meta::name(pod), "uid": meta::uid(pod)})
}

/// Ports of the first pod with an address stand for all: the lab makes one slice a Service.
fn common_ports(service: &Value, pods: &[Arc<Value>]) -> Vec<Value> {
    pods.iter().find(|pod| address(pod).is_some()).map(|pod| ports(service, pod)).unwrap_or_default()
}

fn slice(view: &View<'_>, service: &Value, pods: &[Arc<Value>], plan: &mut Plan) {
    let endpoints: Vec<Value> = pods
        .iter()
        .filter_map(|pod| {
            let ready = condition::is_true(pod, "Ready");
            let ending = meta::is_deleting(pod);
            Some(json!({
                "addresses": [address(pod)?],
                "conditions": {"ready": ready && !ending, "serving": ready, "terminating": ending},
                "nodeName": pod.pointer("/spec/nodeName").cloned().unwrap_or_default(),
                "targetRef": target(pod),
            }))
        })
        .collect();
    let (namespace, name) = (meta::namespace(service), meta::name(service));
    let slices = view.list(&GroupResource::ENDPOINT_SLICES, namespace);
    let known = slices.iter().find(|slice| {
        meta::label(slice, SERVICE_NAME) == Some(name) && meta::label(slice, MANAGED_BY.0) == Some(MANAGED_BY.1)
    });
    let ports: Value = common_ports(service, pods).into();
    match known {
        None => {
            let slice = json!({
                "kind": "EndpointSlice",
                "apiVersion": "discovery.k8s.io/v1",
                "metadata": {
                    "name": format!("{name}-{}", name_suffix(meta::uid(service))),
                    "generateName": format!("{name}-"),
                    "namespace": namespace,
                    "labels": labels(service),
                    "ownerReferences": [owner_reference(service, "v1", "Service")],
                },
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": ports,
            });
            plan.push(Action::Create(GroupResource::ENDPOINT_SLICES, slice));
        }
        Some(known) => {
            let mut slice = Value::clone(known);
            slice["endpoints"] = endpoints.into();
            slice["ports"] = ports;
            if slice != **known {
                plan.push(Action::Update(GroupResource::ENDPOINT_SLICES, slice));
            }
        }
    }
}

fn labels(service: &Value) -> Value {
    let mut labels = service.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.into());
    labels.insert(SERVICE_NAME.to_owned(), meta::name(service).into());
    labels.into()
}

fn endpoints(view: &View<'_>, service: &Value, pods: &[Arc<Value>], plan: &mut Plan) {
    let (mut ready, mut not_ready) = (Vec::new(), Vec::new());
    for pod in pods.iter().filter(|pod| !meta::is_deleting(pod)) {
        let Some(ip) = address(pod) else { continue };
        let entry = json!({
            "ip": ip, "nodeName": pod.pointer("/spec/nodeName").cloned().unwrap_or_default(), "targetRef": target(pod),
        });
        if condition::is_true(pod, "Ready") { ready.push(entry) } else { not_ready.push(entry) }
    }
    let mut subset = Map::new();
    if !ready.is_empty() {
        subset.insert("addresses".to_owned(), ready.into());
    }
    if !not_ready.is_empty() {
        subset.insert("notReadyAddresses".to_owned(), not_ready.into());
    }
    let mut subsets = Vec::new();
    if !subset.is_empty() {
        let mut ports = common_ports(service, pods);
        for port in ports.iter_mut().filter_map(Value::as_object_mut) {
            if port["name"] == "" {
                port.shift_remove("name");
            }
        }
        subset.insert("ports".to_owned(), ports.into());
        subsets.push(Value::Object(subset));
    }
    let (namespace, name) = (meta::namespace(service), meta::name(service));
    let known = view.get(&GroupResource::ENDPOINTS, namespace, name);
    let mut wanted = known.as_deref().cloned().unwrap_or_else(|| {
        let mut labels = service.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
        labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller".into();
        json!({"kind": "Endpoints", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace, "labels": labels}})
    });
    if subsets.is_empty() {
        if let Some(map) = wanted.as_object_mut() {
            map.shift_remove("subsets");
        }
    } else {
        wanted["subsets"] = subsets.into();
    }
    match known {
        None => plan.push(Action::Create(GroupResource::ENDPOINTS, wanted)),
        Some(known) if *known != wanted => plan.push(Action::Update(GroupResource::ENDPOINTS, wanted)),
        Some(_) => {}
    }
}
