//! Deployments: one ReplicaSet for each template that they have had, and a roll-out from one to the next.
//!
//! Invariant: the status is computed from the ReplicaSets as they are; what this look changes shows in the next one.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::event::Note;
use super::hash::template_hash;
use super::plan::{Action, Plan, View};
use super::progress;
use super::replica_set::{number, owner_reference};
use super::rollout::{self, Revision};
use crate::store::{GroupResource, meta};

const COMPONENT: &str = "deployment-controller";
const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

/// Compares the ReplicaSets of a Deployment with its specification.
pub(super) fn reconcile(view: &View<'_>, deployment: &Value, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if meta::is_deleting(deployment) {
        return plan;
    }
    let sets = view.controlled(&GroupResource::REPLICA_SETS, deployment);
    let newest = sets.iter().find(|set| has_template(set, deployment)).cloned();
    let old: Vec<_> =
        sets.iter().filter(|set| Some(meta::uid(set)) != newest.as_deref().map(meta::uid)).cloned().collect();
    let revision = next_revision(&old, newest.as_deref());
    let paused = deployment.pointer("/spec/paused").and_then(Value::as_bool) == Some(true);
    let mut created = None;
    if !paused || newest.is_some() {
        created = roll(view, deployment, newest.as_deref(), &old, revision, &mut plan);
    }
    note_revision(deployment, revision, paused && newest.is_none(), &mut plan);
    progress::status(deployment, newest.as_deref(), created.as_deref(), &sets, now, &mut plan);
    plan
}

/// Whether the ReplicaSet runs the Deployment's present template.
fn has_template(set: &Value, deployment: &Value) -> bool {
    let Some(wanted) = deployment.pointer("/spec/template") else { return false };
    let Some(mut actual) = set.pointer("/spec/template").cloned() else { return false };
    if let Some(labels) = actual.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.shift_remove(HASH);
    }
    actual == *wanted
}

