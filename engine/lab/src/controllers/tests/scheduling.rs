//! Where pods go, and why not. The messages are those of kube-scheduler v1.36.2.

use serde_json::{Value, json};

use super::Cluster;
use crate::store::{GroupResource, meta};

const NO_HELP: &str =
    "no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

fn pod(name: &str, extra: &Value) -> Value {
    let mut pod = json!({
        "kind": "Pod", "metadata": {"name": name, "namespace": "n"},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    });
    for (key, value) in extra.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn cpu(amount: &str) -> Value {
    json!({"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": amount}}}]})
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_no_node_suits_says_why() {
    let terms = |term: Value| {
        json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
        }}})
    };
    let zone = json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]});
    let name = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["nope"]}]});
    let near = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "nothing"}}});
    let near = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [near]}}});
    let spread = json!({"topologySpreadConstraints": [{
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {},
    }]});
    let selector = "1 node(s) didn't match Pod's node affinity/selector";
    for (extra, why) in [
        (json!({"nodeSelector": {"disk": "ssd"}}), selector),
        (terms(zone), selector),
        (terms(name), "1 node(s) didn't satisfy plugin(s) [NodeAffinity]"),
        (cpu("100"), "1 Insufficient cpu"),
        (near, "1 node(s) didn't match pod affinity rules"),
        (spread, "1 node(s) didn't match pod topology spread constraints (missing required label)"),
    ] {
        let mut cluster = Cluster::new();
        cluster.add_node("one", &json!({}));
        cluster.create(&GroupResource::PODS, pod("p", &extra));
        let expected = format!("0/1 nodes are available: {why}. {NO_HELP}");
        assert_eq!(cluster.told("p"), [format!("FailedScheduling {expected}")]);
        let condition = &cluster.get(&GroupResource::PODS, "p")["status"]["conditions"][0];
        assert_eq!((&condition["reason"], &condition["message"]), (&json!("Unschedulable"), &json!(expected)));
        let before = cluster.store.revision();
        cluster.controllers.work();
        assert_eq!(cluster.store.revision(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_pod_is_placed_when_room_comes() {
    let mut cluster = Cluster::new();
    cluster.add_node("one", &json!({}));
    cluster.create(&GroupResource::PODS, pod("first", &cpu("3")));
    cluster.create(&GroupResource::PODS, pod("second", &cpu("3")));
    assert_eq!(
        cluster.told("second")[0],
        "FailedScheduling 0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    );
    assert_eq!(cluster.told("first"), ["Scheduled Successfully assigned n/first to one"]);
    let event = &cluster.list(&GroupResource::EVENTS)[0];
    let parts =
        ["action", "reportingComponent", "count", "eventTime"].map(|key| event.get(key).cloned().unwrap_or_default());
    assert_eq!(parts[..3], [json!("Binding"), json!("default-scheduler"), Value::Null]);
    assert_eq!(parts[3], "2026-01-01T00:00:00.000000Z");
    let now = crate::store::DeleteOptions { grace_seconds: Some(0), ..Default::default() };
    cluster.store.delete(&GroupResource::PODS, "n", "first", &now).unwrap();
    cluster.controllers.work();
    let placed = cluster.get(&GroupResource::PODS, "second");
    assert_eq!(placed["spec"]["nodeName"], "one");
    assert_eq!(placed["status"]["conditions"][0]["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn a_cordon_keeps_pods_away_and_a_taint_drives_them_out() {
    let mut cluster = Cluster::new();
    cluster.add_node("one", &json!({"unschedulable": true}));
    let taints = |cluster: &Cluster| {
        let node = cluster.store.get(&GroupResource::NODES, "", "one").unwrap();
        node["spec"].get("taints").cloned()
    };
    assert_eq!(taints(&cluster).unwrap()[0]["key"], "node.kubernetes.io/unschedulable");
    cluster.create(&GroupResource::PODS, pod("p", &json!({})));
    assert_eq!(
        cluster.told("p")[0],
        format!("FailedScheduling 0/1 nodes are available: 1 node(s) were unschedulable. {NO_HELP}")
    );
    let alter = |cluster: &mut Cluster, change: fn(&mut Value)| {
        let apply = |node: &mut Value| {
            change(node);
            Ok(())
        };
        let options = crate::store::WriteOptions::default();
        cluster.store.modify(&options, &GroupResource::NODES, "", "one", apply).unwrap();
        cluster.controllers.work();
    };
    alter(&mut cluster, |node| node["spec"]["unschedulable"] = false.into());
    assert_eq!(taints(&cluster), None);
    assert_eq!(cluster.get(&GroupResource::PODS, "p")["spec"]["nodeName"], "one");
    alter(&mut cluster, |node| node["spec"]["taints"] = json!([{"key": "a", "effect": "NoExecute"}]));
    assert!(meta::is_deleting(&cluster.get(&GroupResource::PODS, "p")));
    assert!(cluster.told("p").contains(&"TaintManagerEviction Marking for deletion Pod n/p".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn notes_alike_become_one() {
    let mut cluster = Cluster::new();
    let set = json!({
        "kind": "ReplicaSet", "metadata": {"name": "rs", "namespace": "n"},
        "spec": {"replicas": 12, "selector": {"matchLabels": {"app": "rs"}}, "template": {
            "metadata": {"labels": {"app": "rs"}}, "spec": {"containers": [{"name": "c", "image": "x"}]},
        }},
    });
    cluster.create(&GroupResource::REPLICA_SETS, set);
    let told = cluster.told("rs");
    assert_eq!(told.len(), 10);
    assert!(told[9].starts_with("SuccessfulCreate (combined from similar events): Created pod: rs-"));
    let events = cluster.list(&GroupResource::EVENTS);
    let last = events.iter().rfind(|event| event["involvedObject"]["name"] == "rs").unwrap();
    assert_eq!(last["count"], 3);
}
