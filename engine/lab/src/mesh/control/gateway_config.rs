//! Listeners and route configurations of a gateway.
//!
//! Invariant: a server without a VirtualService answers nothing but 404; a VirtualService is heard on the hosts that it shares with
//! the server.

use super::gateway::{self, Server, ServerMode};
use super::host;
use super::l4::{match_limits, targets};
use super::outbound::ANY;
use super::scope::Scope;
use super::tls::Secrets;
use super::translate::{self, Context};
use super::virtual_service::{VirtualService, gateway_fits};
use crate::mesh::envoy::{Chain, ChainMatch, Filter, Listener, Route, RouteConfig, ServerTls, VirtualHost};
use crate::mesh::objects::{list, port, texts};
use indexmap::IndexMap;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// All of a gateway: listeners, and route configurations by name.
pub(super) type Built = (BTreeMap<SocketAddr, Listener>, BTreeMap<String, RouteConfig>);

/// Builds the gateway's part of a configuration.
pub(super) fn build(scope: &Scope<'_>, limits: &mut Vec<String>) -> Built {
    limits.extend(gateway::foreign(scope));
    let servers = gateway::servers(scope, limits);
    let mut by_port: BTreeMap<u16, Vec<&Server>> = BTreeMap::new();
    for server in &servers {
        by_port.entry(server.listen).or_default().push(server);
    }
    let mut listeners = BTreeMap::new();
    for (number, servers) in &by_port {
        let mut names = BTreeSet::new();
        let mut all: Vec<Chain> = Vec::new();
        for server in servers {
            let plain_http = server.mode == ServerMode::Plain && server.http;
            if !plain_http || all.is_empty() {
                all.extend(chains(scope, server, &mut names));
            }
        }
        if !all.is_empty() {
            listeners.insert(SocketAddr::new(ANY, *number), Listener::new(format!("{ANY}_{number}"), all));
        }
    }
    let mut routes: IndexMap<&str, Vec<&Server>> = IndexMap::new();
    for server in servers.iter().filter(|server| server.http) {
        routes.entry(&server.route).or_default().push(server);
    }
    let routes = routes.into_iter().map(|(name, servers)| (name.to_owned(), config(scope, &servers))).collect();
    (listeners, routes)
}

fn rules<'a>(scope: &'a Scope<'_>, server: &Server) -> impl Iterator<Item = &'a VirtualService> {
    let gateway = server.gateway.clone();
    scope.virtual_services.iter().filter(move |rule| rule.gateways.contains(&gateway))
}

fn chains(scope: &Scope<'_>, server: &Server, taken: &mut BTreeSet<String>) -> Vec<Chain> {
    let names = if server.mode == ServerMode::Plain { Vec::new() } else { server.server_names() };
    let chain = |server_names: Vec<String>, filter, mut limits: Vec<String>| {
        limits.extend(server.limits.iter().cloned());
        Chain {
            name: if server_names.is_empty() { "default".to_owned() } else { server_names.join(",") },
            matches: ChainMatch { server_names, ..ChainMatch::default() },
            tls: server_tls(scope, server),
            filter,
            limits,
        }
    };
    if server.http {
        return vec![chain(names, Filter::Http(server.route.clone()), Vec::new())];
    }
    if server.mode != ServerMode::Passthrough {
        let found = tcp_target(scope, server);
        return found.map(|(filter, limits)| chain(names, filter, limits)).into_iter().collect();
    }
    let mut out = Vec::new();
    for rule in rules(scope, server) {
        let own = server.hosts_for(&rule.namespace);
        if !rule.hosts.iter().any(|name| own.iter().any(|host| host::overlap(host, name))) {
            continue;
        }
        for one in rule.rules("tls").filter(|one| list(one, "/route").next().is_some()) {
            for matching in list(one, "/match").filter(|matching| is_for(rule, matching, server)) {
                let names = texts(matching, "/sniHosts");
                if names.iter().any(|name| taken.contains(name)) {
                    continue;
                }
                taken.extend(names.iter().cloned());
                let (filter, mut limits) = targets(scope, rule, one, "tls", server.number);
                limits.extend(match_limits(rule, matching, "tls"));
                out.push(chain(names, filter, limits));
            }
        }
    }
    out
}

