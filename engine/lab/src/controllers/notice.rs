//! What a change makes worth looking at.
//!
//! Invariant: whatever a controller reads of other objects, a change of it leads back to that controller.

use serde_json::Value;

use super::driver::{Controllers, Look, key};
use super::object::text;
use super::registry::Controller;
use super::{disruption, endpoints, pods, scheduler, volumes};
use crate::store::{Change, ChangeKind, GroupResource, ObjectKey, meta};

impl Controllers {
    /// Decides what a change makes worth looking at.
    pub(super) fn notice(&mut self, change: &Change) {
        let object = &change.object;
        let gone = change.kind == ChangeKind::Deleted;
        match (change.resource.group.as_ref(), change.resource.resource.as_ref()) {
            // Nothing follows from these, and they are many.
            ("" | "events.k8s.io", "events") | ("coordination.k8s.io", "leases") => return,
            ("", "namespaces") => self.add(Look::Namespace(meta::name(object).to_owned())),
            ("", "pods") => self.pod(object, change.old.as_deref(), gone),
            ("", "services") => {
                self.of(Controller::EndpointSlice, object);
                self.of(Controller::Endpoints, object);
                self.of(Controller::Mirror, object);
            }
            ("", "endpoints") => {
                self.of(Controller::Mirror, object);
                if gone {
                    self.of(Controller::Endpoints, object);
                }
            }
            ("discovery.k8s.io", "endpointslices") => {
                self.owner(object, "Service", Controller::EndpointSlice);
                self.owner(object, "Endpoints", Controller::Mirror);
            }
            ("", "serviceaccounts" | "configmaps") if gone => {
                self.add(Look::Namespace(meta::namespace(object).to_owned()));
            }
            ("", "nodes") => self.node(object, change.old.as_deref()),
            ("", "persistentvolumeclaims") => {
                self.of(Controller::Claim, object);
                self.waiting_pods(|pod| volumes::claims_of(pod).any(|name| name == meta::name(object)));
            }
            ("", "persistentvolumes") => self.volume(object),
            ("storage.k8s.io", "storageclasses") => self.all(Controller::Claim, ""),
            _ => self.workload(&change.resource, object),
        }
        self.collect(change, gone);
    }

    /// Owners that wait, dependents that are left over, a namespace that ends.
    fn collect(&mut self, change: &Change, gone: bool) {
        let object = &change.object;
        if gone {
            if self.graph.dependents(meta::uid(object)).next().is_some() {
                self.add(Look::Orphans(meta::uid(object).to_owned()));
            }
            self.owners_in_waiting(object);
            let namespace = self.store.get(&GroupResource::NAMESPACES, "", meta::namespace(object));
            if namespace.is_some_and(|namespace| meta::is_deleting(&namespace)) {
                self.add(Look::Namespace(meta::namespace(object).to_owned()));
            }
            return;
        }
        if meta::is_deleting(object) {
            if meta::finalizers(object).next().is_some() {
                self.add(Look::Release(change.resource.clone(), key(object)));
            }
            return;
        }
        let owners = meta::owner_references(object);
        let known = change.old.as_deref().map(meta::owner_references).unwrap_or_default();
        if !owners.is_empty() && owners != known {
            self.add(Look::Dependent(change.resource.clone(), key(object)));
        }
    }

    fn add(&mut self, look: Look) {
        self.due.insert(look);
    }

    fn of(&mut self, controller: Controller, object: &Value) {
        self.add(Look::Of(controller, key(object)));
    }

    /// All objects of a controller in a namespace, or everywhere when that is empty.
    fn all(&mut self, controller: Controller, namespace: &str) {
        for object in self.store.list(&controller.resource(), namespace).items {
            self.of(controller, &object);
        }
    }

    /// The object's controlling owner, if it is of this kind.
    fn owner(&mut self, object: &Value, kind: &str, controller: Controller) {
        if let Some(owner) = meta::controller(object)
            && owner["kind"] == kind
            && let Some(name) = owner["name"].as_str()
        {
            self.add(Look::Of(controller, ObjectKey::new(meta::namespace(object), name)));
        }
    }

