//! Route configurations of a sidecar: one for each port that speaks HTTP, and one for each port whose protocol is found out.
//!
//! Invariant: a domain belongs to the first virtual host that has it, and virtual hosts of VirtualServices come first.

use super::clusters::PASSTHROUGH;
use super::host;
use super::scope::Scope;
use super::service::{MeshService, Resolution};
use super::translate::{self, Context};
use super::virtual_service::VirtualService;
use crate::mesh::config::OutboundPolicy;
use crate::mesh::envoy::{
    Action, Edits, Fault, Filter, Forward, Listener, Route, RouteConfig, RouteMatch, VirtualHost, Weighted,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The route configurations that these listeners name.
pub(super) fn build<'a>(
    scope: &Scope<'_>,
    listeners: impl Iterator<Item = &'a Listener>,
) -> BTreeMap<String, RouteConfig> {
    let mut wanted = BTreeSet::new();
    for chain in listeners.flat_map(Listener::chains) {
        if let Filter::Http(name) = &chain.filter {
            wanted.insert(name.clone());
        }
    }
    wanted.into_iter().map(|name| (name.clone(), config(scope, &name))).collect()
}

fn config(scope: &Scope<'_>, name: &str) -> RouteConfig {
    if let Some((own, port)) = name.rsplit_once(':') {
        // A port whose protocol is found out: the one virtual host takes every name.
        let hosts = virtual_hosts(scope, port.parse().unwrap_or_default());
        let found = hosts.into_iter().find(|host| host.domains.iter().any(|domain| domain == own || domain == name));
        let found = found.map(|mut host| {
            host.domains = vec!["*".to_owned()];
            host
        });
        return RouteConfig::new(found.into_iter().collect());
    }
    let mut hosts = virtual_hosts(scope, name.parse().unwrap_or_default());
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    hosts.push(unknown_host(scope.policy));
    RouteConfig::new(hosts)
}

/// The virtual host for names that no other has.
fn unknown_host(policy: OutboundPolicy) -> VirtualHost {
    let (name, action) = match policy {
        OutboundPolicy::RegistryOnly => ("block_all", Action::Direct { status: 502, body: String::new() }),
        OutboundPolicy::AllowAny => {
            let cluster = Weighted {
                cluster: PASSTHROUGH.to_owned(),
                weight: 1,
                request: Edits::default(),
                response: Edits::default(),
                authority: None,
            };
            let forward = Forward {
                clusters: vec![cluster],
                rewrite_prefix: None,
                rewrite_regex: None,
                authority: None,
                timeout: None,
                retry: None,
            };
            ("allow_any", Action::Forward(forward))
        }
    };
    let route = Route {
        name: name.to_owned(),
        matches: RouteMatch::any(),
        action,
        request: Edits::default(),
        response: Edits::default(),
        fault: Fault::default(),
        limits: Vec::new(),
    };
    VirtualHost {
        name: name.to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![Arc::new(route)],
        require_tls: false,
    }
}

/// Hosts without a service, services, and the routes to them.
struct Wrapper<'a> {
    hosts: Vec<String>,
    services: Vec<&'a MeshService>,
    routes: Vec<Arc<Route>>,
}

fn virtual_hosts(scope: &Scope<'_>, port: u16) -> Vec<VirtualHost> {
    let mut registry: BTreeMap<&str, &MeshService> = BTreeMap::new();
    for service in scope.services.iter().filter(|service| service.port(port).is_some()) {
        registry.insert(&service.host, service);
    }
    let rules: Vec<&VirtualService> = scope
        .virtual_services
        .iter()
        .filter(|rule| rule.gateways.iter().any(|name| name == "mesh"))
        .filter(|rule| {
            // Only on port 80 is a VirtualService heard whose hosts are no service.
            port == 80 || rule.hosts.iter().any(|host| registry.keys().any(|own| host::overlap(host, own)))
        })
        .collect();
    let best = most_specific(&rules, &registry);
    let mut wrappers: Vec<Wrapper<'_>> =
        rules.iter().filter_map(|rule| for_rule(scope, rule, &registry, &best, port)).collect();
    let taken: BTreeSet<&str> =
        wrappers.iter().flat_map(|one| one.services.iter().map(|service| service.host.as_str())).collect();
    let rest: Vec<&MeshService> = registry
        .values()
        .copied()
        .filter(|service| !taken.contains(service.host.as_str()))
        .filter(|service| !matches!(service.resolution, Resolution::Alias(_)))
        .filter(|service| service.port(port).is_some_and(|port| port.protocol.may_be_http()))
        .collect();
    for service in rest {
        wrappers.push(Wrapper {
            hosts: Vec::new(),
            services: vec![service],
            routes: vec![Arc::new(translate::default_route(&service.host, port))],
        });
    }
    name_hosts(scope, wrappers, port)
}

