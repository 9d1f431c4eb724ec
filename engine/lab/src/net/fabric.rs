//! The fabric that joins pods, Services and outside hosts.
//!
//! Invariant: where a connection goes depends on the tables and the order of calls, never on wall time or chance.

use super::dns::{Answer, CLUSTER_DOMAIN, DNS_ADDRESS, Zone};
use super::error::ResolveError;
use super::host::{HostSpec, PortSpec};
use super::namespace::{ControlPlane, NetNs, Pod};
use super::policy::{Direction, End, PolicyTable};
use super::services::ServiceTable;
use super::site::Site;
use super::socket::Socket;
use super::tls::Authority;
use super::uplink::{Uplink, UplinkStream, is_outside};
use crate::clock::Clock;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// How long a name look-up, and the handshake of a TCP connection that leaves the pod, takes.
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// How long the kernel looks for a neighbour that does not answer (ARP), as recorded.
const NEIGHBOUR_TIMEOUT: Duration = Duration::from_millis(3056);

/// How long the kernel repeats a SYN that nobody answers: six repetitions, doubling from one second.
const SYN_TIMEOUT: Duration = Duration::from_secs(127);

/// How long a resolver waits for a name server that does not answer: two attempts of five seconds.
const RESOLVER_TIMEOUT: Duration = Duration::from_secs(10);

/// The addresses of pods: one that no pod has is a neighbour that does not answer.
const POD_RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 244, 0, 0), 16);

/// What the network must know about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodNet {
    /// Its address.
    pub ip: IpAddr,
    /// Its namespace: the first of its search domains.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its service account.
    pub service_account: String,
}

struct Host {
    spec: HostSpec,
    sites: BTreeMap<u16, Arc<Site>>,
}

#[derive(Default)]
struct Tables {
    pods: BTreeMap<IpAddr, Arc<Pod>>,
    hosts: BTreeMap<IpAddr, Vec<Arc<Host>>>,
    host_names: BTreeMap<String, IpAddr>,
    services: Arc<ServiceTable>,
    policies: Arc<PolicyTable>,
    control_plane: Option<Arc<dyn ControlPlane>>,
    uplink: Option<Arc<dyn Uplink>>,
    /// How often each Service port was dialled: endpoints take turns.
    turns: BTreeMap<SocketAddr, usize>,
}

struct Inner {
    clock: Clock,
    seed: u64,
    tls: Authority,
    tables: Mutex<Tables>,
}

/// The network of one lab; cheap to clone.
#[derive(Clone)]
pub struct Net {
    inner: Arc<Inner>,
}

/// Where a packet to an address ends up.
enum Route {
    Pod(Arc<Pod>, u16),
    Host(Arc<Host>, u16),
    Refused,
    NoNeighbour,
    /// A real host.
    Uplink(Arc<dyn Uplink>),
    Nowhere,
}

impl Net {
    /// An empty network. `seed` decides the ports and keys that a real system would draw at random.
    #[must_use]
    pub fn new(clock: Clock, seed: u64) -> Self {
        let tls = Authority::new(clock.clone(), seed);
        Self { inner: Arc::new(Inner { clock, seed, tls, tables: Mutex::default() }) }
    }

