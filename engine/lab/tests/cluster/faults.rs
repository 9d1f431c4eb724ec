//! Faults of a world, and worlds that cannot be.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::api::{AttachParams, ListParams, WatchParams};
use periplus_lab::world::World;

use crate::support::{Cluster, SLEEP};

#[tokio::test(start_paused = true)]
async fn requests_are_refused_and_then_go_through() {
    let world = "faults: [{api: {status: 429, verb: list, resource: configmaps, count: 2}}]";
    let cluster = Cluster::start(world).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    for expected in [Some(429), Some(429), None] {
        let code = match maps.list(&ListParams::default()).await {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => Some(status.code),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(code, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_exec_is_cut_off_without_a_status() {
    let cluster = Cluster::start("faults: [{exec-cut: {pod: default/app=sleep, after-bytes: 4}}]").await;
    cluster.apply("default", SLEEP).await;
    cluster.available("default", "sleep").await;
    let pod = cluster.pod("default", "sleep").await;
    let api: Api<Pod> = Api::default_namespaced(cluster.client.clone());
    let params = AttachParams::default().stdin(false).stdout(true).stderr(true);
    let mut session = api.exec(&pod, ["echo", "0123456789"], &params).await.expect("the exec is let through");
    let status = session.take_status().expect("asked for");
    assert!(status.await.is_none(), "a connection that breaks tells nothing");
    assert!(session.join().await.is_err());
    let whole = cluster.exec("default", &pod, "sleep", &["echo", "0123456789"]).await;
    assert_eq!((whole.code(), whole.stdout.as_str()), (Some(0), "0123456789\n"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_dropped() {
    use futures::StreamExt;
    let cluster = Cluster::start("faults: [{watch-drop: {resource: configmaps, after-events: 1}}]").await;
    let maps: Api<ConfigMap> = Api::all(cluster.client.clone());
    let watch =
        maps.watch(&WatchParams::default().timeout(100).disable_bookmarks(), "0").await.expect("the watch starts");
    assert_eq!(watch.count().await, 1);
    let watch =
        maps.watch(&WatchParams::default().timeout(100).disable_bookmarks(), "0").await.expect("the watch starts");
    assert_eq!(watch.count().await, 4, "one in each namespace");
}

#[tokio::test(start_paused = true)]
async fn slow_pods_and_restarts_happen() {
    let world = "faults: [{slow-pod: {pod: default/app=sleep, delay: 20s}}, {restart: {pod: default/app=sleep, container: sleep, after: 30s}}]";
    let cluster = Cluster::start(world).await;
    cluster.apply("default", SLEEP).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(cluster.lab.unready().len(), 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(cluster.lab.unready().len(), 0);
    let restarts = async || {
        let api: Api<Pod> = Api::default_namespaced(cluster.client.clone());
        let pod = api.get(&cluster.pod("default", "sleep").await).await.expect("the pod is there");
        pod.status.unwrap().container_statuses.unwrap()[0].restart_count
    };
    assert_eq!(restarts().await, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(restarts().await, 1);
}

#[tokio::test(start_paused = true)]
async fn worlds_that_cannot_be_are_refused_with_a_reason() {
    let cases = [
        ("params: {X: {pod: default/app=none}}", "params.X: no object of the world makes a pod default/app=none"),
        (
            "objects: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: x/y}]}}]",
            "pod default/p: c: not simulated: image x/y",
        ),
        (
            "objects: [{apiVersion: v2, kind: Pod, metadata: {name: p}}]",
            "Pod p: the lab's API server has no kind \"Pod\" in \"v2\"",
        ),
        (
            "objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: none}}]",
            "ConfigMap none/c: namespaces \"none\" not found",
        ),
    ];
    for (world, message) in cases {
        World::parse(world).expect("the form is right");
        let error = Cluster::with_params(world, &[]).await.err().expect("the lab does not boot");
        assert_eq!(error.to_string(), message);
    }
}
