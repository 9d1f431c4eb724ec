//! Feeds the network's view of Services from the store: the work of kube-proxy and of the cluster's DNS.
//!
//! Invariant: the table is built anew from the store for each change, so it never disagrees with it for longer than that.

use super::fabric::Net;
use super::services::ServiceTable;
use crate::store::{GroupResource, Store};

impl Net {
    /// Takes the Services that the store holds now, and from then on every change; runs until it is dropped.
    pub async fn follow_services(&self, store: &Store) {
        loop {
            let mut changes = store.subscribe();
            self.set_services(table(store));
            while let Ok(change) = changes.next().await {
                if change.resource == GroupResource::SERVICES || change.resource == GroupResource::ENDPOINT_SLICES {
                    self.set_services(table(store));
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
