//! Jobs and CronJobs. Statuses and messages are those of kube-controller-manager v1.36.2.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Cluster;
use crate::store::{GroupResource, meta};

fn with_job(extra: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    let mut job = json!({
        "kind": "Job", "metadata": {"name": "pi", "namespace": "n"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}},
    });
    for (key, value) in extra.as_object().unwrap() {
        job["spec"][key] = value.clone();
    }
    cluster.create(&GroupResource::JOBS, job);
    cluster
}

impl Cluster {
    fn end(&mut self, pod: &Value, phase: &str) {
        let mut pod = pod.clone();
        pod["status"]["phase"] = phase.into();
        let code = i32::from(phase == "Failed") * 42;
        let at = crate::clock::rfc3339_seconds(self.store.clock().now());
        let ended = json!({"exitCode": code, "finishedAt": at, "startedAt": at});
        pod["status"]["containerStatuses"] = json!([{"name": "c", "state": {"terminated": ended}}]);
        self.store.update_status("kubelet", &GroupResource::PODS, pod).unwrap();
        self.controllers.work();
    }

    fn running(&self) -> Vec<Arc<Value>> {
        let mut pods = self.list(&GroupResource::PODS);
        pods.retain(|pod| pod["status"]["phase"] == "Pending" && !meta::is_deleting(pod));
        pods
    }

    fn job(&self) -> Value {
        Value::clone(&self.get(&GroupResource::JOBS, "pi"))
    }
}