    fn workload(&mut self, resource: &GroupResource, object: &Value) {
        if let Some(controller) = Controller::ALL.into_iter().find(|one| one.resource() == *resource) {
            self.of(controller, object);
        }
        match (resource.group.as_ref(), resource.resource.as_ref()) {
            ("apps", "replicasets") => {
                self.owner(object, "Deployment", Controller::Deployment);
                if meta::controller(object).is_none() {
                    self.all(Controller::Deployment, meta::namespace(object));
                }
            }
            ("apps", "controllerrevisions") => {
                self.owner(object, "StatefulSet", Controller::StatefulSet);
                self.owner(object, "DaemonSet", Controller::DaemonSet);
            }
            ("batch", "jobs") => self.owner(object, "CronJob", Controller::CronJob),
            ("apps", "deployments" | "statefulsets") => self.all(Controller::Disruption, meta::namespace(object)),
            _ => {}
        }
    }

    fn pod(&mut self, pod: &Value, old: Option<&Value>, gone: bool) {
        const OWNERS: [(&str, Controller); 5] = [
            ("ReplicaSet", Controller::ReplicaSet),
            ("ReplicationController", Controller::Replication),
            ("StatefulSet", Controller::StatefulSet),
            ("DaemonSet", Controller::DaemonSet),
            ("Job", Controller::Job),
        ];
        for state in [Some(pod), old].into_iter().flatten() {
            for (kind, controller) in OWNERS {
                self.owner(state, kind, controller);
            }
        }
        let namespace = meta::namespace(pod);
        if meta::controller(pod).is_none() && !gone && changed(pod, old, "/metadata") {
            for (_, controller) in OWNERS {
                self.all(controller, namespace);
            }
        }
        for service in self.store.list(&GroupResource::SERVICES, namespace).items {
            if endpoints::selects(&service, pod) || old.is_some_and(|old| endpoints::selects(&service, old)) {
                self.of(Controller::EndpointSlice, &service);
                self.of(Controller::Endpoints, &service);
            }
        }
        for budget in self.store.list(&GroupResource::DISRUPTION_BUDGETS, namespace).items {
            if disruption::covers(&budget, pod) {
                self.of(Controller::Disruption, &budget);
            }
        }
        if gone {
            self.unscheduled.remove(&key(pod));
        } else if scheduler::is_waiting(pod) {
            self.unscheduled.insert(key(pod));
            if old.is_none_or(|old| old.pointer("/spec") != pod.pointer("/spec")) {
                self.of(Controller::Scheduler, pod);
            }
        } else {
            self.unscheduled.remove(&key(pod));
        }
        let freed = text(pod, "/spec/nodeName").is_some() && (gone || pods::is_finished(pod));
        if freed {
            self.waiting_pods(|_| true);
            for name in volumes::claims_of(pod) {
                self.add(Look::Of(Controller::Claim, ObjectKey::new(namespace, name)));
            }
        } else if changed(pod, old, "/spec/nodeName") && text(pod, "/spec/nodeName").is_some() {
            self.waiting_pods(|pod| pod.pointer("/spec/affinity/podAffinity").is_some());
        }
    }

    fn node(&mut self, node: &Value, old: Option<&Value>) {
        self.of(Controller::Node, node);
        let is_new = ["/spec", "/metadata/labels", "/status/allocatable"];
        if is_new.iter().any(|pointer| changed(node, old, pointer)) {
            self.waiting_pods(|_| true);
            self.all(Controller::DaemonSet, "");
        }
    }

    fn volume(&mut self, volume: &Value) {
        let of = |key: &str| text(volume, &format!("/spec/claimRef/{key}")).unwrap_or_default();
        if of("name").is_empty() {
            for claim in self.store.list(&GroupResource::CLAIMS, "").items {
                if text(&claim, "/spec/volumeName").is_none() {
                    self.of(Controller::Claim, &claim);
                }
            }
        } else {
            self.add(Look::Of(Controller::Claim, ObjectKey::new(of("namespace"), of("name"))));
        }
    }

    /// Pods without a node, which may find one now.
    fn waiting_pods(&mut self, concerned: impl Fn(&Value) -> bool) {
        for place in self.unscheduled.clone() {
            let pod = self.store.get(&GroupResource::PODS, &place.namespace, &place.name);
            if pod.is_some_and(|pod| concerned(&pod)) {
                self.add(Look::Of(Controller::Scheduler, place));
            }
        }
    }

    /// Owners that wait for this object to go.
    fn owners_in_waiting(&mut self, object: &Value) {
        for owner in meta::owner_references(object) {
            let place = owner["uid"].as_str().and_then(|uid| self.graph.place(uid)).cloned();
            if let Some((resource, place)) = place {
                self.add(Look::Release(resource, place));
            }
        }
    }
}

/// Whether a part of an object is new.
fn changed(object: &Value, old: Option<&Value>, pointer: &str) -> bool {
    old.is_none_or(|old| old.pointer(pointer) != object.pointer(pointer))
}
