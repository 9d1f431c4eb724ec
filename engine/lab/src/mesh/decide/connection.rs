//! The way of a connection: listener, filter chain, and the cluster or the routes behind it.
//!
//! Invariant: the order is Envoy's: the listener for the very address and port, the one for the port on all addresses, else the
//! catch-all.

use super::verdict::{Connection, FirstBytes, Hop, Inspection, Outcome, Verdict};
use super::{endpoint, weighted};
use crate::mesh::envoy::{Chain, Facts, Filter, Listener, ProxyConfig};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The port that redirected connections come to. A connection that means it for itself would go round for ever, and is closed.
const CAPTURE_PORT: u16 = 15001;

fn listener(config: &ProxyConfig, destination: SocketAddr) -> Option<&Listener> {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), destination.port());
    config.listeners.get(&destination).or_else(|| config.listeners.get(&any)).or(config.catch_all.as_ref())
}

/// What must be known of the first bytes of a connection to this address.
#[must_use]
pub fn inspection(config: &ProxyConfig, destination: SocketAddr) -> Inspection {
    let found = listener(config, destination);
    found.map_or_else(Inspection::default, |listener| Inspection {
        tls: listener.inspects_tls(),
        http: listener.inspects_http(),
    })
}

/// Decides about a connection.
#[must_use]
pub fn connection(config: &ProxyConfig, connection: &Connection) -> Verdict {
    let verdict = |hops, outcome| Verdict { hops, outcome, server_name: None, tls: None };
    if let Some(limit) = config.limits.first() {
        return verdict(Vec::new(), Outcome::NotSimulated(limit.clone()));
    }
    let destination = connection.destination;
    if !config.gateway && destination.port() == CAPTURE_PORT {
        let hops =
            vec![Hop::Listener("virtualOutbound".to_owned()), Hop::FilterChain("virtualOutbound-blackhole".to_owned())];
        return verdict(hops, Outcome::NotSimulated("a connection to the sidecar's own port".to_owned()));
    }
    let Some(listener) = listener(config, destination) else {
        return verdict(Vec::new(), Outcome::NotSimulated("a port on which the gateway does not listen".to_owned()));
    };
    let hops = vec![Hop::Listener(listener.name.clone())];
    if connection.first_bytes == FirstBytes::Http2 && !config.gateway && listener.inspects_http() {
        return verdict(hops, Outcome::NotSimulated("http/2 without tls through a sidecar".to_owned()));
    }
    let server_name = match &connection.first_bytes {
        FirstBytes::Tls { server_name, .. } if listener.inspects_tls() => server_name.clone(),
        _ => None,
    };
    let facts = Facts {
        tls: listener.inspects_tls() && matches!(connection.first_bytes, FirstBytes::Tls { .. }),
        server_name: server_name.as_deref(),
        plain_http: connection.first_bytes == FirstBytes::Http { minor: 1 },
    };
    match listener.choose(destination.ip(), &facts) {
        Some(chain) => through(config, connection, chain, hops, server_name),
        None => {
            let outcome = Outcome::Close { cluster: None, flags: "NR", details: "filter_chain_not_found" };
            Verdict { hops, outcome, server_name, tls: None }
        }
    }
}

fn through(
    config: &ProxyConfig,
    connection: &Connection,
    chain: &Chain,
    mut hops: Vec<Hop>,
    server_name: Option<String>,
) -> Verdict {
    hops.push(Hop::FilterChain(chain.name.clone()));
    let tls = chain.tls.clone();
    let outcome = match (chain.limits.first(), &chain.filter) {
        (Some(limit), _) => Outcome::NotSimulated(limit.clone()),
        (None, Filter::Http(routes)) => Outcome::Http(routes.clone()),
        (None, Filter::Tcp(clusters)) => {
            let at = weighted(clusters.iter().map(|(_, weight)| *weight), connection.draw);
            let name = clusters.get(at).map(|(name, _)| name.as_str()).unwrap_or_default();
            tcp(config, connection, name, &mut hops)
        }
    };
    Verdict { hops, outcome, server_name, tls }
}

fn tcp(config: &ProxyConfig, connection: &Connection, name: &str, hops: &mut Vec<Hop>) -> Outcome {
    let Some(cluster) = config.clusters.get(name) else {
        hops.push(Hop::Cluster(format!("{name} (which does not exist)")));
        return Outcome::Close { cluster: None, flags: "NC", details: "-" };
    };
    hops.push(Hop::Cluster(cluster.name.clone()));
    hops.extend(endpoint(cluster, connection.destination));
    if let Some(limit) = cluster.limits.first() {
        return Outcome::NotSimulated(limit.clone());
    }
    if cluster.is_empty() {
        return Outcome::Close { cluster: Some(Arc::clone(cluster)), flags: "UH", details: "-" };
    }
    Outcome::Relay(Arc::clone(cluster))
}
