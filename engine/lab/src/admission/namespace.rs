//! The rules about namespaces that hold for every object.
//!
//! Invariant: nothing new enters a namespace that is absent or on its way out.

use crate::status::{Cause, Details, Status};
use crate::store::{AdmissionRequest, GroupResource, Operation, Store, meta};

/// Refuses a create whose namespace cannot take it.
pub(super) fn check(store: &Store, request: &AdmissionRequest<'_>, name: &str) -> Result<(), Status> {
    if request.operation != Operation::Create
        || request.namespace.is_empty()
        || *request.resource == GroupResource::NAMESPACES
    {
        return Ok(());
    }
    let Some(namespace) = store.get(&GroupResource::NAMESPACES, "", request.namespace) else {
        return Err(Status::not_found("", "namespaces", request.namespace));
    };
    // Events may still be written, so that the end of things can be told.
    if meta::is_deleting(&namespace) && *request.resource != GroupResource::EVENTS {
        let why =
            format!("unable to create new content in namespace {} because it is being terminated", request.namespace);
        let status = Status::forbidden(&request.resource.group, &request.resource.resource, name, &why);
        let cause = Cause::new(
            "NamespaceTerminating",
            "metadata.namespace",
            format!("namespace {} is being terminated", request.namespace),
        );
        let details = Details {
            name: name.to_owned(),
            group: request.resource.group.to_string(),
            kind: request.resource.resource.to_string(),
            causes: vec![cause],
            ..Details::default()
        };
        return Err(status.with_details(details));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::store::{DeleteOptions, WriteOptions};

    #[tokio::test(start_paused = true)]
    async fn nothing_enters_an_absent_or_ending_namespace() {
        let store = Store::new(Clock::fixed(Clock::virtual_epoch()), 1);
        let request = AdmissionRequest {
            resource: &GroupResource::CONFIG_MAPS,
            namespace: "a",
            operation: Operation::Create,
            old: None,
            dry_run: false,
        };
        assert_eq!(check(&store, &request, "x").unwrap_err().code, 404);
        let namespace = json!({
            "kind": "Namespace", "metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]},
        });
        store.create(&WriteOptions::default(), &GroupResource::NAMESPACES, namespace).unwrap();
        assert!(check(&store, &request, "x").is_ok());
        store.delete(&GroupResource::NAMESPACES, "", "a", &DeleteOptions::default()).unwrap();
        let status = check(&store, &request, "x").unwrap_err();
        assert_eq!(
            status.message,
            "configmaps \"x\" is forbidden: unable to create new content in namespace a because it is being terminated"
        );
    }
}
