//! The listeners of a sidecar for outbound connections.
//!
//! Invariant: services are taken oldest first, and what two of them want of one listener is settled as the control plane does it.

use super::clusters::{self, BLACK_HOLE, PASSTHROUGH};
use super::l4;
use super::protocol::Protocol;
use super::scope::Scope;
use super::service::{MeshService, Resolution, ServicePort};
use crate::mesh::config::OutboundPolicy;
use crate::mesh::envoy::{Chain, ChainIdentity, ChainMatch, Filter, Listener};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Every address.
pub(super) const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// A listener that is being put together.
struct Entry {
    protocol: Protocol,
    chains: Vec<Chain>,
    /// Of the chains, so that a thousand of them are not compared with each other.
    taken: BTreeSet<ChainIdentity>,
}

/// What a listener is built for.
pub(super) struct Wanted<'a> {
    pub(super) service: &'a MeshService,
    pub(super) port: &'a ServicePort,
    pub(super) bind: Option<IpAddr>,
    pub(super) ranges: Vec<IpNet>,
}

/// All outbound listeners.
pub(super) fn build(scope: &Scope<'_>) -> BTreeMap<SocketAddr, Listener> {
    let mut entries: BTreeMap<SocketAddr, Entry> = BTreeMap::new();
    for service in &scope.services {
        if matches!(service.resolution, Resolution::Alias(_)) {
            continue;
        }
        for port in &service.ports {
            for wanted in places(scope, service, port) {
                add(scope, &mut entries, wanted);
            }
        }
    }
    let finish = |(address, entry): (SocketAddr, Entry)| {
        let mut chains = entry.chains;
        if !chains.iter().any(|chain| chain.matches.is_any()) {
            chains.push(chain("PassthroughFilterChain", unknown_traffic(scope)));
        }
        (address, Listener::new(format!("{}_{}", address.ip(), address.port()), chains))
    };
    entries.into_iter().map(finish).collect()
}

/// The listener for what no other takes.
pub(super) fn catch_all(scope: &Scope<'_>) -> Listener {
    Listener::new("virtualOutbound".to_owned(), vec![chain("virtualOutbound-catchall-tcp", unknown_traffic(scope))])
}

fn chain(name: &str, filter: Filter) -> Chain {
    Chain { name: name.to_owned(), matches: ChainMatch::default(), tls: None, filter, limits: Vec::new() }
}

fn unknown_traffic(scope: &Scope<'_>) -> Filter {
    let cluster = match scope.policy {
        OutboundPolicy::AllowAny => PASSTHROUGH,
        OutboundPolicy::RegistryOnly => BLACK_HOLE,
    };
    Filter::Tcp(vec![(cluster.to_owned(), 1)])
}

/// Where listeners for a port stand: a headless Service has one at each of its pods, if it is not HTTP.
fn places<'a>(scope: &Scope<'_>, service: &'a MeshService, port: &'a ServicePort) -> Vec<Wanted<'a>> {
    let at = |bind| Wanted { service, port, bind, ranges: Vec::new() };
    let headless = service.resolution == Resolution::Passthrough
        && service.address.is_none()
        && (port.protocol.is_tcp() || port.protocol == Protocol::Auto);
    if !headless || !service.kubernetes && service.endpoints.is_empty() {
        return vec![at(None)];
    }
    let addresses = service.endpoints.iter().filter_map(|endpoint| endpoint.address.parse::<IpAddr>().ok());
    addresses.filter(|address| *address != scope.proxy.ip).map(|address| at(Some(address))).collect()
}

fn add(scope: &Scope<'_>, entries: &mut BTreeMap<SocketAddr, Entry>, mut wanted: Wanted<'_>) {
    let protocol = wanted.port.protocol;
    if protocol == Protocol::Udp {
        return;
    }
    if protocol.is_http() {
        wanted.bind.get_or_insert(ANY);
    } else if wanted.bind.is_none() {
        match (wanted.service.single_address(), wanted.service.address) {
            (Some(address), _) => wanted.bind = Some(address),
            (None, Some(range)) => {
                wanted.bind = Some(ANY);
                wanted.ranges.push(range);
            }
            (None, None) => wanted.bind = Some(ANY),
        }
    }
    let bind = wanted.bind.unwrap_or(ANY);
    let key = SocketAddr::new(bind, wanted.port.number);
    let Some(current) = entries.get_mut(&key) else {
        let (protocol, chains) = first(scope, &wanted, bind);
        let taken = chains.iter().map(|chain| chain.matches.identity()).collect();
        entries.insert(key, Entry { protocol, chains, taken });
        return;
    };
    // HTTP joins what is there by its route configuration alone.
    if protocol.is_http() && !current.protocol.is_tcp() {
        return;
    }
    let server_first = |one: Protocol| matches!(one, Protocol::ServerFirst(_));
    if (server_first(protocol) || server_first(current.protocol)) && protocol != current.protocol {
        return;
    }
    let mut incoming = Vec::new();
    if !protocol.is_http() {
        incoming.extend(l4::chains(scope, &wanted, bind));
    }
    if protocol.is_http() || protocol == Protocol::Auto && current.protocol.is_tcp() {
        incoming.push(http_chain(&wanted, bind));
    }
    for chain in incoming {
        if current.taken.insert(chain.matches.identity()) {
            current.chains.push(chain);
        }
    }
    let both_tcp = current.protocol.is_tcp() && protocol.is_tcp();
    if current.protocol != protocol && !both_tcp {
        current.protocol = Protocol::Auto;
    }
}

/// What a listener begins with.
fn first(scope: &Scope<'_>, wanted: &Wanted<'_>, bind: IpAddr) -> (Protocol, Vec<Chain>) {
    match wanted.port.protocol {
        protocol if protocol.is_http() => (Protocol::Auto, vec![http_chain(wanted, bind)]),
        Protocol::Auto => {
            let mut chains = l4::chains(scope, wanted, bind);
            chains.push(http_chain(wanted, bind));
            (Protocol::Auto, chains)
        }
        protocol => (protocol, l4::chains(scope, wanted, bind)),
    }
}

/// The chain for HTTP. A port whose protocol is found out, on an address of its own, has a route configuration of its own.
fn http_chain(wanted: &Wanted<'_>, bind: IpAddr) -> Chain {
    let number = wanted.port.number;
    let routes = if wanted.port.protocol == Protocol::Auto && bind != ANY {
        format!("{}:{number}", wanted.service.host)
    } else {
        number.to_string()
    };
    Chain {
        name: format!("{bind}_{number}"),
        matches: ChainMatch { plain_http: true, ..ChainMatch::default() },
        tls: None,
        filter: Filter::Http(routes),
        limits: Vec::new(),
    }
}

/// The cluster of a service's port, as a filter.
pub(super) fn to_service(service: &MeshService, port: u16) -> Filter {
    let only = if service.ports.len() == 1 { service.ports.first() } else { None };
    Filter::Tcp(vec![(clusters::name(only.map_or(port, |port| port.number), "", &service.host), 1)])
}
