//! What a decision says: the way through a proxy's configuration, and how it ends.
//!
//! Invariant: a verdict is plain data and names everything that the connection or request passed.

use crate::mesh::envoy::{Cluster, Edits, Route, ServerTls};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the proxy knows of a connection when it decides.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The application's end.
    pub source: SocketAddr,
    /// What the application dialled; at a gateway, where it listens.
    pub destination: SocketAddr,
    /// What the first bytes showed, if the listener looks at them; see [`super::inspection`].
    pub first_bytes: FirstBytes,
    /// What the proxy draws by chance, where weights leave a choice.
    pub draw: u64,
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// Not looked at, or neither TLS nor HTTP.
    Opaque,
    /// A TLS handshake, with the server name it asks for.
    Tls {
        /// The server name (SNI), if the client sent one.
        server_name: Option<String>,
        /// Whether it is offered as mutual TLS of the mesh, which its ALPN says.
        mesh: bool,
    },
    /// An HTTP/1 request.
    Http {
        /// 0 or 1, for HTTP/1.0 and HTTP/1.1.
        minor: u8,
    },
    /// The opening of an HTTP/2 connection without TLS.
    Http2,
}

/// What the first bytes of a connection must be looked at for, before a filter chain can be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The server name of a TLS handshake.
    pub tls: bool,
    /// Whether it is HTTP.
    pub http: bool,
}

/// The head of a request, as far as routes ask for it.
#[derive(Clone, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a str,
    /// Host header or target authority, with its port if it has one.
    pub authority: &'a str,
    /// Path with query.
    pub path: &'a str,
    /// `http` or `https`, as the client spoke.
    pub scheme: &'a str,
    /// Header lines.
    pub headers: &'a [(String, String)],
    /// What the proxy draws by chance, where weights and shares leave a choice.
    pub draw: u64,
}

/// One object of the configuration that a connection or request passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// A listener, such as `virtualOutbound` or `0.0.0.0_80`.
    Listener(String),
    /// A filter chain of that listener.
    FilterChain(String),
    /// A route, with the virtual host that holds it.
    Route {
        /// The virtual host, such as `httpbin.org:80` or `block_all`.
        virtual_host: String,
        /// The route's name, as the access log shows it; `-` if it has none.
        name: String,
    },
    /// A cluster.
    Cluster(String),
    /// Where the cluster sends the connection; a name if the proxy has yet to resolve it.
    Endpoint(String),
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener(name) => write!(f, "listener {name}"),
            Self::FilterChain(name) => write!(f, "filter chain {name}"),
            Self::Route { virtual_host, name } if name == "-" => write!(f, "route of {virtual_host}"),
            Self::Route { virtual_host, name } => write!(f, "route {name} of {virtual_host}"),
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::Endpoint(name) => write!(f, "endpoint {name}"),
        }
    }
}

/// How a connection goes on.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The bytes are relayed to an endpoint of the cluster.
    Relay(Arc<Cluster>),
    /// The connection is closed at once.
    Close {
        /// The cluster that has no endpoint; none if there is no such cluster.
        cluster: Option<Arc<Cluster>>,
        /// Response flags of the log line.
        flags: &'static str,
        /// The details of the log line.
        details: &'static str,
    },
    /// Requests are read, and each finds its way in the route configuration of this name.
    Http(String),
    /// The lab cannot say what would happen.
    NotSimulated(String),
}

/// The way of a connection and its end.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The objects passed, in order.
    pub hops: Vec<Hop>,
    /// What happens.
    pub outcome: Outcome,
    /// The server name that the log line shows; only listeners that look for one know it.
    pub server_name: Option<String>,
    /// TLS that the proxy ends itself, before anything else.
    pub(crate) tls: Option<ServerTls>,
}

/// How a request goes on.
#[derive(Clone, Debug)]
pub enum RequestOutcome {
    /// It is forwarded.
    Forward(Box<Forwarding>),
    /// The proxy answers it itself.
    Answer(Box<Answer>),
    /// The lab cannot say what would happen.
    NotSimulated(String),
}

/// A request that goes to an endpoint of a cluster.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    pub(crate) route: Arc<Route>,
    /// Which of the route's clusters it is.
    pub(crate) chosen: usize,
    /// The path after rewriting.
    pub path: String,
    /// The authority after rewriting.
    pub authority: String,
    /// A delay that the route makes on purpose.
    pub delay: Option<std::time::Duration>,
    /// The status of a failure that the route makes on purpose.
    pub abort: Option<u16>,
}

impl Forwarding {
    /// The route's name, as the access log shows it; `-` if it has none.
    #[must_use]
    pub fn route_name(&self) -> &str {
        if self.route.name.is_empty() { "-" } else { &self.route.name }
    }
}

/// An answer of the proxy's own.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The text.
    pub body: String,
    /// Where the client is sent.
    pub location: Option<String>,
    /// Response flags of the log line.
    pub flags: &'static str,
    /// Who decided the status, as the log line says.
    pub details: &'static str,
    /// The route's name; `-` if there is no route, or it has no name.
    pub route: String,
    pub(crate) response: Edits,
}

/// The way of a request and its end.
#[derive(Clone, Debug)]
pub struct RequestVerdict {
    /// The objects passed after those of its connection, in order.
    pub hops: Vec<Hop>,
    /// What happens.
    pub outcome: RequestOutcome,
}
