//! The one task that runs all controllers.
//!
//! Invariant: it looks at an object only because something changed or a time that was asked for has come; it never polls.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::carry::{Outcome, Writer};
use super::graph::Graph;
use super::plan::{Plan, View};
use super::registry::Controller;
use super::{gc, namespace, scheduler};
use crate::clock::Clock;
use crate::store::{Change, GroupResource, ObjectKey, Store, Subscription, meta};

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    /// A namespace, which every cluster furnishes and which ends with what is in it.
    Namespace(String),
    /// An object, with the eyes of one controller.
    Of(Controller, ObjectKey),
    /// An owner that waits for its dependents.
    Release(GroupResource, ObjectKey),
    /// An owner that is gone, by uid.
    Orphans(String),
    /// An object whose owners may never have been there.
    Dependent(GroupResource, ObjectKey),
}

/// All controllers of a lab.
pub struct Controllers {
    pub(super) store: Store,
    root_ca: String,
    changes: Subscription,
    pub(super) graph: Graph,
    pub(super) due: BTreeSet<Look>,
    later: BTreeSet<(Timestamp, Look)>,
    /// Pods that have no node yet.
    pub(super) unscheduled: BTreeSet<ObjectKey>,
    /// How often in a row the plan of a look was refused.
    refusals: BTreeMap<Look, u32>,
}

impl Controllers {
    /// Controllers over `store`, which should still be empty. `root_ca` is the certificate that every namespace is given.
    pub fn new(store: Store, root_ca: String) -> Self {
        let changes = store.subscribe();
        let graph = Graph::of(&store);
        let (due, later, unscheduled) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { store, root_ca, changes, graph, due, later, unscheduled, refusals: BTreeMap::new() }
    }

    /// Works for as long as it is polled.
    pub async fn run(mut self) {
        loop {
            self.work();
            let next = self.later.first().map(|(at, _)| *at);
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
                    Ok(Some(change)) => self.notice_or_relist(Some(&change)),
                    Ok(None) => break,
                    Err(_) => self.notice_or_relist(None),
                }
            }
            let Some(look) = self.due.pop_first() else { return };
            let plan = self.look(&look, None);
            if let Some(at) = plan.again {
                self.look_at(at, &look);
            }
            self.carry_out(&look, plan);
        }
    }

    fn carry_out(&mut self, look: &Look, plan: Plan) {
        match Writer::new(&self.store).carry_out(plan) {
            Outcome::Done => {
                self.refusals.remove(look);
            }
            // Somebody else was faster: look at what there is now.
            Outcome::Outdated => {
                self.due.insert(look.clone());
            }
            Outcome::Refused(why) => {
                let refusals = self.refusals.entry(look.clone()).or_insert(0);
                let delay = retry_delay(*refusals);
                *refusals = refusals.saturating_add(1);
                // The object's status may have to tell of it.
                let telling = self.look(look, Some(&why));
                Writer::new(&self.store).carry_out(telling);
                let now = self.store.clock().now();
                self.look_at(now.checked_add(delay).unwrap_or(now), look);
            }
        }
    }

    fn look_at(&mut self, at: Timestamp, look: &Look) {
        if at <= self.store.clock().now() {
            self.due.insert(look.clone());
        } else {
            self.later.insert((at, look.clone()));
        }
    }

    fn take_due(&mut self) {
        let now = self.store.clock().now();
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, look)) = self.later.pop_first() {
                self.due.insert(look);
            }
        }
    }

    fn notice_or_relist(&mut self, change: Option<&Change>) {
        if let Some(change) = change {
            self.graph.notice(change);
            return self.notice(change);
        }
        // History was lost: look at everything once.
        self.changes = self.store.subscribe();
        self.graph = Graph::of(&self.store);
        for namespace in self.store.list(&GroupResource::NAMESPACES, "").items {
            self.due.insert(Look::Namespace(meta::name(&namespace).to_owned()));
        }
        for controller in Controller::ALL {
            for object in self.store.list(&controller.resource(), "").items {
                if controller == Controller::Scheduler && scheduler::is_waiting(&object) {
                    self.unscheduled.insert(key(&object));
                }
                self.due.insert(Look::Of(controller, key(&object)));
            }
        }
    }

    /// `trouble` tells why the plan of the look before was refused.
    fn look(&self, look: &Look, trouble: Option<&str>) -> Plan {
        let mut view = View::new(&self.store, &self.graph);
        view.trouble = trouble;
        let object = |resource: &GroupResource, key: &ObjectKey| view.get(resource, &key.namespace, &key.name);
        let plan = match look {
            Look::Namespace(name) => view
                .get(&GroupResource::NAMESPACES, "", name)
                .map(|found| namespace::reconcile(&view, &found, &self.root_ca)),
            Look::Of(controller, key) => match object(&controller.resource(), key) {
                Some(found) => Some(controller.reconcile(&view, &found)),
                None => Some(controller.clean_up(&view, key)),
            },
            Look::Release(resource, key) => object(resource, key).map(|found| gc::release(&view, resource, &found)),
            Look::Orphans(uid) => Some(gc::after(&view, uid)),
            Look::Dependent(resource, key) => object(resource, key).map(|found| gc::dependent(&view, resource, &found)),
        };
        plan.unwrap_or_default()
    }
}

/// How long to wait before what was refused is tried again: twice as long each time, as controllers' work queues have it.
fn retry_delay(refusals: u32) -> SignedDuration {
    const LONGEST: i64 = 1_000_000;
    SignedDuration::from_millis(5_i64.saturating_mul(1 << refusals.min(30)).min(LONGEST))
}

/// Waits until the lab's time is `at`; for ever when there is none.
async fn reached(clock: Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep(at.duration_since(clock.now()).try_into().unwrap_or_default()).await,
        None => std::future::pending().await,
    }
}

/// The place of an object within its resource.
pub(super) fn key(object: &Value) -> ObjectKey {
    ObjectKey::new(meta::namespace(object), meta::name(object))
}
