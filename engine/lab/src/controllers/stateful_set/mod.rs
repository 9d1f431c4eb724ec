//! StatefulSets: pods with a name that lasts, made and replaced in order.
//!
//! Invariant: with ordered management at most one pod is made, deleted or waited for at a time.

mod claims;
mod identity;

use std::sync::Arc;

use serde_json::{Value, json};

use super::event::Note;
use super::object::{count, number, set_count, text};
use super::plan::{Action, Plan, Told, View};
use super::revision::{self, Revisions};
use super::{owned, pods};
use crate::store::{GroupResource, meta};

const COMPONENT: &str = "statefulset-controller";
const KIND: (&str, &str) = ("apps/v1", "StatefulSet");
const HASH_LABEL: &str = "controller.kubernetes.io/hash";
const REVISION_LABEL: &str = "controller-revision-hash";

/// Compares the pods of a StatefulSet with its specification.
pub(super) fn reconcile(view: &View<'_>, set: &Value) -> Plan {
    let mut plan = Plan::default();
    let selector = set.pointer("/spec/selector");
    let pods = owned::claim(view, &GroupResource::PODS, set, selector, KIND, &mut plan);
    let pods: Vec<_> = pods.into_iter().filter(|pod| identity::is_member(set, pod)).collect();
    let Some(revisions) = Revisions::of(view, set, KIND, HASH_LABEL, &mut plan) else { return plan };
    let current = text(set, "/status/currentRevision").and_then(|name| revisions.named(name));
    let current = current.unwrap_or(revisions.newest()).clone();
    let mut pass = Pass { view, set, revisions: &revisions, current: &current, fewer_current: 0, plan };
    pass.split_and_step(&pods);
    let status = pass.status(&pods);
    let mut plan = pass.plan;
    plan.set_status(&GroupResource::STATEFUL_SETS, set, status);
    let is_used = |revision: &Value| {
        meta::name(revision) == meta::name(&current)
            || pods.iter().any(|pod| meta::label(pod, REVISION_LABEL) == Some(meta::name(revision)))
    };
    if view.trouble.is_none() {
        revisions.clean_up(set, is_used, &mut plan);
    }
    plan
}

/// One pass over a StatefulSet.
struct Pass<'a> {
    view: &'a View<'a>,
    set: &'a Value,
    revisions: &'a Revisions,
    current: &'a Value,
    /// Pods of the current revision that this pass deletes for an update.
    fewer_current: i64,
    plan: Plan,
}

