//! Why a call from a pod goes where it goes: the decisions of every proxy on its way, and their end in words.
//!
//! Invariant: it asks the same pure functions that the proxies ask, and dials nothing.

mod lately;
mod target;
mod words;

pub(super) use lately::Lately;

use super::decide::{
    Connection, FirstBytes, Forwarding, Outcome, RequestHead, RequestOutcome, connection, inspection, request,
};
use super::envoy::{Cluster, Discovery, ProxyConfig, Transport};
use super::log::Record;
use super::registry::Registry;
use crate::net::{Explanation, NetNs, Stage};
use jiff::Timestamp;
use lately::Carried;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use target::Target;
use words::{answered, closed, relayed, unresolved, went_wrong};

/// The head of a request, as far as routes ask for it.
#[derive(Clone, Debug)]
struct Head {
    method: String,
    authority: String,
    path: String,
    scheme: &'static str,
    headers: Vec<(String, String)>,
    draw: u64,
}

impl Head {
    fn of(head: &RequestHead<'_>) -> Self {
        Self {
            method: head.method.to_owned(),
            authority: head.authority.to_owned(),
            path: head.path.to_owned(),
            scheme: if head.scheme == "https" { "https" } else { "http" },
            headers: head.headers.to_vec(),
            draw: head.draw,
        }
    }

    fn borrowed(&self) -> RequestHead<'_> {
        let Self { method, authority, path, scheme, headers, draw } = self;
        RequestHead { method, authority, path, scheme, headers, draw: *draw }
    }
}

/// What arrives at a proxy.
struct Arriving {
    facts: Connection,
    /// The request on the connection, where one is known.
    head: Option<Head>,
    /// Whether requests can be read before any TLS is ended.
    readable: bool,
}

/// Where a call goes from a proxy.
struct Onward {
    cluster: Arc<Cluster>,
    endpoint: SocketAddr,
    /// The request as it is sent on.
    head: Option<Head>,
}

impl Registry {
    /// Explains what a call of a program in a pod would come to, by the configuration as it is now.
    ///
    /// # Errors
    /// A URL that cannot be read.
    pub async fn explain_call(&self, netns: &NetNs, url: &str, proxy: Option<&str>) -> Result<Explanation, String> {
        let target = Target::parse(url, proxy)?;
        let mut explained = Explanation { call: target.title(), ..Explanation::default() };
        let (host, port) = target.dialled();
        let address = match netns.resolve(host).await {
            Ok(addresses) => addresses[0],
            Err(error) => {
                explained.end = unresolved(host, &error);
                return Ok(explained);
            }
        };
        let destination = SocketAddr::new(address, port);
        let itself = match netns.is_captured(destination) {
            Some(true) => None,
            Some(false) => Some("the pod's annotations lead the call around its sidecar"),
            None => Some("the pod has no sidecar"),
        };
        if let Some(why) = itself {
            explained.end = format!("{why}: it connects to {destination} itself");
            explained.meets_policy(netns, netns.ip(), destination);
            return Ok(explained);
        }
        match self.running(netns.ip()) {
            Some((_, proxy)) => {
                self.walk(netns, &self.config(&proxy), &target.arriving(address), &mut explained);
            }
            None => explained.end = "refused: the pod's calls go to its sidecar, which does not run".to_owned(),
        }
        Ok(explained)
    }

    /// Explains the calls that the sidecar of a pod carried since a time: each by the configuration that it was carried by.
    pub(super) fn explain_lately(&self, netns: &NetNs, since: Timestamp) -> Vec<Explanation> {
        let Some((sidecar, proxy)) = self.running(netns.ip()) else { return Vec::new() };
        let newest = self.config(&proxy);
        let mut told: Vec<_> =
            sidecar.lately.since(since).iter().flat_map(|carried| self.carried(netns, &newest, carried)).collect();
        // A program that tries again and again is told of once.
        told.dedup();
        told
    }

