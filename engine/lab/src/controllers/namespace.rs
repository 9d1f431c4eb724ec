//! Namespaces: what every one has, and how one ends.
//!
//! Invariant: a namespace goes only when nothing is left in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::condition;
use super::object::list;
use super::plan::{Action, Plan, View};
use crate::store::{GroupResource, meta};

/// Compares a namespace with what it should hold.
pub(super) fn reconcile(view: &View<'_>, namespace: &Value, root_ca: &str) -> Plan {
    if meta::is_deleting(namespace) { end(view, namespace) } else { furnish(view, namespace, root_ca) }
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

fn end(view: &View<'_>, namespace: &Value) -> Plan {
    let mut plan = Plan::default();
    if list(namespace, "/spec/finalizers").iter().all(|finalizer| finalizer != "kubernetes") {
        return plan;
    }
    let name = meta::name(namespace);
    let (mut left, mut held, mut deleted) = (Vec::new(), BTreeMap::<String, usize>::new(), false);
    for resource in view.resources() {
        // Cluster-wide resources list nothing for a namespace.
        let objects: Vec<_> =
            view.list(&resource, name).into_iter().filter(|object| meta::namespace(object) == name).collect();
        let (ending, present): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| meta::is_deleting(object));
        for object in &present {
            plan.push(Action::delete(&resource, object));
            deleted = true;
        }
        for finalizer in ending.iter().flat_map(|object| meta::finalizers(object)) {
            *held.entry(finalizer.to_owned()).or_insert(0) += 1;
        }
        if !ending.is_empty() {
            left.push(format!("{}.{} has {} resource instances", resource.resource, resource.group, ending.len()));
        }
    }
    if deleted {
        // What is deleted at once is seen to be gone in the next look.
        plan.look_again(view.now());
        return plan;
    }
    left.sort();
    let held: Vec<String> =
        held.into_iter().map(|(finalizer, count)| format!("{finalizer} in {count} resource instances")).collect();
    let mut ended = namespace.clone();
    ended["status"]["conditions"] = conditions(namespace, &left, &held, view.now()).into();
    if ended != *namespace {
        plan.push(Action::UpdateStatus(GroupResource::NAMESPACES, ended.clone()));
    }
    if left.is_empty() {
        let finalizers = list(namespace, "/spec/finalizers").iter().filter(|finalizer| *finalizer != "kubernetes");
        ended["spec"]["finalizers"] = finalizers.cloned().collect();
        plan.push(Action::Finalize(ended));
    }
    plan
}

/// How far the deletion has come: nothing is said of what went well from the start, but for the counts.
fn conditions(namespace: &Value, left: &[String], held: &[String], now: Timestamp) -> Vec<Value> {
    let mut conditions = condition::of(namespace);
    let mut set = |kind: &str, status: &str, reason: &str, message: &str| {
        condition::set(&mut conditions, kind, status, reason, message, now, false);
    };
    let discovered = "All resources successfully discovered";
    set("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", discovered);
    let parsed = "All legacy kube types successfully parsed";
    set("NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions", parsed);
    let deleted = "All content successfully deleted, may be waiting on finalization";
    set("NamespaceDeletionContentFailure", "False", "ContentDeleted", deleted);
    let kind = "NamespaceContentRemaining";
    if left.is_empty() {
        set(kind, "False", "ContentRemoved", "All content successfully removed");
    } else {
        let message = format!("Some resources are remaining: {}", left.join(", "));
        set(kind, "True", "SomeResourcesRemain", &message);
    }
    let kind = "NamespaceFinalizersRemaining";
    if held.is_empty() {
        set(kind, "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished");
    } else {
        let message = format!("Some content in the namespace has finalizers remaining: {}", held.join(", "));
        set(kind, "True", "SomeFinalizersRemain", &message);
    }
    conditions
}