impl Pass<'_> {
    fn split_and_step(&mut self, pods: &[Arc<Value>]) {
        if meta::is_deleting(self.set) || self.view.trouble.is_some() {
            return;
        }
        let (start, size) = (count(self.set, "/spec/ordinals/start"), count(self.set, "/spec/replicas"));
        let at = |ordinal: i64| pods.iter().find(|pod| identity::ordinal(self.set, pod) == Some(ordinal));
        let replicas: Vec<(i64, Option<Arc<Value>>)> =
            (start..start + size).map(|ordinal| (ordinal, at(ordinal).cloned())).collect();
        let mut condemned: Vec<(i64, Arc<Value>)> = pods
            .iter()
            .filter_map(|pod| Some((identity::ordinal(self.set, pod)?, Arc::clone(pod))))
            .filter(|(ordinal, _)| !(start..start + size).contains(ordinal))
            .collect();
        condemned.sort_by_key(|(ordinal, _)| std::cmp::Reverse(*ordinal));
        self.step(&replicas, &condemned);
    }

    /// Makes what is missing, then takes away what is too much, then replaces what is outdated; stops where it has to wait.
    fn step(&mut self, replicas: &[(i64, Option<Arc<Value>>)], condemned: &[(i64, Arc<Value>)]) {
        let ordered = text(self.set, "/spec/podManagementPolicy") != Some("Parallel");
        for (ordinal, pod) in replicas {
            if self.keep(*ordinal, pod.as_deref(), ordered) && ordered {
                return;
            }
        }
        for (_, pod) in condemned {
            self.keep_claims(pod);
        }
        let mut all =
            replicas.iter().filter_map(|(_, pod)| pod.as_ref()).chain(condemned.iter().rev().map(|(_, pod)| pod));
        let first_unavailable = all.find(|pod| self.is_unavailable(pod)).map(|pod| meta::uid(pod).to_owned());
        for (_, pod) in condemned {
            if meta::is_deleting(pod) {
                if ordered {
                    return;
                }
                continue;
            }
            if ordered && self.is_unavailable(pod) && first_unavailable.as_deref() != Some(meta::uid(pod)) {
                return;
            }
            self.delete(pod);
            if ordered {
                return;
            }
        }
        if text(self.set, "/spec/updateStrategy/type") != Some("OnDelete") {
            self.update(replicas);
        }
    }

    /// Sees to one pod that should be there. True if nothing after it may be touched yet.
    fn keep(&mut self, ordinal: i64, pod: Option<&Value>, ordered: bool) -> bool {
        let Some(pod) = pod else {
            self.create(ordinal);
            return true;
        };
        if pods::is_finished(pod) {
            if !meta::is_deleting(pod) {
                self.delete(pod);
            }
            return true;
        }
        if pods::phase(pod) == "Pending" {
            self.make_claims(ordinal, pod);
        }
        if ordered && self.is_unavailable(pod) {
            return true;
        }
        let mut fixed = pod.clone();
        identity::set(self.set, ordinal, &mut fixed);
        if fixed != *pod {
            self.plan.push(Action::Update(GroupResource::PODS, fixed));
        }
        self.keep_claims(pod);
        false
    }

    fn create(&mut self, ordinal: i64) {
        let partition = number(self.set, "/spec/updateStrategy/rollingUpdate/partition");
        let kept = partition.unwrap_or_else(|| count(self.set, "/status/currentReplicas"));
        let is_rolling = text(self.set, "/spec/updateStrategy/type") == Some("RollingUpdate");
        let is_current =
            (is_rolling || partition.is_some()) && ordinal < count(self.set, "/spec/ordinals/start") + kept;
        let revision = if is_current { self.current } else { self.revisions.newest() };
        let pod = identity::new_pod(self.set, revision, ordinal);
        self.make_claims(ordinal, &pod);
        let (pod_name, name) = (meta::name(&pod).to_owned(), meta::name(self.set));
        let made = format!("Create Pod {pod_name} in StatefulSet {name} successful");
        let refused = format!("Create Pod {pod_name} in StatefulSet {name} failed error: ");
        self.plan.push(create(GroupResource::PODS, pod, self.set, made, refused));
    }

    fn delete(&mut self, pod: &Value) {
        self.plan.push(Action::delete(&GroupResource::PODS, pod));
        let message = format!("Delete Pod {} in StatefulSet {} successful", meta::name(pod), meta::name(self.set));
        self.plan.push(Action::Tell(Note::normal(self.set, COMPONENT, "SuccessfulDelete", message)));
    }

    /// Deletes the last pod that has another template, unless a later one is still to become available.
    fn update(&mut self, replicas: &[(i64, Option<Arc<Value>>)]) {
        let first = count(self.set, "/spec/updateStrategy/rollingUpdate/partition");
        for (_, pod) in replicas.iter().skip(usize::try_from(first).unwrap_or(0)).rev() {
            let Some(pod) = pod else { return };
            let revision = meta::label(pod, REVISION_LABEL);
            if revision != Some(meta::name(self.revisions.newest())) && !meta::is_deleting(pod) {
                self.delete(pod);
                self.fewer_current = 1;
                return;
            }
            if self.is_unavailable(pod) {
                return;
            }
        }
    }

    fn is_unavailable(&mut self, pod: &Value) -> bool {
        let minimum = count(self.set, "/spec/minReadySeconds");
        pods::phase(pod) != "Running"
            || meta::is_deleting(pod)
            || !pods::is_available(pod, minimum, self.view.now(), &mut self.plan)
    }

    fn status(&mut self, pods: &[Arc<Value>]) -> Value {
        let newest = self.revisions.newest();
        let minimum = count(self.set, "/spec/minReadySeconds");
        let (mut ready, mut available, mut current, mut updated) = (0, 0, -self.fewer_current, 0);
        for pod in pods {
            if pods::phase(pod) == "Running" && pods::is_ready(pod) {
                ready += 1;
                available += i64::from(pods::is_available(pod, minimum, self.view.now(), &mut self.plan));
            }
            if !meta::is_deleting(pod) {
                let revision = meta::label(pod, REVISION_LABEL);
                current += i64::from(revision == Some(meta::name(self.current)));
                updated += i64::from(revision == Some(meta::name(newest)));
            }
        }
        let mut current_name = meta::name(self.current);
        let wanted = count(self.set, "/spec/replicas");
        let total = i64::try_from(pods.len()).unwrap_or(i64::MAX);
        let is_rolling = text(self.set, "/spec/updateStrategy/type") == Some("RollingUpdate");
        if is_rolling && [updated, ready, total].iter().all(|count| *count == wanted) {
            (current, current_name) = (updated, meta::name(newest));
        }
        let mut status = json!({});
        set_count(&mut status, "observedGeneration", count(self.set, "/metadata/generation"));
        status["replicas"] = total.into();
        for (key, count) in [("readyReplicas", ready), ("currentReplicas", current), ("updatedReplicas", updated)] {
            set_count(&mut status, key, count);
        }
        status["currentRevision"] = current_name.into();
        status["updateRevision"] = meta::name(newest).into();
        status["collisionCount"] = self.revisions.collisions.into();
        status["availableReplicas"] = available.into();
        status
    }
}

/// Creates an object and tells of it in the words of this controller.
fn create(resource: GroupResource, object: Value, set: &Value, made: String, refused: String) -> Action {
    let told = Told {
        made: Note::normal(set, COMPONENT, "SuccessfulCreate", made),
        refused: Note::warning(set, COMPONENT, "FailedCreate", refused),
        name_follows: false,
    };
    Action::CreateAndTell(resource, object, Box::new(told))
}

/// The template of a revision in the place of the set's own.
fn at_revision(set: &Value, revision: &Value) -> Value {
    let mut set = set.clone();
    set["spec"]["template"] = revision::template(revision);
    set
}
