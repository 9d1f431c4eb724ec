//! The scheduler: which node a new pod goes to.
//!
//! Invariant: a pod that no node suits stays pending, says why for each node, and is looked at again only when something changes.

pub(super) mod affinity;
pub(super) mod quantity;
mod resources;
pub(super) mod taints;
mod topology;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::Note;
use super::object::{count, flag, list, text};
use super::plan::{Action, Plan, View};
use super::{condition, pods, volumes};
use crate::clock::rfc3339_seconds;
use crate::store::{GroupResource, meta};

/// The scheduler's name, as pods ask for it.
pub(super) const SCHEDULER: &str = "default-scheduler";

/// What the step after a failed search adds when nothing is claimed and no pod could be evicted to make room.
const NOTHING_TO_FREE: &str = "no new claims to deallocate, preemption";

/// Why a node does not suit a pod.
pub(super) struct Refusal {
    reasons: Vec<String>,
    /// Evicting other pods could help.
    by_others: bool,
}

impl Refusal {
    fn lasting(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], by_others: false }
    }

    fn by_others(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], by_others: true }
    }
}

/// Looks for a node for a pod that has none.
pub(super) fn reconcile(view: &View<'_>, pod: &Value) -> Plan {
    let mut plan = Plan::default();
    if !is_waiting(pod) || view.trouble.is_some() {
        return plan;
    }
    if !list(pod, "/spec/schedulingGates").is_empty() {
        let message = "Scheduling is blocked due to non-empty scheduling gates";
        mark(view, pod, "SchedulingGated", message, &mut plan);
        return plan;
    }
    match find(view, pod) {
        Ok(node) if volumes::waits_for_volumes(view, pod, &node, &mut plan) => {}
        Ok(node) => {
            plan.push(Action::Bind(pod.clone(), node.clone()));
            let message = format!("Successfully assigned {}/{} to {node}", meta::namespace(pod), meta::name(pod));
            plan.push(Action::Tell(Note::normal(pod, SCHEDULER, "Scheduled", message).doing("Binding")));
        }
        Err(why) => {
            plan.push(Action::Tell(Note::warning(pod, SCHEDULER, "FailedScheduling", &why).doing("Scheduling")));
            mark(view, pod, "Unschedulable", &why, &mut plan);
        }
    }
    plan
}

/// Whether this scheduler has to find a node for the pod.
pub(super) fn is_waiting(pod: &Value) -> bool {
    text(pod, "/spec/nodeName").is_none()
        && text(pod, "/spec/schedulerName").is_none_or(|name| name == SCHEDULER)
        && !meta::is_deleting(pod)
        && !pods::is_finished(pod)
}

/// Notes on a pod why it has no node.
fn mark(view: &View<'_>, pod: &Value, reason: &str, message: &str, plan: &mut Plan) {
    let old = condition::find(pod, "PodScheduled");
    let same = |key: &str, value: &str| old.is_some_and(|old| old[key] == value);
    if same("status", "False") && same("reason", reason) && same("message", message) {
        return;
    }
    let since = match old.filter(|_| same("status", "False")) {
        Some(old) => old["lastTransitionTime"].clone(),
        None => rfc3339_seconds(view.now()).into(),
    };
    let mut condition = json!({"type": "PodScheduled"});
    // A gate is the API server's own mark, which does not say which generation it is about.
    if reason != "SchedulingGated" {
        condition["observedGeneration"] = count(pod, "/metadata/generation").into();
    }
    for (key, value) in [
        ("status", "False".into()),
        ("lastProbeTime", Value::Null),
        ("lastTransitionTime", since),
        ("reason", reason.into()),
        ("message", message.into()),
    ] {
        condition[key] = value;
    }
    let mut conditions = condition::of(pod);
    match conditions.iter_mut().find(|known| known["type"] == "PodScheduled") {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
    let mut pod = pod.clone();
    meta::child(&mut pod, "status").insert("conditions".to_owned(), conditions.into());
    plan.push(Action::Mark(pod));
}

/// The node for a pod: of those that suit, the one with the fewest pods, then the first by name.
fn find(view: &View<'_>, pod: &Value) -> Result<String, String> {
    let nodes = view.list(&GroupResource::NODES, "");
    let total = nodes.len();
    if total == 0 {
        return Err("no nodes available to schedule pods".to_owned());
    }
    if let Some(why) = volumes::missing_claim(view, pod) {
        return Err(format!("0/{total} nodes are available: {why}. not found"));
    }
    let placed = resources::by_node(view);
    let named = affinity::named_nodes(pod);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let (mut lasting, mut by_others) = (0_usize, 0_usize);
    let mut suitable = Vec::new();
    for node in &nodes {
        let name = meta::name(node);
        let refusal = match &named {
            Some(named) if !named.contains(name) => {
                Some(Refusal::lasting("node(s) didn't satisfy plugin(s) [NodeAffinity]"))
            }
            _ => refusal(view, pod, node, &nodes, &placed),
        };
        match refusal {
            None => suitable.push((placed.get(name).map_or(0, Vec::len), name)),
            Some(refusal) => {
                if refusal.by_others {
                    by_others += 1;
                } else {
                    lasting += 1;
                }
                for reason in refusal.reasons {
                    *reasons.entry(reason).or_insert(0) += 1;
                }
            }
        }
    }
    if let Some((_, name)) = suitable.into_iter().min() {
        return Ok(name.to_owned());
    }
    let sorted = |mut parts: Vec<String>| {
        parts.sort();
        parts.join(", ")
    };
    let why = sorted(reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect());
    let mut help = Vec::new();
    if lasting > 0 {
        help.push(format!("{lasting} Preemption is not helpful for scheduling"));
    }
    if by_others > 0 {
        help.push(format!("{by_others} No preemption victims found for incoming pod"));
    }
    let help = sorted(help);
    Err(format!("0/{total} nodes are available: {why}. {NOTHING_TO_FREE}: 0/{total} nodes are available: {help}."))
}

/// Why the node does not suit, by the first check that fails, in the scheduler's order.
fn refusal(
    view: &View<'_>,
    pod: &Value,
    node: &Value,
    nodes: &[std::sync::Arc<Value>],
    placed: &resources::Placed,
) -> Option<Refusal> {
    let tolerations = list(pod, "/spec/tolerations");
    let cordon = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    if flag(node, "/spec/unschedulable") && !taints::is_tolerated(tolerations, &cordon) {
        return Some(Refusal::lasting("node(s) were unschedulable"));
    }
    if taints::untolerated(tolerations, node, &["NoSchedule", "NoExecute"]).is_some() {
        return Some(Refusal::lasting("node(s) had untolerated taint(s)"));
    }
    if !affinity::fits(pod, node) {
        return Some(Refusal::lasting("node(s) didn't match Pod's node affinity/selector"));
    }
    let on_node = placed.get(meta::name(node)).map(Vec::as_slice).unwrap_or_default();
    resources::refusal(pod, node, on_node).or_else(|| topology::refusal(view, pod, node, nodes, placed))
}
