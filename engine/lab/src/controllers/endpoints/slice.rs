//! EndpointSlices.
//!
//! Invariant: a slice has at most 100 endpoints, all of one address family with the same ports.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{TRIGGERED, hostname, labels, ports, publishes_not_ready, selected_pods, target};
use crate::clock::rfc3339_seconds;
use crate::controllers::object::list;
use crate::controllers::owned::owner_reference;
use crate::controllers::plan::{Action, Plan, View};
use crate::controllers::pods;
use crate::store::{GroupResource, meta};

/// Label that ties a slice to its Service.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Label that tells which controller keeps a slice.
pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

const MANAGER: &str = "endpointslice-controller.k8s.io";

/// The most endpoints of one slice, as the real controller has it.
const MOST: usize = 100;

/// Compares the EndpointSlices of a Service with the pods that it selects.
pub(in crate::controllers) fn slice(view: &View<'_>, service: &Value) -> Plan {
    let mut plan = Plan::default();
    let Some(pods) = selected_pods(view, service) else { return plan };
    let mut known: Vec<Arc<Value>> = own(view, service).into_iter().collect();
    let mut wanted: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    for pod in &pods {
        let (ports, endpoint) = (ports(service, pod), endpoint(service, pod));
        match wanted.iter_mut().find(|(others, list)| *others == ports && list.len() < MOST) {
            Some((_, list)) => list.push(endpoint),
            None => wanted.push((ports, vec![endpoint])),
        }
    }
    if wanted.is_empty() {
        // A Service without pods has a slice all the same.
        wanted.push((Vec::new(), Vec::new()));
    }
    let labels: Value = labels(service, &[(MANAGED_BY, MANAGER), (SERVICE_NAME, meta::name(service))]).into();
    // Slices that have the same ports already are kept for them.
    for (ports, endpoints) in wanted {
        let fitting = known.iter().position(|slice| list(slice, "/ports") == ports.as_slice());
        let old = fitting.or(if known.is_empty() { None } else { Some(0) }).map(|index| known.remove(index));
        put(view, service, old.as_deref(), &labels, (ports, endpoints), &mut plan);
    }
    for slice in known {
        plan.push(Action::delete(&GroupResource::ENDPOINT_SLICES, &slice));
    }
    plan
}

fn own(view: &View<'_>, service: &Value) -> Vec<Arc<Value>> {
    let mut slices = view.controlled(&GroupResource::ENDPOINT_SLICES, service);
    slices.retain(|slice| meta::label(slice, MANAGED_BY) == Some(MANAGER) && !meta::is_deleting(slice));
    slices
}

fn put(
    view: &View<'_>,
    service: &Value,
    old: Option<&Value>,
    labels: &Value,
    content: (Vec<Value>, Vec<Value>),
    plan: &mut Plan,
) {
    let or_null = |list: Vec<Value>| if list.is_empty() { Value::Null } else { list.into() };
    let (ports, endpoints) = (or_null(content.0), or_null(content.1));
    let now = rfc3339_seconds(view.now());
    let Some(old) = old else {
        let slice = json!({
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {
                "generateName": format!("{}-", meta::name(service)),
                "namespace": meta::namespace(service),
                "labels": labels,
                "annotations": {TRIGGERED: now},
                "ownerReferences": [owner_reference(service, "v1", "Service")],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        });
        return plan.push(Action::Create(GroupResource::ENDPOINT_SLICES, slice));
    };
    let mut slice = old.clone();
    for (key, value) in [("endpoints", endpoints), ("ports", ports)] {
        // Absent, null and empty are the same.
        if list(&slice, &format!("/{key}")) != value.as_array().map(Vec::as_slice).unwrap_or_default() {
            slice[key] = value;
        }
    }
    let moved = slice != *old;
    meta::metadata(&mut slice).insert("labels".to_owned(), labels.clone());
    if slice != *old {
        if moved {
            meta::child(&mut slice["metadata"], "annotations").insert(TRIGGERED.to_owned(), now.into());
        }
        plan.push(Action::Update(GroupResource::ENDPOINT_SLICES, slice));
    }
}

fn endpoint(service: &Value, pod: &Value) -> Value {
    let serving = pods::is_ready(pod);
    let ending = meta::is_deleting(pod);
    let ready = publishes_not_ready(service) || (serving && !ending);
    let mut endpoint = json!({
        "addresses": [pod.pointer("/status/podIP")],
        "conditions": {"ready": ready, "serving": serving, "terminating": ending},
    });
    if let Some(hostname) = hostname(service, pod) {
        endpoint["hostname"] = hostname.into();
    }
    endpoint["targetRef"] = target(pod);
    if let Some(node) = pod.pointer("/spec/nodeName") {
        endpoint["nodeName"] = node.clone();
    }
    endpoint
}
