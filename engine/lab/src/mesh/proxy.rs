//! A proxy of the mesh at work: carries out the verdict on each connection and logs how it ended.
//!
//! Invariant: it decides nothing about where a connection goes; that is [`super::decide`]'s. A client's connection is accepted before
//! anything is known about the upstream, so a blocked or dead path shows as a closed connection.

use super::decide::{Connection, Inspection, Outcome, connection, inbound, inspection};
use super::envoy::{Cluster, MtlsMode, PortProtocol, ProxyConfig, ServerTls};
use super::explain::Lately;
use super::http::{self, Incoming, Role};
use super::log::{AccessLog, Record};
use super::relay::{Ends, relay};
use super::sniff::sniff;
use super::tls::{Refused, accept, client_certificate};
use super::upstream::{ConnectFailure, Upstreams, connect};
use super::wire::Wire;
use crate::net::{Interceptor, LineSink, NetNs, Socket};
use jiff::Timestamp;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long a connection without an upstream stays open if the client sends nothing.
const CLOSE_DELAY: Duration = Duration::from_millis(1);

/// A pod's sidecar; cheap to clone. Give it to [`NetNs::set_sidecar`]. When the last clone goes, its connections are closed and the
/// log is written out.
#[derive(Clone)]
pub struct Sidecar {
    pub(super) inner: Arc<Inner>,
    _alive: Arc<Alive>,
}

/// Ends the proxy's work when it goes.
pub(super) struct Alive(Arc<Inner>);

impl Alive {
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        Self(Arc::clone(inner))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.stop.cancel();
        self.0.log.flush();
    }
}

/// What a proxy holds.
pub(super) struct Inner {
    config: watch::Sender<Arc<ProxyConfig>>,
    log: AccessLog,
    /// What programs of the pod called lately.
    pub(super) lately: Lately,
    rng: Mutex<Pcg64Mcg>,
    pub(super) stop: CancellationToken,
    pub(super) upstreams: Upstreams,
}

impl Sidecar {
    /// A sidecar with this configuration, which never changes by itself; see [`super::Registry::sidecar`]. Lines of the access log go to
    /// `sink`; `seed` decides what a real sidecar draws at random.
    #[must_use]
    pub fn new(config: ProxyConfig, sink: LineSink, seed: u64) -> Self {
        Self::of(&Inner::new(config, sink, seed))
    }

    /// The sidecar that holds this.
    pub(super) fn of(inner: &Arc<Inner>) -> Self {
        Self { _alive: Arc::new(Alive::new(inner)), inner: Arc::clone(inner) }
    }

    /// The configuration that it works with now.
    #[must_use]
    pub fn config(&self) -> Arc<ProxyConfig> {
        self.inner.config()
    }
}

impl Inner {
    pub(super) fn new(config: ProxyConfig, sink: LineSink, seed: u64) -> Arc<Self> {
        let (config, _) = watch::channel(Arc::new(config));
        Arc::new(Self {
            config,
            log: AccessLog::new(sink),
            lately: Lately::default(),
            rng: Mutex::new(Pcg64Mcg::seed_from_u64(seed)),
            stop: CancellationToken::new(),
            upstreams: Upstreams::default(),
        })
    }

    pub(super) fn config(&self) -> Arc<ProxyConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// Tells of each change of the configuration.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<ProxyConfig>> {
        self.config.subscribe()
    }

    pub(super) fn set_config(&self, config: ProxyConfig) {
        self.config.send_replace(Arc::new(config));
    }

    /// Logs a finished connection or request, if the mesh has an access log.
    pub(super) fn log(&self, config: &ProxyConfig, role: Role, record: &Record) {
        self.lately.ended(record);
        let format = if role == Role::Inbound { &config.logs.inbound } else { &config.logs.outbound };
        if let Some(format) = format {
            self.log.write(&format.line(record));
        }
    }

    /// What a real proxy would draw.
    pub(super) fn draw(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    /// A number below `bound`, as a real proxy would draw it.
    pub(super) fn random_below(&self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// An id for a request without one: a version 4 UUID, with a 9 for the version if the request is sampled.
    pub(super) fn request_id(&self, sampled: bool) -> String {
        let (high, low) = (self.draw(), self.draw());
        let version = if sampled { 9 } else { 4 };
        format!(
            "{:08x}-{:04x}-{version}{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff,
        )
    }
}

impl Interceptor for Sidecar {
    fn accept(&self, netns: &NetNs, client: Socket) {
        let mut taken = Taken::new(&self.inner, netns, client.peer_addr(), client.local_addr());
        taken.role = Role::Inbound;
        let stop = self.inner.stop.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(taken.carry(client)).await;
        });
    }

    fn intercept(&self, netns: &NetNs, app: Socket, destination: SocketAddr) {
        let taken = Taken::new(&self.inner, netns, app.peer_addr(), destination);
        let stop = self.inner.stop.clone();
        tokio::spawn(async move {
            // A sidecar that stops closes its connections without a line.
            stop.run_until_cancelled(taken.carry(app)).await;
        });
    }
}

/// One connection that came to a proxy.
pub(super) struct Taken {
    pub(super) proxy: Arc<Inner>,
    pub(super) netns: NetNs,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) role: Role,
    start: Timestamp,
    began: Instant,
}

