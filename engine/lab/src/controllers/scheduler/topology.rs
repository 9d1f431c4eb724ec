//! Required affinity between pods, and their spread over domains.
//!
//! Invariant: a domain is all nodes with the same value of a label; a node without the label belongs to none.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::resources::Placed;
use super::{Refusal, affinity};
use crate::controllers::object::{count, list, text};
use crate::controllers::plan::View;
use crate::controllers::selector;
use crate::store::{GroupResource, meta};

const AFFINITY: &str = "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution";
const ANTI_AFFINITY: &str = "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";

/// Why other pods keep the pod from the node.
pub(super) fn refusal(
    view: &View<'_>,
    pod: &Value,
    node: &Value,
    nodes: &[Arc<Value>],
    placed: &Placed,
) -> Option<Refusal> {
    spread(pod, node, nodes, placed).or_else(|| between(view, pod, node, nodes, placed))
}

fn spread(pod: &Value, node: &Value, nodes: &[Arc<Value>], placed: &Placed) -> Option<Refusal> {
    let constraints = list(pod, "/spec/topologySpreadConstraints").iter();
    for constraint in constraints.filter(|one| one["whenUnsatisfiable"] == "DoNotSchedule") {
        let key = text(constraint, "/topologyKey").unwrap_or_default();
        let Some(domain) = meta::label(node, key) else {
            let reason = "node(s) didn't match pod topology spread constraints (missing required label)";
            return Some(Refusal::lasting(reason));
        };
        let is_counted = |other: &Value| {
            meta::namespace(other) == meta::namespace(pod)
                && !meta::is_deleting(other)
                && selector::selects(constraint.get("labelSelector"), other)
        };
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for other in nodes.iter().filter(|other| affinity::fits(pod, other)) {
            let Some(domain) = meta::label(other, key) else { continue };
            let matching = placed.get(meta::name(other)).into_iter().flatten().filter(|pod| is_counted(pod)).count();
            *counts.entry(domain).or_insert(0) += i64::try_from(matching).unwrap_or(i64::MAX);
        }
        let least = counts.values().min().copied().unwrap_or(0);
        let least = if counts_few(constraint, counts.len()) { 0 } else { least };
        let own = i64::from(selector::selects(constraint.get("labelSelector"), pod));
        if counts.get(domain).copied().unwrap_or(0) + own - least > count(constraint, "/maxSkew") {
            return Some(Refusal::by_others("node(s) didn't match pod topology spread constraints"));
        }
    }
    None
}

/// Whether there are fewer domains than `minDomains` asks for.
fn counts_few(constraint: &Value, domains: usize) -> bool {
    count(constraint, "/minDomains") > i64::try_from(domains).unwrap_or(i64::MAX)
}

fn between(view: &View<'_>, pod: &Value, node: &Value, nodes: &[Arc<Value>], placed: &Placed) -> Option<Refusal> {
    let on_same = |term: &Value, other: &Value| {
        let key = text(term, "/topologyKey").unwrap_or_default();
        meta::label(node, key).is_some() && meta::label(node, key) == meta::label(other, key)
    };
    let pods_near = |term: &Value| {
        let near: Vec<_> = nodes.iter().filter(|other| on_same(term, other)).collect();
        near.into_iter().filter_map(|other| placed.get(meta::name(other))).flatten().cloned().collect::<Vec<_>>()
    };
    for term in list(pod, AFFINITY) {
        let is_alone =
            !placed.values().flatten().any(|other| means(view, term, pod, other)) && means(view, term, pod, pod);
        let has_domain = text(term, "/topologyKey").is_some_and(|key| meta::label(node, key).is_some());
        let has_company = pods_near(term).iter().any(|other| means(view, term, pod, other));
        if !(has_company || is_alone && has_domain) {
            return Some(Refusal::lasting("node(s) didn't match pod affinity rules"));
        }
    }
    for term in list(pod, ANTI_AFFINITY) {
        if pods_near(term).iter().any(|other| means(view, term, pod, other)) {
            return Some(Refusal::by_others("node(s) didn't match pod anti-affinity rules"));
        }
    }
    let shuns = |other: &Arc<Value>, on: &Value| {
        list(other, ANTI_AFFINITY).iter().any(|term| on_same(term, on) && means(view, term, other, pod))
    };
    let others = nodes.iter().filter_map(|on| Some((on, placed.get(meta::name(on))?)));
    let shunned = others.into_iter().any(|(on, pods)| pods.iter().any(|other| shuns(other, on)));
    shunned.then(|| Refusal::by_others("node(s) didn't satisfy existing pods anti-affinity rules"))
}

/// Whether a term of `owner` means the other pod.
fn means(view: &View<'_>, term: &Value, owner: &Value, other: &Value) -> bool {
    let namespace = meta::namespace(other);
    let names = list(term, "/namespaces");
    let by_label = term.get("namespaceSelector").is_some_and(|selector| {
        let namespace = view.get(&GroupResource::NAMESPACES, "", namespace);
        namespace.is_some_and(|namespace| selector::selects(Some(selector), &namespace))
    });
    let own = names.is_empty() && term.get("namespaceSelector").is_none() && namespace == meta::namespace(owner);
    (own || by_label || names.iter().any(|name| name == namespace))
        && selector::selects(term.get("labelSelector"), other)
}
