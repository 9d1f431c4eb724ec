//! DaemonSets: one pod on each node that suits.
//!
//! Invariant: a node has one pod of a DaemonSet, and during an update with surge at most two.

mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::event::Note;
use super::object::{count, created, list, set_count, share, text};
use super::plan::{Action, Plan, View};
use super::revision::Revisions;
use super::scheduler::{affinity, taints};
use super::{owned, pods};
use crate::store::{GroupResource, meta};

const COMPONENT: &str = "daemonset-controller";
const KIND: (&str, &str) = ("apps/v1", "DaemonSet");
const HASH_LABEL: &str = "controller-revision-hash";
const GENERATION: &str = "deprecated.daemonset.template.generation";

/// Taints that every pod of a DaemonSet tolerates: conditions of its node that it has to live through.
const TOLERATED: [(&str, &str); 6] = [
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
];

/// Compares the pods of a DaemonSet with the nodes.
pub(super) fn reconcile(view: &View<'_>, set: &Value) -> Plan {
    let mut plan = Plan::default();
    let selector = set.pointer("/spec/selector");
    if super::selector::is_empty(selector) {
        let message = "This daemon set is selecting all pods. A non-empty selector is required.";
        plan.push(Action::Tell(Note::warning(set, COMPONENT, "SelectingAll", message)));
        return plan;
    }
    let pods = owned::claim(view, &GroupResource::PODS, set, selector, KIND, &mut plan);
    let Some(revisions) = Revisions::of(view, set, KIND, HASH_LABEL, &mut plan) else { return plan };
    let hash = meta::label(revisions.newest(), HASH_LABEL).unwrap_or_default().to_owned();
    let mut pass = Pass { view, set, hash, nodes: Vec::new(), plan };
    pass.place(&pods);
    if !meta::is_deleting(set) && view.trouble.is_none() {
        let before = pass.plan.actions.len();
        pass.manage();
        let is_rolling = text(set, "/spec/updateStrategy/type") != Some("OnDelete");
        if is_rolling && pass.plan.actions.len() == before {
            pass.update();
        }
    }
    let status = pass.status(&revisions);
    let mut plan = pass.plan;
    if !meta::is_deleting(set) && view.trouble.is_none() {
        let is_used =
            |revision: &Value| pods.iter().any(|pod| meta::label(pod, HASH_LABEL) == meta::label(revision, HASH_LABEL));
        revisions.clean_up(set, is_used, &mut plan);
    }
    plan.set_status(&GroupResource::DAEMON_SETS, set, status);
    plan
}

/// A node, and what the DaemonSet has on it.
struct Place {
    node: Arc<Value>,
    /// A pod should be there.
    wanted: bool,
    /// A pod that is there may stay.
    bearable: bool,
    /// Pods, the oldest first.
    pods: Vec<Arc<Value>>,
}

/// One pass over a DaemonSet.
struct Pass<'a> {
    view: &'a View<'a>,
    set: &'a Value,
    /// Of the present template.
    hash: String,
    nodes: Vec<Place>,
    plan: Plan,
}

