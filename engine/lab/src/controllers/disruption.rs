//! Pod disruption budgets: how many pods may be evicted now.
//!
//! Invariant: the status is computed from the pods as they are; it never lets more go than the budget allows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::Note;
use super::object::{count, share};
use super::plan::{Action, Plan, View};
use super::{pods, selector};
use crate::clock::rfc3339_seconds;
use crate::store::{GroupResource, meta};

/// Compares a budget with the pods that it covers.
pub(super) fn reconcile(view: &View<'_>, budget: &Value) -> Plan {
    let mut plan = Plan::default();
    let selector = budget.pointer("/spec/selector");
    let mut covered = view.list(&GroupResource::PODS, meta::namespace(budget));
    covered.retain(|pod| selector::selects(selector, pod) && !pods::is_finished(pod));
    if covered.is_empty() && view.trouble.is_none() {
        let note = Note::normal(budget, "controllermanager", "NoPods", "No matching pods found");
        plan.push(Action::Tell(note));
    }
    let (expected, desired) = wanted(view, budget, &covered);
    let healthy = covered.iter().filter(|pod| pods::is_ready(pod) && !meta::is_deleting(pod)).count();
    let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let (word, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let known = super::condition::find(budget, "DisruptionAllowed").filter(|known| known["status"] == word);
    let since = known.map_or_else(|| rfc3339_seconds(view.now()).into(), |known| known["lastTransitionTime"].clone());
    let generation = count(budget, "/metadata/generation");
    let status = json!({
        "observedGeneration": generation,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": [{
            "type": "DisruptionAllowed", "status": word, "observedGeneration": generation, "lastTransitionTime": since,
            "reason": reason, "message": "",
        }],
    });
    plan.set_status(&GroupResource::DISRUPTION_BUDGETS, budget, status);
    plan
}

/// How many pods there should be, and how many of them have to be healthy.
fn wanted(view: &View<'_>, budget: &Value, covered: &[std::sync::Arc<Value>]) -> (i64, i64) {
    let present = i64::try_from(covered.len()).unwrap_or(i64::MAX);
    if let Some(unavailable) = budget.pointer("/spec/maxUnavailable") {
        let expected = scale(view, covered);
        let unavailable = share(Some(unavailable), expected, true).unwrap_or(0);
        return (expected, (expected - unavailable).max(0));
    }
    match budget.pointer("/spec/minAvailable") {
        Some(percent @ Value::String(_)) => {
            let expected = scale(view, covered);
            (expected, share(Some(percent), expected, true).unwrap_or(0))
        }
        Some(number) => (present, number.as_i64().unwrap_or(0)),
        None => (present, 1),
    }
}

/// What the controllers of the pods ask for together; each counts once.
fn scale(view: &View<'_>, covered: &[std::sync::Arc<Value>]) -> i64 {
    let mut sizes = BTreeMap::new();
    for pod in covered {
        let Some(owner) = meta::controller(pod).and_then(|owner| owner["uid"].as_str()) else { continue };
        let Some(mut holder) = object(view, owner) else { continue };
        // A ReplicaSet of a Deployment counts as that.
        if let Some(above) = meta::controller(&holder).and_then(|owner| owner["uid"].as_str())
            && let Some(above) = object(view, above)
        {
            holder = above;
        }
        sizes.insert(meta::uid(&holder).to_owned(), count(&holder, "/spec/replicas"));
    }
    sizes.values().sum()
}

fn object(view: &View<'_>, uid: &str) -> Option<std::sync::Arc<Value>> {
    let (resource, key) = view.place(uid)?;
    view.get(resource, &key.namespace, &key.name)
}

/// Whether a budget covers the pod.
pub(crate) fn covers(budget: &Value, pod: &Value) -> bool {
    selector::selects(budget.pointer("/spec/selector"), pod)
}
