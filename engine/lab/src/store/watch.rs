//! Following the store's changes.
//!
//! Invariant: a subscriber sees every change after its revision exactly once and in order, or learns that it came too late.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::key::GroupResource;
use super::memory::Store;

/// One committed change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The store's revision after it.
    pub revision: u64,
    /// What happened.
    pub kind: ChangeKind,
    /// Which kind of object.
    pub resource: GroupResource,
    /// The object after the change; for a deletion its last state, with the revision of the deletion.
    pub object: Arc<Value>,
    /// The object before it; none for a creation.
    pub old: Option<Arc<Value>>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was altered.
    Modified,
    /// It is gone.
    Deleted,
}

/// The history between a subscriber's revision and now is no longer kept: list again and subscribe from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {asked} ({oldest})")]
pub struct Expired {
    /// The revision asked for.
    pub asked: u64,
    /// The oldest revision that still has its history.
    pub oldest: u64,
}

/// A place in the store's history, moving forward.
pub struct Subscription {
    store: Store,
    /// None follows every resource.
    resource: Option<GroupResource>,
    latest: watch::Receiver<u64>,
    seen: u64,
    pending: std::vec::IntoIter<Arc<Change>>,
}

impl Subscription {
    pub(super) fn new(store: Store, resource: Option<GroupResource>, latest: watch::Receiver<u64>, after: u64) -> Self {
        Self { store, resource, latest, seen: after, pending: Vec::new().into_iter() }
    }

    /// The revision up to which changes were handed out.
    pub fn revision(&self) -> u64 {
        self.seen
    }

    /// The next change that is there already, without waiting.
    ///
    /// # Errors
    /// [`Expired`] when this subscriber fell behind the history that is kept.
    pub fn try_next(&mut self) -> Result<Option<Arc<Change>>, Expired> {
        if let Some(change) = self.pending.next() {
            self.seen = change.revision;
            return Ok(Some(change));
        }
        self.latest.borrow_and_update();
        self.pending = self.store.changes_after(self.resource.as_ref(), self.seen)?.into_iter();
        let next = self.pending.next();
        if let Some(change) = &next {
            self.seen = change.revision;
        }
        Ok(next)
    }

    /// Waits for the next change. Safe to cancel: nothing is lost.
    ///
    /// # Errors
    /// [`Expired`] when this subscriber fell behind the history that is kept.
    pub async fn next(&mut self) -> Result<Arc<Change>, Expired> {
        loop {
            if let Some(change) = self.try_next()? {
                return Ok(change);
            }
            // The sender lives in the store, which this subscription keeps alive.
            if self.latest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
