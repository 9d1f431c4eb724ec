//! DestinationRules: which one holds for a service, and what its policy is for a port and a subset.
//!
//! Invariant: rules for the same host and the same readers are one rule; the oldest one's policy holds, and subsets join.

use super::host;
use super::proxy::Proxy;
use super::service::MeshService;
use crate::mesh::objects::{MeshObjects, ROOT_NAMESPACE, fields, list, named, port, selects, text, text_map, texts};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields of a policy that a more specific policy replaces one by one.
const POLICY_FIELDS: [&str; 7] =
    ["connectionPool", "loadBalancer", "outlierDetection", "tls", "tunnel", "proxyProtocol", "retryBudget"];

/// The fields that a port's policy sets back when it leaves them out.
const PORT_FIELDS: [&str; 4] = ["connectionPool", "loadBalancer", "outlierDetection", "tls"];

/// A DestinationRule, perhaps joined from several.
#[derive(Clone, Debug)]
pub(super) struct DestinationRule {
    /// `DestinationRule default/reviews`, the oldest.
    pub(super) named: String,
    namespace: String,
    host: String,
    export_to: Vec<String>,
    selector: Option<BTreeMap<String, String>>,
    policy: Value,
    subsets: Vec<Value>,
    pub(super) limits: Vec<String>,
}

impl DestinationRule {
    fn read(object: &Value) -> Self {
        let namespace = text(object, "/metadata/namespace").to_owned();
        let named = named(object);
        let known = ["host", "trafficPolicy", "subsets", "exportTo", "workloadSelector"];
        let limits = fields(object, "/spec").filter(|(key, _)| !known.contains(key));
        Self {
            host: host::full(text(object, "/spec/host"), &namespace),
            export_to: texts(object, "/spec/exportTo"),
            selector: object
                .pointer("/spec/workloadSelector")
                .filter(|selector| !selector.is_null())
                .map(|selector| text_map(selector, "/matchLabels")),
            policy: object.pointer("/spec/trafficPolicy").cloned().unwrap_or_default(),
            subsets: list(object, "/spec/subsets").cloned().collect(),
            limits: limits.map(|(key, _)| format!("{named}: spec.{key}")).collect(),
            namespace,
            named,
        }
    }

    /// Takes in a younger rule for the same host.
    fn join(&mut self, younger: Self) {
        if self.policy.is_null() {
            self.policy = younger.policy;
        }
        for subset in younger.subsets {
            if self.subset(text(&subset, "/name")).is_none() {
                self.subsets.push(subset);
            }
        }
        self.limits.extend(younger.limits);
    }

    fn is_private(&self) -> bool {
        matches!(self.export_to.as_slice(), [only] if only == "." || *only == self.namespace)
    }

    /// Whether it chooses the proxies that it holds for by their labels.
    pub(super) fn has_selector(&self) -> bool {
        self.selector.is_some()
    }

    /// The subset of this name.
    pub(super) fn subset(&self, name: &str) -> Option<&Value> {
        self.subsets.iter().find(|subset| text(subset, "/name") == name)
    }

    /// The names of its subsets.
    pub(super) fn subset_names(&self) -> impl Iterator<Item = &str> {
        self.subsets.iter().map(|subset| text(subset, "/name"))
    }

    /// The policy for a port.
    pub(super) fn policy(&self, number: u16) -> Map<String, Value> {
        for_port(&self.policy, number).0
    }

    /// The policy for a port of a subset.
    pub(super) fn subset_policy(&self, subset: &Value, number: u16) -> Map<String, Value> {
        let mut policy = self.policy(number);
        let own = subset.get("trafficPolicy").unwrap_or(&Value::Null);
        if !own.is_null() {
            let (own, for_port) = for_port(own, number);
            overlay(&mut policy, &own, for_port);
        }
        policy
    }
}

/// A policy as it holds for a port, and whether the port has settings of its own.
fn for_port(policy: &Value, number: u16) -> (Map<String, Value>, bool) {
    let mut merged: Map<String, Value> = fields(policy, "")
        .filter(|(key, _)| *key != "portLevelSettings")
        .map(|(k, v)| (k.to_owned(), v.clone()))
        .collect();
    let own = list(policy, "/portLevelSettings").find(|one| port(one, "/port/number") == Some(number));
    let Some(own) = own else { return (merged, false) };
    let own = fields(own, "").filter(|(key, _)| *key != "port").map(|(k, v)| (k.to_owned(), v.clone())).collect();
    overlay(&mut merged, &own, true);
    (merged, true)
}

