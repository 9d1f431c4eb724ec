//! The sidecar of one pod: carries out the verdict on each outbound connection and logs how it ended.
//!
//! Invariant: it decides nothing about where a connection goes; that is [`super::verdict()`]'s. The application's connection is
//! accepted before anything is known about the upstream, so a blocked or dead path shows as a closed connection.

use super::access_log::{AccessLog, Record};
use super::http;
use super::relay::relay;
use super::sniff::sniff;
use super::upstream::{ConnectFailure, Upstreams, connect};
use super::verdict::{Connection, FirstBytes, Outcome, verdict};
use super::view::{Cluster, MeshView};
use crate::net::{Interceptor, LineSink, NetNs, Socket};
use jiff::Timestamp;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
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

/// Ends the sidecar's work when it goes.
struct Alive(Arc<Inner>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.stop.cancel();
        self.0.log.flush();
    }
}

pub(super) struct Inner {
    view: Mutex<Arc<MeshView>>,
    log: AccessLog,
    rng: Mutex<Pcg64Mcg>,
    stop: CancellationToken,
    pub(super) upstreams: Upstreams,
}

impl Sidecar {
    /// A sidecar with this configuration, which never changes by itself; see [`super::Registry::sidecar`]. Lines of the access log go to
    /// `sink`; `seed` decides what a real sidecar draws at random.
    #[must_use]
    pub fn new(view: MeshView, sink: LineSink, seed: u64) -> Self {
        let inner = Inner {
            view: Mutex::new(Arc::new(view)),
            log: AccessLog::new(sink),
            rng: Mutex::new(Pcg64Mcg::seed_from_u64(seed)),
            stop: CancellationToken::new(),
            upstreams: Upstreams::default(),
        };
        let inner = Arc::new(inner);
        Self { _alive: Arc::new(Alive(Arc::clone(&inner))), inner }
    }

    /// The configuration that it works with now.
    #[must_use]
    pub fn view(&self) -> Arc<MeshView> {
        self.inner.view()
    }
}

impl Inner {
    pub(super) fn view(&self) -> Arc<MeshView> {
        Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_view(&self, view: MeshView) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// Logs a finished connection or request, if the mesh has an access log.
    pub(super) fn log(&self, view: &MeshView, record: &Record) {
        if view.config().access_log {
            self.log.write(record);
        }
    }

    /// A number below `bound`, as a real sidecar would draw it.
    pub(super) fn random_below(&self, bound: u64) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64() % bound.max(1)
    }

    /// An id for a request without one: a version 4 UUID, with a 9 for the version if the request is sampled.
    pub(super) fn request_id(&self, sampled: bool) -> String {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let (high, low) = (rng.next_u64(), rng.next_u64());
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
    fn captures(&self, _destination: SocketAddr) -> bool {
        true
    }

    fn intercept(&self, netns: &NetNs, app: Socket, destination: SocketAddr) {
        let captured = Captured {
            sidecar: Arc::clone(&self.inner),
            netns: netns.clone(),
            source: app.peer_addr(),
            destination,
            start: netns.clock().now(),
            began: Instant::now(),
        };
        let stop = self.inner.stop.clone();
        tokio::spawn(async move {
            // A sidecar that stops closes its connections without a line.
            stop.run_until_cancelled(captured.carry(app)).await;
        });
    }
}

/// One connection that was redirected to the sidecar.
pub(super) struct Captured {
    pub(super) sidecar: Arc<Inner>,
    pub(super) netns: NetNs,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    start: Timestamp,
    began: Instant,
}

impl Captured {
    async fn carry(self, app: Socket) {
        let view = self.sidecar.view();
        // A client that goes before the listener knows what it speaks leaves no line.
        let Some(first_bytes) = sniff(&app, view.inspection(self.destination)).await else { return };
        let decided = verdict(&view, &self.connection(first_bytes));
        let mut record = Record::new(self.start, self.source, self.destination);
        record.server_name = decided.server_name;
        match decided.outcome {
            Outcome::NotSimulated(reason) => app.refuse_to_simulate(&reason),
            Outcome::Forward { .. } | Outcome::Answer { .. } => http::serve(&self, app).await,
            Outcome::Close { cluster, flags } => {
                record.flags = flags;
                record.cluster = Some(cluster.name.clone());
                close(app).await;
                self.log(&view, record);
            }
            Outcome::Relay(cluster) => {
                if self.relay(app, &cluster, view.config().connect_timeout, &mut record).await {
                    self.log(&view, record);
                }
            }
        }
    }

    pub(super) fn connection(&self, first_bytes: FirstBytes) -> Connection {
        Connection { source: self.source, destination: self.destination, first_bytes }
    }

    /// Relays bytes to an endpoint; whether there is a line to log.
    async fn relay(&self, app: Socket, cluster: &Cluster, limit: Duration, record: &mut Record) -> bool {
        record.cluster = Some(cluster.name.clone());
        let connected = match self.sidecar.upstreams.choose(&self.netns, cluster, self.destination).await {
            Ok(endpoint) => connect(&self.netns, endpoint, limit).await,
            Err(failure) => Err(failure),
        };
        match connected {
            Ok(upstream) => {
                record.upstream = Some(upstream.endpoint);
                record.upstream_local = Some(upstream.socket.local_addr());
                let (received, sent) = relay(app, upstream.socket).await;
                record.received = received;
                record.sent = sent;
                true
            }
            Err(ConnectFailure::NoEndpoint) => {
                record.flags = "UH";
                close(app).await;
                true
            }
            Err(ConnectFailure::Failed { endpoint, transport_failure }) => {
                record.flags = "UF,URX";
                record.upstream = Some(endpoint);
                record.transport_failure = transport_failure;
                close(app).await;
                true
            }
            Err(ConnectFailure::NotSimulated(reason)) => {
                app.refuse_to_simulate(&reason);
                false
            }
        }
    }

    fn log(&self, view: &MeshView, mut record: Record) {
        record.duration = self.began.elapsed();
        self.sidecar.log(view, &record);
    }
}

/// Closes a connection that leads nowhere. What the client has sent stays unread, so that it sees a reset, which is what the
/// race between its first write and the close most often comes to in life; a client that sends nothing sees an end of stream.
async fn close(app: Socket) {
    tokio::select! {
        biased;
        () = app.readable() => {}
        () = sleep(CLOSE_DELAY) => {}
    }
    drop(app);
}
