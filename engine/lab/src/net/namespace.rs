//! A pod's view of the network: dial, listen, resolve, trust.
//!
//! Invariant: once redirect rules are set, every connection of the application that they take goes to the sidecar, or is refused
//! while there is none; only [`NetNs::dial`] goes around it.

use super::call::Explanation;
use super::dns::Answer;
use super::error::ResolveError;
use super::fabric::{Net, PodNet};
use super::redirect::Redirect;
use super::socket::{Listener, PortGuard, Socket};
use super::tls::WorkloadIdentity;
use crate::clock::Clock;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// First port that the kernel gives to outgoing connections.
const FIRST_EPHEMERAL: u32 = 32_768;

/// How many such ports there are; like Linux, connections take every second one.
const EPHEMERAL_PORTS: u32 = 28_232;

/// How many connections wait to be accepted before a dialler has to wait.
const BACKLOG: usize = 128;

/// Takes over connections that a pod's application opens: the outbound half of a sidecar.
pub trait Interceptor: Send + Sync {
    /// Carries a connection that comes to the pod from outside. Returns at once.
    fn accept(&self, netns: &NetNs, client: Socket);

    /// Carries a connection that the application believes to have with `destination`. Returns at once.
    fn intercept(&self, netns: &NetNs, app: Socket, destination: SocketAddr);
}

/// Where lines of a log go: called once for each line, with its newline.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Makes the sidecars of a mesh.
pub trait ControlPlane: Send + Sync {
    /// A sidecar for this pod, ready to take over its connections. Its access log goes to `log`. It asks the control plane of this
    /// revision; `default` is the one without a name.
    fn sidecar(&self, netns: &NetNs, revision: &str, log: LineSink) -> Arc<dyn Interceptor>;

    /// Why a call of a program in this pod goes where it goes; through an HTTP proxy, if one is given. An error says what of a URL
    /// cannot be read.
    fn explain(
        &self,
        netns: NetNs,
        url: String,
        proxy: Option<String>,
    ) -> BoxFuture<'static, Result<Explanation, String>>;

    /// Why the latest calls of this pod's programs went where they went: those since a time that its sidecar remembers, oldest first.
    fn explain_since(&self, netns: &NetNs, since: Timestamp) -> Vec<Explanation>;

    /// A gateway in this pod, which listens until what is returned is dropped.
    fn gateway(&self, netns: &NetNs, revision: &str, log: LineSink) -> Box<dyn Send>;
}

struct Port {
    id: u64,
    queue: mpsc::Sender<Socket>,
}

/// A pod's redirect rules, and what stands behind them.
#[derive(Clone, Default)]
struct Redirected {
    rules: Option<Arc<Redirect>>,
    sidecar: Option<Arc<dyn Interceptor>>,
}

/// What the fabric keeps for one pod.
pub(super) struct Pod {
    pub(super) info: PodNet,
    ports: Mutex<BTreeMap<u16, Port>>,
    ports_given: AtomicU64,
    next_ephemeral: AtomicU32,
    redirected: Mutex<Redirected>,
    /// Whether a proxy of the mesh listens in the pod.
    proxy: AtomicBool,
}

