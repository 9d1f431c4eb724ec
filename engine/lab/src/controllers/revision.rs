//! ControllerRevisions: the templates that a StatefulSet or a DaemonSet has had.
//!
//! Invariant: the revision of the present template has the highest number.

use std::sync::Arc;

use serde_json::{Value, json};

use super::hash::template_hash;
use super::object::{count, number};
use super::owned::{self, controls, owner_reference};
use super::plan::{Action, Plan, View};
use crate::store::{GroupResource, meta};

/// The revisions of one workload.
pub(super) struct Revisions {
    /// By number, the present one last.
    pub(super) all: Vec<Arc<Value>>,
    /// Names taken by revisions of other templates, so far.
    pub(super) collisions: i64,
}

impl Revisions {
    /// The revisions of `owner`, with one for its present template, made if it is new. None if that has to wait for another look.
    pub(super) fn of(
        view: &View<'_>,
        owner: &Value,
        kind: (&str, &str),
        hash_label: &str,
        plan: &mut Plan,
    ) -> Option<Self> {
        let selector = owner.pointer("/spec/selector");
        let resource = GroupResource::CONTROLLER_REVISIONS;
        let mut all = owned::claim(view, &resource, owner, selector, kind, plan);
        all.sort_by(|a, b| (count(a, "/revision"), meta::name(a)).cmp(&(count(b, "/revision"), meta::name(b))));
        let mut collisions = count(owner, "/status/collisionCount");
        let data = data(owner);
        let next = all.last().map_or(1, |last| count(last, "/revision") + 1);
        let equal = all.iter().rposition(|revision| revision.get("data") == Some(&data));
        match equal {
            Some(index) if index + 1 == all.len() => {}
            Some(index) => {
                // The workload went back to an earlier template.
                let mut revision = Value::clone(&all.remove(index));
                revision["revision"] = next.into();
                plan.push(Action::Update(resource, revision.clone()));
                all.push(Arc::new(revision));
            }
            None => {
                let revision = loop {
                    let revision = new(owner, kind, hash_label, &data, next, collisions);
                    match view.get(&resource, meta::namespace(owner), meta::name(&revision)) {
                        None => break revision,
                        // It is ours and only just appeared.
                        Some(other) if controls(owner, &other) && other.get("data") == Some(&data) => return None,
                        Some(_) => collisions += 1,
                    }
                };
                plan.push(Action::Create(resource, revision.clone()));
                all.push(Arc::new(revision));
            }
        }
        Some(Self { all, collisions })
    }

    /// The revision of the present template.
    pub(super) fn newest(&self) -> &Value {
        self.all.last().map_or(&Value::Null, |revision| revision)
    }

    /// The revision of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        self.all.iter().find(|revision| meta::name(revision) == name).map(|revision| &**revision)
    }

    /// Plans the deletion of the oldest revisions beyond the limit, of those that are not in use.
    pub(super) fn clean_up(&self, owner: &Value, is_used: impl Fn(&Value) -> bool, plan: &mut Plan) {
        let limit = usize::try_from(number(owner, "/spec/revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
        let unused: Vec<_> = self.all.iter().rev().skip(1).rev().filter(|revision| !is_used(revision)).collect();
        for revision in unused.iter().take(unused.len().saturating_sub(limit)) {
            plan.push(Action::delete(&GroupResource::CONTROLLER_REVISIONS, revision));
        }
    }
}

/// What a revision keeps: a patch that puts the template back.
fn data(owner: &Value) -> Value {
    let mut template = owner.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
    if let Some(template) = template.as_object_mut() {
        template.insert("$patch".to_owned(), "replace".into());
    }
    json!({"spec": {"template": template}})
}

/// The template that a revision keeps.
pub(super) fn template(revision: &Value) -> Value {
    let mut template = revision.pointer("/data/spec/template").cloned().unwrap_or_else(|| json!({}));
    if let Some(template) = template.as_object_mut() {
        template.shift_remove("$patch");
    }
    template
}

fn new(owner: &Value, kind: (&str, &str), hash_label: &str, data: &Value, number: i64, collisions: i64) -> Value {
    let hash = template_hash(data, u64::try_from(collisions).unwrap_or(0));
    let labels = owner.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let mut labels = labels.cloned().unwrap_or_default();
    labels.insert(hash_label.to_owned(), hash.clone().into());
    let mut metadata = json!({
        "name": format!("{}-{hash}", meta::name(owner)), "namespace": meta::namespace(owner), "labels": labels,
    });
    if let Some(annotations) = owner.pointer("/metadata/annotations") {
        metadata["annotations"] = annotations.clone();
    }
    metadata["ownerReferences"] = json!([owner_reference(owner, kind.0, kind.1)]);
    json!({"kind": "ControllerRevision", "apiVersion": "apps/v1", "metadata": metadata, "data": data, "revision": number})
}
