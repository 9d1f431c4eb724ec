//! The way of a connection that comes to a sidecar's pod.
//!
//! Invariant: whether a client may come at all depends on PeerAuthentication alone; where it goes depends on the port alone.

use super::verdict::{Connection, FirstBytes, Hop, Outcome, Verdict};
use crate::mesh::envoy::{MtlsMode, PortProtocol, ProxyConfig, ServerTls};
use std::sync::Arc;

/// The listener of all inbound connections.
const LISTENER: &str = "virtualInbound";

/// Decides about a connection to a port of the pod.
#[must_use]
pub fn inbound(config: &ProxyConfig, connection: &Connection) -> Verdict {
    let port = config.inbound.port(connection.destination.port());
    let mut hops = vec![Hop::Listener(LISTENER.to_owned())];
    let (server_name, mesh) = match &connection.first_bytes {
        FirstBytes::Tls { server_name, mesh } => (server_name.clone(), *mesh),
        _ => (None, false),
    };
    if let Some(limit) = config.limits.first() {
        return Verdict { hops, outcome: Outcome::NotSimulated(limit.clone()), server_name, tls: None };
    }
    let ends_tls = mesh && port.mtls != MtlsMode::Disable;
    if port.mtls == MtlsMode::Strict && !mesh {
        let outcome = Outcome::Close { cluster: None, flags: "NR", details: "filter_chain_not_found" };
        return Verdict { hops, outcome, server_name, tls: None };
    }
    let http = match port.protocol {
        PortProtocol::Http => true,
        PortProtocol::Tcp => false,
        PortProtocol::Http2 => {
            let outcome = Outcome::NotSimulated("http/2 to a pod with a sidecar".to_owned());
            return Verdict { hops, outcome, server_name, tls: None };
        }
        PortProtocol::Auto if ends_tls => {
            let reason = "mutual tls to a port whose protocol is not named".to_owned();
            return Verdict { hops, outcome: Outcome::NotSimulated(reason), server_name, tls: None };
        }
        PortProtocol::Auto => connection.first_bytes == FirstBytes::Http { minor: 1 },
    };
    let chain =
        if port.cluster == "InboundPassthroughCluster" { "virtualInbound-catchall-http" } else { &port.cluster };
    hops.push(Hop::FilterChain(chain.to_owned()));
    hops.push(Hop::Cluster(port.cluster.clone()));
    hops.push(Hop::Endpoint(connection.destination.to_string()));
    let outcome = match config.clusters.get(&port.cluster) {
        _ if http => Outcome::Http(port.cluster.clone()),
        Some(cluster) => Outcome::Relay(Arc::clone(cluster)),
        None => Outcome::Close { cluster: None, flags: "NC", details: "-" },
    };
    Verdict { hops, outcome, server_name, tls: ends_tls.then_some(ServerTls::Mesh) }
}
