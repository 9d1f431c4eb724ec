//! ReplicaSets: as many pods as the specification asks for.
//!
//! Invariant: a pod that is being deleted counts for nothing but `terminatingReplicas`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::condition;
use super::event::Note;
use super::plan::{Action, Plan, View};
use crate::store::{GroupResource, meta};

/// Pods created or deleted in one look, as the real controller's burst.
const BURST: usize = 500;

const COMPONENT: &str = "replicaset-controller";

/// Compares the pods of a ReplicaSet with its specification.
pub(super) fn reconcile(view: &View<'_>, set: &Value, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let pods = view.controlled(&GroupResource::PODS, set);
    let (active, ending): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| is_active(pod));
    let wanted = usize::try_from(number(set, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
    if !meta::is_deleting(set) {
        if active.len() < wanted {
            for _ in active.len()..wanted.min(active.len() + BURST) {
                plan.push(Action::Create(GroupResource::PODS, new_pod(set)));
            }
        } else if active.len() > wanted {
            let surplus = surplus(&active, active.len() - wanted);
            for pod in surplus.iter().take(BURST) {
                plan.push(Action::delete(&GroupResource::PODS, pod));
                let message = format!("Deleted pod: {}", meta::name(pod));
                plan.push(Action::Tell(Note::normal(set, COMPONENT, "SuccessfulDelete", message)));
            }
        }
    }
    status(set, &active, &ending, now, &mut plan);
    plan
}

/// Neither ended nor being deleted.
pub(super) fn is_active(pod: &Value) -> bool {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    !meta::is_deleting(pod) && !matches!(phase, Some("Succeeded" | "Failed"))
}

pub(super) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The pods to delete first: not scheduled, then not ready, then the newest.
fn surplus(active: &[Arc<Value>], count: usize) -> Vec<Arc<Value>> {
    let mut pods: Vec<Arc<Value>> = active.to_vec();
    let created = |pod: &Value| pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str).map(str::to_owned);
    let scheduled = |pod: &Value| pod.pointer("/spec/nodeName").is_some();
    pods.sort_by_key(|pod| (scheduled(pod), condition::is_true(pod, "Ready"), std::cmp::Reverse(created(pod))));
    pods.truncate(count);
    pods
}

fn new_pod(set: &Value) -> Value {
    let template = set.pointer("/spec/template").cloned().unwrap_or_default();
    let mut metadata = json!({
        "generateName": format!("{}-", meta::name(set)),
        "namespace": meta::namespace(set),
    });
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.get("metadata").and_then(|meta| meta.get(key)) {
            metadata[key] = value.clone();
        }
    }
    metadata["ownerReferences"] = json!([owner_reference(set, "apps/v1", "ReplicaSet")]);
    let spec = template.get("spec").cloned().unwrap_or_else(|| json!({}));
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec})
}

/// A controlling reference to `owner`.
pub(super) fn owner_reference(owner: &Value, version: &str, kind: &str) -> Value {
    json!({
        "apiVersion": version, "kind": kind, "name": meta::name(owner), "uid": meta::uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

fn status(set: &Value, active: &[Arc<Value>], ending: &[Arc<Value>], now: Timestamp, plan: &mut Plan) {
    let ready: Vec<_> = active.iter().filter(|pod| condition::is_true(pod, "Ready")).collect();
    let minimum = number(set, "/spec/minReadySeconds").unwrap_or(0);
    let available = ready.iter().filter(|pod| is_available(pod, minimum, now, plan)).count();
    let labels = set.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let labelled = active
        .iter()
        .filter(|pod| labels.into_iter().flatten().all(|(key, value)| meta::label(pod, key) == value.as_str()));
    let mut status = json!({"replicas": active.len()});
    for (key, count) in
        [("fullyLabeledReplicas", labelled.count()), ("readyReplicas", ready.len()), ("availableReplicas", available)]
    {
        if count > 0 {
            status[key] = count.into();
        }
    }
    status["terminatingReplicas"] = ending.iter().filter(|pod| meta::is_deleting(pod)).count().into();
    if let Some(generation) = number(set, "/metadata/generation") {
        status["observedGeneration"] = generation.into();
    }
    if set.get("status") != Some(&status) {
        let mut set = set.clone();
        set["status"] = status;
        plan.push(Action::UpdateStatus(GroupResource::REPLICA_SETS, set));
    }
}

/// Whether a ready pod has been ready for long enough; if not, the plan says when to look again.
fn is_available(pod: &Value, minimum: i64, now: Timestamp, plan: &mut Plan) -> bool {
    if minimum == 0 {
        return true;
    }
    let since = condition::find(pod, "Ready").and_then(|ready| ready["lastTransitionTime"].as_str());
    let Some(since) = since.and_then(|since| since.parse::<Timestamp>().ok()) else { return false };
    let Ok(due) = since.checked_add(SignedDuration::from_secs(minimum)) else { return false };
    if due > now {
        plan.look_again(due);
    }
    due <= now
}
