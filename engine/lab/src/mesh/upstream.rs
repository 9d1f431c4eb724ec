//! The sidecar's connections to endpoints: choice of the endpoint, connect time-out, and idle connections kept for HTTP.
//!
//! Invariant: the sidecar dials around its own redirect, so a connection is never captured twice.

use super::service::Discovery;
use super::view::Cluster;
use crate::net::http1::Http;
use crate::net::{NetNs, Socket, not_simulated};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
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
        transport_failure: &'static str,
    },
    /// The lab cannot carry the connection.
    NotSimulated(String),
}

/// A connection to an endpoint.
pub(super) struct Upstream {
    pub(super) socket: Socket,
    pub(super) endpoint: SocketAddr,
}

/// Idle connections by cluster and endpoint.
type Idle = BTreeMap<(String, SocketAddr), Vec<Http<Socket>>>;

/// What a sidecar remembers about its upstreams.
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
    ) -> Result<SocketAddr, ConnectFailure> {
        let endpoints = match &cluster.discovery {
            Discovery::OriginalDestination => return Ok(destination),
            Discovery::Static(endpoints) => endpoints.clone(),
            Discovery::Dns(names) => {
                let mut endpoints = Vec::new();
                for (name, port) in names {
                    // A name that does not resolve adds no endpoint, which is all that the sidecar makes of it.
                    let addresses = netns.resolve(name).await.unwrap_or_default();
                    endpoints.extend(addresses.into_iter().map(|ip| SocketAddr::new(ip, *port)));
                }
                endpoints
            }
        };
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(cluster.name.clone()).or_default();
        let chosen = endpoints.get(*turn % endpoints.len().max(1)).copied();
        *turn = turn.wrapping_add(1);
        chosen.ok_or(ConnectFailure::NoEndpoint)
    }

    /// An idle connection to the endpoint that is still open.
    pub(super) fn take_idle(&self, cluster: &Cluster, endpoint: SocketAddr) -> Option<Http<Socket>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(&(cluster.name.clone(), endpoint))?;
        kept.retain(|http| http.get_ref().is_idle());
        kept.pop()
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep_idle(&self, cluster: &Cluster, endpoint: SocketAddr, http: Http<Socket>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry((cluster.name.clone(), endpoint)).or_default();
        if kept.len() < IDLE_PER_ENDPOINT {
            kept.push(http);
        }
    }
}

/// Dials an endpoint.
pub(super) async fn connect(netns: &NetNs, endpoint: SocketAddr, limit: Duration) -> Result<Upstream, ConnectFailure> {
    let failed = |transport_failure| ConnectFailure::Failed { endpoint, transport_failure };
    match timeout(limit, netns.dial(endpoint)).await {
        Ok(Ok(socket)) => Ok(Upstream { socket, endpoint }),
        Err(_) => Err(failed("-")),
        Ok(Err(error)) => {
            if let Some(reason) = not_simulated(&error) {
                return Err(ConnectFailure::NotSimulated(reason.to_owned()));
            }
            Err(failed(match error.kind() {
                io::ErrorKind::ConnectionRefused => "delayed_connect_error:_Connection_refused",
                io::ErrorKind::HostUnreachable => "delayed_connect_error:_No_route_to_host",
                io::ErrorKind::TimedOut => "delayed_connect_error:_Connection_timed_out",
                _ => "delayed_connect_error:_Connection_reset_by_peer",
            }))
        }
    }
}
