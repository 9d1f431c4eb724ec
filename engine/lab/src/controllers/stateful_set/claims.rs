//! The volume claims of a StatefulSet's pods.
//!
//! Invariant: a claim outlives its pod unless the retention policy says otherwise.

use serde_json::{Value, json};

use super::{KIND, Pass, create, identity};
use crate::controllers::object::{count, list, map, text};
use crate::controllers::owned::owner_reference;
use crate::controllers::plan::Action;
use crate::store::{GroupResource, meta};

/// The name of the claim that a template makes for a pod.
pub(super) fn name(set: &Value, template: &Value, ordinal: i64) -> String {
    format!("{}-{}-{ordinal}", meta::name(template), meta::name(set))
}

impl Pass<'_> {
    /// Makes the claims that a pod is missing.
    pub(super) fn make_claims(&mut self, ordinal: i64, pod: &Value) {
        let namespace = meta::namespace(self.set);
        for template in list(self.set, "/spec/volumeClaimTemplates") {
            let name = name(self.set, template, ordinal);
            if self.view.get(&GroupResource::CLAIMS, namespace, &name).is_some() {
                continue;
            }
            let mut claim = template.clone();
            if let Some(claim) = claim.as_object_mut() {
                claim.shift_remove("status");
                claim.insert("kind".to_owned(), "PersistentVolumeClaim".into());
                claim.insert("apiVersion".to_owned(), "v1".into());
            }
            let metadata = meta::metadata(&mut claim);
            metadata.insert("name".to_owned(), name.as_str().into());
            metadata.insert("namespace".to_owned(), namespace.into());
            let labels = meta::child(&mut claim["metadata"], "labels");
            for (key, value) in map(self.set, "/spec/selector/matchLabels").into_iter().flatten() {
                labels.insert(key.clone(), value.clone());
            }
            let (pod, set) = (meta::name(pod), meta::name(self.set));
            let made = format!("Create Claim {name} Pod {pod} in StatefulSet {set} success");
            let refused = format!("Create Claim {name} for Pod {pod} in StatefulSet {set} failed error: ");
            self.plan.push(create(GroupResource::CLAIMS, claim, self.set, made, refused));
        }
    }

    /// Gives the claims of a pod the owners that the retention policy asks for: the set, or the pod that goes.
    pub(super) fn keep_claims(&mut self, pod: &Value) {
        let Some(ordinal) = identity::ordinal(self.set, pod) else { return };
        let deletes = |when: &str| {
            text(self.set, &format!("/spec/persistentVolumeClaimRetentionPolicy/{when}")) == Some("Delete")
        };
        let start = count(self.set, "/spec/ordinals/start");
        let goes = !(start..start + count(self.set, "/spec/replicas")).contains(&ordinal);
        let by_pod = deletes("whenScaled") && goes;
        let by_set = deletes("whenDeleted") && !by_pod;
        for template in list(self.set, "/spec/volumeClaimTemplates") {
            let name = name(self.set, template, ordinal);
            let Some(claim) = self.view.get(&GroupResource::CLAIMS, meta::namespace(self.set), &name) else { continue };
            let is_ours = |owner: &Value| owner["uid"] == meta::uid(self.set) || owner["uid"] == meta::uid(pod);
            let foreign = meta::owner_references(&claim).iter().filter(|owner| !is_ours(owner));
            let mut owners: Vec<Value> = foreign.cloned().collect();
            if owners.iter().any(|owner| owner["controller"] == true) {
                continue;
            }
            if by_set {
                owners.push(owner_reference(self.set, KIND.0, KIND.1));
            }
            if by_pod {
                owners.push(owner_reference(pod, "v1", "Pod"));
            }
            if owners.as_slice() == meta::owner_references(&claim) {
                continue;
            }
            let mut owned = Value::clone(&claim);
            let metadata = meta::metadata(&mut owned);
            if owners.is_empty() {
                metadata.shift_remove("ownerReferences");
            } else {
                metadata.insert("ownerReferences".to_owned(), json!(owners));
            }
            self.plan.push(Action::Update(GroupResource::CLAIMS, owned));
        }
    }
}
