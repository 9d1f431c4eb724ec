//! Why a call from a pod goes where it goes: the decisions of every proxy on its way, and their end in words.
//!
//! Invariant: it asks the same pure functions that the proxies ask, and dials nothing.

use super::config::OutboundPolicy;
use super::control::Proxy;
use super::decide::{Connection, FirstBytes, Outcome, RequestHead, RequestOutcome, connection, inspection, request};
use super::envoy::{Cluster, Discovery, ProxyConfig, Transport};
use super::registry::Registry;
use crate::net::{NetNs, PodNet, ResolveError};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One proxy on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `sidecar of default/curl`, or `gateway istio-system/egress-0`.
    pub proxy: String,
    /// What the connection and its request pass, in order.
    pub hops: Vec<String>,
    /// How it ends there, in words.
    pub end: String,
}

/// The way of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The proxies, in order; none if the pod has none.
    pub stages: Vec<Stage>,
    /// The end of it all, in words.
    pub end: String,
}

impl Explanation {
    /// As JSON, for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let stage = |stage: &Stage| json!({"proxy": stage.proxy, "hops": stage.hops, "end": stage.end});
        json!({"stages": self.stages.iter().map(stage).collect::<Vec<_>>(), "end": self.end})
    }
}

/// A URL taken apart.
struct Target {
    https: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let https = match scheme {
            "http" => false,
            "https" => true,
            other => return Err(format!("a URL with the scheme {other}: only http and https are explained")),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("the port {port:?} is no number"))?),
            None => (authority, if https { 443 } else { 80 }),
        };
        if host.is_empty() {
            return Err(format!("no host in {url:?}"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { https, host: host.to_owned(), port, authority: authority.to_owned(), path })
    }
}

/// What arrives at a proxy.
struct Arrival {
    destination: SocketAddr,
    first_bytes: FirstBytes,
    /// Whether requests can be read, at the latest when the proxy has ended the client's TLS.
    readable: bool,
    scheme: &'static str,
}

impl Registry {
    /// Explains a call of a program in a pod.
    ///
    /// # Errors
    /// A URL that cannot be read.
    pub async fn explain_call(&self, netns: &NetNs, meshed: bool, url: &str) -> Result<Explanation, String> {
        let target = Target::parse(url)?;
        let mut explained = Explanation::default();
        let address = match netns.resolve(&target.host).await {
            Ok(addresses) => addresses[0],
            Err(error) => {
                explained.end = unresolved(&target.host, &error);
                return Ok(explained);
            }
        };
        let destination = SocketAddr::new(address, target.port);
        if !meshed {
            explained.end = format!("the pod has no sidecar: it connects to {destination} itself");
            return Ok(explained);
        }
        let first_bytes = if target.https {
            let name = target.host.parse::<IpAddr>().is_err().then(|| target.host.clone());
            FirstBytes::Tls { server_name: name, mesh: false }
        } else {
            FirstBytes::Http { minor: 1 }
        };
        let arrival = Arrival { destination, first_bytes, readable: !target.https, scheme: "http" };
        let pod = netns.pod();
        let name = format!("sidecar of {}/{}", pod.namespace, pod.pod);
        let config = self.config(&proxy(pod, false));
        let next = explained.pass(name, &config, &target, &arrival);
        if let Some((cluster, endpoint)) = next {
            self.at_gateway(netns, &mut explained, &target, &arrival, &cluster, endpoint);
        }
        Ok(explained)
    }

    /// Goes on at a gateway, if the endpoint is one.
    fn at_gateway(
        &self,
        netns: &NetNs,
        explained: &mut Explanation,
        target: &Target,
        before: &Arrival,
        cluster: &Cluster,
        endpoint: SocketAddr,
    ) {
        let Some(pod) = netns.peer(endpoint.ip()).filter(|_| netns.is_proxy(endpoint.ip())) else { return };
        let mesh = match &cluster.transport {
            Transport::Mesh { sni } => Some(sni.clone()),
            _ => None,
        };
        let arrival = Arrival {
            destination: endpoint,
            scheme: if mesh.is_some() { "https" } else { "http" },
            first_bytes: match mesh {
                Some(sni) => FirstBytes::Tls { server_name: Some(sni), mesh: true },
                None => before.first_bytes.clone(),
            },
            readable: before.readable,
        };
        let config = self.config(&proxy(&pod, true));
        explained.pass(format!("gateway {}/{}", pod.namespace, pod.pod), &config, target, &arrival);
    }
}

fn proxy(pod: &PodNet, gateway: bool) -> Proxy {
    Proxy {
        gateway,
        namespace: pod.namespace.clone(),
        labels: pod.labels.clone(),
        ip: pod.ip,
        revision: "default".to_owned(),
    }
}

fn unresolved(host: &str, error: &ResolveError) -> String {
    format!(
        "the name {host} does not resolve in the pod ({error}), so that no proxy sees anything: curl ends with exit 6"
    )
}

