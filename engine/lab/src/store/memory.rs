//! The tables: objects by resource, revisions, bounded history.
//!
//! Invariant: the lock is held for map operations only, never while an object is built, checked or sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde_json::Value;

use super::admission::{Admission, AdmitAll};
use super::expiry::Expiry;
use super::history::{History, Total};
use super::key::{GroupResource, ObjectKey};
use super::meta;
use super::watch::{Change, ChangeKind, Expired, Subscription};
use crate::clock::Clock;
use crate::schema::Catalog;

/// The first revision handed out is one higher. Not 0 or 1, because those mean "any" and "stale" to clients.
const FIRST_REVISION: u64 = 100;

/// The objects of one lab. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// A store that is not kept alive: what the store itself holds, such as its admission, refers back to it so.
#[derive(Clone)]
pub struct WeakStore {
    inner: Weak<Inner>,
}

impl WeakStore {
    /// The store, while it is in use elsewhere.
    pub fn upgrade(&self) -> Option<Store> {
        self.inner.upgrade().map(|inner| Store { inner })
    }
}

struct Inner {
    clock: Clock,
    catalog: Catalog,
    admission: OnceLock<Arc<dyn Admission>>,
    state: Mutex<State>,
}

struct State {
    revision: u64,
    rng: Pcg64,
    tables: BTreeMap<GroupResource, Table>,
    total: Total,
    expiry: Expiry,
}

struct Table {
    objects: Objects,
    history: History,
}

/// Objects of one resource and the revision at which they stood so.
#[derive(Clone, Debug)]
pub struct Listing {
    /// By namespace, then by name.
    pub items: Vec<Arc<Value>>,
    /// Revision of the list; a watch from here misses nothing.
    pub revision: u64,
}

impl State {
    fn table(&mut self, resource: &GroupResource) -> &mut Table {
        // Looked up twice rather than cloning the key on every hit.
        if !self.tables.contains_key(resource) {
            let table = Table { objects: BTreeMap::new(), history: History::new(FIRST_REVISION) };
            self.tables.insert(resource.clone(), table);
        }
        self.tables.get_mut(resource).expect("invariant: inserted just above")
    }
}

type Objects = BTreeMap<ObjectKey, Arc<Value>>;

/// The objects of one namespace, by name.
fn within(objects: &Objects, namespace: &str) -> Vec<Arc<Value>> {
    let from = ObjectKey::new(namespace, "");
    let within = objects.range(from..).take_while(|(key, _)| key.namespace == namespace);
    within.map(|(_, object)| Arc::clone(object)).collect()
}

/// Takes changes back, newest first.
fn take_back(objects: &mut Objects, changes: &[Arc<Change>]) {
    for change in changes.iter().rev() {
        let key = ObjectKey::new(meta::namespace(&change.object), meta::name(&change.object));
        match &change.old {
            Some(old) => objects.insert(key, Arc::clone(old)),
            None => objects.remove(&key),
        };
    }
}

impl Store {
    /// An empty store. Uids and generated names depend on `seed` alone.
    pub fn new(clock: Clock, seed: u64) -> Self {
        let state = State {
            revision: FIRST_REVISION,
            rng: Pcg64::seed_from_u64(seed),
            tables: BTreeMap::new(),
            total: Total::new(FIRST_REVISION),
            expiry: Expiry::default(),
        };
        Self {
            inner: Arc::new(Inner {
                clock,
                catalog: Catalog::default(),
                admission: OnceLock::new(),
                state: Mutex::new(state),
            }),
        }
    }

    /// Sets what objects go through on their way in. The first call counts; later ones change nothing.
    pub fn set_admission(&self, admission: Arc<dyn Admission>) {
        let _ = self.inner.admission.set(admission);
    }

    /// A handle that does not keep the store alive.
    pub fn downgrade(&self) -> WeakStore {
        WeakStore { inner: Arc::downgrade(&self.inner) }
    }

    /// The clock that stamps objects.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The resources that are served.
    pub fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// The object, if it exists.
    pub fn get(&self, resource: &GroupResource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.expire(resource);
        let key = ObjectKey::new(namespace, name);
        self.lock().tables.get(resource)?.objects.get(&key).cloned()
    }

    /// All objects of a resource, of one namespace unless that is empty.
    pub fn list(&self, resource: &GroupResource, namespace: &str) -> Listing {
        self.expire(resource);
        let state = self.lock();
        let items = match state.tables.get(resource) {
            None => Vec::new(),
            Some(table) if namespace.is_empty() => table.objects.values().cloned().collect(),
            Some(table) => within(&table.objects, namespace),
        };
        Listing { items, revision: state.revision }
    }

    /// The objects of a namespace whose names begin with `prefix`.
    pub(crate) fn list_prefixed(&self, resource: &GroupResource, namespace: &str, prefix: &str) -> Vec<Arc<Value>> {
        self.expire(resource);
        let state = self.lock();
        let Some(table) = state.tables.get(resource) else { return Vec::new() };
        let within = table.objects.range(ObjectKey::new(namespace, prefix)..);
        let within = within.take_while(|(key, _)| key.namespace == namespace && key.name.starts_with(prefix));
        within.map(|(_, object)| Arc::clone(object)).collect()
    }

