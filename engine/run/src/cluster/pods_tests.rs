//! Which pod and container are chosen, case by case.

use serde_json::{Value, json};

use super::*;

/// A ready pod of a ReplicaSet.
fn pod(name: &str, owner: &str) -> Value {
    json!({
        "metadata": {"name": name, "ownerReferences": [
            {"kind": "Other", "uid": "not-this"}, {"kind": "ReplicaSet", "uid": owner, "controller": true}]},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn with(mut pod: Value, pointer: &str, value: Value) -> Value {
    periplus_core::change::write(&mut pod, pointer, Some(value));
    pod
}

fn replica_set(uid: &str, deployment: &str, revision: &str) -> Value {
    json!({"metadata": {"uid": uid, "annotations": {"deployment.kubernetes.io/revision": revision},
        "ownerReferences": [{"uid": deployment, "controller": true}]}})
}

fn chosen(pods: &[Value], revisions: &Revisions, any: bool) -> Result<String, String> {
    let chosen = choose_pod(pods, revisions, "deploy/d in namespace n", any);
    chosen.map(|pod| name(pod).to_owned()).map_err(|error| error.to_string())
}

#[test]
fn the_only_ready_pod_is_chosen() {
    let pods = [
        with(pod("deleted", "r"), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")),
        with(pod("unready", "r"), "/status/conditions", json!([{"type": "Ready", "status": "False"}])),
        pod("good", "r"),
        with(pod("pending", "r"), "/status/phase", json!("Pending")),
    ];
    assert_eq!(chosen(&pods, &Revisions::new(), false), Ok("good".into()));
    assert_eq!(
        chosen(&[pods[3].clone(), pods[0].clone(), pods[1].clone()], &Revisions::new(), true),
        Err("no pod of deploy/d in namespace n is ready: deleted is being deleted, pending is pending, \
             unready is not ready"
            .into())
    );
}

#[test]
fn several_are_the_authors_choice() {
    let pods = [pod("b", "r"), pod("a", "r")];
    assert_eq!(chosen(&pods, &Revisions::new(), false), Err("deploy/d in namespace n has 2 ready pods: a, b".into()));
    assert_eq!(chosen(&pods, &Revisions::new(), true), Ok("a".into()));
    assert_eq!(chosen(&[], &Revisions::new(), true), Err("deploy/d in namespace n has no pods".into()));
}

#[test]
fn the_newest_revision_wins_and_numbers_are_numbers() {
    let numbers = revisions(&[replica_set("old", "d", "9"), replica_set("new", "d", "10")], &[]);
    assert_eq!(chosen(&[pod("a", "old"), pod("b", "new")], &numbers, false), Ok("b".into()));
    // While the new one starts, the old one is no answer.
    let starting = with(pod("b", "new"), "/status/phase", json!("Pending"));
    assert_eq!(
        chosen(&[pod("a", "old"), starting], &numbers, false),
        Err("no pod of deploy/d in namespace n is ready: a is of an older revision, b is pending".into())
    );
    // A new one that is being deleted makes no pod old.
    let deleted = with(pod("b", "new"), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    assert_eq!(chosen(&[pod("a", "old"), deleted], &numbers, false), Ok("a".into()));
}

#[test]
fn revisions_of_different_workloads_are_not_compared() {
    let numbers = revisions(&[replica_set("r1", "d1", "1"), replica_set("r2", "d2", "7")], &[]);
    let pods = [pod("a", "r1"), pod("b", "r2")];
    assert_eq!(chosen(&pods, &numbers, false), Err("deploy/d in namespace n has 2 ready pods: a, b".into()));
}

#[test]
fn controller_revisions_number_the_pods_of_sets() {
    let revision = |name: &str, hash: &str, number: i64| {
        json!({"metadata": {"name": name, "labels": {"controller-revision-hash": hash},
            "ownerReferences": [{"uid": "set", "controller": true}]}, "revision": number})
    };
    let numbers = revisions(&[], &[revision("set-1a", "1a", 1), revision("set-2b", "2b", 2)]);
    // A DaemonSet's pods carry the hash, a StatefulSet's the name.
    for (old, new) in [("1a", "2b"), ("set-1a", "set-2b")] {
        let label = |pod, hash: &str| with(pod, "/metadata/labels", json!({"controller-revision-hash": hash}));
        let pods = [label(pod("a", "set"), old), label(pod("b", "set"), new)];
        assert_eq!(chosen(&pods, &numbers, false), Ok("b".into()), "{new}");
    }
}

#[test]
fn the_container_is_the_named_the_default_or_the_only_one() {
    let container = |pod: &Value, named: Option<&str>| choose_container(pod, named).map_err(|error| error.to_string());
    let one = pod("p", "r");
    let two = with(one.clone(), "/spec/containers", json!([{"name": "app"}, {"name": "istio-proxy"}]));
    let two = with(two, "/spec/initContainers", json!([{"name": "init"}]));
    let default = |name: &str| {
        with(two.clone(), "/metadata/annotations", json!({"kubectl.kubernetes.io/default-container": name}))
    };
    assert_eq!(container(&one, None), Ok("c".into()));
    assert_eq!(container(&two, Some("istio-proxy")), Ok("istio-proxy".into()));
    assert_eq!(container(&two, Some("init")), Ok("init".into()));
    assert_eq!(container(&default("app"), None), Ok("app".into()));
    assert_eq!(container(&two, None), Err("pod p has several containers: app, istio-proxy".into()));
    assert_eq!(container(&default("gone"), None), Err("pod p has several containers: app, istio-proxy".into()));
    assert_eq!(container(&two, Some("nope")), Err("pod p has no container nope; it has app, istio-proxy".into()));
}
