//! Defaults of Services, but for the addresses that are allocated.
//!
//! Invariant: an `ExternalName` Service gets no address family and no policies.

use serde_json::{Value, json};

use super::{items, set};
use crate::store::meta;

pub(super) fn service(object: &mut Value) {
    let spec = meta::child(object, "spec");
    for port in items(spec, "ports") {
        set(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned()
            && port.get("targetPort").is_none_or(|target| target.is_null() || *target == json!(0))
        {
            port.insert("targetPort".to_owned(), number);
        }
    }
    set(spec, "type", "ClusterIP");
    set(spec, "sessionAffinity", "None");
    if spec["sessionAffinity"] == "ClientIP" {
        set(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10800}}));
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if kind == "ExternalName" {
        return;
    }
    set(spec, "ipFamilies", json!(["IPv4"]));
    set(spec, "ipFamilyPolicy", "SingleStack");
    set(spec, "internalTrafficPolicy", "Cluster");
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        set(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
    }
}
