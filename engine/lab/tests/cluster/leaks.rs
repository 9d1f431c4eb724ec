//! What comes with a pod goes with it: after any number of pods, commands, watches and connections, the lab holds what it held.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, DeleteParams, ListParams, LogParams, WatchParams};
use tokio::runtime::Handle;

use crate::support::{Cluster, WORLD};

/// A client in the mesh, a server that no sidecar stands before, and a claim.
const ROUND: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, sidecar.istio.io/inject: 'false'}}
spec:
  volumes: [{name: disk, persistentVolumeClaim: {claimName: disk}}]
  containers: [{name: web, image: nginx, volumeMounts: [{name: disk, mountPath: /disk}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: curlimages/curl, command: [sh, -c, 'while true; do echo on; sleep 5; done']}]
";

/// Makes all of it, uses it in every way, and deletes it.
async fn round(cluster: &Cluster) {
    let pods: Api<Pod> = Api::default_namespaced(cluster.client.clone());
    cluster.apply("default", ROUND).await;
    for name in ["web", "client"] {
        let ready = kube::runtime::wait::conditions::is_pod_running();
        kube::runtime::wait::await_condition(pods.clone(), name, ready).await.expect("the pod runs");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Through a sidecar, which knows endpoints, and by the Service's own address.
    for (pod, container) in [("client", "main"), ("web", "web")] {
        let answer = cluster.exec("default", pod, container, &["curl", "-sS", "-m", "5", "http://web/"]).await;
        assert_eq!(answer.code(), Some(0), "{answer:?}");
    }
    let counted = settled().await;
    let changes = pods.watch(&WatchParams::default(), "0").await.expect("a watch");
    let first: Vec<_> = changes.take(1).try_collect().await.expect("changes");
    assert_eq!(first.len(), 1);
    let follow = LogParams { container: Some("main".to_owned()), follow: true, ..LogParams::default() };
    drop(pods.log_stream("client", &follow).await.expect("a log"));
    // Whoever is attached goes while the container goes on.
    drop(pods.attach("client", &AttachParams::default().container("main")).await.expect("attached"));
    drop(pods.attach("web", &AttachParams::default()).await.expect("attached"));
    drop(pods.portforward("web", &[80]).await.expect("forwarded").take_stream(80));
    assert_eq!(settled().await, counted, "a client that went left something behind");
    // A command goes on without its client, and ends with its container.
    drop(pods.exec("web", ["sleep", "3600"], &AttachParams::default().container("web")).await.expect("started"));
    delete(cluster).await;
}

async fn delete(cluster: &Cluster) {
    use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
    let client = || cluster.client.clone();
    let pods: Api<Pod> = Api::default_namespaced(client());
    pods.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("deleted");
    let services: Api<Service> = Api::default_namespaced(client());
    services.delete("web", &DeleteParams::default()).await.expect("deleted");
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(client());
    claims.delete("disk", &DeleteParams::default()).await.expect("deleted");
    tokio::time::sleep(Duration::from_secs(120)).await;
}

/// Tasks that live once all that is to end has ended.
async fn settled() -> usize {
    tokio::time::sleep(Duration::from_secs(2)).await;
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn what_comes_with_a_pod_goes_with_it() {
    let cluster = Cluster::start(WORLD).await;
    let empty = cluster.lab.census();
    // The first round opens the client's own connection, which is a task.
    round(&cluster).await;
    let tasks = settled().await;
    for _ in 0..5 {
        round(&cluster).await;
    }
    assert_eq!((cluster.lab.census(), settled().await), (empty, tasks));
}
