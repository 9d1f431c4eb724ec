//! What every cluster has before anybody uses it.
//!
//! Invariant: it is the same in every lab but for the definitions of a mesh.

use serde_json::{Value, json};

use super::boot::describe;
use super::error::LabError;
use crate::controllers::volumes::{DEFAULT_CLASS, PROVISIONER};
use crate::kubelet::{NODE_ADDRESS, node};
use crate::schema::istio_crds;
use crate::store::{GroupResource, Store, WriteOptions};
use crate::world::World;

/// Namespaces of every cluster.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The port of the API server on its node.
const API_PORT: u16 = 6443;

/// Creates what every cluster has.
pub(super) fn furnish(store: &Store, world: &World) -> Result<(), LabError> {
    let by = |manager: &str, resource: &GroupResource, object: Value| {
        let named = describe(&object);
        let created = store.create(&WriteOptions::by(manager), resource, object);
        created.map(drop).map_err(|status| LabError::Refused { object: named, status: Box::new(status) })
    };
    let create = |resource: &GroupResource, object: Value| by("kube-apiserver", resource, object);
    for name in NAMESPACES {
        create(
            &GroupResource::NAMESPACES,
            json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}),
        )?;
    }
    let node = node(store.clock().now());
    by("kubelet", &GroupResource::NODES, node.clone())?;
    // A new object starts without a status.
    let refused = |status| LabError::Refused { object: describe(&node), status: Box::new(status) };
    store.update_status("kubelet", &GroupResource::NODES, node.clone()).map_err(refused)?;
    create(&GroupResource::SERVICES, api_service())?;
    create(&GroupResource::ENDPOINTS, api_endpoints())?;
    create(&GroupResource::ENDPOINT_SLICES, api_slice())?;
    by("kubeadm", &GroupResource::SERVICES, dns_service())?;
    by("kubectl-client-side-apply", &GroupResource::STORAGE_CLASSES, storage_class())?;
    if world.mesh.is_some() {
        for crd in istio_crds() {
            let named = describe(&crd);
            let installed = store.install_definition("kube-apiserver", crd);
            installed.map_err(|status| LabError::Refused { object: named, status: Box::new(status) })?;
        }
    }
    Ok(())
}

fn service(namespace: &str, name: &str, labels: &Value, address: &str, ports: &Value) -> Value {
    json!({
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"ports": ports, "clusterIP": address, "clusterIPs": [address]},
    })
}

fn api_service() -> Value {
    let labels = json!({"component": "apiserver", "provider": "kubernetes"});
    let ports = json!([{"name": "https", "protocol": "TCP", "port": 443, "targetPort": API_PORT}]);
    service("default", "kubernetes", &labels, "10.96.0.1", &ports)
}

/// The API server keeps its own endpoints.
fn api_endpoints() -> Value {
    json!({
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{
            "addresses": [{"ip": NODE_ADDRESS}],
            "ports": [{"name": "https", "port": API_PORT, "protocol": "TCP"}],
        }],
    })
}

fn api_slice() -> Value {
    json!({
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "protocol": "TCP", "port": API_PORT}],
    })
}

fn dns_service() -> Value {
    let labels = json!({
        "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS",
    });
    let ports = json!([
        {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 53},
        {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": 53},
    ]);
    service("kube-system", "kube-dns", &labels, "10.96.0.10", &ports)
}

/// The default class, as clusters for trying things out have it: directories of the node, made when a pod needs them.
fn storage_class() -> Value {
    json!({
        "kind": "StorageClass",
        "apiVersion": "storage.k8s.io/v1",
        "metadata": {
            "name": DEFAULT_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn definitions_of_a_mesh_are_installed_as_the_server_would_store_them() {
        let fresh = || Store::new(Clock::fixed(Clock::virtual_epoch()), 7);
        let (reviewed, installed) = (fresh(), fresh());
        for crd in istio_crds() {
            reviewed
                .create(&WriteOptions::by("kubectl"), &GroupResource::CRDS, crd.clone())
                .expect("a good definition");
            installed.install_definition("kubectl", crd).expect("a new definition");
        }
        let all = |store: &Store| {
            let mut all: Vec<Value> =
                store.list(&GroupResource::CRDS, "").items.iter().map(|crd| Value::clone(crd)).collect();
            // It comes about in one change rather than in three.
            all.iter_mut().for_each(|crd| crd["metadata"]["resourceVersion"] = Value::Null);
            all
        };
        assert_eq!(all(&installed), all(&reviewed));
        assert_eq!(installed.list(&GroupResource::CRDS, "").items.len(), 15);
    }
}
