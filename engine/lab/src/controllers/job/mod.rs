//! Jobs: pods until enough of them have succeeded, or too many failed.
//!
//! Invariant: a pod is counted exactly once, when its finalizer goes; a finished Job is never touched again but to be deleted.

mod counting;
mod failure;
mod indexes;
mod manage;
mod new_pod;
mod verdict;

use std::sync::Arc;

use serde_json::{Value, json};

use self::indexes::Indexes;
use super::object::{after, flag, list, number, set_count, text, time};
use super::plan::{Action, Plan, View};
use super::{condition, owned, pods};
use crate::clock::rfc3339_seconds;
use crate::store::{DeleteOptions, GroupResource, Propagation, meta};

const COMPONENT: &str = "job-controller";
const KIND: (&str, &str) = ("batch/v1", "Job");
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Compares the pods of a Job with its specification.
pub(super) fn reconcile(view: &View<'_>, job: &Value) -> Plan {
    let mut plan = Plan::default();
    if text(job, "/spec/managedBy").is_some_and(|manager| manager != "kubernetes.io/job-controller") {
        return plan;
    }
    let pods = owned::claim(view, &GroupResource::PODS, job, job.pointer("/spec/selector"), KIND, &mut plan);
    if is_finished(job) {
        expire(view, job, &mut plan);
        // Pods that end later are still held by the Job's mark.
        for pod in pods.iter().filter(|pod| is_tracked(pod)) {
            plan.push(Action::Update(GroupResource::PODS, untracked(pod)));
        }
        return plan;
    }
    let mut pass = Pass::new(view, job, pods, plan);
    pass.run();
    pass.plan
}

/// Whether a Job has ended, well or not.
pub(super) fn is_finished(job: &Value) -> bool {
    condition::is_true(job, "Complete") || condition::is_true(job, "Failed")
}

/// A finished Job goes after the time that it asks for.
fn expire(view: &View<'_>, job: &Value, plan: &mut Plan) {
    let Some(seconds) = number(job, "/spec/ttlSecondsAfterFinished").filter(|_| !meta::is_deleting(job)) else {
        return;
    };
    let ended = ["Complete", "Failed"].iter().find_map(|kind| condition::find(job, kind));
    let Some(ended) = ended.and_then(|ended| time(ended, "/lastTransitionTime")) else { return };
    let due = after(ended, seconds);
    if due > view.now() {
        return plan.look_again(due);
    }
    plan.push(Action::Delete {
        resource: GroupResource::JOBS,
        namespace: meta::namespace(job).to_owned(),
        name: meta::name(job).to_owned(),
        options: DeleteOptions {
            uid: Some(meta::uid(job).to_owned()),
            propagation: Some(Propagation::Foreground),
            ..DeleteOptions::default()
        },
    });
}

/// Whether the pod is still to be counted.
fn is_tracked(pod: &Value) -> bool {
    meta::finalizers(pod).any(|finalizer| finalizer == TRACKING)
}

/// The pod without the mark that holds it until it is counted.
fn untracked(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let metadata = meta::metadata(&mut pod);
    if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|finalizer| finalizer != TRACKING);
        if finalizers.is_empty() {
            metadata.shift_remove("finalizers");
        }
    }
    pod
}

/// The completion index that a pod has.
fn index_of(pod: &Value) -> Option<usize> {
    meta::annotation(pod, INDEX)?.parse().ok()
}

/// One pass over a Job.
struct Pass<'a> {
    view: &'a View<'a>,
    job: &'a Value,
    pods: Vec<Arc<Value>>,
    /// Neither ended nor being deleted.
    active: Vec<Arc<Value>>,
    terminating: i64,
    succeeded: i64,
    failed: i64,
    /// Of an indexed Job.
    completed: Indexes,
    /// Of a Job with a limit for each index.
    failed_indexes: Option<Indexes>,
    conditions: Vec<Value>,
    started: Value,
    plan: Plan,
}

impl<'a> Pass<'a> {
    fn new(view: &'a View<'a>, job: &'a Value, pods: Vec<Arc<Value>>, plan: Plan) -> Self {
        let active = pods.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
        let terminating = pods.iter().filter(|pod| meta::is_deleting(pod) && !pods::is_finished(pod)).count();
        let started = job.pointer("/status/startTime").cloned().unwrap_or_default();
        let mut pass = Self {
            view,
            job,
            pods,
            active,
            terminating: i64::try_from(terminating).unwrap_or(0),
            succeeded: 0,
            failed: 0,
            completed: Indexes::parse(text(job, "/status/completedIndexes").unwrap_or_default()),
            failed_indexes: None,
            conditions: condition::of(job),
            started,
            plan,
        };
        pass.count();
        pass
    }

    fn is_indexed(&self) -> bool {
        text(self.job, "/spec/completionMode") == Some("Indexed")
    }

    fn is_suspended(&self) -> bool {
        flag(self.job, "/spec/suspend")
    }

    fn run(&mut self) {
        if self.started.is_null() && !self.is_suspended() {
            self.started = rfc3339_seconds(self.view.now()).into();
        }
        let mut verdict = self.verdict();
        if verdict.is_some() {
            for pod in std::mem::take(&mut self.active) {
                self.plan.delete_pod(&pod, self.job, COMPONENT);
                self.terminating += 1;
            }
        } else {
            if !meta::is_deleting(self.job) && self.view.trouble.is_none() {
                self.manage();
            }
            if self.is_complete() {
                verdict = Some(self.success());
            } else if !meta::is_deleting(self.job) && self.view.trouble.is_none() {
                self.note_suspension();
            }
        }
        self.track(verdict);
    }

    /// Enough pods have succeeded, and none runs any more.
    fn is_complete(&self) -> bool {
        let enough =
            number(self.job, "/spec/completions").map_or(self.succeeded > 0, |wanted| self.succeeded >= wanted);
        enough && self.active.is_empty()
    }

    fn status(&self, uncounted: &Value, succeeded: i64, failed: i64) -> Value {
        let mut status = json!({});
        if !self.conditions.is_empty() {
            status["conditions"] = self.conditions.clone().into();
        }
        if !self.started.is_null() {
            status["startTime"] = self.started.clone();
        }
        let complete = self.conditions.iter().find(|one| one["type"] == "Complete" && one["status"] == "True");
        if let Some(complete) = complete {
            status["completionTime"] = complete["lastTransitionTime"].clone();
        }
        set_count(&mut status, "active", i64::try_from(self.active.len()).unwrap_or(0));
        set_count(&mut status, "succeeded", succeeded);
        set_count(&mut status, "failed", failed);
        status["terminating"] = self.terminating.into();
        let completed = self.completed.to_string();
        if self.is_indexed() && !completed.is_empty() {
            status["completedIndexes"] = completed.into();
        }
        if let Some(failed) = &self.failed_indexes {
            status["failedIndexes"] = failed.to_string().into();
        }
        status["uncountedTerminatedPods"] = uncounted.clone();
        let ready = self.active.iter().filter(|pod| pods::is_ready(pod)).count();
        status["ready"] = ready.into();
        status
    }
}

/// The texts of a list.
fn texts<'a>(object: &'a Value, pointer: &str) -> Vec<&'a str> {
    list(object, pointer).iter().filter_map(Value::as_str).collect()
}
