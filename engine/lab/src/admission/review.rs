//! The admission of a lab: which of the rules apply to a request, and in which order.
//!
//! Invariant: built-in plug-ins come before the injection webhook, and the token is mounted again after it, as in a real server.

use serde_json::{Value, json};

use super::{cluster_ip, defaults, inject, ownership, pod, rules};
use crate::status::Status;
use crate::store::{Admission, AdmissionRequest, GroupResource, Operation, WeakStore};

/// Admission for a lab whose pods run.
pub struct Review {
    store: WeakStore,
    mesh: bool,
}

impl Review {
    /// Admission that reads `store`. With `mesh`, pods of labelled namespaces get a sidecar.
    pub fn new(store: WeakStore, mesh: bool) -> Self {
        Self { store, mesh }
    }
}

impl Admission for Review {
    fn default(&self, resource: &GroupResource, object: &mut Value) {
        defaults::fill(resource, object);
    }

    fn mutate(&self, request: &AdmissionRequest<'_>, object: &mut Value) -> Result<(), Status> {
        let Some(store) = self.store.upgrade() else {
            return Err(Status::unavailable("the lab has ended"));
        };
        if *request.resource == GroupResource::SERVICES {
            cluster_ip::allocate(&store, request.old, object)?;
        }
        if *request.resource == GroupResource::DAEMON_SETS {
            ownership::daemon_set(request.old, object);
        }
        if request.operation == Operation::Update {
            return Ok(());
        }
        match (request.resource.group.as_ref(), request.resource.resource.as_ref()) {
            ("", "pods") => {
                pod::admit(&store, request.namespace, object)?;
                pod::mount_token(&store, request.namespace, object);
                if self.mesh
                    && let Some(namespace) = store.get(&GroupResource::NAMESPACES, "", request.namespace)
                    && let Some(injector) = inject::injector(&store, &namespace, object)
                {
                    inject::inject(&injector, request.namespace, object);
                    pod::mount_token(&store, request.namespace, object);
                }
                pod::first_status(object);
            }
            ("batch", "jobs") => ownership::job(object),
            ("", "persistentvolumeclaims") => ownership::claim(&store, object),
            ("apps", "replicasets") => set_status(object, json!({"replicas": 0})),
            ("apps", "statefulsets") => set_status(object, json!({"replicas": 0, "availableReplicas": 0})),
            ("apps", "daemonsets") => {
                let none = json!({
                    "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
                });
                set_status(object, none);
            }
            _ => {}
        }
        Ok(())
    }

    fn validate(&self, request: &AdmissionRequest<'_>, object: &Value) -> Result<(), Status> {
        rules::check(request, object)
    }
}

/// A first status that is not empty.
fn set_status(object: &mut Value, status: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert("status".to_owned(), status);
    }
}
