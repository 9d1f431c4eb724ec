//! Whether a workload has rolled out, judged from one state of it, as `kubectl rollout status` judges.

use serde_json::Value;

use super::wait::Verdict;

/// Judges a Deployment, StatefulSet or DaemonSet.
///
/// [`Verdict::Never`] where waiting is in vain: the progress deadline has passed, the update strategy leaves the
/// rollout to someone else, or the kind has none.
pub(super) fn rollout(object: &Value) -> Verdict {
    let Status { observed, .. } = Status::of(object);
    let kind = object["kind"].as_str().unwrap_or_default();
    if !matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet") {
        return Verdict::Never(format!("a {kind} has no rollout"));
    }
    let strategy = object.pointer("/spec/updateStrategy/type").and_then(Value::as_str);
    if let Some(other) = strategy.filter(|strategy| kind != "Deployment" && *strategy != "RollingUpdate") {
        return Verdict::Never(format!("update strategy {other} leaves the rollout to whoever deletes the pods"));
    }
    if !observed {
        return Verdict::NotYet("the controller has not seen the change yet".to_owned());
    }
    match kind {
        "Deployment" => deployment(object),
        "StatefulSet" => stateful_set(object),
        _ => daemon_set(object),
    }
}

fn deployment(object: &Value) -> Verdict {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    for condition in conditions {
        if condition["type"] == "Progressing" && condition["reason"] == "ProgressDeadlineExceeded" {
            let words = condition["message"].as_str().unwrap_or_default();
            return Verdict::Never(format!("its progress deadline has passed: {words}"));
        }
    }
    let status = Status::of(object);
    let (wanted, updated) = (status.wanted, status.number("updatedReplicas"));
    let (all, available) = (status.number("replicas"), status.number("availableReplicas"));
    if updated < wanted {
        return Verdict::NotYet(format!("{updated} of {wanted} pods updated"));
    }
    if all > updated {
        return Verdict::NotYet(format!("{} old pods still there", all - updated));
    }
    if available < updated {
        return Verdict::NotYet(format!("{available} of {updated} pods ready"));
    }
    Verdict::Held(format!("{available} of {wanted} pods ready"))
}

fn stateful_set(object: &Value) -> Verdict {
    let status = Status::of(object);
    let (wanted, ready, updated) = (status.wanted, status.number("readyReplicas"), status.number("updatedReplicas"));
    if ready < wanted {
        return Verdict::NotYet(format!("{ready} of {wanted} pods ready"));
    }
    let partition = object.pointer("/spec/updateStrategy/rollingUpdate/partition").and_then(Value::as_i64);
    if let Some(partition) = partition.filter(|partition| *partition > 0) {
        let part = (wanted - partition).max(0);
        return if updated < part {
            Verdict::NotYet(format!("{updated} of {part} pods updated, {partition} kept back by the partition"))
        } else {
            Verdict::Held(format!("{part} pods updated, the others kept back by the partition"))
        };
    }
    let revision = |name: &str| object["status"][name].as_str().unwrap_or_default();
    if revision("updateRevision") != revision("currentRevision") {
        return Verdict::NotYet(format!("{updated} of {wanted} pods updated"));
    }
    Verdict::Held(format!("{ready} of {wanted} pods ready"))
}

fn daemon_set(object: &Value) -> Verdict {
    let status = Status::of(object);
    let (wanted, updated) = (status.number("desiredNumberScheduled"), status.number("updatedNumberScheduled"));
    let available = status.number("numberAvailable");
    if updated < wanted {
        return Verdict::NotYet(format!("{updated} of {wanted} pods updated"));
    }
    if available < wanted {
        return Verdict::NotYet(format!("{available} of {wanted} pods ready"));
    }
    Verdict::Held(format!("{available} of {wanted} pods ready"))
}

struct Status<'a> {
    status: &'a Value,
    /// `spec.replicas`, which the server fills in with 1.
    wanted: i64,
    /// Whether the status speaks of the object as it is now.
    observed: bool,
}

