//! What pods ask for and what nodes have.
//!
//! Invariant: a pod counts against its node until it has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Refusal;
use super::quantity::thousandths;
use crate::controllers::object::{list, map, text};
use crate::controllers::plan::View;
use crate::controllers::pods;
use crate::store::GroupResource;

/// The pods of each node that have not ended.
pub(super) type Placed = BTreeMap<String, Vec<Arc<Value>>>;

type Amounts = BTreeMap<String, i128>;

/// Sorts the pods of the cluster to their nodes.
pub(super) fn by_node(view: &View<'_>) -> Placed {
    let mut placed = Placed::new();
    for pod in view.list(&GroupResource::PODS, "") {
        if let Some(node) = text(&pod, "/spec/nodeName").filter(|_| !pods::is_finished(&pod)) {
            placed.entry(node.to_owned()).or_default().push(Arc::clone(&pod));
        }
    }
    placed
}

/// What the node lacks for the pod.
pub(super) fn refusal(pod: &Value, node: &Value, on_node: &[Arc<Value>]) -> Option<Refusal> {
    let (mut reasons, mut by_others) = (Vec::new(), true);
    let allocatable = amounts(map(node, "/status/allocatable"));
    let limit = allocatable.get("pods").copied().unwrap_or(0);
    let present = i128::try_from(on_node.len()).unwrap_or(i128::MAX);
    if present.saturating_add(1).saturating_mul(1000) > limit {
        reasons.push("Too many pods".to_owned());
    }
    if host_ports(pod).any(|port| on_node.iter().any(|other| host_ports(other).any(|taken| taken == port))) {
        return Some(Refusal::by_others("node(s) didn't have free ports for the requested pod ports"));
    }
    let requests = requests(pod);
    if requests.values().any(|amount| *amount > 0) {
        let mut used = Amounts::new();
        for other in on_node {
            for (name, amount) in self::requests(other) {
                *used.entry(name).or_insert(0) += amount;
            }
        }
        for (name, amount) in requests.iter().filter(|(_, amount)| **amount > 0) {
            let has = allocatable.get(name).copied().unwrap_or(0);
            if *amount > has - used.get(name).copied().unwrap_or(0) {
                reasons.push(format!("Insufficient {name}"));
                by_others &= *amount <= has;
            }
        }
    }
    (!reasons.is_empty()).then_some(Refusal { reasons, by_others })
}

/// What a pod asks for: its containers together or, if that is more, the largest of its init containers; sidecars stay.
pub(in crate::controllers) fn requests(pod: &Value) -> Amounts {
    let own = |container: &Value| amounts(map(container, "/resources/requests"));
    let mut total = Amounts::new();
    for container in list(pod, "/spec/containers") {
        add(&mut total, &own(container));
    }
    let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
    for container in list(pod, "/spec/initContainers") {
        let mut needed = own(container);
        if text(container, "/restartPolicy") == Some("Always") {
            add(&mut sidecars, &needed);
            add(&mut total, &needed);
            needed = sidecars.clone();
        } else {
            add(&mut needed, &sidecars);
        }
        raise(&mut peak, &needed);
    }
    raise(&mut total, &peak);
    add(&mut total, &amounts(map(pod, "/spec/overhead")));
    total
}

fn amounts(map: Option<&serde_json::Map<String, Value>>) -> Amounts {
    let amount = |value: &Value| match value {
        Value::String(text) => thousandths(text),
        other => thousandths(&other.to_string()),
    };
    map.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), amount(value)?))).collect()
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = to.entry(name.clone()).or_insert(0);
        *sum = sum.saturating_add(*amount);
    }
}

fn raise(to: &mut Amounts, least: &Amounts) {
    for (name, amount) in least {
        let known = to.entry(name.clone()).or_insert(0);
        *known = (*known).max(*amount);
    }
}

/// The ports of the node that a pod's containers take, with their protocol.
fn host_ports(pod: &Value) -> impl Iterator<Item = (u64, &str)> {
    let ports = list(pod, "/spec/containers").iter().flat_map(|container| list(container, "/ports"));
    ports.filter_map(|port| {
        let number = port.get("hostPort").and_then(Value::as_u64).filter(|number| *number > 0)?;
        Some((number, text(port, "/protocol").unwrap_or("TCP")))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_asks_for_what_it_needs_at_its_peak() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = container("1");
        sidecar["restartPolicy"] = "Always".into();
        let pod = json!({"spec": {
            "containers": [container("1"), container("500m")],
            "initContainers": [container("2"), sidecar, container("3")],
        }});
        // The last init container runs beside the sidecar.
        assert_eq!(requests(&pod)["cpu"], 4000);
    }
}
