//! What a controller sees and what it asks for.
//!
//! Invariant: a view cannot change anything, and a plan is data.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::event::Note;
use super::graph::{Graph, Place};
use crate::store::{DeleteOptions, GroupResource, Store, meta};

/// The store, for reading, at one moment.
#[derive(Clone, Copy)]
pub struct View<'a> {
    store: &'a Store,
    graph: &'a Graph,
    /// Why a write of the plan that was just carried out was refused. A controller then only tells of it.
    pub(super) trouble: Option<&'a str>,
}

impl<'a> View<'a> {
    /// A view of `store`, whose owner references are those of `graph`.
    pub(super) fn new(store: &'a Store, graph: &'a Graph) -> Self {
        Self { store, graph, trouble: None }
    }

    /// The lab's time.
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// The object, if it exists.
    pub fn get(&self, resource: &GroupResource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store.get(resource, namespace, name)
    }

    /// The objects of a resource in a namespace, or in all when that is empty.
    pub fn list(&self, resource: &GroupResource, namespace: &str) -> Vec<Arc<Value>> {
        self.store.list(resource, namespace).items
    }

    /// The objects of a resource that `owner` controls.
    pub fn controlled(&self, resource: &GroupResource, owner: &Value) -> Vec<Arc<Value>> {
        let uid = meta::uid(owner);
        let places = self.graph.dependents(uid).filter(|(of, _)| of == resource);
        let objects = places.filter_map(|(of, key)| self.get(of, &key.namespace, &key.name));
        objects.filter(|object| meta::controller(object).is_some_and(|owner| owner["uid"] == uid)).collect()
    }

    /// The objects of a resource in a namespace that nothing controls.
    pub(super) fn free(&self, resource: &GroupResource, namespace: &str) -> Vec<Arc<Value>> {
        self.graph.free(resource, namespace).filter_map(|name| self.get(resource, namespace, name)).collect()
    }

    /// The objects that name `uid` as an owner, with their resources.
    pub(super) fn dependents(&self, uid: &str) -> Vec<(GroupResource, Arc<Value>)> {
        let places = self.graph.dependents(uid);
        places.filter_map(|(of, key)| Some((of.clone(), self.get(of, &key.namespace, &key.name)?))).collect()
    }

    /// Where the object with this uid is, if it exists.
    pub(super) fn place(&self, uid: &str) -> Option<&Place> {
        self.graph.place(uid)
    }

    /// Every resource that has objects.
    pub fn resources(&self) -> Vec<GroupResource> {
        self.store.resources()
    }
}

/// One change that a controller wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A new object.
    Create(GroupResource, Value),
    /// A new object whose making, or whose failing, is told.
    CreateAndTell(GroupResource, Value, Box<Told>),
    /// The object as it should be, but for its status.
    Update(GroupResource, Value),
    /// The object with the status it should have.
    UpdateStatus(GroupResource, Value),
    /// A pod and the node that it is given.
    Bind(Value, String),
    /// A pod with the status that the scheduler gives it.
    Mark(Value),
    /// A namespace without its finalizers.
    Finalize(Value),
    /// An object to delete.
    Delete {
        /// Its resource.
        resource: GroupResource,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// How.
        options: DeleteOptions,
    },
    /// Something worth telling.
    Tell(Note),
}

/// What is told of a new object, with the reasons `SuccessfulCreate` and `FailedCreate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The note when it was made; its message may end where the name has to follow.
    pub made: Note,
    /// The note when it was refused; the error follows.
    pub refused: Note,
    /// Whether the name follows the first message.
    pub name_follows: bool,
}

impl Action {
    /// Deletes this very object, and what it owns in the background.
    pub fn delete(resource: &GroupResource, object: &Value) -> Self {
        Self::Delete {
            resource: resource.clone(),
            namespace: meta::namespace(object).to_owned(),
            name: meta::name(object).to_owned(),
            options: DeleteOptions { uid: Some(meta::uid(object).to_owned()), ..DeleteOptions::default() },
        }
    }

    /// Creates a pod and tells of it in the words of all controllers but the StatefulSets'.
    pub(super) fn create_pod(pod: Value, owner: &Value, component: &'static str) -> Self {
        let told = Told {
            made: Note::normal(owner, component, "SuccessfulCreate", "Created pod: "),
            refused: Note::warning(owner, component, "FailedCreate", "Error creating: "),
            name_follows: true,
        };
        Self::CreateAndTell(GroupResource::PODS, pod, Box::new(told))
    }
}

/// What a controller wants after one look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Changes, to be made in this order. The first one that is refused ends the plan.
    pub actions: Vec<Action>,
    /// When to look again even if nothing changes.
    pub again: Option<Timestamp>,
}

impl Plan {
    /// Adds a change.
    pub fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Adds a pod's deletion and tells of it.
    pub(super) fn delete_pod(&mut self, pod: &Value, owner: &Value, component: &'static str) {
        self.push(Action::delete(&GroupResource::PODS, pod));
        let message = format!("Deleted pod: {}", meta::name(pod));
        self.push(Action::Tell(Note::normal(owner, component, "SuccessfulDelete", message)));
    }

    /// Adds a status if it differs from the object's.
    pub(super) fn set_status(&mut self, resource: &GroupResource, object: &Value, status: Value) {
        if object.get("status") != Some(&status) {
            let mut object = object.clone();
            object["status"] = status;
            self.push(Action::UpdateStatus(resource.clone(), object));
        }
    }

    /// Asks for a look at `at`, or earlier if that was asked for already.
    pub fn look_again(&mut self, at: Timestamp) {
        self.again = Some(self.again.map_or(at, |earlier| earlier.min(at)));
    }
}