    fn carried(&self, netns: &NetNs, newest: &ProxyConfig, carried: &Carried) -> Vec<Explanation> {
        let facts = &carried.facts;
        if carried.requests.is_empty() {
            let arriving = Arriving { facts: facts.clone(), head: None, readable: false };
            return vec![self.again(netns, &carried.config, newest, &arriving, carried.record.as_ref())];
        }
        let request = |asked: &lately::Asked| {
            let arriving = Arriving { facts: facts.clone(), head: Some(asked.head.clone()), readable: true };
            self.again(netns, &asked.config, newest, &arriving, asked.record.as_ref())
        };
        carried.requests.iter().map(request).collect()
    }

    /// Explains a call that was made, and what it would come to now.
    fn again(
        &self,
        netns: &NetNs,
        config: &ProxyConfig,
        newest: &ProxyConfig,
        arriving: &Arriving,
        record: Option<&Record>,
    ) -> Explanation {
        let mut explained = Explanation { call: title(arriving), ..Explanation::default() };
        self.walk(netns, config, arriving, &mut explained);
        let mut now = Explanation::default();
        self.walk(netns, newest, arriving, &mut now);
        explained.now = Some(now.end).filter(|now| *now != explained.end);
        if let Some(wrong) = record.and_then(went_wrong) {
            explained.end = format!("{}; {wrong}", explained.end);
        }
        explained
    }

    /// Goes the way from a sidecar with this configuration.
    fn walk(&self, netns: &NetNs, config: &ProxyConfig, arriving: &Arriving, explained: &mut Explanation) {
        let pod = netns.pod();
        let name = format!("sidecar of {}/{}", pod.namespace, pod.pod);
        let onward = pass(explained, name, config, arriving);
        if let Some(onward) = onward.filter(|onward| !explained.meets_policy(netns, netns.ip(), onward.endpoint)) {
            self.at_gateway(netns, explained, arriving, onward);
        }
    }

    /// Goes on at a gateway, if the endpoint is one.
    fn at_gateway(&self, netns: &NetNs, explained: &mut Explanation, before: &Arriving, onward: Onward) {
        let Onward { cluster, endpoint, head } = onward;
        let Some(((_, proxy), pod)) = self.running(endpoint.ip()).zip(netns.peer(endpoint.ip())) else { return };
        if !proxy.gateway {
            return;
        }
        let mesh = match &cluster.transport {
            Transport::Mesh { sni } => Some(sni.clone()),
            _ => None,
        };
        let scheme = if mesh.is_some() { "https" } else { "http" };
        let first_bytes = match mesh {
            Some(sni) => FirstBytes::Tls { server_name: Some(sni), mesh: true },
            None => before.facts.first_bytes.clone(),
        };
        let arriving = Arriving {
            facts: Connection { first_bytes, destination: endpoint, ..before.facts.clone() },
            head: head.map(|head| Head { scheme, ..head }),
            readable: before.readable,
        };
        let config = self.config(&proxy);
        let name = format!("gateway {}/{}", pod.namespace, pod.pod);
        if let Some(onward) = pass(explained, name, &config, &arriving) {
            explained.meets_policy(netns, pod.ip, onward.endpoint);
        }
    }
}

impl Explanation {
    /// Whether a NetworkPolicy drops what the pod with this address sends on; the end then says so.
    fn meets_policy(&mut self, netns: &NetNs, from: IpAddr, to: SocketAddr) -> bool {
        let dropped = netns.is_dropped(from, to);
        if dropped {
            self.end.push_str("; a NetworkPolicy drops it on the way, so that no answer comes");
        }
        dropped
    }
}

/// What a sidecar saw of a call, in words.
fn title(arriving: &Arriving) -> String {
    let destination = arriving.facts.destination;
    match (&arriving.head, &arriving.facts.first_bytes) {
        (Some(head), _) if head.method == "CONNECT" => format!("CONNECT {} at {destination}", head.authority),
        (Some(Head { method, scheme, authority, path, .. }), _) => {
            format!("{method} {scheme}://{authority}{path} at {destination}")
        }
        (None, FirstBytes::Tls { server_name: Some(name), .. }) => format!("TLS for {name} at {destination}"),
        (None, _) => format!("a connection to {destination}"),
    }
}

