//! TLS and TCP rules of VirtualServices as filter chains.
//!
//! Invariant: a rule that no connection can reach, because an older one takes all, makes no chain.

use super::outbound::{ANY, Wanted, to_service};
use super::protocol::Protocol;
use super::scope::Scope;
use super::translate::cluster_of;
use super::virtual_service::{Destination, VirtualService, gateway_fits};
use crate::mesh::envoy::{Chain, ChainMatch, Filter};
use crate::mesh::objects::{list, port, range, selects, text, text_map, texts, unknown};
use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Conditions that are understood.
const KNOWN: &[&str] = &["sniHosts", "destinationSubnets", "port", "sourceLabels", "gateways", "sourceNamespace"];

/// The chains for a port that is not HTTP.
pub(super) fn chains(scope: &Scope<'_>, wanted: &Wanted<'_>, bind: IpAddr) -> Vec<Chain> {
    if wanted.port.protocol == Protocol::Tls { tls(scope, wanted, bind) } else { tcp(scope, wanted) }
}

/// Whether a match is for this proxy and port.
fn is_for(scope: &Scope<'_>, service: &VirtualService, one: &Value, number: u16) -> bool {
    let source = text(one, "/sourceNamespace");
    gateway_fits(one, &service.namespace, "mesh")
        && selects(&text_map(one, "/sourceLabels"), &scope.proxy.labels)
        && port(one, "/port").is_none_or(|port| port == number)
        && (source.is_empty() || source == scope.proxy.namespace)
}

/// The VirtualServices for a service, as the proxy's own gateway `mesh` has them.
fn rules_for<'a>(scope: &'a Scope<'_>, wanted: &Wanted<'_>) -> impl Iterator<Item = &'a VirtualService> {
    let host = wanted.service.host.clone();
    scope
        .virtual_services
        .iter()
        .filter(move |service| service.gateways.iter().any(|name| name == "mesh") && service.is_for(&host))
}

/// What a rule's routes lead to, and what of them the lab does not honour.
pub(super) fn targets(
    scope: &Scope<'_>,
    service: &VirtualService,
    rule: &Value,
    kind: &str,
    number: u16,
) -> (Filter, Vec<String>) {
    let mut limits = service.limits.clone();
    let mut limit = |field: String| limits.push(format!("{}: {kind}.{field}", service.named));
    unknown(rule, "", &["match", "route"]).into_iter().for_each(&mut limit);
    let routes: Vec<&Value> = list(rule, "/route").collect();
    let mut clusters = Vec::new();
    for one in &routes {
        unknown(one, "route", &["destination", "weight"]).into_iter().for_each(&mut limit);
        let weight = one.get("weight").and_then(Value::as_u64).and_then(|weight| u32::try_from(weight).ok());
        let weight = if routes.len() == 1 { 1 } else { weight.unwrap_or(0) };
        if weight > 0 {
            let destination = Destination::read(one, &service.namespace);
            clusters.push((cluster_of(&destination, scope.service(&destination.host), number), weight));
        }
    }
    (Filter::Tcp(clusters), limits)
}

fn ranges(one: &Value) -> Vec<IpNet> {
    texts(one, "/destinationSubnets").iter().filter_map(|text| range(text)).collect()
}

/// The limits of a match.
pub(super) fn match_limits(service: &VirtualService, one: &Value, kind: &str) -> impl Iterator<Item = String> {
    let lacking = unknown(one, "", KNOWN);
    let named = service.named.clone();
    let kind = kind.to_owned();
    lacking.into_iter().map(move |field| format!("{named}: {kind}.match.{field}"))
}

fn tls(scope: &Scope<'_>, wanted: &Wanted<'_>, bind: IpAddr) -> Vec<Chain> {
    let number = wanted.port.number;
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    let mut destinations = wanted.ranges.clone();
    for service in rules_for(scope, wanted) {
        for rule in service.rules("tls").filter(|rule| list(rule, "/route").next().is_some()) {
            for one in list(rule, "/match").filter(|one| is_for(scope, service, one, number)) {
                let own = ranges(one);
                if !own.is_empty() {
                    destinations = own;
                }
                let names = texts(one, "/sniHosts");
                if seen.insert((names.clone(), texts(one, "/destinationSubnets"))) {
                    let (filter, mut limits) = targets(scope, service, rule, "tls", number);
                    limits.extend(match_limits(service, one, "tls"));
                    out.push(Chain {
                        name: names.join(","),
                        matches: ChainMatch { server_names: names, ranges: destinations.clone(), plain_http: false },
                        tls: None,
                        filter,
                        limits,
                    });
                }
            }
        }
    }
    if out.is_empty() {
        let by_name = !wanted.ranges.is_empty() || wanted.service.address.is_none() && bind == ANY;
        let mut names = Vec::new();
        if by_name {
            names.push(wanted.service.host.clone());
            for alias in &wanted.service.aliases {
                names.push(alias.clone());
                names.extend(super::host::alternatives(alias, &scope.proxy.namespace));
            }
        }
        out.push(Chain {
            name: if by_name { wanted.service.host.clone() } else { "default".to_owned() },
            matches: ChainMatch { server_names: names, ranges: wanted.ranges.clone(), plain_http: false },
            tls: None,
            filter: to_service(wanted.service, number),
            limits: Vec::new(),
        });
    }
    out
}

fn tcp(scope: &Scope<'_>, wanted: &Wanted<'_>) -> Vec<Chain> {
    let number = wanted.port.number;
    let mut out = Vec::new();
    let chain = |ranges: &[IpNet], (filter, limits): (Filter, Vec<String>)| Chain {
        name: "default".to_owned(),
        matches: ChainMatch { ranges: ranges.to_vec(), ..ChainMatch::default() },
        tls: None,
        filter,
        limits,
    };
    for service in rules_for(scope, wanted) {
        for rule in service.rules("tcp").filter(|rule| list(rule, "/route").next().is_some()) {
            let to = targets(scope, service, rule, "tcp", number);
            if list(rule, "/match").next().is_none() {
                out.push(chain(&wanted.ranges, to));
                return out;
            }
            let mut subnets = Vec::new();
            for one in list(rule, "/match").filter(|one| is_for(scope, service, one, number)) {
                let own = ranges(one);
                if own.is_empty() {
                    let (filter, mut limits) = to;
                    limits.extend(match_limits(service, one, "tcp"));
                    out.push(chain(&wanted.ranges, (filter, limits)));
                    return out;
                }
                subnets.extend(own);
            }
            if !subnets.is_empty() {
                out.push(chain(&subnets, to));
                let sorted = |nets: &[IpNet]| nets.iter().map(IpNet::trunc).collect::<BTreeSet<_>>();
                if sorted(&subnets) == sorted(&wanted.ranges) {
                    return out;
                }
            }
        }
    }
    out.push(chain(&wanted.ranges, (to_service(wanted.service, number), Vec::new())));
    out
}