/// For each service, the VirtualService whose host is the most specific.
fn most_specific<'a>(
    rules: &[&'a VirtualService],
    registry: &BTreeMap<&str, &MeshService>,
) -> BTreeMap<String, &'a str> {
    let mut best = BTreeMap::new();
    for own in registry.keys() {
        let mut found: Option<(usize, &str)> = None;
        for rule in rules {
            for name in rule.hosts.iter().filter(|name| host::subset_of(own, name)) {
                let rank = if name == own { usize::MAX } else { name.len() };
                if found.is_none_or(|(old, _)| rank > old) {
                    found = Some((rank, &rule.named));
                }
            }
        }
        if let Some((_, named)) = found {
            best.insert((*own).to_owned(), named);
        }
    }
    best
}

fn for_rule<'a>(
    scope: &Scope<'_>,
    rule: &VirtualService,
    registry: &BTreeMap<&str, &'a MeshService>,
    best: &BTreeMap<String, &str>,
    port: u16,
) -> Option<Wrapper<'a>> {
    let find = |name: &str| scope.by_host.get(name).filter(|service| service.port(port).is_some());
    let context = Context {
        gateway: "mesh",
        labels: &scope.proxy.labels,
        namespace: &scope.proxy.namespace,
        port,
        tls: false,
        service: &find,
    };
    let routes = translate::routes(rule, &context);
    if routes.is_empty() {
        return None;
    }
    let (mut hosts, mut services) = (Vec::new(), Vec::new());
    let (wild, plain): (Vec<&String>, Vec<&String>) = rule.hosts.iter().partition(|name| host::is_wild(name));
    for name in plain {
        match registry.get(name.as_str()) {
            Some(service) => services.push(*service),
            None => hosts.push(name.clone()),
        }
    }
    for name in wild {
        let matching: Vec<&&MeshService> =
            registry.values().filter(|service| host::overlap(&service.host, name)).collect();
        if matching.is_empty() {
            hosts.push(name.clone());
        }
        let mine = |service: &&&MeshService| best.get(&service.host).is_some_and(|named| *named == rule.named);
        services.extend(matching.into_iter().filter(mine).copied());
    }
    services.retain(|service| service.port(port).is_some_and(|port| port.protocol.may_be_http()));
    // A rule for nothing that is on this port is heard on port 80 alone.
    if services.is_empty() && port != 80 {
        return None;
    }
    Some(Wrapper { hosts, services, routes })
}

fn name_hosts(scope: &Scope<'_>, wrappers: Vec<Wrapper<'_>>, port: u16) -> Vec<VirtualHost> {
    let known: BTreeSet<String> =
        wrappers.iter().flat_map(|one| one.services.iter().map(|service| service.host.clone())).collect();
    let (mut names, mut domains) = (BTreeSet::new(), BTreeSet::new());
    let mut out = Vec::new();
    for wrapper in wrappers {
        let own = wrapper.hosts.iter().map(|name| (name.clone(), vec![name.clone()], Vec::new()));
        let services = wrapper.services.iter().map(|service| {
            let (all, short) = domains_of(service, &scope.proxy.namespace);
            (service.host.clone(), all, short)
        });
        for (host, wanted, short) in own.chain(services).collect::<Vec<_>>() {
            let name = format!("{host}:{port}");
            if !names.insert(name.clone()) {
                continue;
            }
            let mut kept = Vec::new();
            for domain in wanted {
                let shadows = short.contains(&domain) && known.contains(&domain);
                if !shadows && domains.insert(domain.clone()) {
                    kept.push(domain);
                }
            }
            if !kept.is_empty() {
                out.push(VirtualHost { name, domains: kept, routes: wrapper.routes.clone(), require_tls: false });
            }
        }
    }
    out
}

/// The domains of a service, and which of them are only other ways to say its name.
fn domains_of(service: &MeshService, namespace: &str) -> (Vec<String>, Vec<String>) {
    let (mut all, mut short) = (Vec::new(), Vec::new());
    for name in std::iter::once(&service.host).chain(&service.aliases) {
        let other = host::alternatives(name, namespace);
        all.push(name.clone());
        all.extend(other.iter().cloned());
        short.extend(other);
    }
    if service.kubernetes && service.resolution == Resolution::Passthrough {
        let below: Vec<String> = all.iter().map(|name| format!("*.{name}")).collect();
        all.extend(below);
    }
    all.extend(service.address_domain());
    (all, short)
}
