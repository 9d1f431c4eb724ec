//! ReplicaSets and ReplicationControllers: as many pods as the specification asks for.
//!
//! Invariant: a pod that is being deleted counts for nothing but `terminatingReplicas`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::object::{count, number, set_count};
use super::plan::{Action, Plan, View};
use super::{condition, owned, pods, ranking};
use crate::clock::rfc3339_seconds;
use crate::store::{GroupResource, meta};

/// Pods created or deleted in one look, as the real controller's burst.
const BURST: usize = 500;

/// What tells a ReplicaSet from a ReplicationController.
pub(super) struct Kind {
    version: &'static str,
    name: &'static str,
    resource: GroupResource,
    component: &'static str,
}

/// The kind of the group `apps`.
pub(super) static REPLICA_SET: Kind = Kind {
    version: "apps/v1",
    name: "ReplicaSet",
    resource: GroupResource::REPLICA_SETS,
    component: "replicaset-controller",
};

/// Its older sibling.
pub(super) static REPLICATION_CONTROLLER: Kind = Kind {
    version: "v1",
    name: "ReplicationController",
    resource: GroupResource::REPLICATION_CONTROLLERS,
    component: "replication-controller",
};

/// Compares the pods of a ReplicaSet with its specification.
pub(super) fn reconcile(view: &View<'_>, set: &Value, kind: &Kind) -> Plan {
    let mut plan = Plan::default();
    let mut selector = set.pointer("/spec/selector").cloned().unwrap_or_default();
    if kind.version == "v1" {
        selector = json!({"matchLabels": selector});
    }
    let owner = (kind.version, kind.name);
    let pods = owned::claim(view, &GroupResource::PODS, set, Some(&selector), owner, &mut plan);
    let ending = pods.iter().filter(|pod| meta::is_deleting(pod) && !pods::is_finished(pod)).count();
    let active: Vec<_> = pods.into_iter().filter(|pod| pods::is_active(pod)).collect();
    let wanted = usize::try_from(number(set, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
    if !meta::is_deleting(set) && view.trouble.is_none() {
        for _ in active.len()..wanted.min(active.len() + BURST) {
            let pod = pods::from_template(set, kind.version, kind.name);
            plan.push(Action::create_pod(pod, set, kind.component));
        }
        let surplus = active.len().saturating_sub(wanted).min(BURST);
        if surplus > 0 {
            for pod in ranking::first_to_go(view, set, &active, surplus) {
                plan.delete_pod(&pod, set, kind.component);
            }
        }
    }
    let status = status(view, set, &active, ending, active.len() < wanted, &mut plan);
    plan.set_status(&kind.resource, set, status);
    plan
}

fn status(
    view: &View<'_>,
    set: &Value,
    active: &[Arc<Value>],
    ending: usize,
    lacks_pods: bool,
    plan: &mut Plan,
) -> Value {
    let minimum = count(set, "/spec/minReadySeconds");
    let available = active.iter().filter(|pod| pods::is_available(pod, minimum, view.now(), plan)).count();
    let labels = set.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let labelled = |pod: &Value| labels.is_none_or(|labels| super::selector::contains(labels, pod));
    let number_of = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut status = json!({"replicas": active.len()});
    let labelled = active.iter().filter(|pod| labelled(pod)).count();
    let ready = active.iter().filter(|pod| pods::is_ready(pod)).count();
    for (key, count) in [("fullyLabeledReplicas", labelled), ("readyReplicas", ready), ("availableReplicas", available)]
    {
        set_count(&mut status, key, number_of(count));
    }
    // ReplicationControllers do not count these.
    if set["kind"] == "ReplicaSet" {
        status["terminatingReplicas"] = ending.into();
    }
    set_count(&mut status, "observedGeneration", count(set, "/metadata/generation"));
    let mut conditions = condition::of(set);
    match view.trouble {
        Some(why) if condition::find(set, "ReplicaFailure").is_none() => {
            let reason = if lacks_pods { "FailedCreate" } else { "FailedDelete" };
            let failure = json!({
                "type": "ReplicaFailure", "status": "True", "lastTransitionTime": rfc3339_seconds(view.now()),
                "reason": reason, "message": why,
            });
            condition::put(&mut conditions, failure, false);
        }
        Some(_) => {}
        None => condition::remove(&mut conditions, "ReplicaFailure"),
    }
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    status
}
