//! The verdict: which way an outbound connection goes through a sidecar's configuration, and how it ends.
//!
//! Invariant: pure. The same view and connection give the same verdict; nothing is dialled, resolved, logged or waited for.
//! The order of matching is that of a sidecar set up by Istio: listener for the very address and port, listener for the port
//! on all addresses, else the catch-all.

use super::config::OutboundPolicy;
use super::service::Discovery;
use super::view::{Cluster, MeshView, VirtualHost, domain_matches};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the sidecar knows of a connection when it decides.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The application's end.
    pub source: SocketAddr,
    /// What the application dialled.
    pub destination: SocketAddr,
    /// What the first bytes showed, if the listener looks at them; see [`MeshView::inspection`].
    pub first_bytes: FirstBytes,
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
    },
    /// An HTTP/1 request.
    Http {
        /// 0 or 1, for HTTP/1.0 and HTTP/1.1.
        minor: u8,
        /// The method.
        method: String,
        /// Host header or target authority, with its port if it has one.
        authority: String,
    },
    /// The opening of an HTTP/2 connection without TLS.
    Http2,
}

/// One object of the configuration that the connection passes.
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
        /// The route's name, as the access log shows it.
        name: &'static str,
    },
    /// A cluster.
    Cluster(String),
    /// Where the cluster sends the connection; a name if the sidecar has yet to resolve it.
    Endpoint(String),
}

/// How a connection, or a request on it, ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bytes are relayed to an endpoint of the cluster.
    Relay(Arc<Cluster>),
    /// The connection is closed at once, because the cluster has no endpoint.
    Close {
        /// The cluster that has none.
        cluster: Arc<Cluster>,
        /// Response flags of the log line.
        flags: &'static str,
    },
    /// The request is forwarded to an endpoint of the cluster.
    Forward {
        /// The cluster.
        cluster: Arc<Cluster>,
        /// The route's name.
        route: &'static str,
        /// How often a failed connection attempt is repeated.
        retries: u32,
    },
    /// The sidecar answers the request itself.
    Answer {
        /// The status.
        status: u16,
        /// Response flags of the log line.
        flags: &'static str,
        /// Who decided the status, as the log line says.
        details: &'static str,
        /// The route's name; `-` if there is no route.
        route: &'static str,
    },
    /// The lab cannot say what would happen.
    NotSimulated(String),
}

/// The way of a connection and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The objects passed, in order.
    pub hops: Vec<Hop>,
    /// What happens.
    pub outcome: Outcome,
    /// The server name that the log line shows; only listeners that look for one know it.
    pub server_name: Option<String>,
}

/// How often a route to a registered host repeats a failed connection attempt.
const ROUTE_RETRIES: u32 = 2;

/// Decides about one connection or, on an HTTP listener, about one request.
#[must_use]
pub fn verdict(view: &MeshView, connection: &Connection) -> Verdict {
    if let Some(limit) = view.config.limits.first() {
        return Verdict { hops: Vec::new(), outcome: Outcome::NotSimulated(limit.clone()), server_name: None };
    }
    let mut verdict = match_listener(view, connection);
    if let Some(limit) = limit_for(view, connection, &verdict) {
        verdict.outcome = Outcome::NotSimulated(limit);
    }
    verdict
}

fn match_listener(view: &MeshView, connection: &Connection) -> Verdict {
    let destination = connection.destination;
    if let Some(exact) = view.exact.get(&destination) {
        let listener = format!("{}_{}", destination.ip(), destination.port());
        let hops = vec![Hop::Listener(listener), Hop::FilterChain("default".to_owned())];
        if let Some(limit) = exact.limits.first() {
            return Verdict { hops, outcome: Outcome::NotSimulated(limit.clone()), server_name: None };
        }
        return tcp(hops, &exact.cluster, destination, None);
    }
    let Some(wildcard) = view.wildcard.get(&destination.port()) else {
        let hops = vec![
            Hop::Listener("virtualOutbound".to_owned()),
            Hop::FilterChain("virtualOutbound-catchall-tcp".to_owned()),
        ];
        return tcp(hops, &view.fallback(), destination, None);
    };
    let mut hops = vec![Hop::Listener(format!("0.0.0.0_{}", destination.port()))];
    if let Some(limit) = wildcard.limits.first() {
        return Verdict { hops, outcome: Outcome::NotSimulated(limit.clone()), server_name: None };
    }
    if let Some(routes) = &wildcard.routes {
        return match_http(view, connection, routes, hops);
    }
    let server_name = match &connection.first_bytes {
        FirstBytes::Tls { server_name } if wildcard.inspects_tls() => server_name.clone(),
        _ => None,
    };
    match wildcard.choose(destination.ip(), server_name.as_deref()) {
        Some(chain) => {
            let name = chain.server_name.clone().unwrap_or_else(|| "default".to_owned());
            hops.push(Hop::FilterChain(name));
            tcp(hops, &chain.cluster, destination, server_name)
        }
        None => passthrough(view, hops, destination, server_name),
    }
}

