//! The status of a Deployment: its counts, whether it is available, whether it moves.
//!
//! Invariant: the deadline of a roll-out counts from its last progress, which is what `lastUpdateTime` of `Progressing` says.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::condition;
use super::plan::{Action, Plan};
use super::replica_set::number;
use super::rollout;
use crate::clock::rfc3339_seconds;
use crate::store::{GroupResource, meta};

/// Plans the status that follows from the ReplicaSets. `newest` has the present template; `created` is about to be made.
pub(super) fn status(
    deployment: &Value,
    newest: Option<&Value>,
    created: Option<&str>,
    sets: &[Arc<Value>],
    now: Timestamp,
    plan: &mut Plan,
) {
    let sum = |pointer: &str| sets.iter().map(|set| number(set, pointer).unwrap_or(0)).sum::<i64>();
    let desired = number(deployment, "/spec/replicas").unwrap_or(1);
    let present = sum("/status/replicas");
    let available = sum("/status/availableReplicas");
    let updated = newest.and_then(|set| number(set, "/status/replicas")).unwrap_or(0);
    let mut status = json!({});
    if let Some(generation) = number(deployment, "/metadata/generation") {
        status["observedGeneration"] = generation.into();
    }
    for (key, count) in [
        ("replicas", present),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("/status/readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (sum("/spec/replicas") - available).max(0)),
    ] {
        if count > 0 {
            status[key] = count.into();
        }
    }
    status["terminatingReplicas"] = sum("/status/terminatingReplicas").into();
    let mut conditions =
        deployment.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let strategy = rollout::Strategy::of(deployment);
    let (word, reason, message) = if available >= strategy.minimum() {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    condition::set(&mut conditions, "Available", word, reason, message, now, true);
    let complete = updated == desired && present == desired && available >= desired && newest.is_some();
    let changed = deployment.pointer("/status/updatedReplicas").and_then(Value::as_i64).unwrap_or(0) != updated
        || deployment.pointer("/status/availableReplicas").and_then(Value::as_i64).unwrap_or(0) != available
        || deployment.pointer("/status/observedGeneration") != status.get("observedGeneration");
    let progress = Progress { set: newest.map(meta::name), created, complete, changed, desired };
    progress.judge(deployment, &mut conditions, now, plan);
    status["conditions"] = conditions.into();
    if let Some(collisions) = deployment.pointer("/status/collisionCount") {
        status["collisionCount"] = collisions.clone();
    }
    if deployment.get("status") != Some(&status) {
        let mut deployment = deployment.clone();
        deployment["status"] = status;
        plan.push(Action::UpdateStatus(GroupResource::DEPLOYMENTS, deployment));
    }
}

/// What the condition `Progressing` is judged by.
struct Progress<'a> {
    /// The ReplicaSet with the present template.
    set: Option<&'a str>,
    /// The ReplicaSet that this look creates.
    created: Option<&'a str>,
    complete: bool,
    changed: bool,
    desired: i64,
}

impl Progress<'_> {
    fn judge(&self, deployment: &Value, conditions: &mut Vec<Value>, now: Timestamp, plan: &mut Plan) {
        let known = conditions.iter().find(|condition| condition["type"] == "Progressing").cloned();
        let reason_is = |reason: &str| known.as_ref().is_some_and(|known| known["reason"] == reason);
        let mut set = |status: &str, reason: &str, message: String| {
            condition::set(conditions, "Progressing", status, reason, &message, now, true);
        };
        let Some(name) = self.set else {
            if let Some(name) = self.created {
                set("True", "NewReplicaSetCreated", format!("Created new replica set {name:?}"));
            }
            return;
        };
        if self.complete {
            return set("True", "NewReplicaSetAvailable", format!("ReplicaSet {name:?} has successfully progressed."));
        }
        if self.desired == 0 {
            return;
        }
        let progressing = format!("ReplicaSet {name:?} is progressing.");
        if self.changed || known.is_none() || reason_is("NewReplicaSetAvailable") || reason_is("NewReplicaSetCreated") {
            set("True", "ReplicaSetUpdated", progressing);
            // The deadline counts from the last progress, even if the words stay the same.
            if let Some(condition) = conditions.iter_mut().find(|condition| condition["type"] == "Progressing") {
                condition["lastUpdateTime"] = rfc3339_seconds(now).into();
            }
        }
        let deadline = number(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
        let since = conditions.iter().find(|condition| condition["type"] == "Progressing").cloned().unwrap_or_default();
        let since = since["lastUpdateTime"].as_str().and_then(|since| since.parse::<Timestamp>().ok()).unwrap_or(now);
        let Ok(due) = since.checked_add(SignedDuration::from_secs(deadline)) else { return };
        if reason_is("ProgressDeadlineExceeded") && !self.changed {
            return;
        }
        if now >= due {
            let message = format!("ReplicaSet {name:?} has timed out progressing.");
            condition::set(conditions, "Progressing", "False", "ProgressDeadlineExceeded", &message, now, true);
        } else {
            plan.look_again(due);
        }
    }
}
