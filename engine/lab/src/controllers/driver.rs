//! The one task that runs all controllers.
//!
//! Invariant: it looks at an object only because something changed or a time that was asked for has come; it never polls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::plan::{Action, Plan, View};
use super::{deployment, endpoints, event, gc, namespace, replica_set};
use crate::clock::Clock;
use crate::store::{
    Change, ChangeKind, GroupResource, ObjectKey, Store, Subresource, Subscription, WriteOptions, meta,
};

/// The field manager of what controllers write.
const MANAGER: &str = "kube-controller-manager";

/// When to try again what was refused.
const RETRY: SignedDuration = SignedDuration::from_secs(2);

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    Namespace(String),
    Deployment(ObjectKey),
    ReplicaSet(ObjectKey),
    Service(ObjectKey),
    /// An owner that waits for its dependents.
    Release(GroupResource, ObjectKey),
    /// An owner that is gone, by uid.
    Orphans(String),
}

/// All controllers of a lab.
pub struct Controllers {
    store: Store,
    root_ca: String,
    changes: Subscription,
    due: BTreeSet<Job>,
    later: BTreeMap<(Timestamp, Job), ()>,
}

impl Controllers {
    /// Controllers over `store`, which should still be empty. `root_ca` is the certificate that every namespace is given.
    pub fn new(store: Store, root_ca: String) -> Self {
        let changes = store.subscribe();
        Self { store, root_ca, changes, due: BTreeSet::new(), later: BTreeMap::new() }
    }

    /// Works for as long as it is polled.
    pub async fn run(mut self) {
        loop {
            self.work();
            let next = self.later.keys().next().map(|(at, _)| *at);
            tokio::select! {
                biased;
                change = self.changes.next() => self.notice_or_relist(change.ok().as_deref()),
                () = reached(self.store.clock().clone(), next) => self.take_due(),
            }
        }
    }

    /// Does everything that follows from the changes so far.
    pub(super) fn work(&mut self) {
        loop {
            loop {
                match self.changes.try_next() {
                    Ok(Some(change)) => self.notice(&change),
                    Ok(None) => break,
                    Err(_) => self.notice_or_relist(None),
                }
            }
            let Some(job) = self.due.pop_first() else { return };
            let plan = self.look(&job);
            if let Some(at) = plan.again {
                if at <= self.store.clock().now() {
                    self.due.insert(job.clone());
                } else {
                    self.later.insert((at, job.clone()), ());
                }
            }
            let mut refused = false;
            for action in plan.actions {
                refused |= !self.carry_out(action);
            }
            let retry = self.store.clock().now().checked_add(RETRY);
            if refused && let Ok(at) = retry {
                self.later.insert((at, job), ());
            }
        }
    }

    fn take_due(&mut self) {
        let now = self.store.clock().now();
        while let Some(((at, _), ())) = self.later.first_key_value() {
            if *at > now {
                return;
            }
            if let Some(((_, job), ())) = self.later.pop_first() {
                self.due.insert(job);
            }
        }
    }

    fn notice_or_relist(&mut self, change: Option<&Change>) {
        if let Some(change) = change {
            return self.notice(change);
        }
        // History was lost: look at everything once.
        self.changes = self.store.subscribe();
        for (resource, job) in [
            (GroupResource::NAMESPACES, (|key: ObjectKey| Job::Namespace(key.name)) as fn(ObjectKey) -> Job),
            (GroupResource::DEPLOYMENTS, Job::Deployment),
            (GroupResource::REPLICA_SETS, Job::ReplicaSet),
            (GroupResource::SERVICES, Job::Service),
        ] {
            for object in self.store.list(&resource, "").items {
                self.due.insert(job(key(&object)));
            }
        }
    }

    /// Decides what a change makes worth looking at.
    fn notice(&mut self, change: &Change) {
        let object = &change.object;
        let gone = change.kind == ChangeKind::Deleted;
        match (change.resource.group.as_ref(), change.resource.resource.as_ref()) {
            // Nothing follows from these, and they are many.
            ("", "events") | ("coordination.k8s.io", "leases") if !gone => return,
            ("", "namespaces") => self.add(Job::Namespace(meta::name(object).to_owned())),
            ("apps", "deployments") => self.add(Job::Deployment(key(object))),
            ("apps", "replicasets") => {
                self.add(Job::ReplicaSet(key(object)));
                self.owner(object, "Deployment", Job::Deployment);
            }
            ("", "pods") => {
                self.owner(object, "ReplicaSet", Job::ReplicaSet);
                self.services_of(object, change.old.as_deref());
            }
            ("", "services") => self.add(Job::Service(key(object))),
            ("", "serviceaccounts" | "configmaps") if gone => {
                self.due.insert(Job::Namespace(meta::namespace(object).to_owned()));
            }
            _ => {}
        }
        if gone {
            self.due.insert(Job::Orphans(meta::uid(object).to_owned()));
            self.owners_in_waiting(object);
            let namespace = self.store.get(&GroupResource::NAMESPACES, "", meta::namespace(object));
            if namespace.is_some_and(|namespace| meta::is_deleting(&namespace)) {
                self.due.insert(Job::Namespace(meta::namespace(object).to_owned()));
            }
        } else if meta::is_deleting(object) && meta::finalizers(object).next().is_some() {
            self.due.insert(Job::Release(change.resource.clone(), key(object)));
        }
    }

