//! The ends of calls in words.

use crate::mesh::config::OutboundPolicy;
use crate::mesh::decide::Answer;
use crate::mesh::envoy::{Cluster, Discovery, Transport};
use crate::mesh::log::Record;
use crate::net::ResolveError;
use std::net::SocketAddr;

/// What a name without an address comes to.
pub(super) fn unresolved(host: &str, error: &ResolveError) -> String {
    format!(
        "the name {host} does not resolve in the pod ({error}), so that no proxy sees anything: curl ends with exit 6"
    )
}

/// What a connection comes to that the proxy closes.
pub(super) fn closed(cluster: Option<&Cluster>, flags: &str, destination: SocketAddr) -> String {
    match (cluster.map(|cluster| cluster.name.as_str()), flags) {
        (Some("BlackHoleCluster"), _) => format!(
            "blocked: the mesh knows nothing at {destination}, and its policy is REGISTRY_ONLY; the connection is accepted and then \
             closed (curl: exit 56, or 35 during a TLS handshake)"
        ),
        (Some(name), _) => format!("closed: the cluster {name} has no endpoint ({flags})"),
        (None, "NC") => "closed: the rule leads to a host, port or subset that does not exist (NC)".to_owned(),
        (None, _) => format!("closed: no filter chain of the listener takes the connection ({flags})"),
    }
}

/// Where a call goes that the proxy passes on.
pub(super) fn relayed(cluster: &Cluster, destination: SocketAddr) -> String {
    let how = match &cluster.transport {
        Transport::Plain => "",
        Transport::Auto { .. } => ", with mutual TLS where a sidecar answers",
        Transport::Mesh { .. } => ", with mutual TLS of the mesh",
        Transport::Tls(_) => ", with TLS that the proxy originates",
    };
    match (&cluster.discovery, cluster.name.as_str()) {
        (_, "PassthroughCluster") => {
            format!("passed on to {destination}: the mesh knows nothing there, and its policy is ALLOW_ANY")
        }
        (Discovery::OriginalDestination(_), name) => format!("sent to {destination} as {name}{how}"),
        (Discovery::Static(endpoints), name) if endpoints.is_empty() => {
            format!("answered with 503: the cluster {name} has no endpoint (UH)")
        }
        (Discovery::Static(_), name) => format!("sent to an endpoint of {name}{how}"),
        (Discovery::Dns(_), name) => format!("sent to the address that the proxy itself resolves for {name}{how}"),
    }
}

/// What a request comes to that the proxy answers itself; `routes` is the route configuration in which it found its way.
pub(super) fn answered(answer: &Answer, routes: &str, method: &str, authority: &str) -> String {
    let status = answer.status;
    match (answer.route.as_str(), answer.details) {
        ("block_all", _) => format!(
            "answered with {status} by the proxy: no service has this host name, and the mesh's policy is {:?}",
            OutboundPolicy::RegistryOnly
        ),
        (_, "route_not_found") if method == "CONNECT" => format!(
            "answered with {status} by the proxy itself: it takes the port for HTTP, and no route of {routes} takes CONNECT \
             {authority} (NR); a service that is an HTTP proxy is declared as TCP"
        ),
        (_, "route_not_found") => {
            format!(
                "answered with {status} by the proxy: no route of {routes} takes {authority} with this request (NR)"
            )
        }
        (_, "cluster_not_found") => format!(
            "answered with {status} by the proxy: the route leads to a host, port or subset that does not exist (NC)"
        ),
        (_, details) => format!("answered with {status} by the proxy itself ({details})"),
    }
}

/// What went wrong after the proxy had decided, as the flags of its log line say; none if nothing did.
pub(super) fn went_wrong(record: &Record) -> Option<String> {
    let place = record.upstream.map_or_else(|| "the endpoint".to_owned(), |upstream| upstream.to_string());
    let words = record.flags.iter().find_map(|flag| match *flag {
        "UF" if record.transport_failure == "-" || record.transport_failure.is_empty() => {
            Some(format!("the proxy could not connect to {place}"))
        }
        "UF" => Some(format!("the proxy could not connect to {place}: {}", record.transport_failure)),
        "UC" => Some(format!("{place} closed the connection without an answer")),
        "UR" => Some(format!("{place} reset the connection")),
        "UT" => Some("there was no answer within the route's time limit".to_owned()),
        "DC" => Some("the client went away before the end".to_owned()),
        _ => None,
    })?;
    Some(format!("{words} ({})", record.shown_flags()))
}