fn match_http(view: &MeshView, connection: &Connection, routes: &[VirtualHost], mut hops: Vec<Hop>) -> Verdict {
    let destination = connection.destination;
    let (method, authority) = match &connection.first_bytes {
        FirstBytes::Http { minor: 1, method, authority } => (method, authority),
        FirstBytes::Http2 => {
            let outcome = Outcome::NotSimulated("http/2 without tls through a sidecar".to_owned());
            return Verdict { hops, outcome, server_name: None };
        }
        // HTTP/1.0, TLS and everything else is not what the chain for HTTP asks for.
        _ => return passthrough(view, hops, destination, None),
    };
    hops.push(Hop::FilterChain(format!("0.0.0.0_{}", destination.port())));
    let answer = |hops, status, flags, details, route| Verdict {
        hops,
        outcome: Outcome::Answer { status, flags, details, route },
        server_name: None,
    };
    if method == "CONNECT" {
        return answer(hops, 404, "NR", "route_not_found", "-");
    }
    let host = host_of(authority).to_ascii_lowercase();
    if let Some(found) = find_host(routes, &host) {
        let virtual_host = format!("{}:{}", found.domains[0], destination.port());
        hops.push(Hop::Route { virtual_host, name: "default" });
        return forward(hops, &found.cluster, destination, "default", ROUTE_RETRIES);
    }
    match view.config.policy {
        OutboundPolicy::RegistryOnly => {
            hops.push(Hop::Route { virtual_host: "block_all".to_owned(), name: "block_all" });
            answer(hops, 502, "-", "direct_response", "block_all")
        }
        OutboundPolicy::AllowAny => {
            hops.push(Hop::Route { virtual_host: "allow_any".to_owned(), name: "allow_any" });
            forward(hops, &view.fallback(), destination, "allow_any", 0)
        }
    }
}

/// The virtual host for a host name: an exact domain, else the longest wildcard.
fn find_host<'a>(routes: &'a [VirtualHost], host: &str) -> Option<&'a VirtualHost> {
    routes.iter().find(|v| v.domains.iter().any(|d| d == host)).or_else(|| {
        let longest = |v: &&VirtualHost| v.domains.iter().filter(|d| domain_matches(d, host)).map(String::len).max();
        routes.iter().filter(|v| longest(v).is_some()).rev().max_by_key(longest)
    })
}

fn passthrough(view: &MeshView, mut hops: Vec<Hop>, destination: SocketAddr, server_name: Option<String>) -> Verdict {
    hops.push(Hop::FilterChain("PassthroughFilterChain".to_owned()));
    tcp(hops, &view.fallback(), destination, server_name)
}

fn tcp(mut hops: Vec<Hop>, cluster: &Arc<Cluster>, destination: SocketAddr, server_name: Option<String>) -> Verdict {
    hops.push(Hop::Cluster(cluster.name.clone()));
    hops.extend(endpoint(cluster, destination));
    let outcome = if cluster.discovery == Discovery::Static(Vec::new()) {
        Outcome::Close { cluster: Arc::clone(cluster), flags: "UH" }
    } else {
        Outcome::Relay(Arc::clone(cluster))
    };
    Verdict { hops, outcome, server_name }
}

fn forward(mut hops: Vec<Hop>, cluster: &Arc<Cluster>, to: SocketAddr, route: &'static str, retries: u32) -> Verdict {
    hops.push(Hop::Cluster(cluster.name.clone()));
    hops.extend(endpoint(cluster, to));
    let outcome = Outcome::Forward { cluster: Arc::clone(cluster), route, retries };
    Verdict { hops, outcome, server_name: None }
}

fn endpoint(cluster: &Cluster, destination: SocketAddr) -> Option<Hop> {
    let name = match &cluster.discovery {
        Discovery::OriginalDestination => destination.to_string(),
        Discovery::Static(addresses) => addresses.first()?.to_string(),
        Discovery::Dns(names) => names.first().map(|(name, port)| format!("{name}:{port}"))?,
    };
    Some(Hop::Endpoint(name))
}

/// The first object that reaches this connection and that the lab cannot honour.
fn limit_for(view: &MeshView, connection: &Connection, verdict: &Verdict) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    let cluster = verdict.hops.iter().find_map(|hop| match hop {
        Hop::Cluster(name) => Some(name.as_str()),
        _ => None,
    });
    names.extend(cluster.and_then(|name| name.rsplit('|').next()));
    match &connection.first_bytes {
        FirstBytes::Tls { server_name: Some(name) } => names.push(name),
        FirstBytes::Http { authority, .. } => names.push(host_of(authority)),
        _ => {}
    }
    view.limits.iter().find(|limit| limit.reaches(&names)).map(|limit| limit.what.clone())
}

/// The host of an authority, without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => authority,
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener(name) => write!(f, "listener {name}"),
            Self::FilterChain(name) => write!(f, "filter chain {name}"),
            Self::Route { virtual_host, name } => write!(f, "route {name} of {virtual_host}"),
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::Endpoint(name) => write!(f, "endpoint {name}"),
        }
    }
}