    /// As [`Self::list`], but as things stood at `revision`.
    ///
    /// # Errors
    /// [`Expired`] when the changes since then are no longer kept.
    pub fn list_at(&self, resource: &GroupResource, namespace: &str, revision: u64) -> Result<Listing, Expired> {
        let state = self.lock();
        let Some(table) = state.tables.get(resource) else { return Ok(Listing { items: Vec::new(), revision }) };
        let since = table.history.after(revision)?;
        let mut objects = table.objects.clone();
        drop(state);
        take_back(&mut objects, &since);
        let items = match namespace {
            "" => objects.into_values().collect(),
            namespace => within(&objects, namespace),
        };
        Ok(Listing { items, revision })
    }

    /// Every resource that has objects now, in order.
    pub fn resources(&self) -> Vec<GroupResource> {
        let state = self.lock();
        state
            .tables
            .iter()
            .filter(|(_, table)| !table.objects.is_empty())
            .map(|(resource, _)| resource.clone())
            .collect()
    }

    /// The revision of the last change.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Follows the changes of all resources from now on.
    pub fn subscribe(&self) -> Subscription {
        let state = self.lock();
        let (bell, revision) = (state.total.history.bell.subscribe(), state.revision);
        drop(state);
        Subscription::new(self.clone(), None, bell, revision)
    }

    /// Follows the changes of one resource that come after `revision`.
    ///
    /// # Errors
    /// [`Expired`] when those changes are no longer kept.
    pub fn subscribe_after(&self, resource: &GroupResource, revision: u64) -> Result<Subscription, Expired> {
        let mut state = self.lock();
        let history = &state.table(resource).history;
        history.after(revision)?;
        let bell = history.bell.subscribe();
        drop(state);
        Ok(Subscription::new(self.clone(), Some(resource.clone()), bell, revision))
    }

    /// Lets go of what does not last and whose time is over.
    fn expire(&self, resource: &GroupResource) {
        while Expiry::concerns(resource) {
            let state = self.lock();
            let due = state.expiry.due(self.inner.clock.now());
            let objects = state.tables.get(resource).map(|table| &table.objects);
            let over = due.and_then(|key| Some((objects?.get(&key).cloned()?, key)));
            drop(state);
            let Some((old, key)) = over else { return };
            // Somebody else may have been faster; gone is gone.
            let _ = self.commit(resource, &key, Some(&old), ChangeKind::Deleted, Value::clone(&old));
        }
    }

    pub(super) fn changes_after(
        &self,
        resource: Option<&GroupResource>,
        revision: u64,
    ) -> Result<Vec<Arc<Change>>, Expired> {
        let state = self.lock();
        match resource {
            None => state.total.history.after(revision),
            Some(resource) => state.tables.get(resource).map_or(Ok(Vec::new()), |table| table.history.after(revision)),
        }
    }

    /// A fresh uid in the form of a version 4 UUID.
    pub fn new_uid(&self) -> String {
        let mut bytes: [u8; 16] = self.lock().rng.random();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// Five characters of the alphabet that Kubernetes uses for `generateName` and for pods of a ReplicaSet.
    pub fn name_suffix(&self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut state = self.lock();
        (0..5).map(|_| char::from(ALPHABET[state.rng.random_range(0..ALPHABET.len())])).collect()
    }

    pub(super) fn admission(&self) -> &dyn Admission {
        self.inner.admission.get().map_or(&AdmitAll, AsRef::as_ref)
    }

    /// Stores `object` (or removes it) if the stored one still has the revision that `expected` has; stamps the new revision.
    /// None as answer means that the stored one has moved on.
    pub(super) fn commit(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        expected: Option<&Arc<Value>>,
        kind: ChangeKind,
        mut object: Value,
    ) -> Option<Arc<Value>> {
        let mut state = self.lock();
        let stored = state.tables.get(resource).and_then(|table| table.objects.get(key));
        let unchanged = match (stored, expected) {
            (None, None) => true,
            (Some(stored), Some(expected)) => meta::resource_version(stored) == meta::resource_version(expected),
            _ => false,
        };
        if !unchanged {
            return None;
        }
        state.revision += 1;
        let revision = state.revision;
        meta::metadata(&mut object).insert("resourceVersion".into(), revision.to_string().into());
        let object = Arc::new(object);
        let table = state.table(resource);
        let old = match kind {
            ChangeKind::Deleted => table.objects.remove(key),
            ChangeKind::Added | ChangeKind::Modified => table.objects.insert(key.clone(), Arc::clone(&object)),
        };
        let change = Change { revision, kind, resource: resource.clone(), object: Arc::clone(&object), old };
        let change = Arc::new(change);
        table.history.push(Arc::clone(&change));
        for dropped in state.total.push(change) {
            state.table(&dropped.resource).history.forget(dropped.revision);
        }
        if Expiry::concerns(resource) {
            match kind {
                ChangeKind::Deleted => state.expiry.remove(key),
                ChangeKind::Added | ChangeKind::Modified => state.expiry.renew(key, self.inner.clock.now()),
            }
        }
        drop(state);
        if *resource == GroupResource::CRDS {
            match kind {
                ChangeKind::Deleted => self.inner.catalog.remove_crd(&key.name),
                ChangeKind::Added | ChangeKind::Modified => self.inner.catalog.put_crd(&object),
            }
        } else if kind == ChangeKind::Deleted && self.inner.catalog.is_custom(resource) {
            self.finish_definition(resource);
        }
        Some(object)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that one of our own panics passed through; the maps are still whole.
        self.inner.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