/// Adds what a proxy does; where it sends the call, if that is a known address.
fn pass(explained: &mut Explanation, name: String, config: &ProxyConfig, arriving: &Arriving) -> Option<Onward> {
    let facts = &arriving.facts;
    let look = inspection(config, facts.destination);
    let seen = match &facts.first_bytes {
        FirstBytes::Tls { .. } if !look.tls => FirstBytes::Opaque,
        FirstBytes::Http { .. } if !look.http => FirstBytes::Opaque,
        bytes => bytes.clone(),
    };
    let decided = connection(config, &Connection { first_bytes: seen, ..facts.clone() });
    let mut hops: Vec<String> = decided.hops.iter().map(ToString::to_string).collect();
    let (end, next) = match decided.outcome {
        Outcome::NotSimulated(reason) => (format!("not simulated: {reason}"), None),
        Outcome::Close { cluster, flags, .. } => (closed(cluster.as_deref(), flags, facts.destination), None),
        Outcome::Relay(cluster) => (relayed(&cluster, facts.destination), Some((cluster, arriving.head.clone()))),
        Outcome::Http(routes) => match arriving.head.as_ref().filter(|_| arriving.readable || decided.tls.is_some()) {
            None => {
                ("what the proxy cannot read as HTTP, where it reads HTTP: no request can be told".to_owned(), None)
            }
            Some(head) => {
                let decided = request(config, &routes, facts.destination, &head.borrowed());
                hops.extend(decided.hops.iter().map(ToString::to_string));
                match decided.outcome {
                    RequestOutcome::NotSimulated(reason) => (format!("not simulated: {reason}"), None),
                    RequestOutcome::Answer(answer) => (answered(&answer, &routes, &head.method, &head.authority), None),
                    RequestOutcome::Forward(to) => (
                        relayed(&to.cluster, facts.destination),
                        Some((Arc::clone(&to.cluster), Some(sent_on(head, &to)))),
                    ),
                }
            }
        },
    };
    explained.end.clone_from(&end);
    explained.stages.push(Stage { proxy: name, hops, end });
    next.and_then(|(cluster, head)| {
        let endpoint = address_of(&cluster, facts.destination)?;
        Some(Onward { cluster, endpoint, head })
    })
}

