//! Objects of Istio that would change a proxy's work in ways that the lab does not simulate.
//!
//! Invariant: an object that might reach a proxy makes its verdicts "not simulated"; only objects that certainly do not reach it, or
//! that are honoured, are passed over.

use super::proxy::Proxy;
use crate::mesh::objects::{MeshObjects, ROOT_NAMESPACE, list, named, selects, text, text_map, unknown};
use serde_json::Value;

/// Kinds that are honoured, or that describe workloads alone.
const HONOURED: &[&str] = &[
    "DestinationRule",
    "Gateway",
    "PeerAuthentication",
    "ServiceEntry",
    "Sidecar",
    "VirtualService",
    "WorkloadGroup",
    // Read only by entries that select workloads, which are limits themselves.
    "WorkloadEntry",
];

/// Kinds that act on what comes in, at a sidecar or at a gateway.
const INBOUND: &[&str] = &["AuthorizationPolicy", "RequestAuthentication"];

/// Kinds that reach the pods of their own namespace, or of all if they stand in the root namespace.
const OF_A_NAMESPACE: &[&str] = &["EnvoyFilter", "ProxyConfig", "Telemetry", "TrafficExtension", "WasmPlugin"];

/// What reaches a proxy and is not simulated.
pub(super) fn of_proxy(objects: &MeshObjects, proxy: &Proxy) -> Vec<String> {
    objects.istio.iter().filter(|object| reaches(object, proxy)).map(|object| named(object)).collect()
}

fn reaches(object: &Value, proxy: &Proxy) -> bool {
    let kind = text(object, "/kind");
    if HONOURED.contains(&kind) || INBOUND.contains(&kind) && !proxy.gateway {
        return false;
    }
    if !OF_A_NAMESPACE.contains(&kind) && !INBOUND.contains(&kind) {
        return true;
    }
    let own = text(object, "/metadata/namespace");
    if own != proxy.namespace && own != ROOT_NAMESPACE {
        return false;
    }
    let selected = |pointer: &str| selects(&text_map(object, pointer), &proxy.labels);
    if !selected("/spec/selector/matchLabels") || !selected("/spec/workloadSelector/labels") {
        return false;
    }
    kind != "Telemetry" || !is_quiet(object)
}

/// Whether a Telemetry resource says nothing but what is honoured or shows nowhere.
fn is_quiet(object: &Value) -> bool {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    unknown(spec, "", &["selector", "targetRefs", "metrics", "accessLogging"]).is_empty()
        && list(spec, "/targetRefs").next().is_none()
}
