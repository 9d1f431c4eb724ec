//! Namespaces: what every one has, and how one ends.
//!
//! Invariant: a namespace goes only when nothing is left in it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::condition;
use super::plan::{Action, Plan, View};
use crate::store::{GroupResource, meta};

/// Compares a namespace with what it should hold.
pub(super) fn reconcile(view: &View<'_>, namespace: &Value, root_ca: &str, now: Timestamp) -> Plan {
    if meta::is_deleting(namespace) { end(view, namespace, now) } else { furnish(view, namespace, root_ca) }
}

fn furnish(view: &View<'_>, namespace: &Value, root_ca: &str) -> Plan {
    let mut plan = Plan::default();
    let name = meta::name(namespace);
    if view.get(&GroupResource::SERVICE_ACCOUNTS, name, "default").is_none() {
        let account = json!({
            "kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default", "namespace": name},
        });
        plan.push(Action::Create(GroupResource::SERVICE_ACCOUNTS, account));
    }
    if view.get(&GroupResource::CONFIG_MAPS, name, "kube-root-ca.crt").is_none() {
        let about = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints \
            such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across \
            distributions of Kubernetes clusters.";
        let map = json!({
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "name": "kube-root-ca.crt", "namespace": name, "annotations": {"kubernetes.io/description": about},
            },
            "data": {"ca.crt": root_ca},
        });
        plan.push(Action::Create(GroupResource::CONFIG_MAPS, map));
    }
    plan
}

fn end(view: &View<'_>, namespace: &Value, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let name = meta::name(namespace);
    let mut left = Vec::new();
    for resource in view.resources() {
        let objects = view.list(&resource, name);
        // Cluster-wide resources list nothing for a namespace.
        let objects: Vec<_> = objects.into_iter().filter(|object| meta::namespace(object) == name).collect();
        if objects.is_empty() {
            continue;
        }
        for object in objects.iter().filter(|object| !meta::is_deleting(object)) {
            plan.push(Action::delete(&resource, object));
        }
        let held = objects.iter().filter(|object| meta::is_deleting(object)).count();
        if held > 0 {
            left.push(format!("{resource} has {held} resource instances"));
        }
    }
    if !plan.actions.is_empty() {
        // What is deleted at once is seen to be gone in the next look.
        plan.look_again(now);
    } else if left.is_empty() {
        let mut done = namespace.clone();
        done["spec"]["finalizers"] = json!([]);
        plan.push(Action::Finalize(done));
        return plan;
    }
    if !left.is_empty() {
        let mut conditions =
            namespace.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        let message = format!("Some resources are remaining: {}", left.join(", "));
        let kind = "NamespaceContentRemaining";
        condition::set(&mut conditions, kind, "True", "SomeResourcesRemain", &message, now, false);
        let mut wanted = namespace.clone();
        wanted["status"]["conditions"] = conditions.into();
        if wanted != *namespace {
            plan.push(Action::UpdateStatus(GroupResource::NAMESPACES, wanted));
        }
    }
    plan
}
