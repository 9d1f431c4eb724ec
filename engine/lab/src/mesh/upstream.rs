//! A proxy's connections to endpoints: choice of the endpoint, connect time-out, TLS, and idle connections kept for HTTP.
//!
//! Invariant: a proxy dials around its own redirect, so a connection is never captured twice.

use super::envoy::{Cluster, Discovery, Endpoint, Transport};
use super::tls::{TlsFailure, connect_mesh, connect_outside};
use super::wire::Wire;
use crate::net::http1::Http;
use crate::net::{NetNs, not_simulated};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use tokio::time::timeout;

/// How many idle connections are kept for one endpoint.
const IDLE_PER_ENDPOINT: usize = 16;

/// Why there is no connection to an endpoint.
#[derive(Debug)]
pub(super) enum ConnectFailure {
    /// The cluster has no endpoint, or its name does not resolve.
    NoEndpoint,
    /// The endpoint did not answer well.
    Failed {
        /// The address that was dialled.
        endpoint: SocketAddr,
        /// What the log line says about the transport; `-` for a time-out.
        transport_failure: String,
    },
    /// The lab cannot carry the connection.
    NotSimulated(String),
}

/// A connection to an endpoint.
pub(super) struct Upstream {
    pub(super) wire: Wire,
    pub(super) endpoint: SocketAddr,
}

/// Idle connections by cluster and endpoint.
type Idle = BTreeMap<(String, SocketAddr), Vec<Http<Wire>>>;

/// What a proxy remembers about its upstreams.
#[derive(Default)]
pub(super) struct Upstreams {
    turns: Mutex<BTreeMap<String, usize>>,
    idle: Mutex<Idle>,
}

impl Upstreams {
    /// The endpoint for the next connection.
    pub(super) async fn choose(
        &self,
        netns: &NetNs,
        cluster: &Cluster,
        destination: SocketAddr,
    ) -> Result<Endpoint, ConnectFailure> {
        let outside = |address| Endpoint { address, in_mesh: false };
        let endpoints = match &cluster.discovery {
            Discovery::OriginalDestination(port) => {
                return Ok(outside(SocketAddr::new(destination.ip(), port.unwrap_or(destination.port()))));
            }
            Discovery::Static(endpoints) => endpoints.clone(),
            Discovery::Dns(names) => {
                let mut endpoints = Vec::new();
                for (name, port) in names {
                    // A name that does not resolve adds no endpoint, which is all that the proxy makes of it.
                    let addresses = netns.resolve(name).await.unwrap_or_default();
                    endpoints.extend(addresses.into_iter().map(|ip| outside(SocketAddr::new(ip, *port))));
                }
                endpoints
            }
        };
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(cluster.name.clone()).or_default();
        let chosen = endpoints.get(*turn % endpoints.len().max(1)).cloned();
        *turn = turn.wrapping_add(1);
        chosen.ok_or(ConnectFailure::NoEndpoint)
    }

    /// An idle connection to the endpoint that is still open.
    pub(super) fn take_idle(&self, cluster: &Cluster, endpoint: SocketAddr) -> Option<Http<Wire>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(&(cluster.name.clone(), endpoint))?;
        kept.retain(|http| http.get_ref().socket().is_idle());
        kept.pop()
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep_idle(&self, cluster: &Cluster, endpoint: SocketAddr, http: Http<Wire>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry((cluster.name.clone(), endpoint)).or_default();
        if kept.len() < IDLE_PER_ENDPOINT {
            kept.push(http);
        }
    }
}

/// Connects to an endpoint as its cluster wants it, for a request to `authority` or for a connection without requests.
pub(super) async fn connect(
    netns: &NetNs,
    endpoint: &Endpoint,
    cluster: &Cluster,
    authority: Option<&str>,
) -> Result<Upstream, ConnectFailure> {
    let address = endpoint.address;
    let failed = |transport_failure: String| ConnectFailure::Failed { endpoint: address, transport_failure };
    match timeout(cluster.connect_timeout, dial(netns, endpoint, cluster, authority)).await {
        Ok(Ok(wire)) => Ok(Upstream { wire, endpoint: address }),
        Err(_) => Err(failed("-".to_owned())),
        Ok(Err(TlsFailure::Failed(words))) => Err(failed(words)),
        Ok(Err(TlsFailure::NotSimulated(reason))) => Err(ConnectFailure::NotSimulated(reason)),
        Ok(Err(TlsFailure::Closed)) => {
            Err(ConnectFailure::NotSimulated("a server that closes during the tls handshake of a proxy".to_owned()))
        }
    }
}

async fn dial(
    netns: &NetNs,
    endpoint: &Endpoint,
    cluster: &Cluster,
    authority: Option<&str>,
) -> Result<Wire, TlsFailure> {
    let socket =
        netns.dial_from(cluster.bind, endpoint.address).await.map_err(|error| match not_simulated(&error) {
            Some(reason) => TlsFailure::NotSimulated(reason.to_owned()),
            None => TlsFailure::Failed(connect_error(&error).to_owned()),
        })?;
    let mesh = match &cluster.transport {
        Transport::Plain => None,
        Transport::Auto { sni } => endpoint.in_mesh.then_some(sni),
        Transport::Mesh { sni } => Some(sni),
        Transport::Tls(tls) => {
            let stream = connect_outside(netns, socket, tls, authority).await?;
            return Ok(Wire::Client(Box::new(stream)));
        }
    };
    match mesh {
        Some(sni) => Ok(Wire::Client(Box::new(connect_mesh(netns, socket, sni).await?))),
        None => Ok(Wire::Plain(socket)),
    }
}

fn connect_error(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "delayed_connect_error:_Connection_refused",
        io::ErrorKind::HostUnreachable => "delayed_connect_error:_No_route_to_host",
        io::ErrorKind::TimedOut => "delayed_connect_error:_Connection_timed_out",
        _ => "delayed_connect_error:_Connection_reset_by_peer",
    }
}
