//! Controllers over a store without a kubelet: the tests play the kubelet themselves.

mod converge;
mod jobs;
mod scheduling;
mod sets;

use std::sync::Arc;

use serde_json::{Value, json};

use super::Controllers;
use crate::admission::Review;
use crate::clock::Clock;
use crate::store::{DeleteOptions, Deleted, GroupResource, Propagation, Store, WriteOptions, meta};

struct Cluster {
    store: Store,
    controllers: Controllers,
}

impl Cluster {
    fn new() -> Self {
        let store = Store::new(Clock::fixed(Clock::virtual_epoch()), 1);
        store.set_admission(Arc::new(Review::new(store.downgrade(), false)));
        let controllers = Controllers::new(store.clone(), "PEM".to_owned());
        let mut cluster = Self { store, controllers };
        cluster.create(&GroupResource::NAMESPACES, json!({"kind": "Namespace", "metadata": {"name": "n"}}));
        cluster
    }

    fn create(&mut self, resource: &GroupResource, object: Value) {
        self.store.create(&WriteOptions::default(), resource, object).unwrap();
        self.controllers.work();
    }

    fn list(&self, resource: &GroupResource) -> Vec<Arc<Value>> {
        self.store.list(resource, "n").items
    }

    fn deployment(&self) -> Arc<Value> {
        self.store.get(&GroupResource::DEPLOYMENTS, "n", "d").unwrap()
    }

    /// Names, wanted sizes and revisions of the ReplicaSets, in the order of revisions.
    fn sets(&self) -> Vec<(String, i64)> {
        let mut sets: Vec<_> = self
            .list(&GroupResource::REPLICA_SETS)
            .iter()
            .map(|set| {
                let revision = meta::annotation(set, "deployment.kubernetes.io/revision").unwrap().to_owned();
                (revision, set["spec"]["replicas"].as_i64().unwrap())
            })
            .collect();
        sets.sort();
        sets
    }

    /// Makes all pods ready, and takes those away that are being deleted.
    fn play_kubelet(&mut self) {
        self.play_kubelet_for(|_| true);
    }

    /// Does so for some pods; those that ended stay as they are.
    fn play_kubelet_for(&mut self, chosen: impl Fn(&Value) -> bool) {
        for pod in self.list(&GroupResource::PODS).into_iter().filter(|pod| chosen(pod)) {
            let mut pod = Value::clone(&pod);
            if meta::is_deleting(&pod) {
                let now = DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() };
                self.store.delete(&GroupResource::PODS, "n", meta::name(&pod), &now).unwrap();
                continue;
            }
            if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
                continue;
            }
            pod["status"]["phase"] = "Running".into();
            pod["status"]["podIP"] = "10.244.0.9".into();
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
            self.store.update_status("kubelet", &GroupResource::PODS, pod).unwrap();
        }
        self.controllers.work();
    }

    /// Plays the kubelet until nothing changes any more, which must not take long.
    fn settle(&mut self) {
        for _ in 0..60 {
            let before = self.store.revision();
            self.play_kubelet();
            if self.store.revision() == before {
                return;
            }
        }
        panic!("the cluster does not come to rest");
    }

    /// A node on which pods run; without one they wait.
    fn add_node(&mut self, name: &str, spec: &Value) {
        let amounts = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
        let labels = json!({"kubernetes.io/hostname": name});
        let node = json!({
            "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec,
            "status": {"allocatable": amounts, "capacity": amounts},
        });
        self.store.create(&WriteOptions::default(), &GroupResource::NODES, node.clone()).unwrap();
        self.store.update_status("kubelet", &GroupResource::NODES, node).unwrap();
        self.controllers.work();
    }

    fn get(&self, resource: &GroupResource, name: &str) -> Arc<Value> {
        self.store.get(resource, "n", name).expect("the object is there")
    }

    /// Names of the objects of a resource.
    fn names(&self, resource: &GroupResource) -> Vec<String> {
        self.list(resource).iter().map(|object| meta::name(object).to_owned()).collect()
    }

    /// Reasons and messages of the events about an object, in the order in which they were told.
    fn told(&self, name: &str) -> Vec<String> {
        let events = self.list(&GroupResource::EVENTS);
        let about = events.iter().filter(|event| event["involvedObject"]["name"] == name);
        about
            .map(|event| format!("{} {}", event["reason"].as_str().unwrap(), event["message"].as_str().unwrap()))
            .collect()
    }

    /// Alters an object of the namespace.
    fn alter(&mut self, resource: &GroupResource, name: &str, change: impl Fn(&mut Value)) {
        let alter = |object: &mut Value| {
            change(object);
            Ok(())
        };
        self.store.modify(&WriteOptions::default(), resource, "n", name, alter).unwrap();
        self.controllers.work();
    }

    fn change(&mut self, mut change: impl FnMut(&mut Value)) {
        let options = WriteOptions::default();
        self.store
            .modify(&options, &GroupResource::DEPLOYMENTS, "n", "d", |object| {
                change(object);
                Ok(())
            })
            .unwrap();
        self.controllers.work();
    }

    fn delete_deployment(&mut self, propagation: Propagation) -> Deleted {
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        let deleted = self.store.delete(&GroupResource::DEPLOYMENTS, "n", "d", &options).unwrap();
        self.controllers.work();
        deleted
    }
}

