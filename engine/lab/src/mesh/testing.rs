//! Objects and connections of the recordings, for the tests of the mesh.
//!
//! Invariant: names and addresses are the recordings' own.

use super::MeshObjects;
use super::control::Proxy;
use super::decide::{
    Connection, FirstBytes, Outcome, RequestHead, RequestOutcome, connection as decide_connection,
    request as decide_request,
};
use super::envoy::{Action, ProxyConfig};
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
        config_maps: vec![Arc::new(json!({"metadata": {"name": "istio"}, "data": {"mesh": settings}}))],
        istio: entries.iter().cloned().map(Arc::new).collect(),
        services: vec![Arc::new(sample)],
        ..MeshObjects::default()
    }
}

/// The sidecar of the recordings' client, in this namespace.
pub(super) fn sidecar(namespace: &str) -> Proxy {
    Proxy {
        gateway: false,
        namespace: namespace.to_owned(),
        labels: [("app".to_owned(), "sleep".to_owned())].into(),
        ip: address("10.244.0.52:0").ip(),
        revision: "default".to_owned(),
    }
}

/// The configuration of that sidecar in namespace `default`.
pub(super) fn config(objects: &MeshObjects) -> ProxyConfig {
    ProxyConfig::build(objects, &sidecar("default"))
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

/// Method, authority, path and header lines.
type Head = (String, String, String, Vec<(String, String)>);

/// What a client of the recordings does: the first bytes of its connection, and the request on it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) first_bytes: FirstBytes,
    pub(super) request: Option<Head>,
}

/// Bytes that no listener knows.
pub(super) fn opaque() -> Client {
    Client { first_bytes: FirstBytes::Opaque, request: None }
}

pub(super) fn http(method: &str, authority: &str) -> Client {
    get(method, authority, "/", &[])
}

/// A request with a path and header lines.
pub(super) fn get(method: &str, authority: &str, path: &str, headers: &[(&str, &str)]) -> Client {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Client {
        first_bytes: FirstBytes::Http { minor: 1 },
        request: Some((method.to_owned(), authority.to_owned(), path.to_owned(), headers)),
    }
}

pub(super) fn tls(name: &str) -> Client {
    let server_name = (!name.is_empty()).then(|| name.to_owned());
    Client { first_bytes: FirstBytes::Tls { server_name, mesh: false }, request: None }
}

/// The way of a connection, and of the request on it, with its end, in one line.
pub(super) fn tell(config: &ProxyConfig, to: &str, client: &Client) -> String {
    let facts = Connection {
        source: address("10.244.0.52:40000"),
        destination: address(to),
        first_bytes: client.first_bytes.clone(),
        draw: 0,
    };
    let decided = decide_connection(config, &facts);
    let mut way: Vec<String> = decided.hops.iter().map(ToString::to_string).collect();
    way.extend(decided.server_name.iter().map(|name| format!("sni {name}")));
    match (&decided.outcome, &client.request) {
        (Outcome::Relay(_), _) => way.push("relay".to_owned()),
        (Outcome::Close { flags, .. }, _) => way.push(format!("close {flags}")),
        (Outcome::NotSimulated(reason), _) => way.push(format!("not simulated: {reason}")),
        (Outcome::Http(routes), None) => way.push(format!("http {routes}")),
        (Outcome::Http(routes), Some((method, authority, path, headers))) => {
            let head = RequestHead { method, authority, path, scheme: "http", headers, draw: 0 };
            let decided = decide_request(config, routes, address(to), &head);
            way.extend(decided.hops.iter().map(ToString::to_string));
            way.push(end_of(&decided.outcome, path));
        }
    }
    way.join(" > ")
}

fn end_of(outcome: &RequestOutcome, path: &str) -> String {
    match outcome {
        RequestOutcome::Forward(forwarding) => {
            let Action::Forward(forward) = &forwarding.route.action else { return "no forward".to_owned() };
            let retries = forward.retry.as_ref().map_or(0, |retry| retry.attempts);
            let mut end = format!("forward, {retries} retries");
            if forwarding.path != path {
                end.push_str(&format!(", path {}", forwarding.path));
            }
            end
        }
        RequestOutcome::Answer(answer) => {
            let mut end = format!("answer {} {} {}", answer.status, answer.flags, answer.details);
            end.extend(answer.location.iter().map(|to| format!(" {to}")));
            end
        }
        RequestOutcome::NotSimulated(reason) => format!("not simulated: {reason}"),
    }
}
