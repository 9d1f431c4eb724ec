//! Clusters: named sets of endpoints, and how a proxy speaks to them.
//!
//! Invariant: a cluster says where its addresses come from, never which one a connection gets.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// One address of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether a sidecar of the mesh stands before it, so that mutual TLS can be chosen by itself.
    pub in_mesh: bool,
}

/// How a cluster finds the address to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// Where the application dialled, with another port if one is given.
    OriginalDestination(Option<u16>),
    /// One of these, in turn.
    Static(Vec<Endpoint>),
    /// What the proxy resolves these names to, in turn.
    Dns(Vec<(String, u16)>),
}

/// Certificate authorities that a proxy trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those of the proxy's image, which are the same that pods trust.
    System,
    /// Those of a PEM text.
    Pem(String),
    /// Anybody: nothing is verified.
    Unverified,
}

/// A client certificate with its key, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// TLS that the proxy originates to a server outside the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamTls {
    /// The server name; none means that it follows the request's authority, and is left out where there is no request.
    pub(crate) sni: Option<String>,
    pub(crate) roots: Roots,
    /// Names of which the server's certificate must have one; none means the server name, if that follows the authority.
    pub(crate) names: Vec<String>,
    pub(crate) identity: Option<Identity>,
    /// Whether a secret that the settings name is not there for this proxy.
    pub(crate) secret_missing: bool,
}

/// How a proxy speaks to the endpoints of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// As it comes.
    Plain,
    /// Mutual TLS with the identities of the mesh to endpoints that have a sidecar, plain to others.
    Auto {
        /// The server name.
        sni: String,
    },
    /// Mutual TLS with the identities of the mesh.
    Mesh {
        /// The server name.
        sni: String,
    },
    /// TLS to a server outside.
    Tls(UpstreamTls),
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `PassthroughCluster`, `BlackHoleCluster`, or `outbound|PORT|SUBSET|HOST`.
    pub name: String,
    /// Where its endpoints come from.
    pub discovery: Discovery,
    pub(crate) transport: Transport,
    /// The address that connections come from, if it is not the pod's.
    pub(crate) bind: Option<IpAddr>,
    /// Whether requests go out as HTTP/2.
    pub(crate) http2: bool,
    /// How long a connection attempt may take.
    pub(crate) connect_timeout: Duration,
    pub(crate) limits: Vec<String>,
}

impl Cluster {
    /// Whether it can never have an endpoint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.discovery == Discovery::Static(Vec::new())
    }
}