impl<'a> Status<'a> {
    fn of(object: &'a Value) -> Self {
        let status = &object["status"];
        let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
        let observed = status["observedGeneration"].as_i64().is_some_and(|observed| observed >= generation);
        Self { status, wanted: object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1), observed }
    }

    /// A number of the status, which leaves out zeros.
    fn number(&self, name: &str) -> i64 {
        self.status[name].as_i64().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deploy(observed: i64, status: &Value) -> Value {
        let mut object = json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}});
        object["status"] = status.clone();
        object["status"]["observedGeneration"] = json!(observed);
        object
    }

    fn held(text: &str) -> Verdict {
        Verdict::Held(text.to_owned())
    }

    fn not_yet(text: &str) -> Verdict {
        Verdict::NotYet(text.to_owned())
    }

    #[test]
    fn a_deployment_is_out_when_only_new_available_pods_are_left() {
        let full = json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        for (observed, status, expected) in [
            (1, full.clone(), not_yet("the controller has not seen the change yet")),
            (2, json!({}), not_yet("0 of 2 pods updated")),
            (2, json!({"replicas": 3, "updatedReplicas": 2}), not_yet("1 old pods still there")),
            (2, json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}), not_yet("1 of 2 pods ready")),
            (2, full, held("2 of 2 pods ready")),
        ] {
            assert_eq!(rollout(&deploy(observed, &status)), expected);
        }
    }

    #[test]
    fn a_passed_progress_deadline_ends_the_wait() {
        let status = json!({"conditions": [
            {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"d-1\" has timed out"}
        ]});
        let expected = "its progress deadline has passed: ReplicaSet \"d-1\" has timed out";
        assert_eq!(rollout(&deploy(2, &status)), Verdict::Never(expected.to_owned()));
    }

    #[test]
    fn a_stateful_set_is_out_at_one_revision_or_up_to_its_partition() {
        let set = |status: Value, strategy: Value| {
            json!({"kind": "StatefulSet", "metadata": {"generation": 1}, "status": status,
                "spec": {"replicas": 3, "updateStrategy": strategy}})
        };
        let rolling = json!({"type": "RollingUpdate"});
        let parted = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        let status = |ready: i64, updated: i64, current: &str| {
            json!({"observedGeneration": 1, "readyReplicas": ready, "updatedReplicas": updated,
                "currentRevision": current, "updateRevision": "new"})
        };
        for (object, expected) in [
            (set(json!({}), rolling.clone()), not_yet("the controller has not seen the change yet")),
            (set(status(2, 3, "new"), rolling.clone()), not_yet("2 of 3 pods ready")),
            (set(status(3, 1, "old"), rolling.clone()), not_yet("1 of 3 pods updated")),
            (set(status(3, 3, "new"), rolling), held("3 of 3 pods ready")),
            (set(status(3, 0, "old"), parted.clone()), not_yet("0 of 1 pods updated, 2 kept back by the partition")),
            (set(status(3, 1, "old"), parted), held("1 pods updated, the others kept back by the partition")),
        ] {
            assert_eq!(rollout(&object), expected);
        }
        let by_hand = set(status(3, 3, "new"), json!({"type": "OnDelete"}));
        assert!(matches!(rollout(&by_hand), Verdict::Never(_)));
    }

    #[test]
    fn a_daemon_set_is_out_when_every_node_has_a_new_available_pod() {
        let set = |updated: i64, available: i64| {
            json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "spec": {},
                "status": {"observedGeneration": 1, "desiredNumberScheduled": 2,
                    "updatedNumberScheduled": updated, "numberAvailable": available}})
        };
        assert_eq!(rollout(&set(1, 2)), not_yet("1 of 2 pods updated"));
        assert_eq!(rollout(&set(2, 1)), not_yet("1 of 2 pods ready"));
        assert_eq!(rollout(&set(2, 2)), held("2 of 2 pods ready"));
    }

    #[test]
    fn other_kinds_have_no_rollout() {
        assert_eq!(rollout(&json!({"kind": "Pod"})), Verdict::Never("a Pod has no rollout".to_owned()));
    }
}