    /// The clock of the lab.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The seed of the lab.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.inner.seed
    }

    pub(super) fn tls(&self) -> &Authority {
        &self.inner.tls
    }

    /// Gives a pod its place in the network. A pod that had the address before loses it.
    pub fn add_pod(&self, info: PodNet) -> NetNs {
        let pod = Arc::new(Pod::new(info, self.inner.seed));
        if let Some(old) = self.tables().pods.insert(pod.info.ip, Arc::clone(&pod)) {
            old.close();
        }
        NetNs { net: self.clone(), pod, around: false }
    }

    /// Takes a pod out of the network: its ports close and its address answers no more.
    pub fn remove_pod(&self, ip: IpAddr) {
        if let Some(pod) = self.tables().pods.remove(&ip) {
            pod.close();
        }
    }

    /// Adds a host outside the cluster. Hosts may share an address: the first that declares a port has it.
    pub fn add_host(&self, spec: HostSpec) {
        let sites = spec
            .ports
            .iter()
            .filter_map(|(port, what)| Some((*port, Arc::new(Site::new(self, &spec, what)?))))
            .collect();
        let mut tables = self.tables();
        for name in spec.names() {
            tables.host_names.insert(name.to_ascii_lowercase(), spec.address);
        }
        tables.hosts.entry(spec.address).or_default().push(Arc::new(Host { spec, sites }));
    }

    /// Replaces what the network knows about Services, as kube-proxy and the cluster's DNS do after a change.
    pub fn set_services(&self, services: ServiceTable) {
        let mut tables = self.tables();
        tables.turns.retain(|address, _| services.by_address(address.ip()).is_some());
        tables.services = Arc::new(services);
    }

    /// Replaces what the network knows about NetworkPolicies.
    pub fn set_policies(&self, policies: PolicyTable) {
        self.tables().policies = Arc::new(policies);
    }

    /// Says who makes sidecars.
    pub fn set_control_plane(&self, control_plane: Arc<dyn ControlPlane>) {
        self.tables().control_plane = Some(control_plane);
    }

    /// Gives the network a way out to real hosts; call it before the first connection.
    pub fn set_uplink(&self, uplink: Arc<dyn Uplink>) {
        self.inner.tls.also_trust(uplink.authorities());
        self.tables().uplink = Some(uplink);
    }

    pub(super) fn uplink(&self) -> Option<Arc<dyn Uplink>> {
        self.tables().uplink.clone()
    }

    pub(super) fn control_plane(&self) -> Option<Arc<dyn ControlPlane>> {
        self.tables().control_plane.clone()
    }

    /// How many pods have a place in it.
    pub(crate) fn pods(&self) -> usize {
        self.tables().pods.len()
    }

    /// How many ports of Services it remembers whose turn it is at.
    pub(crate) fn dialled(&self) -> usize {
        self.tables().turns.len()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.inner.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pod that has this address.
    pub(super) fn pod_at(&self, ip: IpAddr) -> Option<Arc<Pod>> {
        self.tables().pods.get(&ip).cloned()
    }

    pub(super) async fn lookup(&self, from: &Pod, name: &str) -> Result<Answer, ResolveError> {
        if name.parse::<IpAddr>().is_err() {
            if !self.reaches_dns(from) {
                sleep(RESOLVER_TIMEOUT).await;
                return Err(ResolveError::NotFound(name.to_owned()));
            }
            sleep(ROUND_TRIP).await;
        }
        let (found, uplink) = {
            let tables = self.tables();
            let zone = Zone { services: &tables.services, hosts: &tables.host_names };
            (zone.resolve(&from.info.namespace, name), tables.uplink.clone())
        };
        let plain = name.trim_end_matches('.').to_ascii_lowercase();
        let (Err(ResolveError::NotFound(_)), Some(uplink)) = (&found, uplink) else { return found };
        if !plain.contains('.') || plain.ends_with(CLUSTER_DOMAIN) {
            return found;
        }
        let addresses: Vec<IpAddr> = uplink.lookup(&plain).await.into_iter().filter(|ip| is_outside(*ip)).collect();
        if addresses.is_empty() { found } else { Ok(Answer { name: plain, addresses }) }
    }

    /// Whether the pod's policies let it ask the cluster's name server.
    fn reaches_dns(&self, from: &Pod) -> bool {
        let labels = BTreeMap::from([("k8s-app".to_owned(), "kube-dns".to_owned())]);
        let server = End { ip: IpAddr::V4(DNS_ADDRESS), pod: Some(("kube-system", &labels)) };
        let policies = Arc::clone(&self.tables().policies);
        policies.allows(Direction::Egress, end(from), server, "UDP", 53)
    }

    /// Whether policies let packets pass from a pod to an endpoint, and into it if it is a pod.
    fn passes(&self, from: &Pod, endpoint: SocketAddr) -> bool {
        // The node reaches every pod, as kubelets do for their probes; it alone has no account.
        if is_loopback(from, endpoint.ip()) || from.info.service_account.is_empty() {
            return true;
        }
        let (policies, target) = {
            let tables = self.tables();
            (Arc::clone(&tables.policies), tables.pods.get(&endpoint.ip()).cloned())
        };
        let to = target.as_ref().map_or(End { ip: endpoint.ip(), pod: None }, |pod| end(pod));
        policies.allows(Direction::Egress, end(from), to, "TCP", endpoint.port())
            && policies.allows(Direction::Ingress, to, end(from), "TCP", endpoint.port())
    }

    /// Whether a policy drops what a pod sends to this address.
    pub(super) fn drops(&self, from: &Pod, destination: SocketAddr) -> bool {
        let (_, endpoint) = self.route(from, destination);
        !self.passes(from, endpoint)
    }

    pub(super) async fn dial(&self, from: &Pod, source: Option<IpAddr>, destination: SocketAddr) -> io::Result<Socket> {
        let (mut route, endpoint) = self.route(from, destination);
        if !self.passes(from, endpoint) {
            route = Route::Nowhere;
        }
        if !is_loopback(from, endpoint.ip()) {
            sleep(ROUND_TRIP).await;
        }
        match route {
            Route::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
            Route::NoNeighbour => {
                sleep(NEIGHBOUR_TIMEOUT.saturating_sub(ROUND_TRIP)).await;
                Err(io::ErrorKind::HostUnreachable.into())
            }
            Route::Uplink(uplink) => {
                let far = uplink.connect(endpoint).await?;
                let (client, server) = connected(from, source, destination, endpoint);
                tokio::spawn(relay(server, far));
                Ok(client)
            }
            Route::Nowhere => {
                sleep(SYN_TIMEOUT.saturating_sub(ROUND_TRIP)).await;
                Err(io::ErrorKind::TimedOut.into())
            }
            Route::Pod(pod, port) if redirected(from, &pod, port) => {
                let Some(sidecar) = pod.sidecar() else { return Err(io::ErrorKind::ConnectionRefused.into()) };
                let (client, server) = connected(from, source, destination, endpoint);
                sidecar.accept(&NetNs { net: self.clone(), pod, around: false }, server);
                Ok(client)
            }
            Route::Pod(pod, port) => {
                let Some(queue) = pod.listener(port) else { return Err(io::ErrorKind::ConnectionRefused.into()) };
                let (client, server) = connected(from, source, destination, endpoint);
                queue.send(server).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
                Ok(client)
            }
            Route::Host(host, port) => {
                let (client, server) = connected(from, source, destination, endpoint);
                match host.spec.ports.get(&port) {
                    None | Some(PortSpec::Closed) => return Err(io::ErrorKind::ConnectionRefused.into()),
                    Some(PortSpec::Blackhole) => {
                        sleep(SYN_TIMEOUT.saturating_sub(ROUND_TRIP)).await;
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    Some(PortSpec::Reset) => server.reset(),
                    Some(PortSpec::Silent) => {
                        tokio::spawn(swallow(server));
                    }
                    Some(PortSpec::Http(_) | PortSpec::Https(_)) => {
                        if let Some(site) = host.sites.get(&port) {
                            tokio::spawn(Arc::clone(site).serve(server));
                        }
                    }
                }
                Ok(client)
            }
        }
    }

    /// Where packets to `destination` go, after the translation of Service addresses.
    fn route(&self, from: &Pod, destination: SocketAddr) -> (Route, SocketAddr) {
        let mut tables = self.tables();
        let mut endpoint = destination;
        let services = Arc::clone(&tables.services);
        if let Some(service) = services.by_address(destination.ip()) {
            // A port that the Service does not have is rejected, as kube-proxy does it with nftables.
            let Some(endpoints) = service.ports.get(&destination.port()) else { return (Route::Refused, endpoint) };
            let turn = tables.turns.entry(destination).or_default();
            let Some(chosen) = endpoints.get(*turn % endpoints.len().max(1)) else { return (Route::Refused, endpoint) };
            *turn = turn.wrapping_add(1);
            endpoint = *chosen;
        }
        let port = endpoint.port();
        let ip = if endpoint.ip().is_loopback() { from.info.ip } else { endpoint.ip() };
        let route = if let Some(pod) = tables.pods.get(&ip) {
            Route::Pod(Arc::clone(pod), port)
        } else if let Some(hosts) = tables.hosts.get(&ip) {
            let declared = hosts.iter().find(|h| h.spec.ports.contains_key(&port)).or_else(|| hosts.first());
            declared.map_or(Route::Refused, |host| Route::Host(Arc::clone(host), port))
        } else if ip == IpAddr::V4(DNS_ADDRESS) {
            Route::Refused
        } else if in_pod_range(ip) {
            Route::NoNeighbour
        } else {
            let uplink = tables.uplink.clone().filter(|_| is_outside(ip));
            uplink.map_or(Route::Nowhere, Route::Uplink)
        };
        (route, endpoint)
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Net({} pods)", self.tables().pods.len())
    }
}

/// Both ends of a new connection: the client believes to talk to `destination`, the server sees its own `endpoint`.
fn connected(from: &Pod, source: Option<IpAddr>, destination: SocketAddr, endpoint: SocketAddr) -> (Socket, Socket) {
    let own = from.ephemeral();
    let local = match (source, destination.ip()) {
        (Some(source), _) => SocketAddr::new(source, own.port()),
        (None, ip) if ip.is_loopback() => SocketAddr::new(ip, own.port()),
        (None, _) => own,
    };
    Socket::pair_via(local, destination, endpoint)
}

/// Whether a connection to a port of a pod goes to its sidecar. Those of the pod itself do not, nor those of the node, whose
/// probes Istio leads around it.
fn redirected(from: &Pod, to: &Pod, port: u16) -> bool {
    to.takes_in(port) && to.info.ip != from.info.ip && !from.info.service_account.is_empty()
}

/// A pod as policies see it.
fn end(pod: &Pod) -> End<'_> {
    End { ip: pod.info.ip, pod: Some((&pod.info.namespace, &pod.info.labels)) }
}

fn is_loopback(from: &Pod, ip: IpAddr) -> bool {
    ip.is_loopback() || ip == from.info.ip
}

fn in_pod_range(ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else { return false };
    let (network, bits) = POD_RANGE;
    let mask = u32::MAX << (32 - u32::from(bits));
    u32::from(ip) & mask == u32::from(network)
}

/// Carries bytes between a pod and a real host until either ends.
async fn relay(mut near: Socket, mut far: Box<dyn UplinkStream>) {
    // A failed connection ends the copy like a finished one: there is nobody to tell.
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}

/// Reads and forgets, until the client goes.
async fn swallow(mut socket: Socket) {
    // A failed connection ends the copy like a finished one: there is nobody to tell.
    let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
}
