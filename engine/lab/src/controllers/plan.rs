//! What a controller sees and what it asks for.
//!
//! Invariant: a view cannot change anything, and a plan is data.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::event::Note;
use crate::store::{DeleteOptions, GroupResource, Store, meta};

/// The store, for reading.
#[derive(Clone, Copy)]
pub struct View<'a> {
    store: &'a Store,
}

impl<'a> View<'a> {
    /// A view of `store`.
    pub fn new(store: &'a Store) -> Self {
        Self { store }
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
        let mut objects = self.list(resource, meta::namespace(owner));
        objects.retain(|object| {
            meta::controller(object).and_then(|owner| owner.get("uid")).and_then(Value::as_str)
                == Some(meta::uid(owner))
        });
        objects
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
    /// The object as it should be, but for its status.
    Update(GroupResource, Value),
    /// The object with the status it should have.
    UpdateStatus(GroupResource, Value),
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
}

/// What a controller wants after one look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Changes, to be made in this order.
    pub actions: Vec<Action>,
    /// When to look again even if nothing changes.
    pub again: Option<Timestamp>,
}

impl Plan {
    /// Adds a change.
    pub fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Asks for a look at `at`, or earlier if that was asked for already.
    pub fn look_again(&mut self, at: Timestamp) {
        self.again = Some(self.again.map_or(at, |earlier| earlier.min(at)));
    }
}
