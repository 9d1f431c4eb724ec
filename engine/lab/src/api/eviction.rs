//! Whether a pod may be evicted.
//!
//! Invariant: an eviction that a budget allows is taken off the budget before the pod is deleted.

use std::sync::Arc;

use serde_json::Value;

use crate::controllers::{condition, covers};
use crate::status::{Cause, Status};
use crate::store::{GroupResource, ObjectKey, Store, WriteOptions, meta};

const REFUSAL: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// Asks the budgets that cover a pod.
pub(super) fn allow(store: &Store, key: &ObjectKey) -> Result<(), Status> {
    let pod = store
        .get(&GroupResource::PODS, &key.namespace, &key.name)
        .ok_or_else(|| Status::not_found("", "pods", &key.name))?;
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    if meta::is_deleting(&pod) || matches!(phase, Some("Pending" | "Succeeded" | "Failed")) {
        return Ok(());
    }
    let mut budgets = store.list(&GroupResource::DISRUPTION_BUDGETS, &key.namespace).items;
    budgets.retain(|budget| covers(budget, &pod));
    match budgets.as_slice() {
        [] => Ok(()),
        [budget] => spend(store, budget, &pod),
        _ => {
            let why =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            let mut status = Status::internal(why);
            why.clone_into(&mut status.message);
            Err(status)
        }
    }
}

fn spend(store: &Store, budget: &Arc<Value>, pod: &Value) -> Result<(), Status> {
    let count = |pointer: &str| budget.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let (healthy, desired) = (count("/status/currentHealthy"), count("/status/desiredHealthy"));
    let always = budget.pointer("/spec/unhealthyPodEvictionPolicy").and_then(Value::as_str) == Some("AlwaysAllow");
    // A pod that is not ready is missed by nobody.
    if !condition::is_true(pod, "Ready") && (always || (healthy >= desired && desired > 0)) {
        return Ok(());
    }
    let allowed = count("/status/disruptionsAllowed");
    if count("/status/observedGeneration") < count("/metadata/generation") || allowed <= 0 {
        let mut status = Status::too_many_requests(REFUSAL, 0);
        let message = format!(
            "The disruption budget {} needs {desired} healthy pods and has {healthy} currently",
            meta::name(budget)
        );
        if let Some(details) = &mut status.details {
            details.causes.push(Cause::new("DisruptionBudget", "", message));
        }
        return Err(status);
    }
    let options = WriteOptions::status_by("kube-apiserver");
    let (namespace, name) = (meta::namespace(budget), meta::name(budget));
    let spent = store.modify(&options, &GroupResource::DISRUPTION_BUDGETS, namespace, name, |budget| {
        budget["status"]["disruptionsAllowed"] = (allowed - 1).into();
        Ok(())
    });
    spent.map(drop)
}
