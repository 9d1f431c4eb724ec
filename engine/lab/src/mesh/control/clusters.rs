//! Clusters for the services that a proxy sees, with their subsets.
//!
//! Invariant: names are the control plane's, `outbound|PORT|SUBSET|HOST`; a subset that no rule defines has no cluster.

use super::destination_rule::{DestinationRule, is_policy_field};
use super::mtls::service_mode;
use super::scope::Scope;
use super::service::{MeshService, Resolution, ServicePort};
use super::tls;
use crate::mesh::config::go_duration;
use crate::mesh::envoy::{Cluster, Discovery, Endpoint, Transport};
use crate::mesh::objects::{selects, text, text_map, unknown};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::protocol::Protocol;

/// The cluster for traffic that goes where the application dialled.
pub(super) const PASSTHROUGH: &str = "PassthroughCluster";
/// The cluster that has no endpoint.
pub(super) const BLACK_HOLE: &str = "BlackHoleCluster";

/// Load balancing that makes no difference to what a connection sees.
const SIMPLE: [&str; 6] = ["", "UNSPECIFIED", "RANDOM", "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN"];

/// The name of a cluster.
pub(super) fn name(port: u16, subset: &str, host: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// A cluster that is spoken to as it comes.
pub(super) fn plain(name: &str, discovery: Discovery, connect_timeout: Duration) -> Cluster {
    Cluster {
        name: name.to_owned(),
        discovery,
        transport: Transport::Plain,
        bind: None,
        http2: false,
        connect_timeout,
        limits: Vec::new(),
    }
}

/// All clusters of a proxy.
pub(super) fn build(scope: &Scope<'_>) -> BTreeMap<String, Arc<Cluster>> {
    let timeout = scope.settings.connect_timeout;
    let mut all = vec![plain(BLACK_HOLE, Discovery::Static(Vec::new()), timeout)];
    if !scope.proxy.gateway {
        all.push(plain(PASSTHROUGH, Discovery::OriginalDestination(None), timeout));
    }
    for service in scope.by_host.values() {
        if matches!(service.resolution, Resolution::Alias(_)) {
            continue;
        }
        let rule = scope.rules.find(scope.proxy, service);
        for port in service.ports.iter().filter(|port| port.protocol != Protocol::Udp) {
            all.extend(of_port(scope, service, port, rule));
        }
    }
    all.into_iter().map(|cluster| (cluster.name.clone(), Arc::new(cluster))).collect()
}

fn of_port(
    scope: &Scope<'_>,
    service: &MeshService,
    port: &ServicePort,
    rule: Option<&DestinationRule>,
) -> Vec<Cluster> {
    let builder = Builder { scope, service, port, rule };
    let policy = rule.map(|rule| rule.policy(port.number)).unwrap_or_default();
    let mut clusters: Vec<Cluster> = builder.cluster("", &BTreeMap::new(), &policy).into_iter().collect();
    for (rule, subset) in rule.into_iter().flat_map(|rule| rule.subset_names().map(move |name| (rule, name))) {
        let Some(definition) = rule.subset(subset) else { continue };
        let labels = text_map(definition, "/labels");
        clusters.extend(builder.cluster(subset, &labels, &rule.subset_policy(definition, port.number)));
    }
    clusters
}

struct Builder<'a> {
    scope: &'a Scope<'a>,
    service: &'a MeshService,
    port: &'a ServicePort,
    rule: Option<&'a DestinationRule>,
}

