//! Nodes: the taint of a cordon, and pods that a `NoExecute` taint drives away.
//!
//! Invariant: a pod that tolerates a taint for a while goes when that while is over, not before.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::event::Note;
use super::object::{after, flag, list, number, text, time};
use super::plan::{Action, Plan, View};
use super::pods;
use super::scheduler::taints;
use crate::clock::rfc3339_seconds;
use crate::store::{GroupResource, meta};

const CORDON: &str = "node.kubernetes.io/unschedulable";

/// Compares a node's taints with what it says of itself, and its pods with its taints.
pub(super) fn reconcile(view: &View<'_>, node: &Value) -> Plan {
    let mut plan = Plan::default();
    cordon(view, node, &mut plan);
    let feared: Vec<&Value> =
        list(node, "/spec/taints").iter().filter(|taint| taint["effect"] == "NoExecute").collect();
    if feared.is_empty() {
        return plan;
    }
    for pod in view.list(&GroupResource::PODS, "") {
        let is_here = text(&pod, "/spec/nodeName") == Some(meta::name(node));
        if !is_here || meta::is_deleting(&pod) || pods::is_finished(&pod) {
            continue;
        }
        match stays_until(&pod, &feared, view.now()) {
            Some(due) if due <= view.now() => {
                let message = format!("Marking for deletion Pod {}/{}", meta::namespace(&pod), meta::name(&pod));
                let note = Note::normal(&pod, "taint-eviction-controller", "TaintManagerEviction", message);
                plan.push(Action::Tell(note));
                plan.push(Action::delete(&GroupResource::PODS, &pod));
            }
            Some(due) => plan.look_again(due),
            None => {}
        }
    }
    plan
}

/// A node that is closed to new pods carries a taint that says so.
fn cordon(view: &View<'_>, node: &Value, plan: &mut Plan) {
    let closed = flag(node, "/spec/unschedulable");
    let mut taints = list(node, "/spec/taints").to_vec();
    let is_noted = taints.iter().any(|taint| taint["key"] == CORDON && taint["effect"] == "NoSchedule");
    if closed == is_noted {
        return;
    }
    if closed {
        let now = rfc3339_seconds(view.now());
        taints.push(json!({"key": CORDON, "effect": "NoSchedule", "timeAdded": now}));
    } else {
        taints.retain(|taint| taint["key"] != CORDON);
    }
    let mut noted = node.clone();
    let spec = meta::child(&mut noted, "spec");
    if taints.is_empty() {
        spec.shift_remove("taints");
    } else {
        spec.insert("taints".to_owned(), taints.into());
    }
    plan.push(Action::Update(GroupResource::NODES, noted));
}

/// Until when a pod bears all these taints; none is for ever.
fn stays_until(pod: &Value, feared: &[&Value], now: Timestamp) -> Option<Timestamp> {
    let tolerations = list(pod, "/spec/tolerations");
    let mut until: Option<Timestamp> = None;
    for taint in feared {
        let covering: Vec<_> = tolerations.iter().filter(|toleration| taints::covers(toleration, taint)).collect();
        if covering.is_empty() {
            return Some(now);
        }
        let since = time(taint, "/timeAdded").unwrap_or(now);
        let limit = covering.iter().filter_map(|toleration| number(toleration, "/tolerationSeconds")).min();
        if let Some(due) = limit.map(|seconds| after(since, seconds.max(0))) {
            until = Some(until.map_or(due, |known| known.min(due)));
        }
    }
    until
}
