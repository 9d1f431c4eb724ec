//! The configuration of one proxy, in the words of Envoy's API and with the names that Istio's control plane gives.
//!
//! Invariant: a configuration is a snapshot and plain data; it decides nothing and never changes. What the lab does not honour
//! stands as a limit at the very element that it would have changed, so that only what passes that element is not simulated.

mod cluster;
mod inbound;
mod listener;
mod route;

pub use cluster::{Cluster, Discovery, Endpoint};
pub(super) use cluster::{Identity, Roots, Transport, UpstreamTls};
pub(super) use inbound::{Inbound, InboundPort, MtlsMode, PortProtocol};
pub(super) use listener::{Chain, ChainIdentity, ChainMatch, Facts, Filter, Listener, ServerTls};
pub(super) use route::{
    Action, Edits, Fault, Forward, HeaderMatch, PathMatch, Redirect, Retry, Route, RouteConfig, RouteMatch, TextMatch,
    VirtualHost, Weighted,
};

use super::config::MeshConfig;
use super::log::LogFormat;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// All that a proxy was told.
#[derive(Clone, Debug, Default)]
pub struct ProxyConfig {
    /// Whether the proxy is a gateway: it listens on real ports, and has no connection that was meant for another.
    pub gateway: bool,
    pub(super) settings: MeshConfig,
    pub(super) logs: AccessLogs,
    /// Listeners by the address that they stand for; `0.0.0.0` is every address.
    pub(super) listeners: BTreeMap<SocketAddr, Listener>,
    /// The listener for connections that no other takes; gateways have none.
    pub(super) catch_all: Option<Listener>,
    /// What a sidecar asks of connections that come to its pod.
    pub(super) inbound: Inbound,
    pub(super) routes: BTreeMap<String, RouteConfig>,
    pub(super) clusters: BTreeMap<String, Arc<Cluster>>,
    /// What makes every verdict of this proxy "not simulated".
    pub(super) limits: Vec<String>,
}

/// How lines of a proxy's access log are written; none where no log is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct AccessLogs {
    /// About what leaves a pod, or passes a gateway.
    pub(super) outbound: Option<LogFormat>,
    /// About what comes in to a pod.
    pub(super) inbound: Option<LogFormat>,
}

impl ProxyConfig {
    /// The mesh-wide settings.
    #[must_use]
    pub fn settings(&self) -> &MeshConfig {
        &self.settings
    }
}
