//! The status of a Deployment: its counts, whether it is available, whether it moves.
//!
//! Invariant: the deadline of a roll-out counts from its last progress, which is what `lastUpdateTime` of `Progressing` says.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Pass, has_deadline};
use crate::clock::rfc3339_seconds;
use crate::controllers::condition;
use crate::controllers::object::{after, count, number, set_count};
use crate::store::meta;

/// A condition with both of its times.
pub(super) fn condition(kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    let now = rfc3339_seconds(now);
    json!({
        "type": kind, "status": status, "lastUpdateTime": now, "lastTransitionTime": now,
        "reason": reason, "message": message,
    })
}

/// Whether `status` is that of a Deployment whose roll-out is over.
pub(super) fn is_complete(deployment: &Value, status: &Value) -> bool {
    let desired = count(deployment, "/spec/replicas");
    ["/updatedReplicas", "/replicas", "/availableReplicas"].iter().all(|pointer| count(status, pointer) == desired)
        && count(status, "/observedGeneration") >= count(deployment, "/metadata/generation")
}

/// The counts that follow from the ReplicaSets, and whether there are enough available pods.
pub(super) fn counts(pass: &mut Pass<'_>) -> Value {
    let available = pass.sum("/status/availableReplicas");
    let mut status = json!({});
    set_count(&mut status, "observedGeneration", count(pass.stored, "/metadata/generation"));
    let updated = pass.newest.as_ref().map_or(0, |set| count(set, "/status/replicas"));
    for (key, count) in [
        ("replicas", pass.sum("/status/replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", pass.sum("/status/readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (pass.sum("/spec/replicas") - available).max(0)),
    ] {
        set_count(&mut status, key, count);
    }
    if pass.sets().all(|set| number(set, "/status/terminatingReplicas").is_some()) {
        status["terminatingReplicas"] = pass.sum("/status/terminatingReplicas").into();
    }
    let mut conditions = condition::of(&pass.deployment);
    let (word, reason, message) = if available >= pass.bounds.replicas - pass.bounds.unavailable {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    condition::put(&mut conditions, condition("Available", word, reason, message, pass.view.now()), true);
    status["conditions"] = conditions.into();
    if let Some(collisions) = pass.deployment.pointer("/status/collisionCount") {
        status["collisionCount"] = collisions.clone();
    }
    status
}

/// [`counts`], and whether the roll-out is over, goes on, or has come to a stop.
pub(super) fn progress(pass: &mut Pass<'_>) -> Value {
    let mut status = counts(pass);
    let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    if has_deadline(pass.stored) {
        judge(pass, &status, &mut conditions);
    } else {
        condition::remove(&mut conditions, "Progressing");
    }
    // What a ReplicaSet cannot do shows here too; the newest one's trouble counts first.
    let sets = pass.newest.iter().chain(&pass.old);
    match sets.into_iter().find_map(|set| condition::find(set, "ReplicaFailure")) {
        Some(failure) => {
            let mut own = failure.clone();
            own["lastUpdateTime"] = failure["lastTransitionTime"].clone();
            condition::put(&mut conditions, own, true);
        }
        None => condition::remove(&mut conditions, "ReplicaFailure"),
    }
    status["conditions"] = conditions.into();
    status
}

fn judge(pass: &mut Pass<'_>, status: &Value, conditions: &mut Vec<Value>) {
    let known = condition::find(&pass.deployment, "Progressing").cloned();
    let reason = known.as_ref().and_then(|known| known["reason"].as_str()).unwrap_or_default();
    let is_new = |reason: &str| reason == "NewReplicaSetAvailable";
    if count(status, "/replicas") == count(status, "/updatedReplicas") && is_new(reason) {
        return;
    }
    let now = pass.view.now();
    let subject = match &pass.newest {
        Some(set) => format!("ReplicaSet {:?}", meta::name(set)),
        None => format!("Deployment {:?}", meta::name(pass.stored)),
    };
    let make = |word: &str, reason: &str, what: &str| {
        condition("Progressing", word, reason, &format!("{subject} {what}"), now)
    };
    if is_complete(pass.stored, status) {
        let done = make("True", "NewReplicaSetAvailable", "has successfully progressed.");
        return condition::put(conditions, done, true);
    }
    let deadline = count(pass.stored, "/spec/progressDeadlineSeconds");
    if has_moved(pass.stored, status) {
        let mut moving = make("True", "ReplicaSetUpdated", "is progressing.");
        if let Some(known) = known.filter(|known| known["status"] == "True") {
            moving["lastTransitionTime"] = known["lastTransitionTime"].clone();
        }
        // The deadline counts from the last progress, even if the words stay the same.
        condition::remove(conditions, "Progressing");
        conditions.push(moving);
        return pass.plan.look_again(after(now, deadline + 1));
    }
    let since = known.as_ref().and_then(|known| known["lastUpdateTime"].as_str()).and_then(|at| at.parse().ok());
    let Some(since) = since.filter(|_| !is_new(reason)) else { return };
    if reason == "ProgressDeadlineExceeded" {
        return;
    }
    // Stamps are cut to seconds, so the deadline has passed only a second later for sure.
    let due = after(since, deadline);
    if due < now {
        let given_up = make("False", "ProgressDeadlineExceeded", "has timed out progressing.");
        condition::put(conditions, given_up, true);
    } else {
        pass.plan.look_again(after(due, 1));
    }
}

/// Whether there are more new pods, fewer old ones, or more that are ready or available than the stored status knows.
fn has_moved(deployment: &Value, status: &Value) -> bool {
    let known = deployment.get("status").unwrap_or(&Value::Null);
    let old = |status: &Value| count(status, "/replicas") - count(status, "/updatedReplicas");
    let more = |pointer: &str| count(status, pointer) > count(known, pointer);
    more("/updatedReplicas") || old(status) < old(known) || more("/readyReplicas") || more("/availableReplicas")
}
