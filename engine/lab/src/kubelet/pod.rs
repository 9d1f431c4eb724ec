//! One pod on the node, from its start to its end.
//!
//! Invariant: every change of its state is published to the store at once, and nothing is published for a pod that is gone.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::container;
use super::env::{ConfigError, Sources};
use super::service::Shared;
use super::state::{ContainerState, NOT_SIMULATED, Phase, PodState};
use super::status::{is_restarted, status};
use super::volume::{self, Volumes};
use crate::controllers::{Note, condition, record};
use crate::net::{NetNs, PodNet};
use crate::status::Status;
use crate::store::{DeleteOptions, GroupResource, Subscription, WriteOptions, meta};

/// The field manager and event source of everything here.
pub(super) const KUBELET: &str = "kubelet";

/// A pod that the kubelet has taken on.
pub(super) struct PodRun {
    pub(super) shared: Arc<Shared>,
    /// The object as it was then; a pod's specification does not change in ways that matter here.
    pub(super) pod: Arc<Value>,
    state: Mutex<PodState>,
    /// Rings on every change of the state.
    bell: watch::Sender<()>,
    /// The grace of a pod that must end.
    stop: watch::Sender<Option<Duration>>,
    /// Whether what sidecars stand by is over.
    sidecars: watch::Sender<bool>,
    net: OnceLock<NetNs>,
    volumes: OnceLock<Volumes>,
}

impl PodRun {
    pub(super) fn new(shared: Arc<Shared>, pod: Arc<Value>) -> Arc<Self> {
        let state = Mutex::new(PodState::new(&pod, shared.clock.now()));
        Arc::new(Self {
            shared,
            pod,
            state,
            bell: watch::Sender::new(()),
            stop: watch::Sender::new(None),
            sidecars: watch::Sender::new(false),
            net: OnceLock::new(),
            volumes: OnceLock::new(),
        })
    }

    /// Brings the pod up, keeps it, and takes it down when it must end.
    pub(super) async fn run(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        tokio::select! {
            biased;
            _ = self.stopped() => {}
            () = self.live(&mut tasks) => {}
        }
        self.stopped().await;
        self.update(|state| state.stopping = true);
        // Every container's task ends its own container within the grace.
        while tasks.join_next().await.is_some() {}
        self.leave();
    }

    /// Asks the pod to end. A shorter grace than before counts; a longer one does not.
    pub(super) fn stop(&self, grace: Duration) {
        self.stop.send_if_modified(|known| {
            let shorter = known.is_none_or(|known| grace < known);
            if shorter {
                *known = Some(grace);
            }
            shorter
        });
    }

    /// Waits until the pod must end.
    pub(super) async fn stopped(&self) -> Duration {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as this pod.
        match stop.wait_for(Option::is_some).await {
            Ok(grace) => grace.unwrap_or_default(),
            Err(_) => Duration::ZERO,
        }
    }

    /// Whether the pod must end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// Waits until sidecars must end: the pod must, or the containers that they stand by are over for good.
    pub(super) async fn sidecars_over(&self) {
        let mut over = self.sidecars.subscribe();
        tokio::select! {
            biased;
            _ = self.stopped() => {}
            // The sender lives as long as this pod.
            _ = over.wait_for(|over| *over) => {}
        }
    }

    /// Whether what sidecars stand by is over.
    pub(super) fn are_sidecars_over(&self) -> bool {
        *self.sidecars.borrow()
    }

