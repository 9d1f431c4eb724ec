//! Carrying out plans: the only place where controllers write.
//!
//! Invariant: an object is replaced only while it is what the controller saw, or what the same plan made of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::driver::key;
use super::plan::{Action, Plan, Told};
use super::{condition, event};
use crate::clock::rfc3339_seconds;
use crate::status::Status;
use crate::store::{GroupResource, ObjectKey, Store, Subresource, WriteOptions, meta};

/// The field manager of what controllers write.
const MANAGER: &str = "kube-controller-manager";

/// The field manager of what the scheduler writes.
const SCHEDULER: &str = "kube-scheduler";

/// How far a plan came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// To its end.
    Done,
    /// To a write that someone else had overtaken.
    Outdated,
    /// To a write that was refused, with the reason.
    Refused(String),
}

/// Writes one plan.
pub(super) struct Writer<'a> {
    store: &'a Store,
    /// What this plan made of objects: the revision that the controller saw, and the one that it is now.
    written: BTreeMap<(GroupResource, ObjectKey), (String, String)>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, written: BTreeMap::new() }
    }

    /// Makes the changes of a plan in their order, up to the first that is refused.
    pub(super) fn carry_out(mut self, plan: Plan) -> Outcome {
        for action in plan.actions {
            match self.write(action) {
                Ok(()) => {}
                // The object went in the meantime, which is a change that is looked at in turn.
                Err(status) if status.code == 404 => {}
                // Nothing more comes into being in a namespace that ends, and nobody needs to be told.
                Err(status) if is_ending(&status) => return Outcome::Done,
                Err(status) if status.reason == "Conflict" => return Outcome::Outdated,
                Err(status) => {
                    tracing::debug!(%status, "a controller's change was refused");
                    return Outcome::Refused(status.message);
                }
            }
        }
        Outcome::Done
    }

    fn write(&mut self, action: Action) -> Result<(), Status> {
        let main = WriteOptions::by(MANAGER);
        match action {
            Action::Create(resource, object) => self.store.create(&main, &resource, object).map(drop),
            Action::CreateAndTell(resource, object, told) => self.create(&resource, object, *told),
            Action::Update(resource, object) => self.replace(&main, &resource, object),
            Action::UpdateStatus(resource, object) => {
                self.replace(&WriteOptions::status_by(MANAGER), &resource, object)
            }
            Action::Bind(pod, node) => self.bind(&pod, &node),
            Action::Mark(pod) => self.replace(&WriteOptions::status_by(SCHEDULER), &GroupResource::PODS, pod),
            Action::Finalize(object) => {
                let options = WriteOptions { subresource: Subresource::Finalize, ..main };
                self.replace(&options, &GroupResource::NAMESPACES, object)
            }
            Action::Delete { resource, namespace, name, options } => {
                self.store.delete(&resource, &namespace, &name, &options).map(drop)
            }
            Action::Tell(note) => {
                event::record(self.store, &note);
                Ok(())
            }
        }
    }

    fn create(&mut self, resource: &GroupResource, object: Value, told: Told) -> Result<(), Status> {
        match self.store.create(&WriteOptions::by(MANAGER), resource, object) {
            Ok(created) => {
                let mut note = told.made;
                if told.name_follows {
                    note.message.push_str(meta::name(&created));
                }
                event::record(self.store, &note);
                Ok(())
            }
            Err(status) => {
                if !is_ending(&status) {
                    let mut note = told.refused;
                    note.message.push_str(&status.message);
                    event::record(self.store, &note);
                }
                Err(status)
            }
        }
    }

    /// Gives a pod its node, as the subresource `binding` does: nobody owns the field.
    fn bind(&mut self, pod: &Value, node: &str) -> Result<(), Status> {
        let (namespace, name) = (meta::namespace(pod), meta::name(pod));
        let nobody = WriteOptions::default();
        let status = WriteOptions { subresource: Subresource::Status, ..nobody.clone() };
        let now = rfc3339_seconds(self.store.clock().now());
        // Whoever sees the node sees the condition.
        self.store.modify(&status, &GroupResource::PODS, namespace, name, |pod| {
            let condition = json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
            });
            let mut conditions = condition::of(pod);
            match conditions.iter_mut().find(|known| known["type"] == "PodScheduled") {
                Some(known) => *known = condition,
                None => conditions.push(condition),
            }
            meta::child(pod, "status").insert("conditions".to_owned(), conditions.into());
            Ok(())
        })?;
        let bound = self.store.modify(&nobody, &GroupResource::PODS, namespace, name, |pod| {
            meta::child(pod, "spec").insert("nodeName".to_owned(), node.into());
            Ok(())
        });
        bound.map(drop)
    }

    fn replace(&mut self, options: &WriteOptions, resource: &GroupResource, mut object: Value) -> Result<(), Status> {
        let place = (resource.clone(), key(&object));
        let seen = meta::resource_version(&object).to_owned();
        let mut first = seen.clone();
        if let Some((known, now)) = self.written.get(&place)
            && *known == seen
        {
            first.clone_from(known);
            meta::metadata(&mut object).insert("resourceVersion".to_owned(), now.as_str().into());
        }
        let written = self.store.update(options, resource, object)?;
        self.written.insert(place, (first, meta::resource_version(&written).to_owned()));
        Ok(())
    }
}

fn is_ending(status: &Status) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
}