fn revision_of(set: &Value) -> u64 {
    meta::annotation(set, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The number of the present template: that of its ReplicaSet while that is the highest, else the next one.
fn next_revision(old: &[Arc<Value>], newest: Option<&Value>) -> u64 {
    let highest = old.iter().map(|set| revision_of(set)).max().unwrap_or(0);
    newest.map_or(highest + 1, |set| revision_of(set).max(highest + 1))
}

fn roll(
    view: &View<'_>,
    deployment: &Value,
    newest: Option<&Value>,
    old: &[Arc<Value>],
    revision: u64,
    plan: &mut Plan,
) -> Option<String> {
    let strategy = rollout::Strategy::of(deployment);
    let as_revision = |set: &Value| Revision {
        wanted: number(set, "/spec/replicas").unwrap_or(0),
        available: number(set, "/status/availableReplicas").unwrap_or(0),
        present: number(set, "/status/replicas").unwrap_or(0),
    };
    let ending = old.iter().any(|set| number(set, "/status/terminatingReplicas").unwrap_or(0) > 0);
    let sizes = rollout::sizes(
        &strategy,
        newest.map(as_revision),
        &old.iter().map(|set| as_revision(set)).collect::<Vec<_>>(),
        ending,
    );
    let mut created = None;
    match newest {
        None => {
            if let Some(size) = sizes.newest {
                created = Some(create(view, deployment, size, strategy.maximum(), revision, plan));
            }
        }
        Some(set) => scale(deployment, set, sizes.newest.unwrap_or(0), &strategy, Some(revision), plan),
    }
    for (set, size) in old.iter().zip(&sizes.old) {
        scale(deployment, set, *size, &strategy, None, plan);
    }
    // Scaled-down ReplicaSets beyond the limit go, the oldest first.
    let limit = usize::try_from(number(deployment, "/spec/revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
    let mut idle: Vec<_> = old
        .iter()
        .filter(|set| as_revision(set) == Revision::default() && !meta::is_deleting(set) && newest.is_some())
        .collect();
    idle.sort_by_key(|set| revision_of(set));
    for set in idle.iter().take(idle.len().saturating_sub(limit)) {
        plan.push(Action::delete(&GroupResource::REPLICA_SETS, set));
    }
    created
}

fn create(view: &View<'_>, deployment: &Value, size: i64, maximum: i64, revision: u64, plan: &mut Plan) -> String {
    let mut template = deployment.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
    let (namespace, name) = (meta::namespace(deployment), meta::name(deployment));
    // The name is taken only if another template has the same hash.
    let (hash, set_name) = (0..)
        .map(|collisions| template_hash(&template, collisions))
        .map(|hash| (hash.clone(), format!("{name}-{hash}")))
        .find(|(_, set_name)| view.get(&GroupResource::REPLICA_SETS, namespace, set_name).is_none())
        .expect("invariant: names do not run out");
    meta::child(&mut template, "metadata");
    if let Some(metadata) = template.get_mut("metadata") {
        meta::child(metadata, "labels").insert(HASH.to_owned(), hash.clone().into());
    }
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_else(|| json!({}));
    meta::child(&mut selector, "matchLabels").insert(HASH.to_owned(), hash.into());
    let mut annotations = own_annotations(deployment);
    let desired = number(deployment, "/spec/replicas").unwrap_or(1);
    for (key, value) in
        [(DESIRED, desired.to_string()), (MAXIMUM, maximum.to_string()), (REVISION, revision.to_string())]
    {
        annotations.insert(key.to_owned(), value.into());
    }
    let mut spec = json!({"replicas": size, "selector": selector, "template": template});
    if let Some(minimum) = number(deployment, "/spec/minReadySeconds").filter(|minimum| *minimum > 0) {
        spec["minReadySeconds"] = minimum.into();
    }
    let set = json!({
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": set_name,
            "namespace": namespace,
            "labels": spec["template"]["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [owner_reference(deployment, "apps/v1", "Deployment")],
        },
        "spec": spec,
    });
    plan.push(Action::Create(GroupResource::REPLICA_SETS, set));
    if size > 0 {
        let message = format!("Scaled up replica set {set_name} from 0 to {size}");
        plan.push(Action::Tell(Note::normal(deployment, COMPONENT, "ScalingReplicaSet", message)));
    }
    set_name
}

/// A Deployment's annotations that its ReplicaSets carry too.
fn own_annotations(deployment: &Value) -> serde_json::Map<String, Value> {
    let mut annotations =
        deployment.pointer("/metadata/annotations").and_then(Value::as_object).cloned().unwrap_or_default();
    for key in ["kubectl.kubernetes.io/last-applied-configuration", REVISION] {
        annotations.shift_remove(key);
    }
    annotations
}

fn scale(
    deployment: &Value,
    set: &Value,
    size: i64,
    strategy: &rollout::Strategy,
    revision: Option<u64>,
    plan: &mut Plan,
) {
    let now = number(set, "/spec/replicas").unwrap_or(0);
    let mut wanted = set.clone();
    if now != size {
        wanted["spec"]["replicas"] = size.into();
    }
    let annotations = meta::child(meta_of(&mut wanted), "annotations");
    annotations.insert(DESIRED.to_owned(), strategy.replicas.to_string().into());
    annotations.insert(MAXIMUM.to_owned(), strategy.maximum().to_string().into());
    if let Some(revision) = revision {
        annotations.insert(REVISION.to_owned(), revision.to_string().into());
    }
    if wanted == *set {
        return;
    }
    plan.push(Action::Update(GroupResource::REPLICA_SETS, wanted));
    if now != size {
        let way = if size > now { "up" } else { "down" };
        let message = format!("Scaled {way} replica set {} from {now} to {size}", meta::name(set));
        plan.push(Action::Tell(Note::normal(deployment, COMPONENT, "ScalingReplicaSet", message)));
    }
}

fn meta_of(object: &mut Value) -> &mut Value {
    meta::metadata(object);
    &mut object["metadata"]
}

fn note_revision(deployment: &Value, revision: u64, undecided: bool, plan: &mut Plan) {
    let text = revision.to_string();
    if undecided || meta::annotation(deployment, REVISION) == Some(&text) {
        return;
    }
    let mut deployment = deployment.clone();
    meta::child(meta_of(&mut deployment), "annotations").insert(REVISION.to_owned(), text.into());
    plan.push(Action::Update(GroupResource::DEPLOYMENTS, deployment));
}