impl Pass<'_> {
    /// Sorts pods to nodes. Pods for nodes that are gone are deleted.
    fn place(&mut self, pods: &[Arc<Value>]) {
        let mut by_node: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
        for pod in pods {
            by_node.entry(target(pod).unwrap_or_default().to_owned()).or_default().push(Arc::clone(pod));
        }
        for node in self.view.list(&GroupResource::NODES, "") {
            let mut pods = by_node.remove(meta::name(&node)).unwrap_or_default();
            pods.sort_by_key(|pod| (text(pod, "/spec/nodeName").is_none(), created(pod), meta::name(pod).to_owned()));
            let (wanted, bearable) = suits(&self.new_pod(meta::name(&node)), &node);
            self.nodes.push(Place { node, wanted, bearable, pods });
        }
        if meta::is_deleting(self.set) || self.view.trouble.is_some() {
            return;
        }
        for pod in by_node.into_values().flatten() {
            if text(&pod, "/spec/nodeName").is_none() && !meta::is_deleting(&pod) {
                self.plan.delete_pod(&pod, self.set, COMPONENT);
            }
        }
    }

    /// Makes pods where they are missing and deletes those that are too many, have ended, or may not be there.
    fn manage(&mut self) {
        let mut surplus = Vec::new();
        let mut missing = Vec::new();
        for place in &self.nodes {
            if !place.bearable {
                surplus.extend(place.pods.iter().filter(|pod| !meta::is_deleting(pod)).cloned());
                continue;
            }
            if place.wanted && place.pods.is_empty() {
                missing.push(meta::name(&place.node).to_owned());
            }
            let present: Vec<_> = place.pods.iter().filter(|pod| !meta::is_deleting(pod)).collect();
            let (ended, alive): (Vec<_>, Vec<_>) = present.into_iter().partition(|pod| pods::is_finished(pod));
            for pod in ended {
                self.plan.push(Action::Tell(ending(self.set, pod, meta::name(&place.node))));
                surplus.push(Arc::clone(pod));
            }
            // Of each template the oldest stays; without surge the oldest of all.
            let surge = self.bounds().0 > 0;
            let mut kept: Vec<bool> = Vec::new();
            for pod in alive {
                let group = surge && self.is_updated(pod);
                if kept.contains(&group) { surplus.push(Arc::clone(pod)) } else { kept.push(group) }
            }
        }
        for pod in surplus {
            self.plan.delete_pod(&pod, self.set, COMPONENT);
        }
        for node in missing {
            self.create(&node);
        }
    }

    fn create(&mut self, node: &str) {
        let pod = self.new_pod(node);
        self.plan.push(Action::create_pod(pod, self.set, COMPONENT));
    }

    /// `maxSurge` and `maxUnavailable` in nodes; never both 0.
    fn bounds(&self) -> (i64, i64) {
        let wanted = i64::try_from(self.nodes.iter().filter(|place| place.wanted).count()).unwrap_or(0);
        let bound = |name: &str| {
            let value = self.set.pointer("/spec/updateStrategy/rollingUpdate").and_then(|rolling| rolling.get(name));
            share(value, wanted, true)
        };
        let (surge, unavailable) = (bound("maxSurge").unwrap_or(0), bound("maxUnavailable").unwrap_or(1));
        (surge, if surge == 0 { unavailable.max(1) } else { unavailable })
    }

    fn is_updated(&self, pod: &Value) -> bool {
        meta::label(pod, HASH_LABEL) == Some(&self.hash)
    }

    fn is_available(&mut self, pod: &Value) -> bool {
        let minimum = count(self.set, "/spec/minReadySeconds");
        pods::is_available(pod, minimum, self.view.now(), &mut self.plan)
    }

    /// The pod for a node: bound to it by affinity, so that the scheduler still decides whether it fits.
    fn new_pod(&self, node: &str) -> Value {
        let mut pod = pods::from_template(self.set, KIND.0, KIND.1);
        meta::metadata(&mut pod);
        let labels = meta::child(&mut pod["metadata"], "labels");
        labels.insert(HASH_LABEL.to_owned(), self.hash.as_str().into());
        if let Some(generation) = meta::annotation(self.set, GENERATION) {
            labels.insert("pod-template-generation".to_owned(), generation.into());
        }
        let field = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
        let spec = meta::child(&mut pod, "spec");
        meta::child(spec.entry("affinity").or_insert_with(|| json!({})), "nodeAffinity");
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let affinity = meta::child(&mut spec["affinity"]["nodeAffinity"], required);
        let terms = affinity.entry("nodeSelectorTerms").or_insert_with(|| json!([]));
        match terms.as_array_mut() {
            Some(terms) if !terms.is_empty() => {
                for term in terms {
                    term["matchFields"] = field.clone();
                }
            }
            _ => *terms = json!([{"matchFields": field}]),
        }
        let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
        let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
        if let Some(tolerations) = tolerations.as_array_mut() {
            let network = host_network.then_some(("network-unavailable", "NoSchedule"));
            for (name, effect) in TOLERATED.into_iter().chain(network) {
                let toleration =
                    json!({"key": format!("node.kubernetes.io/{name}"), "operator": "Exists", "effect": effect});
                if !tolerations.contains(&toleration) {
                    tolerations.push(toleration);
                }
            }
        }
        pod
    }

    fn status(&mut self, revisions: &Revisions) -> Value {
        let (mut desired, mut current, mut misplaced, mut ready, mut available, mut updated) = (0, 0, 0, 0, 0, 0);
        for place in std::mem::take(&mut self.nodes) {
            let first = place.pods.first();
            if !place.wanted {
                misplaced += i64::from(first.is_some());
                continue;
            }
            desired += 1;
            let Some(pod) = first else { continue };
            current += 1;
            updated += i64::from(self.is_updated(pod));
            ready += i64::from(pods::is_ready(pod));
            available += i64::from(pods::is_ready(pod) && self.is_available(pod));
        }
        let mut status = json!({
            "currentNumberScheduled": current, "numberMisscheduled": misplaced, "desiredNumberScheduled": desired,
            "numberReady": ready,
        });
        for (key, count) in [
            ("observedGeneration", count(self.set, "/metadata/generation")),
            ("updatedNumberScheduled", updated),
            ("numberAvailable", available),
            ("numberUnavailable", desired - available),
            ("collisionCount", revisions.collisions),
        ] {
            set_count(&mut status, key, count);
        }
        status
    }
}

/// Whether a pod of the DaemonSet should be on the node, and whether one that is there may stay.
fn suits(pod: &Value, node: &Value) -> (bool, bool) {
    let named = text(pod, "/spec/nodeName").is_none_or(|name| name == meta::name(node));
    if !named || !affinity::fits(pod, node) {
        return (false, false);
    }
    let tolerations = list(pod, "/spec/tolerations");
    let tainted = |effects: &[&str]| taints::untolerated(tolerations, node, effects).is_some();
    (!tainted(&["NoSchedule", "NoExecute"]), !tainted(&["NoExecute"]))
}

/// The node that a pod runs on, or is meant for.
fn target(pod: &Value) -> Option<&str> {
    let required = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    text(pod, "/spec/nodeName").or_else(|| {
        let fields = list(pod, required).iter().flat_map(|term| list(term, "/matchFields"));
        fields.into_iter().find_map(|field| text(field, "/values/0").filter(|_| field["key"] == "metadata.name"))
    })
}

fn ending(set: &Value, pod: &Value, node: &str) -> Note {
    let (namespace, name) = (meta::namespace(pod), meta::name(pod));
    if pods::phase(pod) == "Failed" {
        let message = format!("Found failed daemon pod {namespace}/{name} on node {node}, will try to kill it");
        Note::warning(set, COMPONENT, "FailedDaemonPod", message)
    } else {
        let message = format!("Found succeeded daemon pod {namespace}/{name} on node {node}, will try to delete it");
        Note::normal(set, COMPONENT, "SucceededDaemonPod", message)
    }
}
