//! The kubelet as a whole: takes on new pods, ends deleted ones, keeps configuration files up to date.
//!
//! Invariant: one task a pod; dropping the kubelet's own task ends them all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use super::ipam::Ipam;
use super::node::{NODE_ADDRESS, NODE_NAME};
use super::pod::PodRun;
use super::volume::{self, Claims};
use crate::clock::Clock;
use crate::fault::Faults;
use crate::net::{Net, NetNs, PodNet};
use crate::store::{Change, ChangeKind, GroupResource, ObjectKey, Store, meta};

/// How long a changed ConfigMap or Secret takes to show in the files of a pod.
const CONFIG_DELAY: Duration = Duration::from_secs(10);

/// What a kubelet works with.
pub struct Setup {
    /// The objects.
    pub store: Store,
    /// The network that pods join.
    pub net: Net,
    /// Decides identifiers and delays.
    pub seed: u64,
    /// Further image names and the known image that each stands for.
    pub images: BTreeMap<String, String>,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// Addresses that are kept for certain pods.
    pub(crate) ipam: Ipam,
}

/// How much of everything a node holds for its pods: what came with a pod must go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Pods that the kubelet has taken on.
    pub pods: usize,
    /// Claims that have a directory.
    pub claims: usize,
    /// Addresses that are given to pods or kept for them.
    pub addresses: usize,
    /// Places in the network; the node's own is one of them.
    pub network: usize,
    /// Ports of Services whose endpoints take turns.
    pub dialled: usize,
}

/// The kubelet of the lab's node; clones are the same kubelet.
#[derive(Clone)]
pub struct Kubelet {
    pub(super) shared: Arc<Shared>,
}

/// What all pods share.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) net: Net,
    /// The node's own place in the network, from which probes are made.
    pub(super) node: NetNs,
    pub(super) clock: Clock,
    pub(super) seed: u64,
    pub(super) images: BTreeMap<String, String>,
    pub(super) faults: Arc<Faults>,
    /// While the lab comes up, containers start at once.
    booting: AtomicBool,
    ipam: Mutex<Ipam>,
    /// Images that the node has.
    pulled: Mutex<BTreeSet<String>>,
    claims: Mutex<Claims>,
    pods: Mutex<BTreeMap<ObjectKey, Arc<PodRun>>>,
}

impl Shared {
    pub(super) fn ipam(&self) -> MutexGuard<'_, Ipam> {
        self.ipam.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pulled(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.pulled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pods(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Arc<PodRun>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_booting(&self) -> bool {
        self.booting.load(Ordering::Relaxed)
    }

    pub(super) fn address_is_taken(&self, address: IpAddr) -> bool {
        self.pods().values().any(|pod| pod.net().is_some_and(|net| net.ip() == address))
    }
}

impl Kubelet {
    /// A kubelet that has taken on no pod yet.
    pub fn new(setup: Setup) -> Self {
        let node = setup.net.add_pod(PodNet {
            ip: NODE_ADDRESS.parse().expect("invariant: a constant address"),
            namespace: "kube-system".to_owned(),
            pod: NODE_NAME.to_owned(),
            labels: BTreeMap::new(),
            service_account: String::new(),
        });
        let shared = Shared {
            clock: setup.store.clock().clone(),
            store: setup.store,
            net: setup.net,
            node,
            seed: setup.seed,
            images: setup.images,
            faults: setup.faults,
            booting: AtomicBool::new(true),
            ipam: Mutex::new(setup.ipam),
            pulled: Mutex::default(),
            claims: Mutex::default(),
            pods: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// From now on, containers take as long to start as they do in life.
    pub fn boot_is_over(&self) {
        self.shared.booting.store(false, Ordering::Relaxed);
    }

    /// What the node holds for its pods now.
    pub(crate) fn census(&self) -> Census {
        let shared = &self.shared;
        Census {
            pods: shared.pods().len(),
            claims: shared.claims().len(),
            addresses: shared.ipam().given(),
            network: shared.net.pods(),
            dialled: shared.net.dialled(),
        }
    }

    /// Works for as long as it is polled.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        loop {
            let mut changes = self.shared.store.subscribe();
            for pod in self.shared.store.list(&GroupResource::PODS, "").items {
                self.look(&pod, &mut tasks);
            }
            loop {
                tokio::select! {
                    biased;
                    change = changes.next() => match change {
                        Ok(change) => self.notice(&change, &mut tasks),
                        // History was lost: begin again from what there is.
                        Err(_) => break,
                    },
                    Some(_) = tasks.join_next() => {}
                }
            }
        }
    }

    fn notice(&self, change: &Change, tasks: &mut JoinSet<()>) {
        let key = ObjectKey::new(meta::namespace(&change.object), meta::name(&change.object));
        if change.resource == GroupResource::PODS {
            if change.kind == ChangeKind::Deleted {
                let gone = self.shared.pods().get(&key).cloned();
                if let Some(run) = gone.filter(|run| meta::uid(&run.pod) == meta::uid(&change.object)) {
                    run.stop(Duration::ZERO);
                }
            } else {
                self.look(&change.object, tasks);
            }
        } else if change.resource == GroupResource::CLAIMS && change.kind == ChangeKind::Deleted {
            self.shared.claims().remove(&(key.namespace.clone(), key.name.clone()));
        } else if [GroupResource::CONFIG_MAPS, GroupResource::SECRETS].contains(&change.resource)
            && change.kind == ChangeKind::Modified
        {
            let runs: Vec<_> = self.shared.pods().values().cloned().collect();
            for run in runs.into_iter().filter(|run| meta::namespace(&run.pod) == key.namespace) {
                tasks.spawn(async move {
                    run.shared.clock.sleep(CONFIG_DELAY).await;
                    if let Some(volumes) = run.volumes() {
                        volume::refresh(run.sources(), volumes);
                    }
                });
            }
        }
    }

    fn look(&self, pod: &Arc<Value>, tasks: &mut JoinSet<()>) {
        let key = ObjectKey::new(meta::namespace(pod), meta::name(pod));
        let known = self.shared.pods().get(&key).cloned();
        if let Some(run) = known.filter(|run| meta::uid(&run.pod) == meta::uid(pod)) {
            if meta::is_deleting(pod) {
                let seconds = pod.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64);
                run.stop(Duration::from_secs(seconds.unwrap_or(30)));
            }
            return;
        }
        let phase = pod.pointer("/status/phase").and_then(Value::as_str);
        if meta::is_deleting(pod) || matches!(phase, Some("Succeeded" | "Failed")) {
            return;
        }
        if pod.pointer("/spec/nodeName").and_then(Value::as_str) == Some(NODE_NAME) {
            let run = PodRun::new(Arc::clone(&self.shared), Arc::clone(pod));
            self.shared.pods().insert(key.clone(), Arc::clone(&run));
            let shared = Arc::clone(&self.shared);
            tasks.spawn(async move {
                Arc::clone(&run).run().await;
                let mut pods = shared.pods();
                if pods.get(&key).is_some_and(|known| Arc::ptr_eq(known, &run)) {
                    pods.remove(&key);
                }
            });
        }
    }
}
