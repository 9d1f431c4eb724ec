//! Objects of Istio that would change outbound traffic in ways that the lab does not simulate.
//!
//! Invariant: an object that might reach a connection makes its verdict "not simulated"; only objects that certainly do not
//! reach it are passed over.

use super::view::domain_matches;
use serde_json::Value;
use std::sync::Arc;

/// An object that the lab cannot honour, and what it reaches.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    /// The object, as a person names it.
    pub(super) what: String,
    /// The host names that it is about; none means every connection.
    hosts: Option<Vec<String>>,
}

impl Limit {
    /// Whether it may change what happens to a connection that is known by these host names.
    pub(super) fn reaches(&self, names: &[&str]) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| {
            hosts.iter().any(|pattern| {
                // A short name may mean any service whose full name begins with it.
                let short = !pattern.contains('.') && !pattern.contains('*');
                names.iter().any(|name| {
                    domain_matches(pattern, name) || short && name.split('.').next() == Some(pattern.as_str())
                })
            })
        })
    }
}

/// Kinds that act on inbound traffic, on gateways, or on the control plane alone.
const INBOUND: &[&str] =
    &["AuthorizationPolicy", "Gateway", "PeerAuthentication", "RequestAuthentication", "WorkloadGroup"];

/// The limits that these objects set for sidecars in `namespace`.
pub(super) fn limits_of(objects: &[Arc<Value>], namespace: &str) -> Vec<Limit> {
    objects.iter().filter_map(|object| limit_of(object, namespace)).collect()
}

fn limit_of(object: &Value, namespace: &str) -> Option<Limit> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, own, name) = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
    if INBOUND.contains(&kind) {
        return None;
    }
    let what = format!("{kind} {own}/{name}");
    let hosts = match kind {
        "VirtualService" => {
            let for_sidecars = object.pointer("/spec/gateways").and_then(Value::as_array).is_none_or(|gateways| {
                gateways.is_empty() || gateways.iter().any(|gateway| gateway.as_str() == Some("mesh"))
            });
            if !for_sidecars {
                return None;
            }
            let hosts = object.pointer("/spec/hosts").and_then(Value::as_array).into_iter().flatten();
            Some(hosts.filter_map(Value::as_str).map(str::to_ascii_lowercase).collect())
        }
        "DestinationRule" => Some(vec![text("/spec/host").to_ascii_lowercase()]),
        // The rest selects workloads, in its own namespace or, from the root namespace, everywhere.
        "Sidecar" | "EnvoyFilter" | "Telemetry" | "WasmPlugin" | "ProxyConfig"
            if own != namespace && own != "istio-system" =>
        {
            return None;
        }
        _ => None,
    };
    Some(Limit { what, hosts })
}