fn is_for(rule: &VirtualService, matching: &Value, server: &Server) -> bool {
    port(matching, "/port").is_none_or(|port| port == server.number)
        && gateway_fits(matching, &rule.namespace, &server.gateway)
}

/// Where a server for TCP sends its connections: the first rule that fits.
fn tcp_target(scope: &Scope<'_>, server: &Server) -> Option<(Filter, Vec<String>)> {
    for rule in rules(scope, server) {
        let own = server.hosts_for(&rule.namespace);
        if !rule.hosts.iter().any(|name| own.iter().any(|host| host::overlap(host, name))) {
            continue;
        }
        for one in rule.rules("tcp").filter(|one| list(one, "/route").next().is_some()) {
            let mut matches = list(one, "/match").peekable();
            if matches.peek().is_none() || matches.any(|matching| is_for(rule, matching, server)) {
                return Some(targets(scope, rule, one, "tcp", server.number));
            }
        }
    }
    None
}

fn server_tls(scope: &Scope<'_>, server: &Server) -> Option<ServerTls> {
    let secrets = Secrets { scope };
    match server.mode {
        ServerMode::Plain | ServerMode::Passthrough => None,
        ServerMode::Mesh => Some(ServerTls::Mesh),
        ServerMode::Terminate => {
            Some(ServerTls::Secret { identity: secrets.identity(&server.credential), clients: None })
        }
        ServerMode::Mutual => {
            let clients = secrets.authority(&server.credential);
            let identity = secrets.identity(&server.credential).filter(|_| clients.is_some());
            Some(ServerTls::Secret { identity, clients })
        }
    }
}

/// The route configuration of these servers.
fn config(scope: &Scope<'_>, servers: &[&Server]) -> RouteConfig {
    let mut hosts: IndexMap<String, VirtualHost> = IndexMap::new();
    for server in servers {
        let find = |name: &str| scope.by_host.get(name);
        let context = Context {
            gateway: &server.gateway,
            labels: &scope.proxy.labels,
            namespace: &scope.proxy.namespace,
            port: server.number,
            tls: server.mode != ServerMode::Plain,
            service: &find,
        };
        for rule in rules(scope, server) {
            let shared = shared(&server.hosts_for(&rule.namespace), &rule.hosts);
            let routes = translate::routes(rule, &context);
            if shared.is_empty() || routes.is_empty() {
                continue;
            }
            for name in shared {
                let host = hosts.entry(name.clone()).or_insert_with(|| virtual_host(&name, server.number));
                host.routes.extend(routes.iter().cloned());
                host.require_tls |= server.https_redirect;
            }
        }
        if server.https_redirect {
            for name in &server.hosts {
                let host = hosts.entry(name.clone()).or_insert_with(|| virtual_host(name, server.number));
                host.require_tls = true;
            }
        }
    }
    for host in hosts.values_mut() {
        let (last, first): (Vec<Arc<Route>>, Vec<Arc<Route>>) =
            host.routes.drain(..).partition(|route| route.matches.is_any());
        host.routes.extend(first.into_iter().chain(last));
    }
    let mut hosts: Vec<VirtualHost> = hosts.into_values().collect();
    if hosts.is_empty() {
        let number = servers.first().map_or(0, |server| server.number);
        let mut host = virtual_host("*", number);
        host.name = format!("blackhole:{number}");
        hosts.push(host);
    }
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    RouteConfig::new(hosts)
}

fn virtual_host(name: &str, port: u16) -> VirtualHost {
    VirtualHost {
        name: format!("{name}:{port}"),
        domains: vec![name.to_owned()],
        routes: Vec::new(),
        require_tls: false,
    }
}

/// The names that both lists cover, each as the narrower of the two says it.
fn shared(servers: &[String], rules: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for server in servers.iter().map(|name| name.to_ascii_lowercase()) {
        for rule in rules {
            let name = if host::subset_of(&server, rule) {
                &server
            } else if host::subset_of(rule, &server) {
                rule
            } else {
                continue;
            };
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}
