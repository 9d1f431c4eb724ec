//! Defaults of workloads: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job.
//!
//! Invariant: the pod template of each gets the same defaults.

use serde_json::{Map, Value, json};

use super::{pod_spec, set};
use crate::store::meta;

fn spec_of(object: &mut Value) -> &mut Map<String, Value> {
    let spec = meta::child(object, "spec");
    pod_spec::template(spec);
    spec
}

pub(super) fn deployment(object: &mut Value) {
    let spec = spec_of(object);
    set(spec, "replicas", 1);
    if let Some(strategy) = spec.entry("strategy").or_insert_with(|| json!({})).as_object_mut() {
        set(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = strategy.entry("rollingUpdate").or_insert_with(|| json!({})).as_object_mut()
        {
            set(rolling, "maxUnavailable", "25%");
            set(rolling, "maxSurge", "25%");
        }
    }
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
}

pub(super) fn replica_set(object: &mut Value) {
    set(spec_of(object), "replicas", 1);
}

pub(super) fn stateful_set(object: &mut Value) {
    let spec = spec_of(object);
    set(spec, "replicas", 1);
    set(spec, "podManagementPolicy", "OrderedReady");
    claim_templates(spec);
    if let Some(strategy) = spec.entry("updateStrategy").or_insert_with(|| json!({})).as_object_mut() {
        set(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = strategy.entry("rollingUpdate").or_insert_with(|| json!({})).as_object_mut()
        {
            set(rolling, "partition", 0);
        }
    }
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
}

pub(super) fn daemon_set(object: &mut Value) {
    let spec = spec_of(object);
    if let Some(strategy) = spec.entry("updateStrategy").or_insert_with(|| json!({})).as_object_mut() {
        set(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = strategy.entry("rollingUpdate").or_insert_with(|| json!({})).as_object_mut()
        {
            set(rolling, "maxUnavailable", 1);
            set(rolling, "maxSurge", 0);
        }
    }
    set(spec, "revisionHistoryLimit", 10);
}

pub(super) fn job(object: &mut Value) {
    let spec = spec_of(object);
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        set(spec, "completions", 1);
    }
    set(spec, "parallelism", 1);
    let limit = if spec.contains_key("backoffLimitPerIndex") { i32::MAX } else { 6 };
    set(spec, "backoffLimit", limit);
    set(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    set(spec, "podReplacementPolicy", "TerminatingOrFailed");
}

pub(super) fn cron_job(object: &mut Value) {
    let spec = meta::child(object, "spec");
    set(spec, "concurrencyPolicy", "Allow");
    set(spec, "suspend", false);
    set(spec, "successfulJobsHistoryLimit", 3);
    set(spec, "failedJobsHistoryLimit", 1);
    if let Some(template) = spec.get_mut("jobTemplate") {
        pod_spec::template(meta::child(template, "spec"));
    }
}

pub(super) fn claim(object: &mut Value) {
    set(meta::child(object, "spec"), "volumeMode", "Filesystem");
}

/// The claims that a StatefulSet makes look like claims that are there.
fn claim_templates(spec: &mut Map<String, Value>) {
    for template in super::items(spec, "volumeClaimTemplates") {
        set(template, "kind", "PersistentVolumeClaim");
        set(template, "apiVersion", "v1");
        if let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) {
            set(spec, "volumeMode", "Filesystem");
        }
        set(template, "status", json!({"phase": "Pending"}));
    }
}