impl Explanation {
    /// Adds what a proxy does; where it sends the call, if that is a known address.
    fn pass(
        &mut self,
        name: String,
        config: &ProxyConfig,
        target: &Target,
        arrival: &Arrival,
    ) -> Option<(Arc<Cluster>, SocketAddr)> {
        let look = inspection(config, arrival.destination);
        let seen = match &arrival.first_bytes {
            FirstBytes::Tls { .. } if !look.tls => FirstBytes::Opaque,
            FirstBytes::Http { .. } if !look.http => FirstBytes::Opaque,
            bytes => bytes.clone(),
        };
        let source = SocketAddr::new(arrival.destination.ip(), 0);
        let decided =
            connection(config, &Connection { source, destination: arrival.destination, first_bytes: seen, draw: 0 });
        let mut hops: Vec<String> = decided.hops.iter().map(ToString::to_string).collect();
        let (end, next) = match decided.outcome {
            Outcome::NotSimulated(reason) => (format!("not simulated: {reason}"), None),
            Outcome::Close { cluster, flags, .. } => (closed(cluster.as_deref(), flags, arrival.destination), None),
            Outcome::Relay(cluster) => {
                let words = relayed(&cluster, arrival.destination);
                (words, Some((Arc::clone(&cluster), address_of(&cluster, arrival.destination))))
            }
            Outcome::Http(_) if !(arrival.readable || decided.tls.is_some()) => {
                ("TLS where the proxy reads HTTP: the requests in it cannot be told apart".to_owned(), None)
            }
            Outcome::Http(routes) => {
                let head = RequestHead {
                    method: "GET",
                    authority: &target.authority,
                    path: &target.path,
                    scheme: arrival.scheme,
                    headers: &[],
                    draw: 0,
                };
                let decided = request(config, &routes, arrival.destination, &head);
                hops.extend(decided.hops.iter().map(ToString::to_string));
                match decided.outcome {
                    RequestOutcome::NotSimulated(reason) => (format!("not simulated: {reason}"), None),
                    RequestOutcome::Answer(answer) => (answered(&answer.route, answer.status, answer.details), None),
                    RequestOutcome::Forward(forwarding) => {
                        let cluster = Arc::clone(&forwarding.cluster);
                        let words = relayed(&cluster, arrival.destination);
                        (words, Some((Arc::clone(&cluster), address_of(&cluster, arrival.destination))))
                    }
                }
            }
        };
        self.end.clone_from(&end);
        self.stages.push(Stage { proxy: name, hops, end });
        next.and_then(|(cluster, address)| Some((cluster, address?)))
    }
}

fn address_of(cluster: &Cluster, destination: SocketAddr) -> Option<SocketAddr> {
    match &cluster.discovery {
        Discovery::Static(endpoints) => endpoints.first().map(|endpoint| endpoint.address),
        Discovery::OriginalDestination(port) => {
            Some(SocketAddr::new(destination.ip(), port.unwrap_or(destination.port())))
        }
        Discovery::Dns(_) => None,
    }
}

fn closed(cluster: Option<&Cluster>, flags: &str, destination: SocketAddr) -> String {
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

fn relayed(cluster: &Cluster, destination: SocketAddr) -> String {
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

fn answered(route: &str, status: u16, details: &str) -> String {
    match (route, details) {
        ("block_all", _) => format!(
            "answered with {status} by the proxy: no service has this host name, and the mesh's policy is {:?}",
            OutboundPolicy::RegistryOnly
        ),
        (_, "route_not_found") => format!("answered with {status} by the proxy: no route takes the request (NR)"),
        (_, "cluster_not_found") => format!(
            "answered with {status} by the proxy: the route leads to a host, port or subset that does not exist (NC)"
        ),
        (_, details) => format!("answered with {status} by the proxy itself ({details})"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, mesh, proxy_entry, settings};
    use super::super::{Propagation, Registry};
    use crate::net::testing::{CLIENT, net, pod};

    #[tokio::test(start_paused = true)]
    async fn a_call_is_explained_hop_by_hop() {
        let network = net();
        let client = pod(&network, CLIENT, "client");
        let registry = Registry::new(Propagation::default(), 1);
        registry
            .publish(mesh(&settings("REGISTRY_ONLY"), &[proxy_entry(), entry("httpbin.org", &[], 80, "HTTP", "DNS")]));
        // (URL, hops of the sidecar, a part of the end)
        let cases = [
            ("https://en.wikipedia.org/", 3, "REGISTRY_ONLY; the connection is accepted and then closed"),
            ("http://en.wikipedia.org/", 3, "answered with 502 by the proxy"),
            ("http://httpbin.org/headers", 5, "the proxy itself resolves for outbound|80||httpbin.org"),
            ("http://10.244.0.95:3128", 4, "sent to 10.244.0.95:3128 as outbound|3128||my-company-proxy.com"),
            ("http://no-such-host.invalid/", 0, "curl ends with exit 6"),
        ];
        for (url, hops, end) in cases {
            let explained = registry.explain_call(&client, true, url).await.unwrap();
            assert_eq!(explained.stages.first().map_or(0, |stage| stage.hops.len()), hops, "{url}: {explained:?}");
            assert!(explained.end.contains(end), "{url}: {}", explained.end);
        }
        let direct = registry.explain_call(&client, false, "https://en.wikipedia.org").await.unwrap();
        assert!(direct.stages.is_empty() && direct.end.contains("no sidecar"), "{direct:?}");
        assert!(registry.explain_call(&client, true, "ftp://x").await.is_err());
    }
}
