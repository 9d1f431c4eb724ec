//! Revisions of a Deployment: which ReplicaSet has which template, and what number it goes by.
//!
//! Invariant: the ReplicaSet with the present template always has the highest number.

use serde_json::{Map, Value, json};

use super::{COMPONENT, DESIRED, HASH, HISTORY, MAXIMUM, Pass, REVISION, has_deadline, status};
use crate::controllers::condition;
use crate::controllers::event::Note;
use crate::controllers::hash::template_hash;
use crate::controllers::object::{count, number};
use crate::controllers::owned::{controls, owner_reference};
use crate::controllers::plan::Action;
use crate::store::{GroupResource, meta};

/// Annotations of a Deployment that its ReplicaSets do not take over.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];

/// Whether the ReplicaSet runs the Deployment's present template.
pub(super) fn has_template(set: &Value, deployment: &Value) -> bool {
    let Some(wanted) = deployment.pointer("/spec/template") else { return false };
    let Some(mut actual) = set.pointer("/spec/template").cloned() else { return false };
    if let Some(labels) = actual.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.shift_remove(HASH);
    }
    actual == *wanted
}

/// The number of a ReplicaSet's revision.
pub(super) fn number_of(set: &Value) -> u64 {
    meta::annotation(set, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl Pass<'_> {
    fn next_revision(&self) -> u64 {
        self.old.iter().map(number_of).max().unwrap_or(0) + 1
    }

    /// Brings the annotations of the ReplicaSet with the present template up to date, if there is one.
    pub(super) fn note_revision(&mut self) {
        let revision = self.next_revision();
        let Some(mut set) = self.newest.take() else { return };
        let mut changed = annotate(&mut set, self.stored, revision);
        if count(&set, "/spec/minReadySeconds") != count(self.stored, "/spec/minReadySeconds") {
            set["spec"]["minReadySeconds"] = count(self.stored, "/spec/minReadySeconds").into();
            changed = true;
        }
        if changed {
            self.plan.push(Action::Update(GroupResource::REPLICA_SETS, set.clone()));
        }
        self.set_revision(number_of(&set));
        if has_deadline(self.stored) && condition::find(&self.deployment, "Progressing").is_none() {
            self.progress("True", "FoundNewReplicaSet", &format!("Found new replica set {:?}", meta::name(&set)));
        }
        self.newest = Some(set);
    }

    /// Writes the revision's number on the Deployment.
    fn set_revision(&mut self, revision: u64) {
        let text = revision.to_string();
        if meta::annotation(&self.deployment, REVISION) == Some(&text) {
            return;
        }
        meta::metadata(&mut self.deployment);
        meta::child(&mut self.deployment["metadata"], "annotations").insert(REVISION.to_owned(), text.into());
        self.plan.push(Action::Update(GroupResource::DEPLOYMENTS, self.deployment.clone()));
    }

    /// Plans the ReplicaSet for the present template. False if that has to wait for another look.
    pub(super) fn create(&mut self) -> bool {
        let collisions = number(&self.deployment, "/status/collisionCount");
        let template = self.stored.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
        let hash = template_hash(&template, u64::try_from(collisions.unwrap_or(0)).unwrap_or(0));
        let name = format!("{}-{hash}", meta::name(self.stored));
        let namespace = meta::namespace(self.stored);
        if let Some(other) = self.view.get(&GroupResource::REPLICA_SETS, namespace, &name) {
            if controls(self.stored, &other) && has_template(&other, self.stored) {
                // It is ours and only just appeared.
                return false;
            }
            // Another template has the same hash: the next look tries another one.
            meta::child(&mut self.deployment, "status")
                .insert("collisionCount".to_owned(), (collisions.unwrap_or(0) + 1).into());
            self.plan.push(Action::UpdateStatus(GroupResource::DEPLOYMENTS, self.deployment.clone()));
            return false;
        }
        if let Some(why) = self.view.trouble {
            if has_deadline(self.stored) {
                let message = format!("Failed to create new replica set {name:?}: {why}");
                self.progress("False", "ReplicaSetCreateError", &message);
                self.finish(status::counts);
            }
            return false;
        }
        let size = self.first_size();
        let revision = self.next_revision();
        let set = self.new_set(&name, &hash, template, size, revision);
        self.plan.push(Action::Create(GroupResource::REPLICA_SETS, set.clone()));
        if size > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {size}");
            self.plan.push(Action::Tell(Note::normal(self.stored, COMPONENT, "ScalingReplicaSet", message)));
        }
        self.set_revision(revision);
        if has_deadline(self.stored) {
            self.progress("True", "NewReplicaSetCreated", &format!("Created new replica set {name:?}"));
        }
        self.newest = Some(set);
        true
    }

    fn new_set(&self, name: &str, hash: &str, mut template: Value, size: i64, revision: u64) -> Value {
        meta::metadata(&mut template);
        meta::child(&mut template["metadata"], "labels").insert(HASH.to_owned(), hash.into());
        let mut selector = self.stored.pointer("/spec/selector").cloned().unwrap_or_else(|| json!({}));
        meta::child(&mut selector, "matchLabels").insert(HASH.to_owned(), hash.into());
        let mut spec = json!({"replicas": size});
        if let Some(minimum) = number(self.stored, "/spec/minReadySeconds").filter(|minimum| *minimum > 0) {
            spec["minReadySeconds"] = minimum.into();
        }
        spec["selector"] = selector;
        spec["template"] = template;
        let mut set = json!({
            "kind": "ReplicaSet",
            "apiVersion": "apps/v1",
            "metadata": {
                "name": name,
                "namespace": meta::namespace(self.stored),
                "labels": spec["template"]["metadata"]["labels"],
                "annotations": {},
                "ownerReferences": [owner_reference(self.stored, "apps/v1", "Deployment")],
            },
            "spec": spec,
        });
        annotate(&mut set, self.stored, revision);
        self.bounds.annotate(&mut set);
        set
    }
}

/// Gives a ReplicaSet the annotations of its Deployment and the number of its revision. Whether that changed it.
fn annotate(set: &mut Value, deployment: &Value, revision: u64) -> bool {
    let before = set.pointer("/metadata/annotations").cloned();
    meta::metadata(set);
    let own = deployment.pointer("/metadata/annotations").and_then(Value::as_object);
    let annotations: &mut Map<String, Value> = meta::child(&mut set["metadata"], "annotations");
    for (key, value) in own.into_iter().flatten().filter(|(key, _)| !OWN.contains(&key.as_str())) {
        annotations.insert(key.clone(), value.clone());
    }
    let known = annotations.get(REVISION).and_then(Value::as_str).unwrap_or_default().to_owned();
    if known.parse::<u64>().unwrap_or(0) < revision {
        annotations.insert(REVISION.to_owned(), revision.to_string().into());
        if !known.is_empty() {
            let history = annotations.get(HISTORY).and_then(Value::as_str).unwrap_or_default();
            let history = if history.is_empty() { known } else { format!("{history},{known}") };
            annotations.insert(HISTORY.to_owned(), history.into());
        }
    }
    before.as_ref() != set.pointer("/metadata/annotations")
}