impl Pod {
    pub(super) fn new(info: PodNet, seed: u64) -> Self {
        let salt = match info.ip {
            IpAddr::V4(ip) => u64::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip) as u64,
        };
        let start = Pcg32::seed_from_u64(seed ^ salt).next_u32() % (EPHEMERAL_PORTS / 2) * 2;
        Self {
            info,
            ports: Mutex::default(),
            ports_given: AtomicU64::new(0),
            next_ephemeral: AtomicU32::new(start),
            redirected: Mutex::default(),
            proxy: AtomicBool::new(false),
        }
    }

    /// The local address of the pod's next outgoing connection.
    pub(super) fn ephemeral(&self) -> SocketAddr {
        let offset = self.next_ephemeral.fetch_add(2, Ordering::Relaxed) % EPHEMERAL_PORTS;
        let port = u16::try_from(FIRST_EPHEMERAL + offset).expect("invariant: the range ends below 61,000");
        SocketAddr::new(self.info.ip, port)
    }

    /// Where connections to this port wait to be accepted, if a program listens.
    pub(super) fn listener(&self, port: u16) -> Option<mpsc::Sender<Socket>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).get(&port).map(|p| p.queue.clone())
    }

    /// Whether a proxy of the mesh listens in the pod.
    pub(super) fn has_proxy(&self) -> bool {
        self.proxy.load(Ordering::Relaxed)
    }

    fn redirected(&self) -> MutexGuard<'_, Redirected> {
        self.redirected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether connections from outside to this port go to the sidecar.
    pub(super) fn takes_in(&self, port: u16) -> bool {
        self.redirected().rules.as_ref().is_some_and(|rules| rules.takes_in(port))
    }

    /// What stands behind the redirect rules.
    pub(super) fn sidecar(&self) -> Option<Arc<dyn Interceptor>> {
        self.redirected().sidecar.clone()
    }

    /// Closes all ports, as when the pod goes.
    pub(super) fn close(&self) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.redirected() = Redirected::default();
    }
}

/// The network namespace of one pod; cheap to clone. All containers of the pod share it.
#[derive(Clone)]
pub struct NetNs {
    pub(super) net: Net,
    pub(super) pod: Arc<Pod>,
    /// Whether connections from here are left alone by the sidecar.
    pub(super) around: bool,
}

impl NetNs {
    /// The namespace as the user of the sidecar itself sees it: what that user's programs open is not captured.
    #[must_use]
    pub fn around_sidecar(mut self) -> Self {
        self.around = true;
        self
    }

