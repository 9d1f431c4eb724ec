//! Pods that try to get at the machine that the lab runs on. There is nothing to get at: files, processes and the network of a pod
//! exist in memory alone.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::support::{Cluster, Outcome};

/// Runs a command in the pod `p`; none when the lab does not run such a pod.
async fn run(cluster: &Cluster, command: &[&str]) -> Option<Outcome> {
    let pods: kube::Api<Pod> = kube::Api::default_namespaced(cluster.client.clone());
    let pod = pods.get("p").await.expect("the pod is there");
    let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
    if !statuses.iter().any(|status| status.ready) {
        return None;
    }
    Some(cluster.exec("default", "p", "c", command).await)
}

fn pod(image: &str, spec: &Value) -> String {
    let mut spec = spec.clone();
    spec["containers"][0]["name"] = "c".into();
    spec["containers"][0]["image"] = image.into();
    spec["containers"][0]["command"] = json!(["sleep", "infinity"]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}).to_string()
}

async fn with(image: &str, spec: &Value) -> Cluster {
    let cluster = Cluster::start("").await;
    cluster.apply("default", &pod(image, spec)).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    cluster
}

/// A file that every machine with this repository has, by its whole path.
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

#[tokio::test(start_paused = true)]
async fn no_path_leads_out() {
    let host = json!({
        "hostNetwork": true, "hostPID": true, "hostIPC": true,
        "containers": [{
            "securityContext": {"privileged": true},
            "volumeMounts": [{"name": "root", "mountPath": "/host"}],
        }],
        "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
    });
    let hostile = with("busybox", &host).await;
    let plain = with("busybox", &json!({"containers": [{}]})).await;
    assert!(run(&plain, &["true"]).await.is_some(), "an ordinary pod runs");
    for cluster in [&hostile, &plain] {
        for path in [
            OURS.to_owned(),
            format!("/host{OURS}"),
            format!("/../../../..{OURS}"),
            format!("/proc/1/root{OURS}"),
            format!("/proc/self/cwd{OURS}"),
            format!("//.{OURS}"),
        ] {
            let script = format!("ln -s / /tmp/out; cat {path}; cat /tmp/out{path}; cat < {path}; true");
            let Some(outcome) = run(cluster, &["sh", "-c", &script]).await else { continue };
            assert!(!outcome.stdout.contains("periplus-lab"), "{path}: {outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_types, reason = "a service of this machine, for the pod to look for")]
async fn no_socket_leads_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port of this machine");
    let port = listener.local_addr().expect("an address").port();
    let cluster = with("curlimages/curl", &json!({"hostNetwork": true, "containers": [{}]})).await;
    let plain = with("curlimages/curl", &json!({"containers": [{}]})).await;
    assert!(run(&plain, &["true"]).await.is_some(), "an ordinary pod runs");
    for address in ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "host.docker.internal"] {
        let url = format!("http://{address}:{port}/");
        for cluster in [&cluster, &plain] {
            let Some(outcome) = run(cluster, &["curl", "-sS", "-m", "2", &url]).await else { continue };
            assert_ne!(outcome.code(), Some(0), "{address}: {outcome:?}");
            assert_eq!(outcome.stdout, "", "{address}");
        }
    }
    // Nobody knocked.
    let knocked = futures::FutureExt::now_or_never(listener.accept());
    assert!(knocked.is_none());
}
