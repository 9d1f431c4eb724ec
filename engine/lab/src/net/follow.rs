//! Feeds the network's view of Services and NetworkPolicies from the store: the work of kube-proxy, of the cluster's DNS, and of its
//! network plug-in.
//!
//! Invariant: the table is built anew from the store for each change, so it never disagrees with it for longer than that.

use super::fabric::Net;
use super::policy::PolicyTable;
use super::services::ServiceTable;
use crate::store::{GroupResource, Store};

impl Net {
    /// Takes the Services and policies that the store holds now, and from then on every change; runs until it is dropped.
    pub async fn follow_services(&self, store: &Store) {
        loop {
            let mut changes = store.subscribe();
            self.set_services(table(store));
            self.set_policies(policies(store));
            while let Ok(change) = changes.next().await {
                if change.resource == GroupResource::SERVICES || change.resource == GroupResource::ENDPOINT_SLICES {
                    self.set_services(table(store));
                } else if change.resource == network_policies() || change.resource == GroupResource::NAMESPACES {
                    self.set_policies(policies(store));
                }
            }
            // This subscriber fell behind the history that is kept: begin again.
        }
    }
}

fn table(store: &Store) -> ServiceTable {
    let services = store.list(&GroupResource::SERVICES, "").items;
    let slices = store.list(&GroupResource::ENDPOINT_SLICES, "").items;
    ServiceTable::from_objects(services.iter().map(AsRef::as_ref), slices.iter().map(AsRef::as_ref))
}

fn network_policies() -> GroupResource {
    GroupResource::new("networking.k8s.io", "networkpolicies")
}

fn policies(store: &Store) -> PolicyTable {
    let policies = store.list(&network_policies(), "").items;
    let namespaces = store.list(&GroupResource::NAMESPACES, "").items;
    PolicyTable::from_objects(policies.iter().map(AsRef::as_ref), namespaces.iter().map(AsRef::as_ref))
}
