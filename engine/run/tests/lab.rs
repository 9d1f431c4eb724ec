//! The cluster client against the lab's API server: both ends are ours, so each keeps the other honest about the wire.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use jiff::{SignedDuration, Timestamp};
use periplus_core::jsonpath::JsonPath;
use periplus_lab::api::Api;
use periplus_lab::clock::Clock;
use periplus_lab::serve::Connector;
use periplus_lab::status::Status;
use periplus_lab::store::Store;
use periplus_lab::stream::{ExecRequest, ExecSession, LogSource, PodHost};
use periplus_run::cluster::{
    Access, ApplyOptions, Cluster, ClusterError, DeleteOptions, LeaseError, LeaseSpec, ObjectAddress, Patch, Selector,
    WaitFor,
};
use serde_json::json;

/// Nobody runs pods here.
struct NoPods;

impl PodHost for NoPods {
    fn exec(&self, _: &str, _: &str, _: &str, _: ExecRequest) -> Result<ExecSession, Status> {
        Err(Status::not_simulated("pods"))
    }

    fn logs(&self, _: &str, _: &str, _: &str, _: bool) -> Result<Arc<dyn LogSource>, Status> {
        Err(Status::not_simulated("pods"))
    }
}

fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

async fn lab() -> Cluster {
    let store = Store::new(Clock::fixed(epoch()), 1);
    let connector = Connector::new(Api::new(store, Arc::new(NoPods)));
    let cluster = Cluster::over(connector, &Uri::from_static("http://lab"), "periplus-test/1").unwrap();
    for name in ["default", "kube-system"] {
        let at = ObjectAddress {
            resource: cluster.resolve(Some("v1"), "Namespace").await.unwrap(),
            namespace: None,
            name: name.into(),
        };
        cluster
            .create(&at, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
            .await
            .unwrap();
    }
    cluster
}

async fn config_map(cluster: &Cluster, name: &str) -> ObjectAddress {
    let resource = cluster.resolve(None, "ConfigMap").await.unwrap();
    ObjectAddress { resource, namespace: Some("default".into()), name: name.into() }
}

#[tokio::test(start_paused = true)]
async fn the_lab_says_who_it_is() {
    let identity = lab().await.identity().await.unwrap();
    assert!(identity.uid.is_some_and(|uid| uid.len() == 36));
    assert!(identity.version.starts_with("v1."));
    assert!(
        lab().await.can(&Access { verb: "get".into(), resource: "pods".into(), ..Access::default() }).await.unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn objects_are_applied_patched_listed_and_deleted() {
    let cluster = lab().await;
    let at = config_map(&cluster, "settings").await;
    assert_eq!(cluster.find(&at).await.unwrap(), None);
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "labels": {"t": "1"}},
        "data": {"a": "1"}});

    let dry = cluster.dry_run().apply(&at, &object, ApplyOptions::default()).await.unwrap();
    assert_eq!(dry.object["data"]["a"], "1");
    assert_eq!(cluster.find(&at).await.unwrap(), None, "a dry run leaves nothing");

    let applied = cluster.apply(&at, &object, ApplyOptions::default()).await.unwrap().object;
    assert_eq!(applied["metadata"]["managedFields"][0]["manager"], "periplus");
    let patched = cluster.patch(&at, &Patch::Merge(json!({"data": {"b": "2"}}))).await.unwrap().object;
    assert_eq!(patched["data"], json!({"a": "1", "b": "2"}));

    let stale = cluster.replace(&at, &applied).await.unwrap_err();
    assert!(matches!(&stale, ClusterError::Conflict { owners, .. } if owners.is_empty()), "{stale:?}");

    let listed = cluster.list(&at.resource, Some("default"), &Selector::labels("t=1")).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    assert_eq!(listed.items[0]["kind"], "ConfigMap");

    let other = DeleteOptions { uid: Some("not-this-one".into()), ..DeleteOptions::default() };
    assert!(matches!(cluster.delete(&at, &other).await, Err(ClusterError::Conflict { .. })));
    cluster.delete(&at, &DeleteOptions::default()).await.unwrap();
    assert!(cluster.get(&at).await.unwrap_err().is_not_found());
}

#[tokio::test(start_paused = true)]
async fn refusals_of_the_lab_are_understood() {
    let cluster = lab().await;
    let at = config_map(&cluster, "a").await;
    let unknown = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dta": {}});
    let refused = cluster.apply(&at, &unknown, ApplyOptions::default()).await.unwrap_err();
    assert!(matches!(refused, ClusterError::Invalid { .. }), "{refused:?}");

    let kind = cluster.resolve(Some("apps/v1"), "Deploymnt").await.unwrap_err();
    assert_eq!(kind.hint().as_deref(), Some("Did you mean apps/v1/Deployment?"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_sees_what_others_write() {
    let cluster = lab().await;
    let at = config_map(&cluster, "phase").await;
    let wait = WaitFor::JsonPath { path: JsonPath::parse("{.data.phase}").unwrap(), value: Some("done".into()) };
    let mut told = Vec::new();
    let others = async {
        for phase in ["new", "done"] {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "phase"},
                "data": {"phase": phase}});
            cluster.apply(&at, &object, ApplyOptions::default()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        cluster.delete(&at, &DeleteOptions::default()).await.unwrap();
    };
    let waiting = async {
        let mut progress = |text: &str| told.push(text.to_owned());
        let waited = cluster.wait(&at, &wait, Duration::from_secs(60), &mut progress).await.unwrap();
        assert!(waited.held());
        let gone = WaitFor::Deletion { uid: None };
        cluster.wait(&at, &gone, Duration::from_secs(60), &mut |_| {}).await.unwrap()
    };
    let (gone, ()) = futures::join!(waiting, others);
    assert!(gone.held());
    assert_eq!(told, ["not there yet", "{.data.phase} is new", "{.data.phase} is done"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeps_a_second_run_out_until_it_is_given_up_or_runs_out() {
    let cluster = lab().await;
    let spec = |holder: &str| LeaseSpec {
        namespace: "default".into(),
        runbook: "book".into(),
        holder: holder.into(),
        duration: Duration::from_secs(30),
    };
    let later = |seconds| epoch() + SignedDuration::from_secs(seconds);
    let mut first = cluster.acquire_lease(&spec("alice run 1"), later(0)).await.unwrap();
    first.renew(later(10)).await.unwrap();
    let refused = cluster.acquire_lease(&spec("bob run 2"), later(20)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "alice run 1 holds lease default/periplus-book since 2026-01-01T00:00:00.000000Z, \
         last renewed 2026-01-01T00:00:10.000000Z"
    );
    let second = cluster.acquire_lease(&spec("bob run 2"), later(60)).await.unwrap();
    let lost = first.renew(later(61)).await.unwrap_err();
    assert!(matches!(&lost, LeaseError::Lost { holder: Some(holder), .. } if holder == "bob run 2"), "{lost:?}");
    first.release().await.unwrap();
    second.release().await.unwrap();
    cluster.acquire_lease(&spec("carol run 3"), later(61)).await.unwrap();
}
