//! The kube runtime, as operators use it: reflectors, controllers, conditions, leases, and what one does to pods.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, EvictParams, LogParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tokio::sync::oneshot;

use crate::support::Cluster;

/// Longer than anything here takes, in the lab's time.
const PATIENCE: Duration = Duration::from_secs(60);

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: box, labels: {app: box}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {name: main, image: busybox, command: [sh, -c, 'echo one; sleep 1; echo two; exec sleep 3600']}
";

fn config_map(name: &str, word: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"word": word}})).expect("a ConfigMap")
}

#[tokio::test(start_paused = true)]
async fn a_reflector_holds_what_the_cluster_holds() {
    let cluster = Cluster::start("").await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        maps.create(&PostParams::default(), &config_map("there", "old")).await.expect("created");
        let (reader, writer) = reflector::store();
        let changes = watcher(maps.clone(), config.labels("!kubernetes.io/nothing")).default_backoff();
        let mut changes = Box::pin(reflector(writer, changes).applied_objects());
        let first = changes.try_next().await.expect("no error").expect("an object");
        assert!(["there", "kube-root-ca.crt"].contains(&first.name_any().as_str()), "{first:?}");
        maps.replace("there", &PostParams::default(), &config_map("there", "new")).await.expect("replaced");
        let is_new =
            |map: &ConfigMap| map.data.as_ref().is_some_and(|data| data.get("word").is_some_and(|w| w == "new"));
        while !is_new(&changes.try_next().await.expect("no error").expect("an object")) {}
        let held: Vec<_> = reader.state().into_iter().filter(|map| is_new(map)).map(|map| map.name_any()).collect();
        assert_eq!(held, ["there"]);
        maps.delete("there", &DeleteParams::default()).await.expect("deleted");
    }
}

/// What the controller below needs.
struct Context {
    client: Client,
}

/// Keeps a Secret of the same name for each ConfigMap that asks for it.
async fn reconcile(map: Arc<ConfigMap>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let secrets: Api<Secret> = Api::default_namespaced(context.client.clone());
    let owner = map.controller_owner_ref(&()).expect("it has a name and an identity");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": map.name_any(), "ownerReferences": [owner]},
        "stringData": map.data.clone().unwrap_or_default(),
    });
    secrets.patch(&map.name_any(), &PatchParams::apply("keeper").force(), &Patch::Apply(secret)).await?;
    Ok(Action::await_change())
}

#[tokio::test(start_paused = true)]
async fn a_controller_keeps_what_it_owns() {
    let cluster = Cluster::start("").await;
    let client = cluster.client.clone();
    let (maps, secrets): (Api<ConfigMap>, Api<Secret>) =
        (Api::default_namespaced(client.clone()), Api::default_namespaced(client.clone()));
    let (stop, stopped) = oneshot::channel::<()>();
    let controller = Controller::new(maps.clone(), watcher::Config::default().labels("keep=yes"))
        .owns(secrets.clone(), watcher::Config::default())
        .graceful_shutdown_on(async move { drop(stopped.await) })
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(1)), Arc::new(Context { client }))
        .for_each(|_| async {});
    let controller = tokio::spawn(controller);

    let mut map = config_map("kept", "first");
    map.metadata.labels = Some(BTreeMap::from([("keep".to_owned(), "yes".to_owned())]));
    maps.create(&PostParams::default(), &map).await.expect("created");
    let holds = |word: &'static [u8]| {
        move |secret: Option<&Secret>| {
            secret.and_then(|secret| secret.data.as_ref()?.get("word")).is_some_and(|held| held.0 == word)
        }
    };
    let until = |word| tokio::time::timeout(PATIENCE, await_condition(secrets.clone(), "kept", holds(word)));
    until(b"first").await.expect("in time").expect("the watch holds");
    secrets.delete("kept", &DeleteParams::default()).await.expect("deleted");
    until(b"first").await.expect("in time").expect("it is made again");
    let changed = Patch::Merge(json!({"data": {"word": "second"}}));
    maps.patch("kept", &PatchParams::default(), &changed).await.expect("patched");
    until(b"second").await.expect("in time").expect("it follows");

    stop.send(()).expect("the controller runs");
    controller.await.expect("it ends by itself");
    // Its owner takes it along.
    let uid = secrets.get("kept").await.expect("there").uid().expect("an identity");
    maps.delete("kept", &DeleteParams::default()).await.expect("deleted");
    let gone = await_condition(secrets, "kept", conditions::is_deleted(&uid));
    tokio::time::timeout(PATIENCE, gone).await.expect("in time").expect("the watch holds");
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_established_and_its_objects_are_watched() {
    let cluster = Cluster::start("").await;
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gizmos.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "gizmos", "kind": "Gizmo"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    });
    crds.patch("gizmos.example.com", &PatchParams::apply("test"), &Patch::Apply(crd)).await.expect("applied");
    let established = await_condition(crds, "gizmos.example.com", conditions::is_crd_established());
    tokio::time::timeout(PATIENCE, established).await.expect("in time").expect("the watch holds");
    cluster.apply("default", "{apiVersion: example.com/v1, kind: Gizmo, metadata: {name: one}, spec: {a: 1}}").await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_held_by_one() {
    let cluster = Cluster::start("").await;
    let leases: Api<Lease> = Api::default_namespaced(cluster.client.clone());
    let lease = |holder: &str, seconds: u32, version: Option<String>| -> Lease {
        serde_json::from_value(json!({
            "metadata": {"name": "lock", "resourceVersion": version},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds},
        }))
        .expect("a Lease")
    };
    let params = PostParams::default();
    let held = leases.create(&params, &lease("one", 15, None)).await.expect("created");
    let refused = leases.create(&params, &lease("two", 15, None)).await.expect_err("it is there");
    assert!(matches!(&refused, kube::Error::Api(status) if status.reason == "AlreadyExists"), "{refused:?}");
    leases.replace("lock", &params, &lease("one", 30, held.resource_version())).await.expect("renewed");
    let refused = leases.replace("lock", &params, &lease("two", 15, held.resource_version())).await.expect_err("stale");
    assert!(matches!(&refused, kube::Error::Api(status) if status.reason == "Conflict"), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_followed_and_evicted() {
    let cluster = Cluster::start("").await;
    cluster.apply("default", POD).await;
    let pods: Api<Pod> = Api::default_namespaced(cluster.client.clone());
    let running = await_condition(pods.clone(), "box", conditions::is_pod_running());
    tokio::time::timeout(PATIENCE, running).await.expect("in time").expect("the watch holds");
    let follow = LogParams { follow: true, ..LogParams::default() };
    let mut lines = pods.log_stream("box", &follow).await.expect("a stream").lines();
    for expected in ["one", "two"] {
        assert_eq!(lines.try_next().await.expect("no error").as_deref(), Some(expected));
    }
    let uid = pods.get("box").await.expect("there").uid().expect("an identity");
    pods.evict("box", &EvictParams::default()).await.expect("evicted");
    let gone = await_condition(pods.clone(), "box", conditions::is_deleted(&uid));
    tokio::time::timeout(PATIENCE, gone).await.expect("in time").expect("the watch holds");
    assert_eq!(lines.try_next().await.expect("it ends with the container"), None);
}
