//! The tutorial's way through a lab, step by step.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::support::{Cluster, Outcome, SLEEP, WORLD};

const PAGE: &str = "https://en.wikipedia.org/wiki/Main_Page";
const TITLE: &str = "<title>Wikipedia, the free encyclopedia</title>";

impl Cluster {
    /// The tutorial's call through the proxy.
    async fn call(&self, namespace: &str, pod: &str) -> Outcome {
        let proxy = format!("HTTPS_PROXY={}:{}", self.param("PROXY_IP"), self.param("PROXY_PORT"));
        self.exec(namespace, pod, "sleep", &["sh", "-c", &format!("{proxy} curl -sS -m 10 {PAGE}")]).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_tutorial_runs_by_hand() {
    let cluster = Cluster::start(WORLD).await;
    assert_eq!(cluster.lab.unready(), []);
    cluster.apply("external", "{apiVersion: v1, kind: Namespace, metadata: {name: external}}").await;
    cluster.apply("external", SLEEP).await;
    cluster.apply("default", SLEEP).await;
    cluster.available("external", "sleep").await;
    cluster.available("default", "sleep").await;

    let outside = cluster.pod("external", "sleep").await;
    let called = cluster.call("external", &outside).await;
    assert!(called.code() == Some(0) && called.stdout.contains(TITLE), "{} {}", called.status, called.stderr);

    // The mesh as it is installed lets everything out.
    let inside = cluster.pod("default", "sleep").await;
    let called = cluster.call("default", &inside).await;
    assert!(called.code() == Some(0) && called.stdout.contains(TITLE), "{} {}", called.status, called.stderr);

    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "istio-system");
    let mut map = maps.get("istio").await.expect("the mesh has its settings");
    let data = map.data.as_mut().expect("settings are data");
    data.get_mut("mesh").expect("the key is there").push_str("\noutboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n");
    maps.replace("istio", &Default::default(), &map).await.expect("settings can be replaced");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let blocked = cluster.call("default", &inside).await;
    assert_eq!((blocked.code(), blocked.stdout.as_str()), (Some(56), ""), "{}", blocked.stderr);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = cluster.log("default", &inside, "istio-proxy").await;
    assert!(log.lines().any(|line| line.contains(" UH ") && line.contains("BlackHoleCluster")), "{log}");

    let proxy = cluster.param("PROXY_IP");
    let entry = json!({
        "apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry", "metadata": {"name": "proxy"},
        "spec": {
            "hosts": ["my-company-proxy.com"], "addresses": [format!("{proxy}/32")],
            "ports": [{"number": 3128, "name": "tcp", "protocol": "TCP"}],
            "location": "MESH_EXTERNAL", "resolution": "NONE",
        },
    });
    cluster.apply("default", &entry.to_string()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let called = cluster.call("default", &inside).await;
    assert!(called.code() == Some(0) && called.stdout.contains(TITLE), "{} {}", called.status, called.stderr);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = cluster.log("default", &inside, "istio-proxy").await;
    let line = log.lines().last().expect("the call left a line");
    assert!(line.contains("outbound|3128||my-company-proxy.com"), "{line}");
    let squid = cluster.pod("corp", "squid").await;
    let access = cluster.exec("corp", &squid, "squid", &["cat", "/var/log/squid/access.log"]).await;
    let last = access.stdout.lines().last().expect("squid logs each tunnel");
    assert!(
        last.contains("TCP_TUNNEL/200")
            && last.ends_with("CONNECT en.wikipedia.org:443 - HIER_DIRECT/198.51.100.192 -"),
        "{last}"
    );
    assert_eq!(access.stdout.lines().count(), 3, "the blocked call left no line:\n{}", access.stdout);
}

#[tokio::test(start_paused = true)]
async fn an_override_moves_the_proxy() {
    let cluster = Cluster::with_params(WORLD, &[("PROXY_IP", "192.0.2.10"), ("PROXY_PORT", "8080")])
        .await
        .expect("the lab boots");
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), "corp");
    let pod = api.get(&cluster.pod("corp", "squid").await).await.expect("the proxy is a pod");
    assert_eq!(pod.status.and_then(|status| status.pod_ip).as_deref(), Some("192.0.2.10"));
    cluster.apply("corp", SLEEP).await;
    cluster.available("corp", "sleep").await;
    let called = cluster.call("corp", &cluster.pod("corp", "sleep").await).await;
    assert!(called.code() == Some(0) && called.stdout.contains(TITLE), "{} {}", called.status, called.stderr);
}

#[tokio::test(start_paused = true)]
async fn a_pod_in_the_mesh_has_a_sidecar_and_runs_commands() {
    let cluster = Cluster::start(WORLD).await;
    cluster.apply("default", SLEEP).await;
    cluster.available("default", "sleep").await;
    let name = cluster.pod("default", "sleep").await;
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), "default");
    let pod = api.get(&name).await.expect("the pod is there");
    let status = pod.status.as_ref().expect("it has a status");
    let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let names: Vec<_> = all.map(|status| (status.name.as_str(), status.ready)).collect();
    assert_eq!(names, [("istio-init", true), ("istio-proxy", true), ("sleep", true)]);

    let out = cluster.exec("default", &name, "sleep", &["sh", "-c", "echo out; echo err >&2; exit 3"]).await;
    assert_eq!((out.code(), out.stdout.as_str(), out.stderr.as_str()), (Some(3), "out\n", "err\n"));
    let out = cluster.exec("default", &name, "sleep", &["no-such-program"]).await;
    assert_eq!((out.code(), &out.status["reason"]), (None, &json!("InternalError")));
    let message = out.status["message"].as_str().expect("a refusal says why");
    assert!(message.contains("executable file not found in $PATH"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_namespace_takes_everything_with_it() {
    let cluster = Cluster::start(WORLD).await;
    cluster.apply("external", "{apiVersion: v1, kind: Namespace, metadata: {name: external}}").await;
    cluster.apply("external", SLEEP).await;
    cluster.available("external", "sleep").await;
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    api.delete("external", &DeleteParams::default()).await.expect("the namespace can be deleted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(api.get_opt("external").await.expect("the API answers").is_none());
    let pods: Api<Pod> = Api::all(cluster.client.clone());
    let left = pods.list(&ListParams::default()).await.expect("pods are listed");
    assert!(left.items.iter().all(|pod| pod.metadata.namespace.as_deref() != Some("external")));
}