/// Types and reasons of a Job's conditions, in order.
fn ends(job: &Value) -> Vec<(&str, &str)> {
    let conditions = job["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().map(|one| (one["type"].as_str().unwrap(), one["reason"].as_str().unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_is_complete_when_its_pods_have_succeeded() {
    let mut cluster = with_job(&json!({"completions": 2}));
    let first = cluster.running();
    assert_eq!(first.len(), 1);
    assert_eq!(meta::finalizers(&first[0]).collect::<Vec<_>>(), ["batch.kubernetes.io/job-tracking"]);
    let begun = &cluster.job()["status"];
    let recorded = json!({
        "startTime": begun["startTime"], "active": 1, "terminating": 0, "uncountedTerminatedPods": {}, "ready": 0,
    });
    assert_eq!(*begun, recorded);
    cluster.end(&first[0], "Succeeded");
    let second = cluster.running();
    cluster.end(&second[0], "Succeeded");
    let job = cluster.job();
    assert_eq!(ends(&job), [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]);
    assert_eq!(job["status"]["conditions"][1]["message"], "Reached expected number of succeeded pods");
    assert_eq!((&job["status"]["succeeded"], &job["status"]["ready"]), (&json!(2), &json!(0)));
    assert_eq!(job["status"]["completionTime"], job["status"]["conditions"][1]["lastTransitionTime"]);
    assert!(cluster.list(&GroupResource::PODS).iter().all(|pod| meta::finalizers(pod).next().is_none()));
    assert_eq!(cluster.told("pi").last().unwrap(), "Completed Job completed");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_too_often_fails() {
    let mut cluster = with_job(&json!({"backoffLimit": 1}));
    cluster.end(&cluster.running()[0].clone(), "Failed");
    // The next attempt waits for ten seconds.
    assert_eq!(cluster.running().len(), 0);
    let store = cluster.store.clone();
    let fresh = crate::controllers::Controllers::new(store, String::new());
    let task = tokio::spawn(std::mem::replace(&mut cluster.controllers, fresh).run());
    tokio::time::sleep(Duration::from_secs(11)).await;
    task.abort();
    let second = cluster.running();
    assert_eq!(second.len(), 1);
    cluster.end(&second[0], "Failed");
    let job = cluster.job();
    assert_eq!(ends(&job), [("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded")]);
    assert_eq!(job["status"]["failed"], 2);
    let told = cluster.told("pi");
    assert_eq!(told.last().unwrap(), "BackoffLimitExceeded Job has reached the specified backoff limit");
}

#[tokio::test(start_paused = true)]
async fn an_exit_code_may_end_a_job_at_once() {
    let rule = json!({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}});
    let mut cluster = with_job(&json!({"podFailurePolicy": {"rules": [rule]}}));
    let pod = cluster.running()[0].clone();
    cluster.end(&pod, "Failed");
    let job = cluster.job();
    assert_eq!(ends(&job), [("FailureTarget", "PodFailurePolicy"), ("Failed", "PodFailurePolicy")]);
    let message =
        format!("Container c for pod n/{} failed with exit code 42 matching FailJob rule at index 0", meta::name(&pod));
    assert_eq!(job["status"]["conditions"][1]["message"], message);
}

#[tokio::test(start_paused = true)]
async fn an_indexed_job_does_each_index_once_and_a_suspended_one_nothing() {
    let mut cluster =
        with_job(&json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed", "suspend": true}));
    assert_eq!(cluster.running().len(), 0);
    assert_eq!(ends(&cluster.job()), [("Suspended", "JobSuspended")]);
    cluster.alter(&GroupResource::JOBS, "pi", |job| job["spec"]["suspend"] = false.into());
    assert_eq!(ends(&cluster.job()), [("Suspended", "JobResumed")]);
    let pods = cluster.running();
    let index = |pod: &Value| meta::annotation(pod, "batch.kubernetes.io/job-completion-index").unwrap().to_owned();
    let mut indexes: Vec<_> = pods.iter().map(|pod| index(pod)).collect();
    indexes.sort();
    assert_eq!(indexes, ["0", "1", "2"]);
    let second = pods.iter().find(|pod| index(pod) == "1").unwrap();
    assert_eq!(second["spec"]["hostname"], "pi-1");
    assert_eq!(second["spec"]["containers"][0]["env"][0]["name"], "JOB_COMPLETION_INDEX");
    for pod in pods.iter().filter(|pod| index(pod) != "1") {
        cluster.end(pod, "Succeeded");
    }
    assert_eq!(cluster.job()["status"]["completedIndexes"], "0,2");
    cluster.end(second, "Succeeded");
    assert_eq!(cluster.job()["status"]["completedIndexes"], "0-2");
    assert_eq!(ends(&cluster.job()).last().unwrap().0, "Complete");
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_goes_after_its_time_and_a_late_one_is_ended() {
    let mut cluster = with_job(&json!({"activeDeadlineSeconds": 5, "ttlSecondsAfterFinished": 7}));
    let store = cluster.store.clone();
    let fresh = crate::controllers::Controllers::new(store, String::new());
    let task = tokio::spawn(std::mem::replace(&mut cluster.controllers, fresh).run());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(ends(&cluster.job()).last().unwrap(), &("Failed", "DeadlineExceeded"));
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(cluster.names(&GroupResource::JOBS).len(), 0);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_cron_job_starts_a_job_at_each_of_its_times() {
    let mut cluster = Cluster::new();
    let template = json!({"spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}],
    }}}});
    let cron = json!({
        "kind": "CronJob", "metadata": {"name": "cj", "namespace": "n"},
        "spec": {"schedule": "*/5 * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": template},
    });
    cluster.create(&GroupResource::CRON_JOBS, cron);
    let store = cluster.store.clone();
    let fresh = crate::controllers::Controllers::new(store, String::new());
    let task = tokio::spawn(std::mem::replace(&mut cluster.controllers, fresh).run());
    tokio::time::sleep(Duration::from_secs(301)).await;
    // The name is the scheduled time in minutes.
    assert_eq!(cluster.names(&GroupResource::JOBS), ["cj-29453765"]);
    let status = &cluster.get(&GroupResource::CRON_JOBS, "cj")["status"];
    assert_eq!(
        (&status["lastScheduleTime"], &status["active"][0]["name"]),
        (&json!("2026-01-01T00:05:00Z"), &json!("cj-29453765"))
    );
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(cluster.names(&GroupResource::JOBS).len(), 1);
    let told = cluster.told("cj");
    assert_eq!(told[0], "SuccessfulCreate Created job cj-29453765");
    assert_eq!(
        told[1],
        "JobAlreadyActive Not starting job because prior execution is running and concurrency policy is Forbid"
    );
    task.abort();
}
