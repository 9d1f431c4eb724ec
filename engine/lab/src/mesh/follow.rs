//! Feeds the control plane from the store.
//!
//! Invariant: a snapshot is published only when an object changed that decides about outbound connections.

use super::objects::{MeshObjects, ROOT_NAMESPACE, text};
use super::registry::Registry;
use crate::store::{GroupResource, Store, Subscription};
use serde_json::Value;
use std::sync::Arc;

/// The ConfigMap with the mesh-wide settings; a revision's has a dash and its name behind.
const CONFIG_MAP: &str = "istio";

/// The types of secrets that hold no certificate.
const OTHER_SECRETS: [&str; 3] =
    ["kubernetes.io/service-account-token", "kubernetes.io/dockerconfigjson", "helm.sh/release.v1"];

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

fn is_settings(object: &Value) -> bool {
    text(object, "/metadata/namespace") == ROOT_NAMESPACE
        && text(object, "/metadata/name").strip_prefix(CONFIG_MAP).is_some_and(|rest| {
            // Other maps of Istio's begin so, too, and have no mesh settings.
            rest.is_empty() || rest.starts_with('-') && object.pointer("/data/mesh").is_some()
        })
}

fn holds_certificate(secret: &Value) -> bool {
    !OTHER_SECRETS.contains(&text(secret, "/type"))
}

/// Whether a change of this object may change what proxies are told. A pod counts when its address does, in a slice.
fn concerns(resource: &GroupResource, object: &Value) -> bool {
    is_istio(resource)
        || *resource == GroupResource::SERVICES
        || *resource == GroupResource::ENDPOINT_SLICES
        || *resource == GroupResource::CONFIG_MAPS && is_settings(object)
        || *resource == GroupResource::SECRETS && holds_certificate(object)
}

fn snapshot(store: &Store) -> MeshObjects {
    let list = |resource: &GroupResource| store.list(resource, "").items;
    let istio = store.resources().into_iter().filter(is_istio);
    MeshObjects {
        config_maps: store
            .list(&GroupResource::CONFIG_MAPS, ROOT_NAMESPACE)
            .items
            .into_iter()
            .filter(|map| is_settings(map))
            .collect(),
        services: list(&GroupResource::SERVICES),
        endpoint_slices: list(&GroupResource::ENDPOINT_SLICES),
        secrets: list(&GroupResource::SECRETS).into_iter().filter(|secret| holds_certificate(secret)).collect(),
        pods: list(&GroupResource::PODS),
        istio: istio.flat_map(|resource| list(&resource)).collect::<Vec<Arc<Value>>>(),
    }
}