    /// A job that waits already is not added again.
    fn add(&mut self, job: Job) {
        self.due.insert(job);
    }

    fn owner(&mut self, object: &Value, kind: &str, job: fn(ObjectKey) -> Job) {
        if let Some(owner) = meta::controller(object)
            && owner["kind"] == kind
            && let Some(name) = owner["name"].as_str()
        {
            self.due.insert(job(ObjectKey::new(meta::namespace(object), name)));
        }
    }

    fn services_of(&mut self, pod: &Value, old: Option<&Value>) {
        for service in self.store.list(&GroupResource::SERVICES, meta::namespace(pod)).items {
            let Some(selector) = service.pointer("/spec/selector").and_then(Value::as_object) else { continue };
            if endpoints::selected(selector, pod) || old.is_some_and(|old| endpoints::selected(selector, old)) {
                self.due.insert(Job::Service(key(&service)));
            }
        }
    }

    /// Owners that wait for this object to go.
    fn owners_in_waiting(&mut self, object: &Value) {
        for owner in meta::owner_references(object) {
            let name = owner["name"].as_str().unwrap_or_default();
            for resource in self.store.resources() {
                for namespace in [meta::namespace(object), ""] {
                    let found = self.store.get(&resource, namespace, name);
                    if found.is_some_and(|found| owner["uid"] == meta::uid(&found) && meta::is_deleting(&found)) {
                        self.due.insert(Job::Release(resource.clone(), ObjectKey::new(namespace, name)));
                    }
                }
            }
        }
    }

    fn look(&self, job: &Job) -> Plan {
        let view = View::new(&self.store);
        let now = self.store.clock().now();
        let object = |resource: &GroupResource, key: &ObjectKey| view.get(resource, &key.namespace, &key.name);
        let plan = match job {
            Job::Namespace(name) => view
                .get(&GroupResource::NAMESPACES, "", name)
                .map(|found| namespace::reconcile(&view, &found, &self.root_ca, now)),
            Job::Deployment(key) => {
                object(&GroupResource::DEPLOYMENTS, key).map(|found| deployment::reconcile(&view, &found, now))
            }
            Job::ReplicaSet(key) => {
                object(&GroupResource::REPLICA_SETS, key).map(|found| replica_set::reconcile(&view, &found, now))
            }
            Job::Service(key) => object(&GroupResource::SERVICES, key).map(|found| endpoints::reconcile(&view, &found)),
            Job::Release(resource, key) => object(resource, key).map(|found| gc::release(&view, resource, &found)),
            Job::Orphans(uid) => Some(gc::after(&view, uid)),
        };
        plan.unwrap_or_default()
    }

    /// Makes one change; false when it was refused.
    fn carry_out(&self, action: Action) -> bool {
        let store = &self.store;
        let main = WriteOptions::by(MANAGER);
        let result = match action {
            Action::Create(resource, object) => create(store, &main, &resource, object).map(drop),
            Action::Update(resource, object) => store.update(&main, &resource, unversioned(object)).map(drop),
            Action::UpdateStatus(resource, object) => {
                store.update_status(MANAGER, &resource, unversioned(object)).map(drop)
            }
            Action::Finalize(object) => {
                let options = WriteOptions { subresource: Subresource::Finalize, ..main };
                store.update(&options, &GroupResource::NAMESPACES, unversioned(object)).map(drop)
            }
            Action::Delete { resource, namespace, name, options } => {
                store.delete(&resource, &namespace, &name, &options).map(drop)
            }
            Action::Tell(note) => {
                event::record(store, &note);
                Ok(())
            }
        };
        match result {
            Ok(()) => true,
            // The object went in the meantime, which is a change that is looked at in turn.
            Err(status) if status.code == 404 => true,
            Err(status) => {
                tracing::debug!(%status, "a controller's change was refused");
                false
            }
        }
    }
}

/// Creates an object; a ReplicaSet tells of its pods, made or refused.
fn create(
    store: &Store,
    options: &WriteOptions,
    resource: &GroupResource,
    object: Value,
) -> Result<Arc<Value>, crate::status::Status> {
    let owner = meta::controller(&object).filter(|_| *resource == GroupResource::PODS).cloned();
    let namespace = meta::namespace(&object).to_owned();
    let result = store.create(options, resource, object);
    let owner = owner.and_then(|owner| store.get(&GroupResource::REPLICA_SETS, &namespace, owner["name"].as_str()?));
    if let Some(owner) = owner {
        let component = "replicaset-controller";
        let note = match &result {
            Ok(pod) => {
                event::Note::normal(&owner, component, "SuccessfulCreate", format!("Created pod: {}", meta::name(pod)))
            }
            Err(status) => event::Note::warning(&owner, component, "FailedCreate", format!("Error creating: {status}")),
        };
        event::record(store, &note);
    }
    result
}

/// The driver looks and writes without a pause in between, so what it read is still there; its own earlier change to the same
/// object in the same plan is no conflict.
fn unversioned(mut object: Value) -> Value {
    meta::metadata(&mut object).shift_remove("resourceVersion");
    object
}

/// Waits until the lab's time is `at`; for ever when there is none.
async fn reached(clock: Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep(at.duration_since(clock.now()).try_into().unwrap_or_default()).await,
        None => std::future::pending().await,
    }
}

fn key(object: &Value) -> ObjectKey {
    ObjectKey::new(meta::namespace(object), meta::name(object))
}
