//! Which pods go first when there are too many.
//!
//! Invariant: the order is total, so that the same pods always lose the same one.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::object::{created, list, text};
use super::plan::View;
use super::pods;
use crate::store::{GroupResource, meta};

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The `count` pods that go first: not assigned to a node, not running, not ready, cheap to delete, beside many siblings on their
/// node, ready for a short time, restarted often, young.
pub(super) fn first_to_go(view: &View<'_>, set: &Value, active: &[Arc<Value>], count: usize) -> Vec<Arc<Value>> {
    let siblings = siblings_by_node(view, set, active);
    let now = view.now();
    let mut pods = active.to_vec();
    pods.sort_by_cached_key(|pod| {
        let node = text(pod, "/spec/nodeName");
        let phase = match pods::phase(pod) {
            "Pending" => 0,
            "Running" => 2,
            _ => 1,
        };
        let cost: i64 = meta::annotation(pod, DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0);
        let beside = node.and_then(|node| siblings.get(node)).copied().unwrap_or(0);
        let ready_for = pods::ready_since(pod).map(|since| magnitude(since, now));
        let age = magnitude(created(pod), now);
        let place = (node.is_some(), phase, pods::is_ready(pod));
        (place, cost, Reverse(beside), ready_for, Reverse(restarts(pod)), age, meta::uid(pod).to_owned())
    });
    pods.truncate(count);
    pods
}

/// How many pods each node has of this set and of those with the same owner, so that scaling down evens out nodes.
fn siblings_by_node(view: &View<'_>, set: &Value, active: &[Arc<Value>]) -> BTreeMap<String, usize> {
    let mut pods = active.to_vec();
    if let Some(owner) = meta::controller(set) {
        let namespace = meta::namespace(set);
        let related = view.list(&GroupResource::REPLICA_SETS, namespace).into_iter().filter(|other| {
            meta::uid(other) != meta::uid(set)
                && meta::controller(other).is_some_and(|reference| reference["uid"] == owner["uid"])
        });
        for other in related {
            pods.extend(view.controlled(&GroupResource::PODS, &other).into_iter().filter(|pod| pods::is_active(pod)));
        }
    }
    let mut counts = BTreeMap::new();
    for node in pods.iter().filter_map(|pod| text(pod, "/spec/nodeName")) {
        *counts.entry(node.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// The power of two that a span of time has in it, in nanoseconds: pods of about the same age count as of the same.
fn magnitude(since: Timestamp, now: Timestamp) -> u32 {
    let span = now.as_nanosecond().saturating_sub(since.as_nanosecond());
    u128::try_from(span).ok().and_then(u128::checked_ilog2).unwrap_or(0)
}

/// The restarts of the container that was restarted most.
fn restarts(pod: &Value) -> i64 {
    let count = |container: &Value| container["restartCount"].as_i64().unwrap_or(0);
    list(pod, "/status/containerStatuses").iter().map(count).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::controllers::graph::Graph;
    use crate::store::Store;

    #[tokio::test(start_paused = true)]
    async fn the_least_useful_pod_goes_first() {
        let store = Store::new(Clock::fixed("2026-01-01T01:00:00Z".parse().unwrap()), 1);
        let graph = Graph::of(&store);
        let view = View::new(&store, &graph);
        let pod = |uid: &str, node: Option<&str>, phase: &str, ready: Option<&str>, created: &str| {
            let mut pod = json!({
                "metadata": {"uid": uid, "creationTimestamp": format!("2026-01-01T{created}Z")},
                "spec": {}, "status": {"phase": phase},
            });
            if let Some(node) = node {
                pod["spec"]["nodeName"] = node.into();
            }
            if let Some(since) = ready {
                let since = format!("2026-01-01T{since}Z");
                pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]);
            }
            pod
        };
        let mut cheap = pod("cheap", Some("n"), "Running", Some("00:00:00"), "00:00:00");
        cheap["metadata"]["annotations"] = json!({DELETION_COST: "-1"});
        let mut restarted = pod("restarted", Some("n"), "Running", Some("00:00:00"), "00:00:00");
        restarted["status"]["containerStatuses"] = json!([{"restartCount": 3}]);
        // In the order in which they go.
        let expected = [
            pod("unassigned", None, "Pending", None, "00:00:00"),
            pod("pending", Some("n"), "Pending", None, "00:00:00"),
            pod("not-ready", Some("n"), "Running", None, "00:00:00"),
            cheap,
            pod("just-ready", Some("n"), "Running", Some("00:59:59"), "00:00:00"),
            restarted,
            pod("young", Some("n"), "Running", Some("00:00:00"), "00:59:00"),
            pod("old", Some("n"), "Running", Some("00:00:00"), "00:00:00"),
        ];
        let given: Vec<_> = expected.iter().rev().cloned().map(Arc::new).collect();
        let ranked = first_to_go(&view, &json!({}), &given, 8);
        let uids = |pods: &[Arc<Value>]| pods.iter().map(|pod| meta::uid(pod).to_owned()).collect::<Vec<_>>();
        assert_eq!(uids(&ranked), uids(&expected.map(Arc::new)));
    }
}