    /// Whether the pod has done what it was for, so that nothing of it runs any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(super::status::phase(&self.pod, &self.state()), "Succeeded" | "Failed")
    }

    /// Waits until the pod must end at once.
    pub(super) async fn killed(&self) {
        let mut stop = self.stop.subscribe();
        loop {
            let grace = *stop.borrow_and_update();
            let changed = async {
                if stop.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            match grace {
                None => changed.await,
                Some(grace) => {
                    // A shorter grace may come while this one runs.
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = self.shared.clock.sleep(grace) => return,
                    }
                }
            }
        }
    }

    async fn live(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        self.publish();
        self.mount().await;
        self.join_network();
        let names = |init: bool| -> Vec<String> {
            let state = self.state();
            state
                .containers
                .iter()
                .filter(|(_, container)| container.init == init)
                .map(|(name, _)| name.clone())
                .collect()
        };
        for name in names(true) {
            tasks.spawn(container::run(Arc::clone(self), name.clone()));
            let failed = self
                .until(|state| {
                    let container = &state.containers[&name];
                    match &container.phase {
                        _ if container.sidecar => container.started.then_some(false),
                        Phase::Ended(ended) if ended.code == 0 => Some(false),
                        Phase::Ended(ended) => (!is_restarted(&self.pod, container, ended.code)).then_some(true),
                        Phase::Waiting { .. } | Phase::Running { .. } => None,
                    }
                })
                .await;
            if failed {
                self.sidecars.send_replace(true);
                return;
            }
        }
        self.update(|state| {
            state.initialized = true;
            for container in state.containers.values_mut().filter(|container| !container.init) {
                if !container.is_running() {
                    container.phase = Phase::waiting("ContainerCreating", "");
                }
            }
        });
        for name in names(false) {
            tasks.spawn(container::run(Arc::clone(self), name.clone()));
            // The next one starts when this one has, or is stuck.
            let creating = Phase::waiting("ContainerCreating", "");
            self.until(|state| (state.containers[&name].phase != creating).then_some(())).await;
        }
        self.until(|state| {
            let mut mains = state.containers.values().filter(|container| !container.init);
            let over = mains.all(|container| match &container.phase {
                Phase::Ended(ended) => !is_restarted(&self.pod, container, ended.code),
                Phase::Waiting { .. } | Phase::Running { .. } => false,
            });
            over.then_some(())
        })
        .await;
        self.sidecars.send_replace(true);
    }

    /// Makes the volumes, waiting for what they are made from.
    async fn mount(&self) {
        loop {
            let mut changes = self.shared.store.subscribe();
            let made = volume::make(self.sources(), &mut self.shared.claims());
            match made {
                Ok(volumes) => {
                    let _ = self.volumes.set(volumes);
                    return;
                }
                Err(ConfigError::Missing(why)) => {
                    let note =
                        Note::warning(&self.pod, KUBELET, "FailedMount", format!("MountVolume.SetUp failed: {why}"));
                    record(&self.shared.store, &note);
                    self.config_changed(&mut changes).await;
                }
                Err(error @ ConfigError::NotSimulated(_)) => {
                    self.not_simulated(None, &error.to_string());
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Waits until a ConfigMap, Secret or claim of the pod's namespace changes.
    pub(super) async fn config_changed(&self, changes: &mut Subscription) {
        loop {
            // A subscriber that fell behind may have missed the change it waits for.
            let Ok(change) = changes.next().await else { return };
            let claims = GroupResource::new("", "persistentvolumeclaims");
            let config = [GroupResource::CONFIG_MAPS, GroupResource::SECRETS, claims].contains(&change.resource);
            if config && meta::namespace(&change.object) == meta::namespace(&self.pod) {
                return;
            }
        }
    }

    fn join_network(&self) {
        let taken = |address: IpAddr| self.shared.address_is_taken(address);
        let address = self.shared.ipam().allocate(&self.pod, taken);
        let account = self.pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or("default");
        let net = self.shared.net.add_pod(PodNet {
            ip: address,
            namespace: meta::namespace(&self.pod).to_owned(),
            pod: meta::name(&self.pod).to_owned(),
            labels: meta::labels(&self.pod).map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            service_account: account.to_owned(),
        });
        let _ = self.net.set(net);
        self.update(|state| state.address = Some(address));
    }

    /// Gives back what the pod had, and removes its object.
    fn leave(&self) {
        if self.state().not_simulated.is_some() {
            self.tell_owners(None);
        }
        if let Some(net) = self.net.get() {
            self.shared.net.remove_pod(net.ip());
            self.shared.ipam().release(net.ip());
        }
        let options = DeleteOptions {
            grace_seconds: Some(0),
            uid: Some(meta::uid(&self.pod).to_owned()),
            ..DeleteOptions::default()
        };
        let (namespace, name) = (meta::namespace(&self.pod), meta::name(&self.pod));
        if let Err(status) = self.shared.store.delete(&GroupResource::PODS, namespace, name, &options)
            && status.code != 404
        {
            tracing::debug!(name, %status, "a pod's object stays");
        }
    }

    /// The pod's network, once it has one.
    pub(super) fn net(&self) -> Option<&NetNs> {
        self.net.get()
    }

    /// The pod's volumes, once they are made.
    pub(super) fn volumes(&self) -> Option<&Volumes> {
        self.volumes.get()
    }

    /// What environments and volumes are made from.
    pub(super) fn sources(&self) -> Sources<'_> {
        Sources { store: &self.shared.store, pod: &self.pod, address: self.net().map(NetNs::ip) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, PodState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells the world.
    pub(super) fn update(&self, change: impl FnOnce(&mut PodState)) {
        change(&mut self.state());
        self.publish();
        self.bell.send_replace(());
    }

    /// Changes the state of one container and tells the world.
    pub(super) fn update_container(&self, name: &str, change: impl FnOnce(&mut ContainerState)) {
        self.update(|state| {
            if let Some(container) = state.containers.get_mut(name) {
                change(container);
            }
        });
    }

    /// Waits until the state says something.
    async fn until<T>(&self, look: impl Fn(&PodState) -> Option<T>) -> T {
        let mut bell = self.bell.subscribe();
        loop {
            if let Some(found) = look(&self.state()) {
                return found;
            }
            if bell.changed().await.is_err() {
                // The sender lives as long as this pod.
                return std::future::pending().await;
            }
        }
    }

    /// Says that the lab lacks what the pod, or one of its containers, needs. It never becomes ready.
    pub(super) fn not_simulated(&self, name: Option<&str>, message: &str) {
        let note = Note::warning(&self.pod, KUBELET, "NotSimulated", message);
        let note = match name {
            Some(name) => note.about_container("containers", name),
            None => note,
        };
        record(&self.shared.store, &note);
        self.tell_owners(Some(message));
        self.update(|state| {
            state.not_simulated = Some(message.to_owned());
            for (_, container) in
                state.containers.iter_mut().filter(|(known, _)| name.is_none_or(|name| name == *known))
            {
                container.phase = Phase::waiting(NOT_SIMULATED, message);
            }
        });
    }

    /// Says so on whatever made the pod, too, since that is what clients wait for; or takes it back.
    fn tell_owners(&self, message: Option<&str>) {
        let now = self.shared.clock.now();
        let namespace = meta::namespace(&self.pod);
        let mut owned = Arc::clone(&self.pod);
        while let Some((kind, name)) = controller(&owned) {
            let group = if kind == "jobs" || kind == "cronjobs" { "batch" } else { "apps" };
            let resource = GroupResource::new(group, kind);
            let options = WriteOptions::status_by(KUBELET);
            let result = self.shared.store.modify(&options, &resource, namespace, &name, |owner| {
                let mut conditions =
                    owner.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
                match message {
                    Some(message) => {
                        condition::set(&mut conditions, NOT_SIMULATED, "True", NOT_SIMULATED, message, now, false);
                    }
                    None => conditions.retain(|condition| condition["type"] != NOT_SIMULATED),
                }
                meta::child(owner, "status").insert("conditions".to_owned(), conditions.into());
                Ok(())
            });
            match result {
                Ok(owner) => owned = owner,
                Err(_) => return,
            }
        }
    }

    /// An event about a container.
    pub(super) fn tell(&self, container: &str, reason: &'static str, message: impl Into<String>) {
        let list = if self.state().containers.get(container).is_some_and(|container| container.init) {
            "initContainers"
        } else {
            "containers"
        };
        let note = if matches!(reason, "BackOff" | "Unhealthy" | "Failed" | "FailedPostStartHook" | "FailedPreStopHook")
        {
            Note::warning(&self.pod, KUBELET, reason, message)
        } else {
            Note::normal(&self.pod, KUBELET, reason, message)
        };
        record(&self.shared.store, &note.about_container(list, container));
    }

    fn publish(&self) {
        let now = self.shared.clock.now();
        let (namespace, name) = (meta::namespace(&self.pod), meta::name(&self.pod));
        let options = WriteOptions::status_by(KUBELET);
        let result = self.shared.store.modify(&options, &GroupResource::PODS, namespace, name, |stored| {
            if meta::uid(stored) != meta::uid(&self.pod) {
                return Err(Status::not_found("", "pods", name));
            }
            stored["status"] = status(stored, &self.state(), now);
            Ok(())
        });
        if let Err(status) = result
            && status.code != 404
        {
            tracing::debug!(name, %status, "a pod's status was refused");
        }
    }
}

/// The resource and the name of an object's controller, if it is one of the lab's.
fn controller(object: &Value) -> Option<(&'static str, String)> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array)?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    let kinds = [
        ("ReplicaSet", "replicasets"),
        ("Deployment", "deployments"),
        ("StatefulSet", "statefulsets"),
        ("DaemonSet", "daemonsets"),
        ("Job", "jobs"),
        ("CronJob", "cronjobs"),
    ];
    let (_, resource) = kinds.into_iter().find(|(kind, _)| owner["kind"] == *kind)?;
    Some((resource, owner["name"].as_str()?.to_owned()))
}
