//! The control plane: takes what the store holds and tells each proxy, after the delay that a real one has.
//!
//! Invariant: a proxy works with a snapshot that is whole; it never sees half of a change, and sees changes in order.

use super::control::Proxy;
use super::envoy::ProxyConfig;
use super::gateway;
use super::objects::MeshObjects;
use super::proxy::{Inner, Sidecar};
use crate::net::{ControlPlane, Explanation, Interceptor, LineSink, NetNs};
use futures::future::BoxFuture;
use jiff::Timestamp;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long a change takes from the store to a sidecar: each change and each sidecar draws a delay between these bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// The shortest delay. Default: 300 ms.
    pub min: Duration,
    /// The longest delay. Default: 1.2 s.
    pub max: Duration,
}

impl Default for Propagation {
    fn default() -> Self {
        Self { min: Duration::from_millis(300), max: Duration::from_millis(1200) }
    }
}

#[derive(Clone)]
struct Snapshot {
    objects: Arc<MeshObjects>,
    at: Instant,
}

/// The control plane; cheap to clone.
#[derive(Clone)]
pub struct Registry {
    snapshots: Arc<watch::Sender<Snapshot>>,
    proxies: Arc<Mutex<BTreeMap<IpAddr, Running>>>,
    propagation: Propagation,
    seed: u64,
}

/// A proxy that runs, as long as it does, and what it told of itself.
struct Running {
    inner: Weak<Inner>,
    proxy: Proxy,
}

impl Registry {
    /// A control plane that knows nothing yet.
    #[must_use]
    pub fn new(propagation: Propagation, seed: u64) -> Self {
        let (snapshots, _) = watch::channel(Snapshot { objects: Arc::default(), at: Instant::now() });
        Self { snapshots: Arc::new(snapshots), proxies: Arc::default(), propagation, seed }
    }

    /// Takes a new state of the store. Every sidecar works with it after its delay.
    pub fn publish(&self, objects: MeshObjects) {
        self.snapshots.send_replace(Snapshot { objects: Arc::new(objects), at: Instant::now() });
    }

    /// A sidecar for this proxy. It starts with the present configuration, as a real sidecar is not ready before it has one, and
    /// follows until its last clone is dropped.
    #[must_use]
    pub fn sidecar(&self, proxy: Proxy, sink: LineSink) -> Sidecar {
        let (inner, sidecar) = self.start(proxy, sink, Sidecar::of);
        drop(inner);
        sidecar
    }

    fn start<T>(&self, proxy: Proxy, sink: LineSink, make: impl FnOnce(&Arc<Inner>) -> T) -> (Arc<Inner>, T) {
        let mut snapshots = self.snapshots.subscribe();
        let objects = Arc::clone(&snapshots.borrow_and_update().objects);
        let salt = match proxy.ip {
            IpAddr::V4(ip) => u64::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip) as u64,
        };
        let seed = self.seed.wrapping_add(salt);
        let inner = Inner::new(ProxyConfig::build(&objects, &proxy), sink, seed);
        let made = make(&inner);
        let mut proxies = self.proxies();
        proxies.retain(|_, running| running.inner.strong_count() > 0);
        proxies.insert(proxy.ip, Running { inner: Arc::downgrade(&inner), proxy: proxy.clone() });
        drop(proxies);
        let follow = Follow {
            inner: Arc::downgrade(&inner),
            proxy,
            propagation: self.propagation,
            rng: Pcg64Mcg::seed_from_u64(seed ^ 0x5eed),
        };
        tokio::spawn(follow.run(snapshots));
        (inner, made)
    }

    fn proxies(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Running>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The proxy that runs in the pod with this address, if one does.
    pub(super) fn running(&self, ip: IpAddr) -> Option<(Arc<Inner>, Proxy)> {
        let proxies = self.proxies();
        let running = proxies.get(&ip)?;
        Some((running.inner.upgrade()?, running.proxy.clone()))
    }

    /// The configuration that a proxy would have now, if changes took no time.
    #[must_use]
    pub fn config(&self, proxy: &Proxy) -> ProxyConfig {
        let objects = Arc::clone(&self.snapshots.borrow().objects);
        ProxyConfig::build(&objects, proxy)
    }
}

fn proxy_of(netns: &NetNs, gateway: bool, revision: &str) -> Proxy {
    let pod = netns.pod();
    Proxy {
        gateway,
        namespace: pod.namespace.clone(),
        labels: pod.labels.clone(),
        ip: netns.ip(),
        revision: revision.to_owned(),
    }
}

impl ControlPlane for Registry {
    fn sidecar(&self, netns: &NetNs, revision: &str, log: LineSink) -> Arc<dyn Interceptor> {
        Arc::new(Self::sidecar(self, proxy_of(netns, false, revision), log))
    }

    fn explain(
        &self,
        netns: NetNs,
        url: String,
        proxy: Option<String>,
    ) -> BoxFuture<'static, Result<Explanation, String>> {
        let registry = self.clone();
        Box::pin(async move { registry.explain_call(&netns, &url, proxy.as_deref()).await })
    }

    fn explain_since(&self, netns: &NetNs, since: Timestamp) -> Vec<Explanation> {
        self.explain_lately(netns, since)
    }

    fn gateway(&self, netns: &NetNs, revision: &str, log: LineSink) -> Box<dyn Send> {
        let (_, gateway) = self.start(proxy_of(netns, true, revision), log, |inner| gateway::start(netns, inner));
        Box::new(gateway)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("propagation", &self.propagation).finish_non_exhaustive()
    }
}

/// Brings changes to one proxy.
struct Follow {
    inner: Weak<Inner>,
    proxy: Proxy,
    propagation: Propagation,
    rng: Pcg64Mcg,
}

impl Follow {
    async fn run(mut self, mut snapshots: watch::Receiver<Snapshot>) {
        while snapshots.changed().await.is_ok() {
            let snapshot = snapshots.borrow_and_update().clone();
            sleep_until(snapshot.at + self.delay()).await;
            let Some(inner) = self.inner.upgrade() else { return };
            inner.set_config(ProxyConfig::build(&snapshot.objects, &self.proxy));
        }
    }

    fn delay(&mut self) -> Duration {
        let Propagation { min, max } = self.propagation;
        let spread = u64::try_from(max.saturating_sub(min).as_millis()).unwrap_or(u64::MAX - 1);
        min.saturating_add(Duration::from_millis(self.rng.next_u64() % (spread + 1)))
    }
}
