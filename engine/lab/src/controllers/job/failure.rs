//! Which failed pods count, and which end the Job or their index.
//!
//! Invariant: the first rule of a pod failure policy that matches decides alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::index_of;
use super::indexes::Indexes;
use crate::controllers::object::{after, count, list, text, time};
use crate::controllers::pods;
use crate::store::meta;

/// Seconds before a failed pod is replaced for the first time; they double with each failure.
const FIRST_DELAY: i64 = 10;

/// The longest such time in seconds.
const LONGEST_DELAY: i64 = 600;

/// Whether the Job takes the pod for failed: one that is being deleted is, unless only failed pods are replaced.
pub(super) fn has_failed(job: &Value, pod: &Value) -> bool {
    match pods::phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        _ => meta::is_deleting(pod) && !replaces_only_failed(job),
    }
}

/// Whether pods are replaced only after they have ended.
pub(super) fn replaces_only_failed(job: &Value) -> bool {
    text(job, "/spec/podReplacementPolicy") == Some("Failed")
}

/// What the policy does about a failed pod, and the words for it.
fn rule(job: &Value, pod: &Value) -> Option<(String, String)> {
    list(job, "/spec/podFailurePolicy/rules").iter().enumerate().find_map(|(index, rule)| {
        let action = text(rule, "/action")?;
        let (namespace, name) = (meta::namespace(pod), meta::name(pod));
        if let Some(wanted) = rule.get("onExitCodes") {
            let (container, code) = exit_code(pod, wanted)?;
            let why = format!(
                "Container {container} for pod {namespace}/{name} failed with exit code {code} matching {action} rule at index {index}"
            );
            return Some((action.to_owned(), why));
        }
        let met = list(pod, "/status/conditions").iter().find(|condition| {
            let patterns = list(rule, "/onPodConditions").iter();
            let mut patterns = patterns.filter(|pattern| pattern["type"] == condition["type"]);
            patterns.any(|pattern| text(pattern, "/status").unwrap_or("True") == condition["status"])
        })?;
        let kind = met["type"].as_str().unwrap_or_default();
        let why = format!("Pod {namespace}/{name} has condition {kind} matching {action} rule at index {index}");
        Some((action.to_owned(), why))
    })
}

/// The container whose exit code a rule asks for, and the code.
fn exit_code<'a>(pod: &'a Value, wanted: &Value) -> Option<(&'a str, i64)> {
    let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
    statuses.iter().flat_map(|pointer| list(pod, pointer)).find_map(|status| {
        let code = status.pointer("/state/terminated/exitCode").and_then(Value::as_i64).filter(|code| *code != 0)?;
        let name = text(status, "/name")?;
        let is_meant = text(wanted, "/containerName").is_none_or(|meant| meant == name);
        let is_listed = list(wanted, "/values").iter().any(|value| value.as_i64() == Some(code));
        let fits = match text(wanted, "/operator") {
            Some("In") => is_listed,
            Some("NotIn") => !is_listed,
            _ => false,
        };
        (is_meant && fits).then_some((name, code))
    })
}

/// Whether a failed pod counts against the limit.
pub(super) fn is_counted(job: &Value, pod: &Value) -> bool {
    rule(job, pod).is_none_or(|(action, _)| action != "Ignore")
}

/// Why a failed pod ends the whole Job.
pub(super) fn ends_job(job: &Value, pods: &[Arc<Value>]) -> Option<String> {
    let failed = pods.iter().filter(|pod| has_failed(job, pod));
    failed.filter_map(|pod| rule(job, pod)).find(|(action, _)| action == "FailJob").map(|(_, why)| why)
}

/// The restarts of containers of a Job that restarts them in place.
pub(super) fn restarts(job: &Value, pods: &[Arc<Value>]) -> Option<i64> {
    if text(job, "/spec/template/spec/restartPolicy") != Some("OnFailure") {
        return None;
    }
    let running = pods.iter().filter(|pod| matches!(pods::phase(pod), "Running" | "Pending"));
    let statuses = running.flat_map(|pod| {
        list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"))
    });
    Some(statuses.map(|status| count(status, "/restartCount")).sum())
}

/// How many counted pods of each index have failed.
pub(super) fn failures_by_index(job: &Value, pods: &[Arc<Value>]) -> BTreeMap<usize, i64> {
    let mut failures = BTreeMap::new();
    for pod in pods.iter().filter(|pod| has_failed(job, pod) && is_counted(job, pod)) {
        if let Some(index) = index_of(pod) {
            *failures.entry(index).or_insert(0) += 1;
        }
    }
    failures
}

/// The indexes that are given up.
pub(super) fn failed_indexes(job: &Value, pods: &[Arc<Value>], completed: &Indexes) -> Indexes {
    let limit = count(job, "/spec/backoffLimitPerIndex");
    let mut failed = Indexes::parse(text(job, "/status/failedIndexes").unwrap_or_default());
    for (index, failures) in failures_by_index(job, pods) {
        if failures > limit {
            failed.insert(index);
        }
    }
    for pod in pods.iter().filter(|pod| has_failed(job, pod)) {
        let gives_up = rule(job, pod).is_some_and(|(action, _)| action == "FailIndex");
        if let Some(index) = index_of(pod).filter(|_| gives_up) {
            failed.insert(index);
        }
    }
    failed.retain(|index| !completed.contains(index));
    failed
}

/// When the next pod may be made after the failures since the last success; none if at once.
pub(super) fn next_attempt<'a>(job: &Value, pods: impl Iterator<Item = &'a Arc<Value>>) -> Option<Timestamp> {
    let mut ended: Vec<(Timestamp, bool)> = pods
        .filter(|pod| has_failed(job, pod) || pods::phase(pod) == "Succeeded")
        .map(|pod| (finished(pod), pods::phase(pod) == "Succeeded"))
        .collect();
    ended.sort_unstable();
    let failures = ended.iter().rev().take_while(|(_, succeeded)| !succeeded).count();
    let (last, _) = ended.last().filter(|_| failures > 0)?;
    let doublings = u32::try_from(failures - 1).unwrap_or(u32::MAX).min(16);
    Some(after(*last, (FIRST_DELAY << doublings).min(LONGEST_DELAY)))
}

/// When a pod ended: the last of its containers, else when it ceased to be ready, else when it was deleted or created.
fn finished(pod: &Value) -> Timestamp {
    let statuses = list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"));
    let last = statuses.filter_map(|status| time(status, "/state/terminated/finishedAt")).max();
    let unready = || {
        let ready = crate::controllers::condition::find(pod, "Ready").filter(|ready| ready["status"] == "False")?;
        time(ready, "/lastTransitionTime")
    };
    let deleted = || time(pod, "/metadata/deletionTimestamp");
    last.or_else(unready).or_else(deleted).unwrap_or_else(|| crate::controllers::object::created(pod))
}