impl Builder<'_> {
    /// The cluster of a subset; none where the control plane makes none.
    fn cluster(&self, subset: &str, labels: &BTreeMap<String, String>, policy: &Map<String, Value>) -> Option<Cluster> {
        let mut limits = self.service.limits.clone();
        limits.extend(self.rule.into_iter().flat_map(|rule| rule.limits.iter().cloned()));
        let mut timeout = self.scope.settings.connect_timeout;
        let named = self.rule.map(|rule| rule.named.as_str()).unwrap_or_default();
        let mut limit = |what: String| limits.push(format!("{named}: trafficPolicy.{what}"));
        let mut passthrough = false;
        for (key, value) in policy {
            match key.as_str() {
                "tls" => {}
                "loadBalancer" => {
                    passthrough = text(value, "/simple") == "PASSTHROUGH";
                    if !passthrough && !SIMPLE.contains(&text(value, "/simple")) {
                        limit(format!("loadBalancer.simple {}", text(value, "/simple")));
                    }
                    let harmless = ["simple", "warmupDurationSecs", "warmup"];
                    unknown(value, "loadBalancer", &harmless).into_iter().for_each(&mut limit);
                }
                "connectionPool" => {
                    if let Some(own) = value.pointer("/tcp/connectTimeout").and_then(Value::as_str) {
                        timeout = go_duration(own).unwrap_or(timeout);
                    }
                    let http = value.get("http").unwrap_or(&Value::Null);
                    for key in ["useClientProtocol", "h2UpgradePolicy", "idleTimeout"] {
                        let off = [Value::Bool(false), "DEFAULT".into(), "DO_NOT_UPGRADE".into(), Value::Null];
                        if http.get(key).is_some_and(|value| !off.contains(value)) {
                            limit(format!("connectionPool.http.{key}"));
                        }
                    }
                    for key in ["maxConnectionDuration", "idleTimeout"] {
                        if value.pointer(&format!("/tcp/{key}")).is_some() {
                            limit(format!("connectionPool.tcp.{key}"));
                        }
                    }
                }
                key if is_policy_field(key) => limit(key.to_owned()),
                key => limit(key.to_owned()),
            }
        }
        let discovery = self.discovery(subset, labels, passthrough)?;
        let tls = policy.get("tls");
        let transport = match tls {
            Some(settings) => {
                tls::transport(self.scope, self.service, self.port, self.rule, settings, &mut limits, subset)
            }
            None => self.automatic(subset, &discovery),
        };
        Some(Cluster {
            name: name(self.port.number, subset, &self.service.host),
            discovery,
            transport,
            bind: None,
            http2: self.port.protocol == Protocol::Http2,
            connect_timeout: timeout,
            limits,
        })
    }

    /// Mutual TLS as the control plane chooses it where no rule says anything.
    fn automatic(&self, subset: &str, discovery: &Discovery) -> Transport {
        let sni = tls::mesh_sni(self.port.number, subset, &self.service.host);
        if self.service.external || !self.scope.settings.auto_mtls || !service_mode(self.scope, self.service, self.port)
        {
            return Transport::Plain;
        }
        match discovery {
            Discovery::OriginalDestination(_) => {
                let endpoints = &self.service.endpoints;
                if endpoints.is_empty() || endpoints.iter().any(|endpoint| !endpoint.in_mesh) {
                    Transport::Plain
                } else {
                    Transport::Mesh { sni }
                }
            }
            _ => Transport::Auto { sni },
        }
    }

    fn discovery(&self, subset: &str, labels: &BTreeMap<String, String>, passthrough: bool) -> Option<Discovery> {
        let gateway = self.scope.proxy.gateway;
        let number = self.port.number;
        let selected = || self.service.endpoints.iter().filter(|endpoint| selects(labels, &endpoint.labels));
        let addresses = || {
            let endpoints = selected().filter_map(|endpoint| {
                let port = *endpoint.ports.get(&number)?;
                Some(Endpoint {
                    address: SocketAddr::new(endpoint.address.parse().ok()?, port),
                    in_mesh: endpoint.in_mesh,
                })
            });
            Discovery::Static(endpoints.collect())
        };
        if passthrough && !gateway {
            return Some(Discovery::OriginalDestination(None));
        }
        Some(match &self.service.resolution {
            Resolution::Passthrough if !gateway => {
                Discovery::OriginalDestination(self.port.target.filter(|_| !self.service.kubernetes))
            }
            Resolution::Passthrough | Resolution::Static | Resolution::Alias(_) => addresses(),
            Resolution::Dns => {
                let mut names: Vec<(String, u16)> = selected()
                    .filter_map(|endpoint| Some((endpoint.address.clone(), *endpoint.ports.get(&number)?)))
                    .collect();
                if self.service.endpoints.is_empty() && (subset.is_empty() || labels.is_empty()) {
                    names.push((self.service.host.clone(), self.port.target.unwrap_or(number)));
                }
                if names.is_empty() {
                    return None;
                }
                Discovery::Dns(names)
            }
        })
    }
}