impl Taken {
    pub(super) fn new(proxy: &Arc<Inner>, netns: &NetNs, source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            proxy: Arc::clone(proxy),
            netns: netns.clone(),
            source,
            destination,
            role: if proxy.config().gateway { Role::Gateway } else { Role::Outbound },
            start: netns.clock().now(),
            began: Instant::now(),
        }
    }

    /// Carries the connection to its end.
    pub(super) async fn carry(self, client: Socket) {
        let config = self.proxy.config();
        // A client that goes before the listener knows what it speaks leaves no line.
        let Some(first_bytes) = sniff(&client, self.inspection(&config)).await else { return };
        let draw = if config.limits.is_empty() { self.proxy.draw() } else { 0 };
        let facts = Connection { source: self.source, destination: self.destination, first_bytes, draw };
        let decided = match self.role {
            Role::Inbound => inbound(&config, &facts),
            Role::Outbound | Role::Gateway => connection(&config, &facts),
        };
        if self.role == Role::Outbound {
            self.proxy.lately.connection(self.start, &config, &facts);
        }
        let mut record = Record::new(self.start, self.source, self.destination);
        record.server_name.clone_from(&decided.server_name);
        let wire = match (&decided.outcome, &decided.tls) {
            (Outcome::NotSimulated(reason), _) => return client.refuse_to_simulate(reason),
            (_, None) => Wire::Plain(client),
            (_, Some(tls)) => match self.end_tls(client, tls).await {
                Some(wire) => wire,
                None => return,
            },
        };
        match decided.outcome {
            Outcome::NotSimulated(_) => {}
            Outcome::Http(routes) => self.serve(wire, routes, decided.server_name).await,
            Outcome::Close { cluster, flags, details } => {
                record.raise(flags);
                details.clone_into(&mut record.details);
                record.cluster = cluster.map(|cluster| cluster.name.clone());
                close(wire).await;
                self.log(&config, record);
            }
            Outcome::Relay(cluster) => {
                if self.relay(wire, &cluster, &mut record).await {
                    self.log(&config, record);
                }
            }
        }
    }

    /// What the first bytes are looked at for.
    fn inspection(&self, config: &ProxyConfig) -> Inspection {
        if self.role != Role::Inbound {
            return inspection(config, self.destination);
        }
        let port = config.inbound.port(self.destination.port());
        Inspection { tls: port.mtls != MtlsMode::Disable, http: port.protocol == PortProtocol::Auto }
    }

    /// Ends a client's TLS; none if that came to nothing.
    async fn end_tls(&self, client: Socket, tls: &ServerTls) -> Option<Wire> {
        match accept(&self.netns, client, tls).await {
            Ok(stream) => return Some(Wire::Server(Box::new(stream))),
            // The socket went with the handshake.
            Err(Refused::Handshake | Refused::NoSecret) => {}
            Err(Refused::NotSimulated(socket, reason)) => socket.refuse_to_simulate(&reason),
        }
        None
    }

    async fn serve(&self, wire: Wire, routes: String, server_name: Option<String>) {
        let (tls, certificate) = match &wire {
            Wire::Server(stream) => (true, client_certificate(&self.netns, stream, self.role == Role::Gateway)),
            _ => (false, None),
        };
        let incoming = Incoming { routes, tls, http2: false, server_name, certificate };
        http::serve(self, wire, incoming).await;
    }

    /// Relays bytes to an endpoint; whether there is a line to log.
    async fn relay(&self, client: Wire, cluster: &Cluster, record: &mut Record) -> bool {
        record.cluster = Some(cluster.name.clone());
        let connected = match self.proxy.upstreams.choose(&self.netns, cluster, self.destination).await {
            Ok(endpoint) => connect(&self.netns, &endpoint, cluster, None).await,
            Err(failure) => Err(failure),
        };
        match connected {
            Ok(upstream) => {
                record.attempts = 1;
                record.upstream = Some(upstream.endpoint);
                record.upstream_local = Some(upstream.wire.socket().local_addr());
                let relayed = relay(client, upstream.wire).await;
                record.received = relayed.received;
                record.sent = relayed.sent;
                if relayed.far_broke {
                    record.raise("UR");
                }
                true
            }
            Err(ConnectFailure::NoEndpoint) => {
                record.raise("UH");
                close(client).await;
                true
            }
            Err(ConnectFailure::Failed { endpoint, transport_failure }) => {
                record.raise("UF");
                record.raise("URX");
                record.upstream = Some(endpoint);
                record.transport_failure = transport_failure;
                close(client).await;
                true
            }
            Err(ConnectFailure::NotSimulated(reason)) => {
                client.refuse_to_simulate(&reason);
                false
            }
        }
    }

    fn log(&self, config: &ProxyConfig, mut record: Record) {
        record.duration = self.began.elapsed();
        self.proxy.log(config, self.role, &record);
    }
}

/// Closes a connection that leads nowhere. What the client has sent stays unread, so that it sees a reset, which is what the
/// race between its first write and the close most often comes to in life; a client that sends nothing sees an end of stream.
async fn close(client: Wire) {
    tokio::select! {
        biased;
        () = client.socket().readable() => {}
        () = sleep(CLOSE_DELAY) => {}
    }
    drop(client);
}
