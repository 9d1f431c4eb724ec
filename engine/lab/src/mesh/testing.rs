//! Objects and connections of the recordings, for the tests of the mesh.
//!
//! Invariant: names and addresses are the recordings' own.

use super::{Connection, FirstBytes, MeshObjects};
use crate::net::testing::address;
use serde_json::{Value, json};
use std::sync::Arc;

/// The mesh's settings with this policy, and the access log switched on.
pub(super) fn settings(policy: &str) -> String {
    format!("accessLogFile: /dev/stdout\noutboundTrafficPolicy:\n  mode: {policy}\n")
}

/// A mesh with these settings and entries. The curl sample's Service is there, as in the tutorial: its port is named `http`, so
/// `0.0.0.0_80` exists.
pub(super) fn mesh(settings: &str, entries: &[Value]) -> MeshObjects {
    let sample = json!({"metadata": {"namespace": "default", "name": "sleep"},
        "spec": {"clusterIP": "10.96.0.30", "ports": [{"name": "http", "port": 80, "targetPort": 80}]}});
    MeshObjects {
        config: Some(Arc::new(json!({"data": {"mesh": settings}}))),
        service_entries: entries.iter().cloned().map(Arc::new).collect(),
        services: vec![Arc::new(sample)],
        ..MeshObjects::default()
    }
}

/// A ServiceEntry with one host and one port.
pub(super) fn entry(host: &str, addresses: &[&str], port: u16, protocol: &str, resolution: &str) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"namespace": "default", "name": host},
        "spec": {
            "hosts": [host], "addresses": addresses, "location": "MESH_EXTERNAL", "resolution": resolution,
            "ports": [{"number": port, "name": "port", "protocol": protocol}]
        }
    })
}

/// The tutorial's entry for the proxy.
pub(super) fn proxy_entry() -> Value {
    entry("my-company-proxy.com", &["10.244.0.95/32"], 3128, "TCP", "NONE")
}

/// A connection of the recordings' client.
pub(super) fn connection(to: &str, first_bytes: FirstBytes) -> Connection {
    Connection { source: address("10.244.0.52:40000"), destination: address(to), first_bytes }
}

pub(super) fn http(method: &str, authority: &str) -> FirstBytes {
    FirstBytes::Http { minor: 1, method: method.to_owned(), authority: authority.to_owned() }
}

pub(super) fn tls(name: &str) -> FirstBytes {
    FirstBytes::Tls { server_name: (!name.is_empty()).then(|| name.to_owned()) }
}
