//! Node selectors and required node affinity.
//!
//! Invariant: terms are alternatives, the expressions within a term all have to hold, and a term without any holds for no node.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::controllers::object::{list, map};
use crate::controllers::selector;
use crate::store::meta;

const REQUIRED: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

/// Whether the node is one that the pod asks for.
pub(in crate::controllers) fn fits(pod: &Value, node: &Value) -> bool {
    let selected = map(pod, "/spec/nodeSelector").is_none_or(|labels| selector::contains(labels, node));
    selected && (pod.pointer(REQUIRED).is_none() || list(pod, REQUIRED).iter().any(|term| holds(term, node)))
}

/// The nodes that the pod asks for by name, if it does so in every alternative.
pub(super) fn named_nodes(pod: &Value) -> Option<BTreeSet<&str>> {
    let mut names = BTreeSet::new();
    let terms = list(pod, REQUIRED);
    for term in terms {
        let field = list(term, "/matchFields").iter().find(|field| field["operator"] == "In")?;
        names.extend(list(field, "/values").iter().filter_map(Value::as_str));
    }
    (!terms.is_empty()).then_some(names)
}

fn holds(term: &Value, node: &Value) -> bool {
    let (labels, fields) = (list(term, "/matchExpressions"), list(term, "/matchFields"));
    let field = |key: &str| (key == "metadata.name").then(|| meta::name(node));
    !(labels.is_empty() && fields.is_empty())
        && labels.iter().all(|one| selector::holds(one, |key| meta::label(node, key)))
        && fields.iter().all(|one| selector::holds(one, field))
}
