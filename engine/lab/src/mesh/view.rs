//! What one sidecar was told: listeners, filter chains, routes and clusters, named as the control plane names them.
//!
//! Invariant: a view is a snapshot and a function of the objects it was built from; it never changes.

use super::config::{MeshConfig, OutboundPolicy};
use super::limits::{Limit, limits_of};
use super::service::{Discovery, MeshService, Protocol, from_service, from_service_entry, is_single};
use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The objects that decide about outbound connections.
#[derive(Clone, Debug, Default)]
pub struct MeshObjects {
    /// The ConfigMap `istio` in `istio-system`.
    pub config: Option<Arc<Value>>,
    /// All ServiceEntries.
    pub service_entries: Vec<Arc<Value>>,
    /// All Services.
    pub services: Vec<Arc<Value>>,
    /// All EndpointSlices.
    pub endpoint_slices: Vec<Arc<Value>>,
    /// All other objects of Istio's groups.
    pub others: Vec<Arc<Value>>,
}

/// A cluster: a named set of endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `PassthroughCluster`, `BlackHoleCluster`, or `outbound|PORT||HOST`.
    pub name: String,
    /// Where its endpoints come from.
    pub discovery: Discovery,
}

impl Cluster {
    fn of(service: &MeshService, port: u16, discovery: &Discovery) -> Arc<Self> {
        Arc::new(Self { name: format!("outbound|{port}||{}", service.host), discovery: discovery.clone() })
    }
}

/// A virtual host of a route configuration.
#[derive(Clone, Debug)]
pub(super) struct VirtualHost {
    pub(super) domains: Vec<String>,
    pub(super) cluster: Arc<Cluster>,
}

/// A chain of the listener on all addresses that is chosen by server name, destination range, or neither.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) server_name: Option<String>,
    pub(super) range: Option<IpNet>,
    pub(super) cluster: Arc<Cluster>,
}

/// The listener `0.0.0.0_PORT`.
#[derive(Clone, Debug, Default)]
pub(super) struct Wildcard {
    /// Virtual hosts of the route configuration, if the listener speaks HTTP.
    pub(super) routes: Option<Vec<VirtualHost>>,
    pub(super) chains: Vec<Chain>,
    pub(super) limits: Vec<String>,
}

impl Wildcard {
    pub(super) fn inspects_tls(&self) -> bool {
        self.chains.iter().any(|chain| chain.server_name.is_some())
    }
}

/// The listener `IP_PORT`.
#[derive(Clone, Debug)]
pub(super) struct Exact {
    pub(super) cluster: Arc<Cluster>,
    pub(super) limits: Vec<String>,
}

/// What the first bytes of a connection must be looked at for, before a filter chain can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// Nothing: the listener does not wait for data.
    None,
    /// The server name of a TLS handshake.
    Tls,
    /// Whether it is HTTP/1.1.
    Http,
}

/// The configuration of one sidecar.
#[derive(Clone, Debug)]
pub struct MeshView {
    pub(super) config: MeshConfig,
    pub(super) exact: BTreeMap<SocketAddr, Exact>,
    pub(super) wildcard: BTreeMap<u16, Wildcard>,
    pub(super) limits: Vec<Limit>,
}

impl MeshView {
    /// The view of the sidecars in `namespace`.
    #[must_use]
    pub fn build(objects: &MeshObjects, namespace: &str) -> Self {
        let config = MeshConfig::from_config_map(objects.config.as_deref());
        let mut services: Vec<MeshService> =
            objects.service_entries.iter().flat_map(|entry| from_service_entry(entry, namespace)).collect();
        for service in &objects.services {
            let own: Vec<&Value> =
                objects.endpoint_slices.iter().map(|s| &**s).filter(|s| belongs(s, service)).collect();
            services.extend(from_service(service, &own, namespace));
        }
        services.sort_by(|a, b| a.age.cmp(&b.age));
        let limits = limits_of(&objects.others, namespace);
        let mut view = Self { config, exact: BTreeMap::new(), wildcard: BTreeMap::new(), limits };
        for service in &services {
            for port in &service.ports {
                view.listen(service, port.number, &port.protocol, &port.discovery);
            }
        }
        view
    }

    /// The mesh-wide settings.
    #[must_use]
    pub fn config(&self) -> &MeshConfig {
        &self.config
    }

