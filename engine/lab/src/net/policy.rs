//! NetworkPolicies: which packets between pods, and out of the cluster, are dropped.
//!
//! Invariant: a pod that no policy selects for a direction is open in it; one that is selected lets through what any of its
//! policies allows. What a policy says and the lab does not understand allows nothing and is told when it decides.

use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Which way packets go, as the selected pod sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Egress,
    Ingress,
}

impl Direction {
    const fn field(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Egress => "Egress",
            Self::Ingress => "Ingress",
        }
    }

    const fn peers(self) -> &'static str {
        match self {
            Self::Egress => "to",
            Self::Ingress => "from",
        }
    }
}

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) ip: IpAddr,
    /// Namespace and labels, if it is a pod.
    pub(super) pod: Option<(&'a str, &'a BTreeMap<String, String>)>,
}

/// All policies, and the labels of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTable {
    policies: BTreeMap<String, Vec<Value>>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

impl PolicyTable {
    /// Reads NetworkPolicy and Namespace objects.
    #[must_use]
    pub fn from_objects<'a>(
        policies: impl IntoIterator<Item = &'a Value>,
        namespaces: impl IntoIterator<Item = &'a Value>,
    ) -> Self {
        let mut table = Self::default();
        for policy in policies {
            table.policies.entry(text(policy, "/metadata/namespace").to_owned()).or_default().push(policy.clone());
        }
        for namespace in namespaces {
            let name = text(namespace, "/metadata/name");
            let mut labels: BTreeMap<String, String> = namespace
                .pointer("/metadata/labels")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect();
            labels.entry("kubernetes.io/metadata.name".to_owned()).or_insert_with(|| name.to_owned());
            table.namespaces.insert(name.to_owned(), labels);
        }
        table
    }

    /// Whether packets of this protocol pass between a pod and its peer, as far as the pod's policies for the direction say.
    pub(super) fn allows(&self, direction: Direction, pod: End<'_>, peer: End<'_>, protocol: &str, port: u16) -> bool {
        let Some((namespace, labels)) = pod.pod else { return true };
        let all = self.policies.get(namespace).map_or(&[] as &[Value], Vec::as_slice);
        let mut selecting = all
            .iter()
            .filter(|policy| applies(policy, direction))
            .filter(|policy| selects(policy.pointer("/spec/podSelector"), labels))
            .peekable();
        selecting.peek().is_none()
            || selecting.any(|policy| {
                list(policy, &format!("/spec/{}", direction.field()))
                    .any(|rule| ports_fit(rule, protocol, port) && self.peers_fit(rule, direction, namespace, peer))
            })
    }

    fn peers_fit(&self, rule: &Value, direction: Direction, own: &str, peer: End<'_>) -> bool {
        let pointer = format!("/{}", direction.peers());
        let mut peers = list(rule, &pointer).peekable();
        peers.peek().is_none() || peers.any(|wanted| self.peer_fits(wanted, own, peer))
    }

    fn peer_fits(&self, wanted: &Value, own: &str, peer: End<'_>) -> bool {
        if let Some(block) = wanted.get("ipBlock").filter(|block| !block.is_null()) {
            let within = |text: &str| text.parse::<IpNet>().is_ok_and(|net| net.contains(&peer.ip));
            return within(text(block, "/cidr")) && !list(block, "/except").filter_map(Value::as_str).any(within);
        }
        let Some((namespace, labels)) = peer.pod else { return false };
        let in_namespace = match wanted.get("namespaceSelector").filter(|selector| !selector.is_null()) {
            Some(selector) => self.namespaces.get(namespace).is_some_and(|labels| selects(Some(selector), labels)),
            None => namespace == own,
        };
        in_namespace && selects(wanted.get("podSelector"), labels)
    }
}

/// Whether a policy is about a direction. Without types it is about what comes in, and about what goes out if it has rules for it.
fn applies(policy: &Value, direction: Direction) -> bool {
    let mut types = list(policy, "/spec/policyTypes").filter_map(Value::as_str).peekable();
    if types.peek().is_some() {
        return types.any(|kind| kind == direction.kind());
    }
    direction == Direction::Ingress || policy.pointer("/spec/egress").is_some_and(|rules| !rules.is_null())
}

fn ports_fit(rule: &Value, protocol: &str, port: u16) -> bool {
    let mut ports = list(rule, "/ports").peekable();
    ports.peek().is_none()
        || ports.any(|wanted| {
            let same = match text(wanted, "/protocol") {
                "" => protocol == "TCP",
                other => other == protocol,
            };
            let number = |key: &str| wanted.get(key).and_then(Value::as_u64);
            // A port by name would need the pod's containers; it fits none.
            let in_range = match (wanted.get("port").filter(|port| !port.is_null()), number("port"), number("endPort"))
            {
                (None, ..) => true,
                (_, Some(first), last) => (first..=last.unwrap_or(first)).contains(&u64::from(port)),
                _ => false,
            };
            same && in_range
        })
}

