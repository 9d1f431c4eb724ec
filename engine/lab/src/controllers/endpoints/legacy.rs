//! Endpoints, the older form.
//!
//! Invariant: pods with the same ports share a subset; one that is being deleted is in none.

use serde_json::{Map, Value, json};

use super::{TRIGGERED, hostname, labels, ports, publishes_not_ready, selected_pods, target};
use crate::clock::rfc3339_seconds;
use crate::controllers::plan::{Action, Plan, View};
use crate::controllers::pods;
use crate::store::{GroupResource, meta};

/// Compares the Endpoints of a Service with the pods that it selects.
pub(in crate::controllers) fn legacy(view: &View<'_>, service: &Value) -> Plan {
    let mut plan = Plan::default();
    let Some(pods) = selected_pods(view, service) else { return plan };
    let mut subsets: Vec<(Vec<Value>, Vec<Value>, Vec<Value>)> = Vec::new();
    for pod in pods.iter().filter(|pod| publishes_not_ready(service) || !meta::is_deleting(pod)) {
        let ports = own_ports(service, pod);
        let index = subsets.iter().position(|(others, ..)| *others == ports).unwrap_or_else(|| {
            subsets.push((ports, Vec::new(), Vec::new()));
            subsets.len() - 1
        });
        let is_ready = publishes_not_ready(service) || pods::is_ready(pod);
        let (_, ready, not_ready) = &mut subsets[index];
        if is_ready { ready.push(address(service, pod)) } else { not_ready.push(address(service, pod)) }
    }
    let subsets: Vec<Value> = subsets.into_iter().map(subset).collect();
    put(view, service, subsets, &mut plan);
    plan
}

fn put(view: &View<'_>, service: &Value, subsets: Vec<Value>, plan: &mut Plan) {
    let (namespace, name) = (meta::namespace(service), meta::name(service));
    let labels: Value = labels(service, &[("endpoints.kubernetes.io/managed-by", "endpoint-controller")]).into();
    let now: Value = rfc3339_seconds(view.now()).into();
    let known = view.get(&GroupResource::ENDPOINTS, namespace, name);
    let mut wanted = known.as_deref().cloned().unwrap_or_else(|| {
        let metadata = json!({"name": name, "namespace": namespace, "annotations": {TRIGGERED: now}});
        json!({"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata})
    });
    if let Some(map) = wanted.as_object_mut() {
        if subsets.is_empty() {
            map.shift_remove("subsets");
        } else {
            map.insert("subsets".to_owned(), subsets.into());
        }
    }
    let moved = known.as_deref().is_none_or(|known| known.get("subsets") != wanted.get("subsets"));
    meta::metadata(&mut wanted).insert("labels".to_owned(), labels);
    if moved {
        meta::child(&mut wanted["metadata"], "annotations").insert(TRIGGERED.to_owned(), now);
    }
    match known {
        None => plan.push(Action::Create(GroupResource::ENDPOINTS, wanted)),
        Some(known) if *known != wanted => plan.push(Action::Update(GroupResource::ENDPOINTS, wanted)),
        Some(_) => {}
    }
}

fn address(service: &Value, pod: &Value) -> Value {
    let mut address = json!({"ip": pod.pointer("/status/podIP")});
    if let Some(hostname) = hostname(service, pod) {
        address["hostname"] = hostname.into();
    }
    if let Some(node) = pod.pointer("/spec/nodeName") {
        address["nodeName"] = node.clone();
    }
    address["targetRef"] = target(pod);
    address
}

/// Ports in the order of this form's members; a nameless one has no name at all.
fn own_ports(service: &Value, pod: &Value) -> Vec<Value> {
    let port = |port: Value| {
        let mut own = Map::new();
        for key in ["name", "port", "protocol", "appProtocol"] {
            if let Some(value) = port.get(key).filter(|value| *value != "") {
                own.insert(key.to_owned(), value.clone());
            }
        }
        Value::Object(own)
    };
    ports(service, pod).into_iter().map(port).collect()
}

fn subset((ports, ready, not_ready): (Vec<Value>, Vec<Value>, Vec<Value>)) -> Value {
    let mut subset = json!({});
    for (key, list) in [("addresses", ready), ("notReadyAddresses", not_ready), ("ports", ports)] {
        if !list.is_empty() {
            subset[key] = list.into();
        }
    }
    subset
}

/// What follows from a Service that is gone: its Endpoints go too. They have no owner that the garbage collector could see.
pub(in crate::controllers) fn gone(view: &View<'_>, namespace: &str, name: &str) -> Plan {
    let mut plan = Plan::default();
    if let Some(endpoints) = view.get(&GroupResource::ENDPOINTS, namespace, name) {
        plan.push(Action::delete(&GroupResource::ENDPOINTS, &endpoints));
    }
    plan
}
