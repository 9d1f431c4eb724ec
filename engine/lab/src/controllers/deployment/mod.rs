//! Deployments: one ReplicaSet for each template that they have had, and a roll-out from one to the next.
//!
//! Invariant: one look does what one pass of the real controller does, in its order, and no more than one step of a roll-out.

mod bounds;
mod cleanup;
mod revision;
mod rolling;
mod scale;
mod status;

use std::sync::Arc;

use serde_json::Value;

use self::bounds::Bounds;
use super::event::Note;
use super::object::{count, flag, number};
use super::owned;
use super::plan::{Action, Plan, View};
use super::{condition, pods, selector};
use crate::store::{GroupResource, meta};

const COMPONENT: &str = "deployment-controller";
const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

/// "No limit" and "no deadline" in fields of 32 bits.
const UNLIMITED: i64 = i32::MAX as i64;

/// Compares the ReplicaSets of a Deployment with its specification.
pub(super) fn reconcile(view: &View<'_>, deployment: &Value) -> Plan {
    let mut plan = Plan::default();
    let selector = deployment.pointer("/spec/selector");
    if selector::is_empty(selector) {
        let message = "This deployment is selecting all pods. A non-empty selector is required.";
        plan.push(Action::Tell(Note::warning(deployment, COMPONENT, "SelectingAll", message)));
        return plan;
    }
    let kind = ("apps/v1", "Deployment");
    let sets = owned::claim(view, &GroupResource::REPLICA_SETS, deployment, selector, kind, &mut plan);
    let mut pass = Pass::new(view, deployment, &sets, plan);
    pass.run();
    pass.plan
}

/// One pass over a Deployment: what it and its ReplicaSets become, and the plan that makes them so.
struct Pass<'a> {
    view: &'a View<'a>,
    /// As stored.
    stored: &'a Value,
    /// With what this pass makes of it.
    deployment: Value,
    /// The ReplicaSet with the present template.
    newest: Option<Value>,
    /// The others, by age, the oldest first.
    old: Vec<Value>,
    bounds: Bounds,
    plan: Plan,
}

impl<'a> Pass<'a> {
    fn new(view: &'a View<'a>, stored: &'a Value, sets: &[Arc<Value>], plan: Plan) -> Self {
        let mut sets: Vec<Value> = sets.iter().map(|set| Value::clone(set)).collect();
        sets.sort_by(|a, b| age(a).cmp(&age(b)));
        let newest = sets.iter().position(|set| revision::has_template(set, stored));
        let newest = newest.map(|index| sets.remove(index));
        let bounds = Bounds::of(stored);
        Self { view, stored, deployment: stored.clone(), newest, old: sets, bounds, plan }
    }

    fn run(&mut self) {
        if meta::is_deleting(self.stored) {
            self.note_revision();
            self.finish(status::counts);
            return;
        }
        self.note_pause();
        if flag(self.stored, "/spec/paused") || self.is_scaled() {
            self.note_revision();
            self.scale_in_proportion();
            if flag(self.stored, "/spec/paused") {
                self.clean_up();
            }
            self.finish(status::counts);
        } else if self.bounds.recreate {
            self.recreate();
        } else {
            self.roll();
        }
    }

    /// Whether the Deployment was scaled since its ReplicaSets were: they remember what was asked for.
    fn is_scaled(&self) -> bool {
        let sets = self.old.iter().chain(self.newest.as_ref()).filter(|set| count(set, "/spec/replicas") > 0);
        let asked = |set: &Value| meta::annotation(set, DESIRED).and_then(|text| text.parse::<i64>().ok());
        sets.filter_map(asked).any(|asked| asked != self.bounds.replicas)
    }

    /// A pause and its end show in the condition, so that neither counts against the deadline.
    fn note_pause(&mut self) {
        if !has_deadline(self.stored) {
            return;
        }
        let known = condition::find(self.stored, "Progressing").map(|known| known["reason"].clone());
        if known.as_ref().is_some_and(|reason| reason == "ProgressDeadlineExceeded") {
            return;
        }
        let is_noted = known.is_some_and(|reason| reason == "DeploymentPaused");
        match (flag(self.stored, "/spec/paused"), is_noted) {
            (true, false) => self.progress("Unknown", "DeploymentPaused", "Deployment is paused"),
            (false, true) => self.progress("Unknown", "DeploymentResumed", "Deployment is resumed"),
            _ => {}
        }
    }

    /// All old pods go before the first new one comes.
    fn recreate(&mut self) {
        self.note_revision();
        let mut scaled = false;
        for index in 0..self.old.len() {
            scaled |= self.scale_old(index, 0, false);
        }
        if scaled || self.has_old_pods() {
            return self.finish(status::progress);
        }
        if self.newest.is_none() && !self.create() {
            return;
        }
        self.scale_newest(self.bounds.replicas, false);
        if self.is_complete() {
            self.clean_up();
        }
        self.finish(status::progress);
    }

    fn has_old_pods(&self) -> bool {
        let pods = |set: &Value| self.view.controlled(&GroupResource::PODS, set);
        self.old.iter().any(|set| pods(set).iter().any(|pod| !pods::is_finished(pod)))
    }

    /// One step of a rolling update.
    fn roll(&mut self) {
        self.note_revision();
        if self.newest.is_none() && !self.create() {
            return;
        }
        let moved = self.grow() || self.shrink();
        if !moved && self.is_complete() {
            self.clean_up();
        }
        self.finish(status::progress);
    }

    /// Whether the stored status says that the roll-out is over.
    fn is_complete(&self) -> bool {
        status::is_complete(self.stored, self.stored.get("status").unwrap_or(&Value::Null))
    }

    /// Sets the condition `Progressing`.
    fn progress(&mut self, word: &str, reason: &str, message: &str) {
        let condition = status::condition("Progressing", word, reason, message, self.view.now());
        let mut conditions = condition::of(&self.deployment);
        condition::put(&mut conditions, condition, true);
        meta::child(&mut self.deployment, "status").insert("conditions".to_owned(), conditions.into());
    }

    /// Plans the status that `judge` works out.
    fn finish(&mut self, judge: fn(&mut Self) -> Value) {
        let status = judge(self);
        let resource = GroupResource::DEPLOYMENTS;
        if self.stored.get("status") != Some(&status) {
            self.deployment["status"] = status;
            self.plan.push(Action::UpdateStatus(resource, self.deployment.clone()));
        }
    }

    /// The ReplicaSets, oldest first, the one with the present template last.
    fn sets(&self) -> impl Iterator<Item = &Value> {
        self.old.iter().chain(self.newest.as_ref())
    }

    fn sum(&self, pointer: &str) -> i64 {
        self.sets().map(|set| count(set, pointer)).sum()
    }
}

/// By creation, then by name.
fn age(set: &Value) -> (&str, &str) {
    let created = set.pointer("/metadata/creationTimestamp").and_then(Value::as_str).unwrap_or_default();
    (created, meta::name(set))
}

fn has_deadline(deployment: &Value) -> bool {
    number(deployment, "/spec/progressDeadlineSeconds").is_some_and(|deadline| deadline != UNLIMITED)
}