/// Whether a label selector takes these labels; an empty one, and none, take all.
fn selects(selector: Option<&Value>, labels: &BTreeMap<String, String>) -> bool {
    let Some(selector) = selector else { return true };
    let exact = selector.pointer("/matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut exact = exact.map(|(key, value)| labels.get(key).map(String::as_str) == value.as_str());
    exact.all(|fits| fits)
        && list(selector, "/matchExpressions").all(|one| {
            let own = labels.get(text(one, "/key")).map(String::as_str);
            let listed = || list(one, "/values").filter_map(Value::as_str).any(|value| own == Some(value));
            match text(one, "/operator") {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => own.is_some(),
                "DoesNotExist" => own.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// The policy of Istio's egress gateway task: out of the namespace only to the name server and to the mesh's own pods.
    #[test]
    fn a_namespace_is_left_only_as_its_policy_allows() {
        let policy = json!({"metadata": {"namespace": "test-egress"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [
            {"to": [{"namespaceSelector": {"matchLabels": {"kube-system": "true"}}}], "ports": [{"protocol": "UDP", "port": 53}]},
            {"to": [{"namespaceSelector": {"matchLabels": {"istio": "system"}}}]}]}});
        let namespaces = [
            json!({"metadata": {"name": "kube-system", "labels": {"kube-system": "true"}}}),
            json!({"metadata": {"name": "istio-system", "labels": {"istio": "system"}}}),
            json!({"metadata": {"name": "test-egress"}}),
        ];
        let table = PolicyTable::from_objects([&policy], &namespaces);
        let (none, client) = (labels(&[]), labels(&[("app", "curl")]));
        let at = |ip: &str, pod| End { ip: ip.parse().unwrap(), pod };
        let curl = at("10.244.0.5", Some(("test-egress", &client)));
        // (peer, protocol, port, allowed)
        let cases = [
            (at("198.51.100.50", None), "TCP", 443, false),
            (at("10.244.0.9", Some(("istio-system", &none))), "TCP", 8443, true),
            (at("10.244.0.3", Some(("kube-system", &none))), "UDP", 53, true),
            (at("10.244.0.3", Some(("kube-system", &none))), "TCP", 53, false),
            (at("10.244.0.6", Some(("test-egress", &none))), "TCP", 80, false),
        ];
        for (peer, protocol, port, allowed) in cases {
            assert_eq!(
                table.allows(Direction::Egress, curl, peer, protocol, port),
                allowed,
                "{peer:?} {protocol} {port}"
            );
        }
        assert!(
            table.allows(Direction::Ingress, curl, at("198.51.100.50", None), "TCP", 80),
            "nothing is said of what comes in"
        );
        let elsewhere = at("10.244.0.9", Some(("istio-system", &none)));
        assert!(table.allows(Direction::Egress, elsewhere, at("198.51.100.50", None), "TCP", 443));
    }

    #[test]
    fn peers_and_ports_fit_as_kubernetes_documents_them() {
        let client = labels(&[("app", "curl")]);
        let pod = End { ip: "10.244.0.5".parse().unwrap(), pod: Some(("default", &client)) };
        let site = End { ip: "198.51.100.50".parse().unwrap(), pod: None };
        // (spec, allowed)
        let cases = [
            (json!({"podSelector": {}, "policyTypes": ["Egress"]}), false),
            (json!({"podSelector": {}, "policyTypes": ["Ingress"]}), true),
            (json!({"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Egress"]}), true),
            (json!({"podSelector": {}, "egress": [{}]}), true),
            (json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}]}), true),
            (
                json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.50/32"]}}]}]}),
                false,
            ),
            (json!({"podSelector": {}, "egress": [{"ports": [{"port": 80}]}]}), false),
            (json!({"podSelector": {}, "egress": [{"ports": [{"port": 400, "endPort": 500}]}]}), true),
            (
                json!({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["curl"]}]}, "policyTypes": ["Egress"]}),
                false,
            ),
        ];
        for (spec, allowed) in cases {
            let policy = json!({"metadata": {"namespace": "default"}, "spec": spec});
            let table = PolicyTable::from_objects([&policy], []);
            assert_eq!(table.allows(Direction::Egress, pod, site, "TCP", 443), allowed, "{policy}");
        }
    }
}
