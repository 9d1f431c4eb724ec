//! What a store remembers of its past: the latest changes, for watchers that follow and for lists of an earlier state.
//!
//! Invariant: what is kept is bounded in number and in bytes; from the floor on, nothing is missing.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::watch::{Change, Expired};

/// Changes kept of one resource.
const OF_ONE: usize = 1024;

/// Changes kept of all resources.
const OF_ALL: usize = 10 * OF_ONE;

/// Bytes that the objects of all kept changes may take, roughly.
const BYTES: usize = 24 << 20;

/// A bounded run of changes and a bell that rings on each.
pub(super) struct History {
    changes: VecDeque<Arc<Change>>,
    limit: usize,
    /// Changes up to this revision may have been dropped.
    floor: u64,
    pub(super) bell: watch::Sender<u64>,
}

impl History {
    /// Nothing yet, in a store of this revision.
    pub(super) fn new(revision: u64) -> Self {
        Self { changes: VecDeque::new(), limit: OF_ONE, floor: revision, bell: watch::Sender::new(revision) }
    }

    /// Takes a change in, and drops the oldest if there are too many.
    pub(super) fn push(&mut self, change: Arc<Change>) {
        let revision = change.revision;
        self.changes.push_back(change);
        if self.changes.len() > self.limit {
            self.drop_oldest();
        }
        self.bell.send_replace(revision);
    }

    fn drop_oldest(&mut self) -> Option<Arc<Change>> {
        let dropped = self.changes.pop_front()?;
        self.floor = dropped.revision;
        Some(dropped)
    }

    /// Forgets the changes up to a revision.
    pub(super) fn forget(&mut self, revision: u64) {
        while self.changes.front().is_some_and(|oldest| oldest.revision <= revision) {
            self.drop_oldest();
        }
    }

    /// The changes after a revision.
    ///
    /// # Errors
    /// [`Expired`] when some of them were dropped.
    pub(super) fn after(&self, revision: u64) -> Result<Vec<Arc<Change>>, Expired> {
        if revision < self.floor {
            return Err(Expired { asked: revision, oldest: self.floor });
        }
        let start = self.changes.partition_point(|change| change.revision <= revision);
        Ok(self.changes.range(start..).cloned().collect())
    }
}

/// The history of all resources together, which is what is bounded in bytes.
pub(super) struct Total {
    pub(super) history: History,
    /// Of each change that is kept.
    weights: VecDeque<usize>,
    bytes: usize,
}

impl Total {
    /// Nothing yet, in a store of this revision.
    pub(super) fn new(revision: u64) -> Self {
        let history = History { limit: OF_ALL, ..History::new(revision) };
        Self { history, weights: VecDeque::new(), bytes: 0 }
    }

    /// Takes a change in; answers those that are too old for it, which no resource may remember either.
    pub(super) fn push(&mut self, change: Arc<Change>) -> Vec<Arc<Change>> {
        let weight = weight(&change.object);
        self.weights.push_back(weight);
        self.bytes += weight;
        let mut dropped = Vec::new();
        // The change itself stays, however large it is: watchers have yet to see it.
        while self.bytes > BYTES || self.weights.len() > OF_ALL {
            if self.weights.len() == 1 {
                break;
            }
            self.bytes -= self.weights.pop_front().unwrap_or(0);
            dropped.extend(self.history.drop_oldest());
        }
        self.history.push(change);
        dropped
    }
}

/// Roughly how many bytes a value takes in memory: a member of a map with its place in the table, an item, and their texts.
fn weight(value: &Value) -> usize {
    const MEMBER: usize = 128;
    const ITEM: usize = 80;
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| MEMBER + key.len() + weight(value)).sum(),
        Value::Array(list) => list.iter().map(|item| ITEM + weight(item)).sum(),
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ChangeKind, GroupResource};
    use serde_json::json;

    fn change(revision: u64, object: &Value) -> Arc<Change> {
        let (object, resource) = (Arc::new(object.clone()), GroupResource::CONFIG_MAPS);
        Arc::new(Change { revision, kind: ChangeKind::Modified, resource, object, old: None })
    }

    #[test]
    fn large_objects_are_forgotten_sooner() {
        let large = json!({"data": {"text": "x".repeat(BYTES / 10)}});
        let mut total = Total::new(100);
        let dropped: Vec<u64> =
            (101..=120).flat_map(|at| total.push(change(at, &large))).map(|change| change.revision).collect();
        assert_eq!(dropped, (101..=111).collect::<Vec<_>>());
        assert_eq!(total.history.after(110).err(), Some(Expired { asked: 110, oldest: 111 }));
        assert_eq!(total.history.after(111).map(|kept| kept.len()), Ok(9));
        // One that is larger than all that is kept drives out the others, and is seen.
        let huge = json!({"data": {"text": "x".repeat(2 * BYTES)}});
        assert_eq!(total.push(change(121, &huge)).len(), 9);
        assert_eq!(total.history.after(120).map(|kept| kept.len()), Ok(1));
    }

    #[test]
    fn small_ones_are_bounded_in_number() {
        let (small, mut total, mut one) = (json!({"data": {}}), Total::new(0), History::new(0));
        let last = 2 * OF_ALL as u64;
        for at in 1..=last {
            one.push(change(at, &small));
            total.push(change(at, &small)).iter().for_each(|dropped| one.forget(dropped.revision));
        }
        assert_eq!(total.history.after(last - OF_ALL as u64).map(|kept| kept.len()), Ok(OF_ALL));
        assert!(total.history.after(last - OF_ALL as u64 - 1).is_err());
        assert_eq!(one.after(last - OF_ONE as u64).map(|kept| kept.len()), Ok(OF_ONE));
        assert!(one.after(last - OF_ONE as u64 - 1).is_err());
        one.forget(last - 1);
        assert_eq!((one.after(last - 2).is_err(), one.after(last - 1).map(|kept| kept.len())), (true, Ok(1)));
    }
}