    /// What must be known of the first bytes of a connection to this address.
    #[must_use]
    pub fn inspection(&self, destination: SocketAddr) -> Inspection {
        if self.exact.contains_key(&destination) {
            return Inspection::None;
        }
        match self.wildcard.get(&destination.port()) {
            Some(listener) if listener.routes.is_some() => Inspection::Http,
            Some(listener) if listener.inspects_tls() => Inspection::Tls,
            _ => Inspection::None,
        }
    }

    /// The cluster for traffic that no listener or chain knows.
    pub(super) fn fallback(&self) -> Arc<Cluster> {
        Arc::new(match self.config.policy {
            OutboundPolicy::AllowAny => {
                Cluster { name: "PassthroughCluster".to_owned(), discovery: Discovery::OriginalDestination }
            }
            OutboundPolicy::RegistryOnly => {
                Cluster { name: "BlackHoleCluster".to_owned(), discovery: Discovery::Static(Vec::new()) }
            }
        })
    }

    fn listen(&mut self, service: &MeshService, port: u16, protocol: &Result<Protocol, String>, discovery: &Discovery) {
        let cluster = Cluster::of(service, port, discovery);
        let mut limits = service.limits.clone();
        let protocol = match protocol {
            Ok(protocol) => *protocol,
            Err(limit) => {
                limits.push(limit.clone());
                Protocol::Tcp
            }
        };
        if protocol == Protocol::Http {
            let listener = self.wildcard.entry(port).or_default();
            let routes = listener.routes.get_or_insert_default();
            routes.push(VirtualHost { domains: service.domains.clone(), cluster });
            listener.limits.extend(limits);
            return listener.check();
        }
        let server_name = (protocol == Protocol::Tls).then(|| service.host.clone());
        if service.addresses.is_empty() {
            self.chain(port, Chain { server_name, range: None, cluster }, limits);
            return;
        }
        for range in &service.addresses {
            if is_single(range) {
                let address = SocketAddr::new(range.addr(), port);
                let exact = Exact { cluster: Arc::clone(&cluster), limits: limits.clone() };
                self.exact.entry(address).or_insert(exact);
            } else {
                let chain =
                    Chain { server_name: server_name.clone(), range: Some(*range), cluster: Arc::clone(&cluster) };
                self.chain(port, chain, limits.clone());
            }
        }
    }

    fn chain(&mut self, port: u16, chain: Chain, limits: Vec<String>) {
        let listener = self.wildcard.entry(port).or_default();
        let taken = listener.chains.iter().any(|c| c.server_name == chain.server_name && c.range == chain.range);
        if !taken {
            listener.chains.push(chain);
        }
        listener.limits.extend(limits);
        listener.check();
    }
}

impl Wildcard {
    /// HTTP and TCP on one port of all addresses is a conflict, whose winner depends on more than the lab knows.
    fn check(&mut self) {
        let conflict = "services of different protocols on one port of all addresses";
        if self.routes.is_some() && !self.chains.is_empty() && !self.limits.iter().any(|l| l == conflict) {
            self.limits.push(conflict.to_owned());
        }
    }

    /// The chain for a destination and the server name of its TLS handshake: the most specific range first, then the
    /// most specific name.
    pub(super) fn choose(&self, destination: IpAddr, server_name: Option<&str>) -> Option<&Chain> {
        let fits = |chain: &&Chain| {
            chain.range.is_none_or(|range| range.contains(&destination))
                && chain.server_name.as_deref().is_none_or(|pattern| {
                    server_name.is_some_and(|name| domain_matches(pattern, &name.to_ascii_lowercase()))
                })
        };
        let rank = |chain: &&Chain| {
            let name = chain.server_name.as_deref();
            let exact_name = name.is_some_and(|name| !name.contains('*'));
            (chain.range.map(|r| r.prefix_len()), name.is_some(), exact_name, name.map(str::len))
        };
        // Among equals the first wins, and `max_by_key` would give the last.
        self.chains.iter().filter(fits).rev().max_by_key(rank)
    }
}

/// Whether a host name matches `example.org`, `*.example.org` or `*`.
pub(super) fn domain_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
        None => pattern == name,
    }
}

fn belongs(slice: &Value, service: &Value) -> bool {
    slice.pointer("/metadata/namespace") == service.pointer("/metadata/namespace")
        && slice.pointer("/metadata/labels/kubernetes.io~1service-name") == service.pointer("/metadata/name")
}