fn overlay(policy: &mut Map<String, Value>, over: &Map<String, Value>, for_port: bool) {
    if for_port {
        for key in PORT_FIELDS {
            policy.remove(key);
        }
    }
    for (key, value) in over {
        policy.insert(key.clone(), value.clone());
    }
}

/// Fields of a policy that the control plane knows.
pub(super) fn is_policy_field(key: &str) -> bool {
    POLICY_FIELDS.contains(&key)
}

/// All DestinationRules, joined.
#[derive(Clone, Debug, Default)]
pub(super) struct DestinationRules {
    /// By namespace, then by host.
    rules: BTreeMap<String, BTreeMap<String, Vec<DestinationRule>>>,
}

impl DestinationRules {
    pub(super) fn read(objects: &MeshObjects) -> Self {
        let mut all = Self::default();
        for object in objects.of_kind("DestinationRule") {
            let rule = DestinationRule::read(object);
            let hosts = all.rules.entry(rule.namespace.clone()).or_default();
            let same = hosts.entry(rule.host.clone()).or_default();
            let twin = same.iter_mut().find(|old| old.export_to == rule.export_to && old.selector == rule.selector);
            match twin {
                Some(old) => old.join(rule),
                None => same.push(rule),
            }
        }
        all
    }

    /// The rule for a service as a proxy sees it: of the proxy's namespace, else of the service's, else of the root namespace.
    pub(super) fn find(&self, proxy: &Proxy, service: &MeshService) -> Option<&DestinationRule> {
        let own = proxy.namespace.as_str();
        let visible = |rule: &&DestinationRule| {
            rule.export_to.is_empty() || rule.export_to.iter().any(|scope| scope == "*" || scope == own)
        };
        let local = self.most_specific(own, &service.host, |rule| {
            let to_itself = rule.export_to.iter().any(|scope| scope == "." || scope == "*" || scope == own);
            (rule.export_to.is_empty() || to_itself) && (own != ROOT_NAMESPACE || rule.is_private())
        });
        let exported = |namespace: &str| {
            let found = self.most_specific(namespace, &service.host, |rule| !rule.is_private());
            found.into_iter().filter(visible).collect::<Vec<_>>()
        };
        for found in [local, exported(&service.namespace), exported(ROOT_NAMESPACE)] {
            if !found.is_empty() {
                return choose(&found, proxy);
            }
        }
        None
    }

    /// The rules of a namespace for the host that fits best.
    fn most_specific(
        &self,
        namespace: &str,
        name: &str,
        wanted: impl Fn(&DestinationRule) -> bool,
    ) -> Vec<&DestinationRule> {
        let Some(hosts) = self.rules.get(namespace) else { return Vec::new() };
        let mut fitting: Vec<&str> = Vec::new();
        if hosts.contains_key(name) {
            fitting.push(name);
        }
        let mut wild: Vec<&str> = hosts
            .keys()
            .map(String::as_str)
            .filter(|host| host::is_wild(host) && *host != name && host::subset_of(name, host))
            .collect();
        wild.sort_by_key(|host| std::cmp::Reverse(host.len()));
        fitting.extend(wild);
        let of = |host: &str| hosts[host].iter().filter(|rule| wanted(rule)).collect::<Vec<_>>();
        fitting.into_iter().map(of).find(|rules| !rules.is_empty()).unwrap_or_default()
    }
}

/// Among rules for one host, the one that selects the proxy, else the last one that selects nobody.
fn choose<'a>(rules: &[&'a DestinationRule], proxy: &Proxy) -> Option<&'a DestinationRule> {
    let selecting = rules.iter().find(|rule| {
        rule.namespace == proxy.namespace && rule.selector.as_ref().is_some_and(|wanted| selects(wanted, &proxy.labels))
    });
    selecting.or_else(|| rules.iter().rev().find(|rule| rule.selector.is_none())).copied()
}
