//! Objects that do not last: Events are kept for an hour after they were last written, and never too many of them.
//!
//! Invariant: nobody waits for the hour to pass. What is over goes when somebody looks at Events or tells one, so that a lab with
//! nothing to do stays still.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::key::{GroupResource, ObjectKey};

/// How long an Event lasts; the default of kube-apiserver's `--event-ttl`.
const LASTS: SignedDuration = SignedDuration::from_hours(1);

/// Events that a lab keeps, however young. A cluster keeps them all.
const AT_MOST: usize = 4096;

/// When each object that does not last was last written.
#[derive(Default)]
pub(super) struct Expiry {
    written: BTreeMap<ObjectKey, Timestamp>,
    oldest: BTreeSet<(Timestamp, ObjectKey)>,
}

impl Expiry {
    /// Whether objects of a resource are such.
    pub(super) fn concerns(resource: &GroupResource) -> bool {
        *resource == GroupResource::EVENTS
    }

    /// An object was written.
    pub(super) fn renew(&mut self, key: &ObjectKey, now: Timestamp) {
        self.remove(key);
        self.written.insert(key.clone(), now);
        self.oldest.insert((now, key.clone()));
    }

    /// An object is gone.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        if let Some(at) = self.written.remove(key) {
            self.oldest.remove(&(at, key.clone()));
        }
    }

    /// The next object whose time is over.
    pub(super) fn due(&self, now: Timestamp) -> Option<ObjectKey> {
        let (written, key) = self.oldest.first()?;
        let over = now.duration_since(*written) >= LASTS || self.oldest.len() > AT_MOST;
        over.then(|| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::store::{ChangeKind, Store, WriteOptions, meta};

    fn store() -> Store {
        let store = Store::new(Clock::fixed(Clock::virtual_epoch()), 7);
        let namespace = json!({"metadata": {"name": "n"}});
        store.create(&WriteOptions::by("test"), &GroupResource::NAMESPACES, namespace).expect("created");
        store
    }

    fn tell(store: &Store, name: &str) {
        let metadata = json!({"name": name, "namespace": "n"});
        let about = json!({"kind": "Pod", "namespace": "n", "name": "p"});
        let event = json!({"metadata": metadata, "involvedObject": about, "reason": "R", "type": "Normal"});
        store.create(&WriteOptions::by("test"), &GroupResource::EVENTS, event).expect("created");
    }

    fn names(store: &Store) -> Vec<String> {
        store.list(&GroupResource::EVENTS, "n").items.iter().map(|event| meta::name(event).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_lasts_an_hour_after_it_was_last_told() {
        let store = store();
        ["told-once", "told-twice"].iter().for_each(|name| tell(&store, name));
        tokio::time::advance(Duration::from_secs(1800)).await;
        let again = |event: &mut serde_json::Value| {
            event["count"] = 2.into();
            Ok(())
        };
        store.modify(&WriteOptions::by("test"), &GroupResource::EVENTS, "n", "told-twice", again).expect("counted");
        tokio::time::advance(Duration::from_secs(1799)).await;
        assert_eq!(names(&store), ["told-once", "told-twice"]);
        let mut changes = store.subscribe();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(names(&store), ["told-twice"]);
        let gone = changes.try_next().expect("kept").expect("a change");
        assert_eq!((gone.kind, meta::name(&gone.object)), (ChangeKind::Deleted, "told-once"));
        tokio::time::advance(Duration::from_secs(1800)).await;
        assert!(store.get(&GroupResource::EVENTS, "n", "told-twice").is_none());
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut expiry = Expiry::default();
        let now = Clock::virtual_epoch();
        let key = |number: usize| ObjectKey::new("n", format!("e{number}"));
        (0..AT_MOST).for_each(|number| expiry.renew(&key(number), now));
        assert_eq!(expiry.due(now), None);
        expiry.renew(&key(0), now + SignedDuration::from_secs(1));
        expiry.renew(&key(AT_MOST), now + SignedDuration::from_secs(1));
        let first = expiry.due(now).expect("one too many");
        expiry.remove(&first);
        assert_eq!(first, key(1));
        assert_eq!(expiry.due(now), None);
    }
}