/// A request as it leaves a proxy.
fn sent_on(head: &Head, to: &Forwarding) -> Head {
    Head { authority: to.authority.clone(), path: to.path.clone(), ..head.clone() }
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

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, mesh, proxy_entry, settings, sidecar};
    use super::super::{Propagation, Proxy, Registry};
    use crate::net::testing::{CLIENT, PROXY, ask, net, pod};
    use crate::net::{ControlPlane, PolicyTable, Redirect};
    use serde_json::json;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_explained_hop_by_hop() {
        let network = net();
        let client = pod(&network, CLIENT, "client");
        client.set_redirect(Redirect::default());
        let registry = Registry::new(Propagation::default(), 1);
        registry
            .publish(mesh(&settings("REGISTRY_ONLY"), &[proxy_entry(), entry("httpbin.org", &[], 80, "HTTP", "DNS")]));
        let stopped = registry.explain_call(&client, "https://en.wikipedia.org", None).await.unwrap();
        assert!(stopped.end.starts_with("refused: "), "{stopped:?}");
        let _sidecar = registry.sidecar(sidecar("default"), Arc::new(|_: &str| {}));
        // (URL, hops of the sidecar, a part of the end)
        let cases = [
            ("https://en.wikipedia.org/", 3, "REGISTRY_ONLY; the connection is accepted and then closed"),
            ("http://en.wikipedia.org/", 3, "answered with 502 by the proxy"),
            ("http://httpbin.org/headers", 5, "the proxy itself resolves for outbound|80||httpbin.org"),
            ("http://10.244.0.95:3128", 4, "sent to 10.244.0.95:3128 as outbound|3128||my-company-proxy.com"),
            ("http://no-such-host.invalid/", 0, "curl ends with exit 6"),
        ];
        for (url, hops, end) in cases {
            let explained = registry.explain_call(&client, url, None).await.unwrap();
            assert_eq!(explained.stages.first().map_or(0, |stage| stage.hops.len()), hops, "{url}: {explained:?}");
            assert!(explained.end.contains(end), "{url}: {}", explained.end);
        }
        client.set_redirect(Redirect { excluded_ports: [443].into(), ..Redirect::default() });
        let around = registry.explain_call(&client, "https://en.wikipedia.org", None).await.unwrap();
        assert!(around.stages.is_empty() && around.end.contains("around its sidecar"), "{around:?}");
        let stranger = pod(&network, PROXY, "stranger");
        let direct = registry.explain_call(&stranger, "https://en.wikipedia.org", None).await.unwrap();
        assert!(direct.stages.is_empty() && direct.end.contains("no sidecar"), "{direct:?}");
        assert!(registry.explain_call(&client, "ftp://x", None).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_policy_that_drops_packets_is_named() {
        let network = net();
        let client = pod(&network, CLIENT, "client");
        let registry = Registry::new(Propagation::default(), 1);
        registry.publish(mesh(&settings("ALLOW_ANY"), &[]));
        let policy = json!({"metadata": {"namespace": client.pod().namespace}, "spec": {"podSelector": {}, "egress": [
            {"to": [{"namespaceSelector": {}}]}, {"ports": [{"protocol": "UDP", "port": 53}]}]}});
        network.set_policies(PolicyTable::from_objects([&policy], []));
        let _sidecar = registry.sidecar(sidecar("default"), Arc::new(|_: &str| {}));
        for meshed in [false, true] {
            if meshed {
                client.set_redirect(Redirect::default());
            }
            let explained = registry.explain_call(&client, "https://en.wikipedia.org/", None).await.unwrap();
            assert!(explained.end.contains("a NetworkPolicy drops it"), "{explained:?}");
        }
    }

    /// A proxy asks the control plane of its own revision, and so does whoever explains it.
    #[tokio::test(start_paused = true)]
    async fn a_call_is_explained_by_the_settings_of_the_pods_revision() {
        let network = net();
        let client = pod(&network, CLIENT, "client");
        client.set_redirect(Redirect::default());
        let registry = Registry::new(Propagation::default(), 1);
        let mut objects = mesh(&settings("ALLOW_ANY"), &[]);
        let canary = json!({"metadata": {"name": "istio-canary"}, "data": {"mesh": settings("REGISTRY_ONLY")}});
        objects.config_maps.push(Arc::new(canary));
        registry.publish(objects);
        for (revision, end) in [("default", "passed on to"), ("canary", "blocked: ")] {
            let proxy = Proxy { revision: revision.to_owned(), ..sidecar("default") };
            let _sidecar = registry.sidecar(proxy, Arc::new(|_: &str| {}));
            let explained = registry.explain_call(&client, "https://en.wikipedia.org/", None).await.unwrap();
            assert!(explained.end.starts_with(end), "{revision}: {explained:?}");
        }
    }

    /// A call is told by the configuration that carried it; what has become of it since is told beside.
    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_made_is_told_as_it_went() {
        let network = net();
        let client = pod(&network, CLIENT, "client");
        client.set_redirect(Redirect::default());
        let registry = Registry::new(Propagation::default(), 1);
        registry.publish(mesh(&settings("REGISTRY_ONLY"), &[]));
        let sidecar = ControlPlane::sidecar(&registry, &client, "default", Arc::new(|_: &str| {}));
        client.set_sidecar(Some(sidecar));
        let before = client.clock().now();
        let request = "CONNECT en.wikipedia.org:443 HTTP/1.1\r\nHost: en.wikipedia.org:443\r\n\r\n";
        assert!(ask(&client, "10.244.0.95:3128", request).await.is_err());
        registry.publish(mesh(&settings("REGISTRY_ONLY"), &[proxy_entry()]));
        let told = registry.explain_since(&client, before);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].end.starts_with("blocked: the mesh knows nothing at 10.244.0.95:3128"), "{told:?}");
        let now = told[0].now.as_deref().expect("the entry is known by now");
        assert!(now.contains("as outbound|3128||my-company-proxy.com"), "{now}");
        sleep(Duration::from_millis(5)).await;
        assert!(registry.explain_since(&client, client.clock().now()).is_empty());
    }
}