    /// The pod's address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.pod.info.ip
    }

    /// The pod as the network knows it.
    #[must_use]
    pub fn pod(&self) -> &PodNet {
        &self.pod.info
    }

    /// The clock of the lab.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.net.clock()
    }

    /// Opens a TCP connection as a program in the pod does: through the sidecar if there is one.
    ///
    /// There is no time-out below that of the kernel (about two minutes): a client that wants less puts its own around.
    ///
    /// # Errors
    /// `ConnectionRefused`, `HostUnreachable`, `TimedOut` as on Linux; an error for which
    /// [`super::not_simulated`] gives a reason if the lab cannot carry the connection.
    pub async fn connect(&self, destination: SocketAddr) -> io::Result<Socket> {
        let Redirected { rules, sidecar } = self.pod.redirected().clone();
        let captured = !self.around && rules.is_some_and(|rules| rules.captures(destination));
        if captured && !self.is_local(destination.ip()) {
            let Some(sidecar) = sidecar else { return Err(io::ErrorKind::ConnectionRefused.into()) };
            let (app, captured) = Socket::pair(self.pod.ephemeral(), destination);
            sidecar.intercept(self, captured, destination);
            return Ok(app);
        }
        self.dial(destination).await
    }

    /// Opens a TCP connection around the sidecar, as the sidecar itself does.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn dial(&self, destination: SocketAddr) -> io::Result<Socket> {
        self.dial_from(None, destination).await
    }

    /// As [`Self::dial`], from another address than the pod's own.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub(crate) async fn dial_from(&self, source: Option<IpAddr>, destination: SocketAddr) -> io::Result<Socket> {
        self.net.dial(&self.pod, source, destination).await
    }

    /// The addresses of a name, as the C library of the pod finds them; a literal address is its own answer.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.lookup(name).await.map(|answer| answer.addresses)
    }

    /// As [`Self::resolve`], with the full name that was found.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn lookup(&self, name: &str) -> Result<Answer, ResolveError> {
        self.net.lookup(&self.pod, name).await
    }

    /// Starts listening on a TCP port of the pod.
    ///
    /// # Errors
    /// `AddrInUse` if a program of the pod listens there already.
    pub fn listen(&self, port: u16) -> io::Result<Listener> {
        let mut ports = self.pod.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if ports.contains_key(&port) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (sender, queue) = mpsc::channel(BACKLOG);
        let id = self.pod.ports_given.fetch_add(1, Ordering::Relaxed);
        ports.insert(port, Port { id, queue: sender });
        drop(ports);
        let pod = Arc::downgrade(&self.pod);
        let release = move || {
            if let Some(pod) = pod.upgrade() {
                let mut ports = pod.ports.lock().unwrap_or_else(PoisonError::into_inner);
                if ports.get(&port).is_some_and(|p| p.id == id) {
                    ports.remove(&port);
                }
            }
        };
        Ok(Listener { address: SocketAddr::new(self.ip(), port), queue, _port: PortGuard(Some(Box::new(release))) })
    }

    /// Sets the redirect rules of the pod, as `istio-iptables` does; they stay as long as the pod.
    pub fn set_redirect(&self, rules: Redirect) {
        self.pod.redirected().rules = Some(Arc::new(rules));
    }

    /// Sets or removes what stands behind the redirect rules.
    pub fn set_sidecar(&self, sidecar: Option<Arc<dyn Interceptor>>) {
        self.pod.redirected().sidecar = sidecar;
    }

    /// The control plane of the mesh, if the lab has one.
    #[must_use]
    pub fn control_plane(&self) -> Option<Arc<dyn ControlPlane>> {
        self.net.control_plane()
    }

    /// The certificate authorities that programs in pods trust: the lab's own, alone. Made on the first call.
    #[must_use]
    pub fn trust(&self) -> Arc<rustls::RootCertStore> {
        self.net.tls().trust()
    }

    /// A TLS client that trusts [`Self::trust`], offers TLS 1.3 and 1.2, and takes the time from the lab's clock.
    #[must_use]
    pub fn tls_client(&self) -> Arc<rustls::ClientConfig> {
        self.net.tls().client()
    }

    /// The lab's certificate authority as PEM, for files such as `/etc/ssl/certs/ca-certificates.crt`.
    #[must_use]
    pub fn trust_pem(&self) -> String {
        self.net.tls().trust_pem()
    }

    /// What TLS of the lab is computed with.
    /// Whether real hosts can be reached.
    pub(crate) fn has_uplink(&self) -> bool {
        self.net.uplink().is_some()
    }

    pub(crate) fn tls_provider(&self) -> Arc<rustls::crypto::CryptoProvider> {
        super::tls::provider()
    }

    /// What time certificates are held against.
    pub(crate) fn tls_time(&self) -> Arc<dyn rustls::time_provider::TimeProvider> {
        self.net.tls().time()
    }

    /// The identity that the mesh gives this pod.
    pub(crate) fn workload_identity(&self) -> WorkloadIdentity {
        self.net.tls().workload(&self.pod.info.namespace, &self.pod.info.service_account)
    }

    /// Says whether a proxy of the mesh listens in this pod.
    pub(crate) fn set_proxy(&self, listens: bool) {
        self.pod.proxy.store(listens, Ordering::Relaxed);
    }

    /// The pod with this address, as the network knows it.
    pub(crate) fn peer(&self, ip: IpAddr) -> Option<PodNet> {
        self.net.pod_at(ip).map(|pod| pod.info.clone())
    }

    /// Whether a NetworkPolicy drops what the pod with this address sends to that destination.
    pub(crate) fn is_dropped(&self, from: IpAddr, destination: SocketAddr) -> bool {
        self.net.pod_at(from).is_some_and(|pod| self.net.drops(&pod, destination))
    }

    /// Whether connections of this pod's programs to an address are redirected to its sidecar; none if it has no redirect rules.
    pub(crate) fn is_captured(&self, destination: SocketAddr) -> Option<bool> {
        self.pod.redirected().rules.as_ref().map(|rules| rules.captures(destination))
    }

    /// Whether a proxy of the mesh listens in the pod with this address.
    pub(crate) fn is_proxy(&self, ip: IpAddr) -> bool {
        self.net.pod_at(ip).is_some_and(|pod| pod.has_proxy())
    }

    fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || address == self.ip()
    }
}

impl fmt::Debug for NetNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetNs({} {}/{})", self.ip(), self.pod.info.namespace, self.pod.info.pod)
    }
}
