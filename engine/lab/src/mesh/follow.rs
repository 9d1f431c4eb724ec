//! Feeds the control plane from the store.
//!
//! Invariant: a snapshot is published only when an object changed that decides about outbound connections.

use super::registry::Registry;
use super::view::MeshObjects;
use crate::store::{GroupResource, Store, Subscription};
use serde_json::Value;
use std::sync::Arc;

/// Where the mesh keeps its own configuration.
const ROOT_NAMESPACE: &str = "istio-system";

/// The ConfigMap with the mesh-wide settings.
const CONFIG_MAP: &str = "istio";

impl Registry {
    /// Publishes what the store holds now, and from then on every change; runs until it is dropped.
    pub async fn follow(&self, store: &Store) {
        loop {
            let mut changes = store.subscribe();
            self.publish(snapshot(store));
            while changed(&mut changes).await {
                self.publish(snapshot(store));
            }
            // This subscriber fell behind the history that is kept: begin again.
        }
    }
}

/// Waits for a change that matters, and takes all that are there with it; false when the subscription has expired.
async fn changed(changes: &mut Subscription) -> bool {
    let mut matters = false;
    while !matters {
        let Ok(change) = changes.next().await else { return false };
        matters = concerns(&change.resource, &change.object);
    }
    loop {
        match changes.try_next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

fn is_istio(resource: &GroupResource) -> bool {
    resource.group.ends_with(".istio.io")
}

fn concerns(resource: &GroupResource, object: &Value) -> bool {
    let own = || {
        object.pointer("/metadata/namespace").and_then(Value::as_str) == Some(ROOT_NAMESPACE)
            && object.pointer("/metadata/name").and_then(Value::as_str) == Some(CONFIG_MAP)
    };
    is_istio(resource)
        || *resource == GroupResource::SERVICES
        || *resource == GroupResource::ENDPOINT_SLICES
        || *resource == GroupResource::CONFIG_MAPS && own()
}

fn snapshot(store: &Store) -> MeshObjects {
    let list = |resource: &GroupResource| store.list(resource, "").items;
    let others = store.resources().into_iter().filter(|r| is_istio(r) && *r != GroupResource::SERVICE_ENTRIES);
    MeshObjects {
        config: store.get(&GroupResource::CONFIG_MAPS, ROOT_NAMESPACE, CONFIG_MAP),
        service_entries: list(&GroupResource::SERVICE_ENTRIES),
        services: list(&GroupResource::SERVICES),
        endpoint_slices: list(&GroupResource::ENDPOINT_SLICES),
        others: others.flat_map(|resource| list(&resource)).collect::<Vec<Arc<Value>>>(),
    }
}
