//! The control plane: takes what the store holds and tells each sidecar, after the delay that a real one has.
//!
//! Invariant: a sidecar works with a snapshot that is whole; it never sees half of a change, and sees changes in order.

use super::access_log::LineSink;
use super::sidecar::{Inner, Sidecar};
use super::view::{MeshObjects, MeshView};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long a change takes from the store to a sidecar: each change and each sidecar draws a delay between these bounds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Propagation {
    /// The shortest delay, in milliseconds. Default: 300.
    pub min_ms: u64,
    /// The longest delay, in milliseconds. Default: 1200.
    pub max_ms: u64,
}

impl Default for Propagation {
    fn default() -> Self {
        Self { min_ms: 300, max_ms: 1200 }
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
    propagation: Propagation,
    seed: u64,
}

impl Registry {
    /// A control plane that knows nothing yet.
    #[must_use]
    pub fn new(propagation: Propagation, seed: u64) -> Self {
        let (snapshots, _) = watch::channel(Snapshot { objects: Arc::default(), at: Instant::now() });
        Self { snapshots: Arc::new(snapshots), propagation, seed }
    }

    /// Takes a new state of the store. Every sidecar works with it after its delay.
    pub fn publish(&self, objects: MeshObjects) {
        self.snapshots.send_replace(Snapshot { objects: Arc::new(objects), at: Instant::now() });
    }

    /// A sidecar for the pod with this address, in this namespace. It starts with the present configuration, as a real sidecar is
    /// not ready before it has one, and follows until its last clone is dropped.
    #[must_use]
    pub fn sidecar(&self, namespace: &str, ip: IpAddr, sink: LineSink) -> Sidecar {
        let mut snapshots = self.snapshots.subscribe();
        let objects = Arc::clone(&snapshots.borrow_and_update().objects);
        let salt = match ip {
            IpAddr::V4(ip) => u64::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip) as u64,
        };
        let seed = self.seed.wrapping_add(salt);
        let sidecar = Sidecar::new(MeshView::build(&objects, namespace), sink, seed);
        let follow = Follow {
            sidecar: Arc::downgrade(&sidecar.inner),
            namespace: namespace.to_owned(),
            propagation: self.propagation,
            rng: Pcg64Mcg::seed_from_u64(seed ^ 0x5eed),
        };
        tokio::spawn(follow.run(snapshots));
        sidecar
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("propagation", &self.propagation).finish_non_exhaustive()
    }
}

/// Brings changes to one sidecar.
struct Follow {
    sidecar: Weak<Inner>,
    namespace: String,
    propagation: Propagation,
    rng: Pcg64Mcg,
}

impl Follow {
    async fn run(mut self, mut snapshots: watch::Receiver<Snapshot>) {
        while snapshots.changed().await.is_ok() {
            let snapshot = snapshots.borrow_and_update().clone();
            sleep_until(snapshot.at + self.delay()).await;
            let Some(sidecar) = self.sidecar.upgrade() else { return };
            sidecar.set_view(MeshView::build(&snapshot.objects, &self.namespace));
        }
    }

    fn delay(&mut self) -> Duration {
        let Propagation { min_ms, max_ms } = self.propagation;
        let spread = max_ms.saturating_sub(min_ms).saturating_add(1);
        Duration::from_millis(min_ms.saturating_add(self.rng.next_u64() % spread))
    }
}
