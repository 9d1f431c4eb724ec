//! StatefulSets, DaemonSets, claims, budgets and ownership. Statuses and messages are those of kube-controller-manager v1.36.2.

use serde_json::{Value, json};

use super::Cluster;
use crate::store::{GroupResource, WriteOptions, meta};

fn pod_template(app: &str) -> Value {
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": "x"}]}})
}

fn stateful_set(extra: &Value) -> Value {
    let mut set = json!({
        "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "n"},
        "spec": {
            "replicas": 3, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": pod_template("db"),
        },
    });
    for (key, value) in extra.as_object().unwrap() {
        set["spec"][key] = value.clone();
    }
    set
}

fn with_set(extra: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.add_node("one", &json!({}));
    cluster.create(&GroupResource::STATEFUL_SETS, stateful_set(extra));
    cluster
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_stateful_set_come_and_go_in_order() {
    let mut cluster = with_set(&json!({}));
    assert_eq!(cluster.names(&GroupResource::PODS), ["db-0"]);
    cluster.play_kubelet();
    assert_eq!(cluster.names(&GroupResource::PODS), ["db-0", "db-1"]);
    cluster.settle();
    let pod = cluster.get(&GroupResource::PODS, "db-2");
    assert_eq!((&pod["spec"]["hostname"], &pod["spec"]["subdomain"]), (&json!("db-2"), &json!("db")));
    assert_eq!(meta::label(&pod, "apps.kubernetes.io/pod-index"), Some("2"));
    assert_eq!(meta::label(&pod, "statefulset.kubernetes.io/pod-name"), Some("db-2"));
    let revision = &cluster.names(&GroupResource::CONTROLLER_REVISIONS)[0];
    assert_eq!(meta::label(&pod, "controller-revision-hash"), Some(revision.as_str()));
    let status = &cluster.get(&GroupResource::STATEFUL_SETS, "db")["status"];
    let recorded = json!({
        "observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3,
        "currentRevision": revision, "updateRevision": revision, "collisionCount": 0, "availableReplicas": 3,
    });
    assert_eq!(*status, recorded);
    assert_eq!(cluster.told("db")[0], "SuccessfulCreate Create Pod db-0 in StatefulSet db successful");
    cluster.alter(&GroupResource::STATEFUL_SETS, "db", |set| set["spec"]["replicas"] = 1.into());
    let going = |cluster: &Cluster| {
        let pods = cluster.list(&GroupResource::PODS);
        pods.iter().filter(|pod| meta::is_deleting(pod)).map(|pod| meta::name(pod).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(going(&cluster), ["db-2"]);
    cluster.play_kubelet();
    assert_eq!(going(&cluster), ["db-1"]);
    cluster.settle();
    assert_eq!(cluster.names(&GroupResource::PODS), ["db-0"]);
    assert!(cluster.told("db").contains(&"SuccessfulDelete Delete Pod db-2 in StatefulSet db successful".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_partition_holds_an_update_back_and_a_parallel_set_does_not_wait() {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    let mut cluster = with_set(&json!({"podManagementPolicy": "Parallel", "updateStrategy": strategy}));
    assert_eq!(cluster.names(&GroupResource::PODS).len(), 3);
    cluster.settle();
    cluster.alter(&GroupResource::STATEFUL_SETS, "db", |set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = "y".into();
    });
    cluster.settle();
    let images = |cluster: &Cluster| {
        let pods = cluster.list(&GroupResource::PODS);
        pods.iter().map(|pod| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(images(&cluster), ["x", "x", "y"]);
    let status = cluster.get(&GroupResource::STATEFUL_SETS, "db")["status"].clone();
    assert_eq!((&status["currentReplicas"], &status["updatedReplicas"]), (&json!(2), &json!(1)));
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    cluster.alter(&GroupResource::STATEFUL_SETS, "db", |set| {
        set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0.into();
    });
    cluster.settle();
    assert_eq!(images(&cluster), ["y", "y", "y"]);
    let status = cluster.get(&GroupResource::STATEFUL_SETS, "db")["status"].clone();
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    // Going back takes the old revision up again under a higher number.
    cluster.alter(&GroupResource::STATEFUL_SETS, "db", |set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = "x".into();
    });
    cluster.settle();
    let mut numbers: Vec<_> = cluster
        .list(&GroupResource::CONTROLLER_REVISIONS)
        .iter()
        .map(|one| one["revision"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn claims_are_made_bound_and_kept_or_not() {
    let class = json!({
        "kind": "StorageClass", "metadata": {"name": "standard"}, "provisioner": "rancher.io/local-path",
        "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    });
    let mut cluster = Cluster::new();
    cluster.store.create(&WriteOptions::default(), &GroupResource::STORAGE_CLASSES, class).unwrap();
    cluster.add_node("one", &json!({}));
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let policy = json!({"whenScaled": "Delete", "whenDeleted": "Retain"});
    let extra = json!({"replicas": 2, "volumeClaimTemplates": [claim], "persistentVolumeClaimRetentionPolicy": policy});
    cluster.create(&GroupResource::STATEFUL_SETS, stateful_set(&extra));
    cluster.settle();
    assert_eq!(cluster.names(&GroupResource::PODS), ["db-0", "db-1"]);
    let claim = cluster.get(&GroupResource::CLAIMS, "data-db-0");
    assert_eq!(
        (&claim["status"]["phase"], &claim["status"]["capacity"]),
        (&json!("Bound"), &json!({"storage": "1Gi"}))
    );
    assert_eq!(claim["spec"]["volumeName"], format!("pvc-{}", meta::uid(&claim)));
    let told = cluster.told("data-db-0");
    let reasons: Vec<_> = told.iter().map(|told| told.split(' ').next().unwrap()).collect();
    assert_eq!(reasons, ["WaitForFirstConsumer", "ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"]);
    cluster.alter(&GroupResource::STATEFUL_SETS, "db", |set| set["spec"]["replicas"] = 1.into());
    cluster.settle();
    assert_eq!(cluster.names(&GroupResource::CLAIMS), ["data-db-0"]);
    assert_eq!(cluster.store.list(&GroupResource::VOLUMES, "").items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_has_a_pod_on_each_node_that_suits() {
    let mut cluster = Cluster::new();
    cluster.add_node("one", &json!({}));
    cluster.add_node("two", &json!({}));
    let taint = json!([{"key": "a", "value": "b", "effect": "NoSchedule"}]);
    cluster.add_node("three", &json!({"taints": taint}));
    let set = json!({
        "kind": "DaemonSet", "metadata": {"name": "ds", "namespace": "n"},
        "spec": {"selector": {"matchLabels": {"app": "ds"}}, "template": pod_template("ds")},
    });
    cluster.create(&GroupResource::DAEMON_SETS, set);
    cluster.settle();
    let nodes = |cluster: &Cluster| {
        let pods = cluster.list(&GroupResource::PODS);
        let mut nodes: Vec<_> = pods.iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap().to_owned()).collect();
        nodes.sort();
        nodes
    };
    assert_eq!(nodes(&cluster), ["one", "two"]);
    let recorded = json!({
        "currentNumberScheduled": 2, "numberMisscheduled": 0, "desiredNumberScheduled": 2, "numberReady": 2,
        "observedGeneration": 1, "updatedNumberScheduled": 2, "numberAvailable": 2,
    });
    assert_eq!(cluster.get(&GroupResource::DAEMON_SETS, "ds")["status"], recorded);
    // One node after the other gets the new template.
    cluster.alter(&GroupResource::DAEMON_SETS, "ds", |set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = "y".into();
    });
    assert_eq!(cluster.list(&GroupResource::PODS).iter().filter(|pod| meta::is_deleting(pod)).count(), 1);
    cluster.settle();
    assert_eq!(nodes(&cluster), ["one", "two"]);
    assert!(cluster.list(&GroupResource::PODS).iter().all(|pod| pod["spec"]["containers"][0]["image"] == "y"));
    assert_eq!(cluster.names(&GroupResource::CONTROLLER_REVISIONS).len(), 2);
    cluster.store.delete(&GroupResource::NODES, "", "two", &crate::store::DeleteOptions::default()).unwrap();
    cluster.add_node("four", &json!({}));
    cluster.settle();
    assert!(nodes(&cluster).contains(&"four".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_replica_set_takes_over_what_it_selects_and_lets_go_what_it_does_not() {
    let mut cluster = Cluster::new();
    let pod = |name: &str| {
        json!({
            "kind": "Pod", "metadata": {"name": name, "namespace": "n", "labels": {"app": "rs"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        })
    };
    cluster.create(&GroupResource::PODS, pod("mine"));
    let set = json!({
        "kind": "ReplicaSet", "metadata": {"name": "rs", "namespace": "n"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "rs"}}, "template": pod_template("rs")},
    });
    cluster.create(&GroupResource::REPLICA_SETS, set);
    assert_eq!(cluster.names(&GroupResource::PODS), ["mine"]);
    assert_eq!(meta::controller(&cluster.get(&GroupResource::PODS, "mine")).unwrap()["kind"], "ReplicaSet");
    cluster.alter(&GroupResource::PODS, "mine", |pod| pod["metadata"]["labels"]["app"] = "other".into());
    assert_eq!(cluster.names(&GroupResource::PODS).len(), 2);
    assert!(meta::controller(&cluster.get(&GroupResource::PODS, "mine")).is_none());
    // One too many is not kept.
    cluster.create(&GroupResource::PODS, pod("late"));
    assert_eq!(cluster.names(&GroupResource::PODS).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_owner_was_never_there_goes() {
    let mut cluster = Cluster::new();
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "0-0"});
    let metadata = json!({"name": "left", "namespace": "n", "ownerReferences": [owner]});
    cluster.create(&GroupResource::CONFIG_MAPS, json!({"kind": "ConfigMap", "metadata": metadata}));
    assert!(!cluster.names(&GroupResource::CONFIG_MAPS).contains(&"left".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_what_it_can_spare() {
    let mut cluster = with_set(&json!({}));
    cluster.settle();
    let budget = json!({
        "kind": "PodDisruptionBudget", "metadata": {"name": "p", "namespace": "n"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "db"}}},
    });
    cluster.create(&GroupResource::DISRUPTION_BUDGETS, budget);
    let status = cluster.get(&GroupResource::DISRUPTION_BUDGETS, "p")["status"].clone();
    let counts =
        ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"].map(|key| status[key].clone());
    assert_eq!(counts, [1, 3, 2, 3].map(Value::from));
    assert_eq!(status["conditions"][0]["reason"], "SufficientPods");
    cluster.store.delete(&GroupResource::PODS, "n", "db-1", &crate::store::DeleteOptions::default()).unwrap();
    cluster.controllers.work();
    let status = cluster.get(&GroupResource::DISRUPTION_BUDGETS, "p")["status"].clone();
    assert_eq!(
        (&status["disruptionsAllowed"], &status["conditions"][0]["reason"]),
        (&json!(0), &json!("InsufficientPods"))
    );
}

#[tokio::test(start_paused = true)]
async fn endpoints_written_by_hand_are_mirrored() {
    let mut cluster = Cluster::new();
    let service =
        json!({"kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": {"ports": [{"port": 80}]}});
    cluster.create(&GroupResource::SERVICES, service);
    let endpoints = json!({
        "kind": "Endpoints", "metadata": {"name": "s", "namespace": "n", "labels": {"q": "r"}},
        "subsets": [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 80, "protocol": "TCP"}]}],
    });
    cluster.create(&GroupResource::ENDPOINTS, endpoints);
    let slice = &cluster.list(&GroupResource::ENDPOINT_SLICES)[0];
    let recorded = json!({
        "q": "r", "kubernetes.io/service-name": "s",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    });
    assert_eq!(slice["metadata"]["labels"], recorded);
    assert_eq!(slice["endpoints"], json!([{"addresses": ["1.2.3.4"], "conditions": {"ready": true}}]));
    assert_eq!(slice["ports"], json!([{"name": "", "protocol": "TCP", "port": 80}]));
}
