//! Waiting over watches that end, expire and break.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::server::{LONG, Reply, Seen, cluster, json, stream, text};
use crate::cluster::{ClusterError, ObjectAddress, Resolved, Verdict, WaitFor};

fn address() -> ObjectAddress {
    let resource = Resolved {
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        plural: "deployments".into(),
        namespaced: true,
        verbs: Vec::new(),
    };
    ObjectAddress { resource, namespace: Some("n".into()), name: "d".into() }
}

fn deployment(version: &str, ready: i64) -> Value {
    json!({"kind": "Deployment", "apiVersion": "apps/v1",
        "metadata": {"name": "d", "generation": 1, "resourceVersion": version}, "spec": {"replicas": 2},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": ready}})
}

fn list(version: &str, items: &[Value]) -> Reply {
    json(
        200,
        &json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {"resourceVersion": version},
        "items": items}),
    )
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

/// Replies given one after the other.
fn script(replies: Vec<Reply>) -> impl Fn(&Seen) -> Reply {
    let replies = Mutex::new(replies.into_iter());
    move |seen| replies.lock().unwrap().next().unwrap_or_else(|| panic!("one request too many: {seen:?}"))
}

fn closed(events: &[String]) -> Reply {
    let (sender, reply) = stream();
    for event in events {
        sender.send(Ok(event.clone())).unwrap();
    }
    reply
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_when_it_changes_and_the_wait_ends_when_it_holds() {
    let events = [
        event("BOOKMARK", &json!({"metadata": {"resourceVersion": "11"}})),
        event("MODIFIED", &deployment("12", 1)),
        event("MODIFIED", &deployment("13", 1)),
        event("MODIFIED", &deployment("14", 2)),
    ];
    let (cluster, log) = cluster(script(vec![list("10", &[deployment("9", 0)]), closed(&events)]));
    let mut told = Vec::new();
    let waited =
        cluster.wait(&address(), &WaitFor::Rollout, LONG, &mut |text| told.push(text.to_owned())).await.unwrap();
    assert!(waited.held());
    assert_eq!(told, ["0 of 2 pods ready", "1 of 2 pods ready", "2 of 2 pods ready"]);
    let seen = log.lock().unwrap();
    assert_eq!(seen[0].query("fieldSelector").as_deref(), Some("metadata.name=d"));
    assert_eq!(seen[1].query("resourceVersion").as_deref(), Some("10"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ended_goes_on_where_it_was() {
    let (cluster, log) = cluster(script(vec![
        list("10", &[]),
        closed(&[event("ADDED", &deployment("11", 0))]),
        closed(&[event("MODIFIED", &deployment("12", 2))]),
    ]));
    let before = tokio::time::Instant::now();
    let waited = cluster.wait(&address(), &WaitFor::Rollout, LONG, &mut |_| {}).await.unwrap();
    assert!(waited.held());
    assert_eq!(log.lock().unwrap()[2].query("resourceVersion").as_deref(), Some("11"));
    assert!(before.elapsed() >= Duration::from_secs(1), "a server that closes at once is not asked in a busy loop");
}

#[tokio::test(start_paused = true)]
async fn an_expired_history_and_a_cut_are_answered_with_a_fresh_look() {
    let expired =
        json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
    let (cut, broken) = stream();
    cut.send(Ok("{\"type\":\"MODI".to_owned())).unwrap();
    cut.send(Err(io::Error::from(io::ErrorKind::ConnectionReset))).unwrap();
    let (cluster, log) = cluster(script(vec![
        list("10", &[deployment("9", 0)]),
        json(410, &expired),
        list("20", &[deployment("19", 0)]),
        closed(&[event("ERROR", &expired)]),
        list("30", &[deployment("29", 1)]),
        broken,
        text(503, "busy"),
        list("40", &[deployment("39", 2)]),
    ]));
    let waited = cluster.wait(&address(), &WaitFor::Rollout, LONG, &mut |_| {}).await.unwrap();
    assert!(waited.held());
    assert_eq!(log.lock().unwrap().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn the_last_state_is_kept_when_the_time_is_up() {
    let (events, open): (mpsc::UnboundedSender<_>, Reply) = stream();
    let (cluster, _) = cluster(script(vec![list("10", &[deployment("9", 1)]), open]));
    let waited = cluster.wait(&address(), &WaitFor::Rollout, LONG, &mut |_| {}).await.unwrap();
    assert_eq!(waited.verdict, Verdict::NotYet("1 of 2 pods ready".into()));
    assert_eq!(waited.object.unwrap()["metadata"]["name"], "d");
    drop(events);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_seen() {
    let (cluster, _) =
        cluster(script(vec![list("10", &[deployment("9", 1)]), closed(&[event("DELETED", &deployment("11", 1))])]));
    let waited = cluster.wait(&address(), &WaitFor::Deletion { uid: None }, LONG, &mut |_| {}).await.unwrap();
    assert_eq!((waited.held(), waited.object), (true, None));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_looked_at_is_an_error_at_once() {
    let forbidden = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "no"});
    let (cluster, _) = cluster(script(vec![json(403, &forbidden)]));
    let error = cluster.wait(&address(), &WaitFor::Rollout, LONG, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, ClusterError::Forbidden { .. }));
    assert_eq!(error.to_string(), "the user may not list deployments.apps in namespace n");
}
