//! Who owns whom, kept up to date from the changes of the store.
//!
//! Invariant: it holds exactly the stored objects' owner references, so that finding dependents costs nothing but their number.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::store::{Change, ChangeKind, GroupResource, ObjectKey, Store, meta};

/// An object's place.
pub(super) type Place = (GroupResource, ObjectKey);

/// The owner references of all objects, by the owner's uid, and the pods and revisions that nothing controls.
#[derive(Debug, Default)]
pub(super) struct Graph {
    dependents: BTreeMap<String, BTreeSet<Place>>,
    free: BTreeSet<Place>,
    /// Resources of the objects that have a uid that others name as owner.
    owners: BTreeMap<String, Place>,
}

impl Graph {
    /// The graph of what is stored now.
    pub(super) fn of(store: &Store) -> Self {
        let mut graph = Self::default();
        for resource in store.resources() {
            for object in store.list(&resource, "").items {
                graph.add(&resource, &object);
            }
        }
        graph
    }

    /// Takes a change into account.
    pub(super) fn notice(&mut self, change: &Change) {
        if let Some(old) = &change.old {
            self.remove(&change.resource, old);
        }
        if change.kind != ChangeKind::Deleted {
            self.add(&change.resource, &change.object);
        }
    }

    /// The places of the objects that name `uid` as an owner, in order.
    pub(super) fn dependents(&self, uid: &str) -> impl Iterator<Item = &Place> {
        self.dependents.get(uid).into_iter().flatten()
    }

    /// The names of a namespace's objects of a resource that could be adopted and that nothing controls.
    pub(super) fn free<'a>(&'a self, resource: &GroupResource, namespace: &'a str) -> impl Iterator<Item = &'a str> {
        let from = (resource.clone(), ObjectKey::new(namespace, ""));
        let resource = resource.clone();
        let within = move |place: &&Place| place.0 == resource && place.1.namespace == namespace;
        self.free.range(from..).take_while(within).map(|(_, key)| key.name.as_str())
    }

    /// Where the object with this uid is.
    pub(super) fn place(&self, uid: &str) -> Option<&Place> {
        self.owners.get(uid)
    }

    fn add(&mut self, resource: &GroupResource, object: &Value) {
        let place = (resource.clone(), ObjectKey::new(meta::namespace(object), meta::name(object)));
        for owner in meta::owner_references(object) {
            if let Some(uid) = owner["uid"].as_str() {
                self.dependents.entry(uid.to_owned()).or_default().insert(place.clone());
            }
        }
        if is_adoptable(resource) && meta::controller(object).is_none() {
            self.free.insert(place.clone());
        }
        if !is_told(resource) {
            self.owners.insert(meta::uid(object).to_owned(), place);
        }
    }

    fn remove(&mut self, resource: &GroupResource, object: &Value) {
        let place = (resource.clone(), ObjectKey::new(meta::namespace(object), meta::name(object)));
        for owner in meta::owner_references(object) {
            let uid = owner["uid"].as_str().unwrap_or_default();
            if let Some(places) = self.dependents.get_mut(uid) {
                places.remove(&place);
                if places.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        self.free.remove(&place);
        self.owners.remove(meta::uid(object));
    }
}

/// Whether controllers adopt objects of this resource.
fn is_adoptable(resource: &GroupResource) -> bool {
    [GroupResource::PODS, GroupResource::REPLICA_SETS, GroupResource::CONTROLLER_REVISIONS].contains(resource)
}

/// Events own nothing, and they are many.
fn is_told(resource: &GroupResource) -> bool {
    resource.resource == "events"
}
