//! Pods: how they start, are configured, fail, restart and end.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Event, Node, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Cluster;

/// A pod `p` in `default` with one container `c`.
fn pod(spec: &Value) -> Value {
    let mut container = json!({"name": "c", "image": "busybox:1.37"});
    let mut whole = json!({});
    for (key, value) in spec.as_object().expect("a map").clone() {
        let of_pod = ["restartPolicy", "volumes", "initContainers", "terminationGracePeriodSeconds", "nodeSelector"];
        if of_pod.contains(&key.as_str()) { whole[&key] = value } else { container[&key] = value }
    }
    whole["containers"] = json!([container]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": "p"}}, "spec": whole})
}

impl Cluster {
    async fn status(&self) -> Value {
        let api: Api<Pod> = Api::default_namespaced(self.client.clone());
        serde_json::to_value(api.get("p").await.expect("the pod is there").status).expect("a status is JSON")
    }

    async fn state(&self) -> Value {
        self.status().await["containerStatuses"][0].clone()
    }

    async fn reasons(&self) -> Vec<String> {
        let api: Api<Event> = Api::default_namespaced(self.client.clone());
        let events = api.list(&ListParams::default()).await.expect("events are listed");
        events.items.into_iter().filter_map(|event| event.reason).collect()
    }
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn with(spec: Value) -> Cluster {
    let cluster = Cluster::start("").await;
    cluster.apply("default", &pod(&spec).to_string()).await;
    seconds(2).await;
    cluster
}

#[tokio::test(start_paused = true)]
async fn a_pod_looks_as_in_life() {
    let cluster = with(json!({"command": ["sleep", "infinity"]})).await;
    let status = cluster.status().await;
    assert_eq!((&status["phase"], &status["qosClass"]), (&json!("Running"), &json!("BestEffort")));
    assert_eq!(status["podIPs"], json!([{"ip": status["podIP"]}]));
    let conditions: Vec<_> =
        status["conditions"].as_array().unwrap().iter().map(|one| (&one["type"], &one["status"])).collect();
    for (kind, holds) in &conditions {
        assert_eq!(**holds, json!("True"), "{kind}");
    }
    assert_eq!(conditions.len(), 5);
    let container = &status["containerStatuses"][0];
    assert_eq!((&container["ready"], &container["restartCount"]), (&json!(true), &json!(0)));
    assert_eq!(container["image"], "docker.io/library/busybox:1.37");
    assert_eq!(container["containerID"].as_str().unwrap().len(), "containerd://".len() + 64);
    let mut reasons = cluster.reasons().await;
    reasons.sort();
    assert_eq!(reasons, ["Created", "Pulled", "Pulling", "Scheduled", "Started"]);
}

/// What clients of 1.36 see of each container besides its state (`convertToAPIContainerStatuses` of its kubelet).
#[tokio::test(start_paused = true)]
async fn a_status_has_the_fields_of_this_release() {
    let cluster = with(json!({
        "command": ["sh", "-c", "echo last words > /dev/termination-log; exit 1"], "restartPolicy": "Never",
        "resources": {"requests": {"cpu": "100m"}}, "securityContext": {"runAsUser": 0},
    }))
    .await;
    let status = cluster.status().await;
    assert_eq!((&status["observedGeneration"], &status["phase"]), (&json!(1), &json!("Failed")));
    let ready = &status["conditions"][2];
    assert_eq!((&ready["type"], &ready["reason"]), (&json!("Ready"), &json!("PodFailed")));
    assert_eq!((&ready["observedGeneration"], ready.get("message")), (&json!(1), None));
    let container = &status["containerStatuses"][0];
    assert_eq!(container["allocatedResources"], json!({"cpu": "100m"}));
    assert_eq!(container["resources"], json!({"requests": {"cpu": "100m"}}));
    assert_eq!(container["user"], json!({"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0, 10]}}));
    assert_eq!(container["volumeMounts"][0]["recursiveReadOnly"], "Disabled");
    assert_eq!(container["state"]["terminated"]["message"], "last words\n");
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_ends_with_what_it_stands_by() {
    let init = json!([
        {"name": "side", "image": "busybox", "restartPolicy": "Always", "command": ["sleep", "1000"]},
    ]);
    let cluster = with(json!({"initContainers": init, "restartPolicy": "Never", "command": ["sleep", "5"]})).await;
    seconds(2).await;
    assert_eq!(cluster.status().await["phase"], "Running");
    seconds(40).await;
    let status = cluster.status().await;
    assert_eq!(status["phase"], "Succeeded", "{status}");
    assert!(status["initContainerStatuses"][0]["state"]["terminated"].is_object(), "{status}");
}

#[tokio::test(start_paused = true)]
async fn an_init_container_that_fails_for_good_fails_the_pod() {
    let init = json!([{"name": "i", "image": "busybox", "command": ["sh", "-c", "exit 3"]}]);
    let cluster = with(json!({"initContainers": init, "restartPolicy": "Never"})).await;
    let status = cluster.status().await;
    assert_eq!(status["phase"], "Failed");
    assert_eq!(status["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
}

#[tokio::test(start_paused = true)]
async fn hooks_and_probes_end_a_container_in_the_kubelets_words() {
    let cluster = with(json!({
        "command": ["sleep", "1000"], "terminationGracePeriodSeconds": 1,
        "livenessProbe": {"exec": {"command": ["sh", "-c", "echo nope; exit 1"]}, "periodSeconds": 1, "failureThreshold": 1},
        "lifecycle": {"postStart": {"exec": {"command": ["touch", "/started"]}}},
    }))
    .await;
    seconds(8).await;
    let api: Api<Event> = Api::default_namespaced(cluster.client.clone());
    let events = api.list(&ListParams::default()).await.expect("events are listed");
    let messages: Vec<String> = events.items.into_iter().filter_map(|event| event.message).collect();
    for expected in
        ["Liveness probe failed: nope\n", "Container c failed liveness probe, will be restarted", "Container started"]
    {
        assert!(messages.iter().any(|message| message == expected), "{expected}: {messages:?}");
    }
    assert!(cluster.state().await["lastState"]["terminated"].is_object());
}

#[tokio::test(start_paused = true)]
async fn the_node_is_ready() {
    let cluster = Cluster::start("").await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let node = nodes.get("lab").await.expect("there is one node");
    let conditions = node.status.and_then(|status| status.conditions).expect("it has conditions");
    assert!(conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_image_is_not_simulated() {
    let cluster = with(json!({"image": "example.com/app:1"})).await;
    seconds(60).await;
    let waiting = &cluster.state().await["state"]["waiting"];
    assert_eq!(*waiting, json!({"reason": "NotSimulated", "message": "not simulated: image example.com/app:1"}));
    assert!(cluster.reasons().await.contains(&"NotSimulated".to_owned()));
    assert_eq!(
        cluster.lab.unready(),
        [("default/p".to_owned(), "c: not simulated: image example.com/app:1".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn a_crashing_container_is_started_again_later_and_later() {
    let cluster = with(json!({"command": ["sh", "-c", "echo run; exit 7"]})).await;
    // At once, then after 10, 20 and 40 seconds.
    seconds(3).await;
    let state = cluster.state().await;
    assert_eq!(state["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(state["lastState"]["terminated"]["exitCode"], 7);
    assert_eq!(state["restartCount"], 1);
    seconds(35).await;
    assert_eq!(cluster.state().await["restartCount"], 3);
    assert_eq!(cluster.log("default", "p", "c").await, "run\n");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_never_restarts_ends() {
    for (code, phase, reason) in [(0, "Succeeded", "Completed"), (3, "Failed", "Error")] {
        let command = json!(["sh", "-c", format!("exit {code}")]);
        let cluster = with(json!({"command": command, "restartPolicy": "Never"})).await;
        let status = cluster.status().await;
        assert_eq!(status["phase"], phase);
        assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["reason"], reason);
    }
}

#[tokio::test(start_paused = true)]
async fn init_containers_come_first() {
    let init = json!([{"name": "i", "image": "busybox", "command": ["sh", "-c", "echo hello > /shared/file"],
        "volumeMounts": [{"name": "v", "mountPath": "/shared"}]}]);
    let cluster = with(json!({
        "initContainers": init, "volumes": [{"name": "v", "emptyDir": {}}],
        "volumeMounts": [{"name": "v", "mountPath": "/data", "readOnly": true}], "command": ["sleep", "infinity"],
    }))
    .await;
    seconds(1).await;
    let read = cluster.exec("default", "p", "c", &["cat", "/data/file"]).await;
    assert_eq!(read.stdout, "hello\n");
    assert_eq!(cluster.status().await["initContainerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
}

#[tokio::test(start_paused = true)]
async fn configuration_is_waited_for_and_kept_up_to_date() {
    let cluster = with(json!({
        "command": ["sleep", "infinity"],
        "env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}],
        "volumes": [{"name": "v", "configMap": {"name": "m", "optional": true}}],
        "volumeMounts": [{"name": "v", "mountPath": "/etc/m"}],
    }))
    .await;
    assert_eq!(cluster.state().await["state"]["waiting"]["reason"], "CreateContainerConfigError");
    let map =
        |value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"k": value}});
    cluster.apply("default", &map("one").to_string()).await;
    seconds(2).await;
    let printed = cluster.exec("default", "p", "c", &["sh", "-c", "echo $K"]).await;
    assert_eq!(printed.stdout, "one\n");
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    maps.patch("m", &PatchParams::default(), &Patch::Merge(map("two"))).await.expect("the map can be changed");
    seconds(30).await;
    let read = cluster.exec("default", "p", "c", &["sh", "-c", "cat /etc/m/k; echo $K"]).await;
    assert_eq!(read.stdout, "twoone\n");
}

#[tokio::test(start_paused = true)]
async fn readiness_follows_its_probe() {
    let cluster = with(json!({
        "command": ["sleep", "infinity"],
        "readinessProbe": {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1},
    }))
    .await;
    assert_eq!(cluster.state().await["ready"], false);
    cluster.exec("default", "p", "c", &["sh", "-c", "echo > /tmp/ready"]).await;
    seconds(3).await;
    assert_eq!(cluster.state().await["ready"], true);
}

#[tokio::test(start_paused = true)]
async fn a_failing_liveness_probe_starts_the_container_anew() {
    let cluster = with(json!({
        "command": ["sleep", "infinity"], "terminationGracePeriodSeconds": 1,
        "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1, "failureThreshold": 2},
    }))
    .await;
    seconds(10).await;
    let state = cluster.state().await;
    assert!(state["restartCount"].as_u64().unwrap() >= 1, "{state}");
    assert_eq!(state["lastState"]["terminated"]["exitCode"], 137);
    assert!(cluster.reasons().await.contains(&"Unhealthy".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn grace_is_honoured_in_lab_time() {
    let cluster = with(json!({"command": ["sleep", "infinity"], "terminationGracePeriodSeconds": 20})).await;
    let api: Api<Pod> = Api::default_namespaced(cluster.client.clone());
    api.delete("p", &DeleteParams::default()).await.expect("the pod can be deleted");
    // Process 1 of a container ignores the signal.
    seconds(19).await;
    let pod = api.get("p").await.expect("the pod is still there");
    assert_eq!(pod.metadata.deletion_grace_period_seconds, Some(20));
    seconds(2).await;
    assert!(api.get_opt("p").await.expect("the API answers").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fits_no_node_stays_pending() {
    let cluster = with(json!({"command": ["sleep", "infinity"], "nodeSelector": {"disk": "ssd"}})).await;
    let status = cluster.status().await;
    assert_eq!((&status["phase"], &status["conditions"][0]["reason"]), (&json!("Pending"), &json!("Unschedulable")));
    assert_eq!(cluster.reasons().await, ["FailedScheduling"]);
}