fn deployment(replicas: u32) -> Value {
    json!({
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "d", "namespace": "n"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        },
    })
}

fn with_deployment(replicas: u32) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.create(&GroupResource::DEPLOYMENTS, deployment(replicas));
    cluster
}

fn condition<'a>(object: &'a Value, kind: &str) -> (&'a str, &'a str) {
    let condition = super::condition::find(object, kind).expect("the condition is set");
    (condition["status"].as_str().unwrap(), condition["reason"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_deployment_gets_its_pods_and_becomes_available() {
    let mut cluster = with_deployment(2);
    let pods = cluster.list(&GroupResource::PODS);
    assert_eq!((cluster.sets(), pods.len()), (vec![("1".to_owned(), 2)], 2));
    let set = &cluster.list(&GroupResource::REPLICA_SETS)[0];
    let hash = meta::label(set, "pod-template-hash").unwrap();
    assert!(meta::name(&pods[0]).starts_with(&format!("d-{hash}-")));
    assert_eq!(condition(&cluster.deployment(), "Available"), ("False", "MinimumReplicasUnavailable"));
    assert_eq!(condition(&cluster.deployment(), "Progressing"), ("True", "ReplicaSetUpdated"));
    cluster.play_kubelet();
    let deployment = cluster.deployment();
    assert_eq!(condition(&deployment, "Available"), ("True", "MinimumReplicasAvailable"));
    assert_eq!(condition(&deployment, "Progressing"), ("True", "NewReplicaSetAvailable"));
    let status = &deployment["status"];
    assert_eq!((&status["readyReplicas"], &status["updatedReplicas"]), (&json!(2), &json!(2)));
    assert_eq!(status["observedGeneration"], deployment["metadata"]["generation"]);
    assert_eq!(meta::annotation(&deployment, "deployment.kubernetes.io/revision"), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_new_template_replaces_the_pods_one_by_one_and_back() {
    let mut cluster = with_deployment(1);
    cluster.play_kubelet();
    cluster.change(|object| object["spec"]["template"]["spec"]["containers"][0]["image"] = "y".into());
    assert_eq!(cluster.sets(), [("1".to_owned(), 1), ("2".to_owned(), 1)]);
    cluster.play_kubelet();
    assert_eq!(cluster.sets(), [("1".to_owned(), 0), ("2".to_owned(), 1)]);
    cluster.change(|object| object["spec"]["template"]["spec"]["containers"][0]["image"] = "x".into());
    cluster.play_kubelet();
    cluster.play_kubelet();
    assert_eq!(cluster.sets(), [("2".to_owned(), 0), ("3".to_owned(), 1)]);
    assert_eq!(meta::annotation(&cluster.deployment(), "deployment.kubernetes.io/revision"), Some("3"));
}

#[tokio::test(start_paused = true)]
async fn scaling_adds_and_removes_pods() {
    let mut cluster = with_deployment(1);
    cluster.change(|object| object["spec"]["replicas"] = 3.into());
    assert_eq!(cluster.list(&GroupResource::PODS).len(), 3);
    cluster.change(|object| object["spec"]["replicas"] = 0.into());
    assert_eq!(cluster.list(&GroupResource::PODS).len(), 0);
    assert_eq!(cluster.sets(), [("1".to_owned(), 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_replaced() {
    let mut cluster = with_deployment(1);
    let before = meta::name(&cluster.list(&GroupResource::PODS)[0]).to_owned();
    cluster.store.delete(&GroupResource::PODS, "n", &before, &DeleteOptions::default()).unwrap();
    cluster.controllers.work();
    let after = cluster.list(&GroupResource::PODS);
    assert_eq!(after.len(), 1);
    assert_ne!(meta::name(&after[0]), before);
}

#[tokio::test(start_paused = true)]
async fn dependents_follow_their_owner() {
    for (propagation, at_once) in [(Propagation::Background, true), (Propagation::Foreground, false)] {
        let mut cluster = with_deployment(2);
        let deleted = cluster.delete_deployment(propagation);
        assert_eq!(matches!(deleted, Deleted::Gone(_)), at_once);
        for resource in [GroupResource::DEPLOYMENTS, GroupResource::REPLICA_SETS, GroupResource::PODS] {
            assert_eq!(cluster.list(&resource).len(), 0, "{resource} after {propagation:?}");
        }
    }
    let mut cluster = with_deployment(2);
    cluster.delete_deployment(Propagation::Orphan);
    assert_eq!(cluster.list(&GroupResource::DEPLOYMENTS).len(), 0);
    let sets = cluster.list(&GroupResource::REPLICA_SETS);
    assert_eq!(
        (sets.len(), meta::owner_references(&sets[0]).len(), cluster.list(&GroupResource::PODS).len()),
        (1, 0, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_furnished_and_ends_with_its_contents() {
    let mut cluster = with_deployment(1);
    assert!(cluster.store.get(&GroupResource::SERVICE_ACCOUNTS, "n", "default").is_some());
    let root_ca = cluster.store.get(&GroupResource::CONFIG_MAPS, "n", "kube-root-ca.crt").unwrap();
    assert_eq!(root_ca["data"]["ca.crt"], "PEM");
    // A finalizer of someone else holds the namespace open.
    let held = json!({"kind": "ConfigMap", "metadata": {"name": "held", "namespace": "n", "finalizers": ["a/b"]}});
    cluster.create(&GroupResource::CONFIG_MAPS, held);
    cluster.store.delete(&GroupResource::NAMESPACES, "", "n", &DeleteOptions::default()).unwrap();
    cluster.controllers.work();
    let namespace = cluster.store.get(&GroupResource::NAMESPACES, "", "n").unwrap();
    assert_eq!(namespace["status"]["phase"], "Terminating");
    assert_eq!(condition(&namespace, "NamespaceContentRemaining"), ("True", "SomeResourcesRemain"));
    assert_eq!(cluster.list(&GroupResource::PODS).len(), 0);
    let free = |object: &mut Value| {
        meta::metadata(object).shift_remove("finalizers");
        Ok(())
    };
    cluster.store.modify(&WriteOptions::default(), &GroupResource::CONFIG_MAPS, "n", "held", free).unwrap();
    cluster.controllers.work();
    assert!(cluster.store.get(&GroupResource::NAMESPACES, "", "n").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_service_has_the_ready_pods_as_endpoints() {
    let mut cluster = with_deployment(1);
    let service = json!({
        "kind": "Service", "metadata": {"name": "s", "namespace": "n"},
        "spec": {"selector": {"app": "d"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    cluster.create(&GroupResource::SERVICES, service);
    assert_eq!(cluster.list(&GroupResource::ENDPOINT_SLICES)[0]["endpoints"], Value::Null);
    cluster.play_kubelet();
    let slice = &cluster.list(&GroupResource::ENDPOINT_SLICES)[0];
    assert_eq!(slice["endpoints"][0]["addresses"], json!(["10.244.0.9"]));
    assert_eq!(slice["endpoints"][0]["conditions"]["ready"], true);
    assert_eq!(slice["ports"][0]["port"], 8080);
    let endpoints = &cluster.list(&GroupResource::ENDPOINTS)[0];
    assert_eq!(endpoints["subsets"][0]["addresses"][0]["ip"], "10.244.0.9");
    cluster.change(|object| object["spec"]["replicas"] = 0.into());
    assert_eq!(cluster.list(&GroupResource::ENDPOINTS)[0].get("subsets"), None);
    cluster.store.delete(&GroupResource::SERVICES, "n", "s", &DeleteOptions::default()).unwrap();
    cluster.controllers.work();
    assert_eq!(cluster.list(&GroupResource::ENDPOINT_SLICES).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_roll_out_that_does_not_move_is_given_up() {
    let mut cluster = with_deployment(1);
    let store = cluster.store.clone();
    let controllers =
        tokio::spawn(std::mem::replace(&mut cluster.controllers, Controllers::new(store, String::new())).run());
    tokio::time::sleep(std::time::Duration::from_secs(599)).await;
    assert_eq!(condition(&cluster.deployment(), "Progressing"), ("True", "ReplicaSetUpdated"));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(condition(&cluster.deployment(), "Progressing"), ("False", "ProgressDeadlineExceeded"));
    controllers.abort();
}

#[tokio::test(start_paused = true)]
async fn pods_that_were_refused_are_tried_again() {
    let mut cluster = Cluster::new();
    let mut wanted = deployment(1);
    wanted["spec"]["template"]["spec"]["serviceAccountName"] = "late".into();
    cluster.create(&GroupResource::DEPLOYMENTS, wanted);
    assert_eq!(cluster.list(&GroupResource::PODS).len(), 0);
    let account = json!({"kind": "ServiceAccount", "metadata": {"name": "late", "namespace": "n"}});
    cluster.create(&GroupResource::SERVICE_ACCOUNTS, account);
    let store = cluster.store.clone();
    let controllers =
        tokio::spawn(std::mem::replace(&mut cluster.controllers, Controllers::new(store, String::new())).run());
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(cluster.list(&GroupResource::PODS).len(), 1);
    controllers.abort();
}
