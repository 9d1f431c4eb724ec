//! What a sidecar does with connections that come to its pod.
//!
//! Invariant: a port of a Service that selects the pod has a cluster and a protocol of its own; every other port is passed on.

use super::clusters::plain;
use super::mtls::mode;
use super::scope::Scope;
use super::translate::default_retry;
use crate::mesh::envoy::{
    Action, Cluster, Discovery, Edits, Fault, Forward, Inbound, InboundPort, PortProtocol, Retry, Route, RouteConfig,
    RouteMatch, VirtualHost, Weighted,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::protocol::Protocol;

/// The cluster of ports that no Service has.
pub(super) const PASSTHROUGH: &str = "InboundPassthroughCluster";

/// Where a sidecar's own connections to its application come from, by which they are told from others.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6));

/// The name of the cluster, and of the route configuration, of a port of the pod.
fn name(port: u16) -> String {
    format!("inbound|{port}||")
}

/// All of a pod's inbound half: what is asked of connections, with the clusters and routes behind it.
pub(super) fn build(
    scope: &Scope<'_>,
    clusters: &mut BTreeMap<String, Arc<Cluster>>,
    routes: &mut BTreeMap<String, RouteConfig>,
) -> Inbound {
    let (namespace, labels) = (&scope.proxy.namespace, &scope.proxy.labels);
    let at = |port| mode(scope.objects, namespace, Some(labels), port);
    let mut ports: BTreeMap<u16, InboundPort> = BTreeMap::new();
    let own = scope.proxy.ip.to_string();
    for service in scope.services.iter().filter(|service| service.kubernetes) {
        for endpoint in service.endpoints.iter().filter(|endpoint| endpoint.address == own) {
            for (number, target) in &endpoint.ports {
                let protocol = match service.port(*number).map(|port| port.protocol) {
                    Some(Protocol::Http) => PortProtocol::Http,
                    Some(Protocol::Http2) => PortProtocol::Http2,
                    Some(Protocol::Auto) | None => PortProtocol::Auto,
                    Some(_) => PortProtocol::Tcp,
                };
                let port = || InboundPort { cluster: name(*target), protocol, mtls: at(*target) };
                ports.entry(*target).or_insert_with(port);
            }
        }
    }
    let names = ports.values().map(|port| port.cluster.clone()).chain([PASSTHROUGH.to_owned()]);
    for name in names.collect::<Vec<_>>() {
        let timeout = scope.settings.connect_timeout;
        let cluster = Cluster { bind: Some(SOURCE), ..plain(&name, Discovery::OriginalDestination(None), timeout) };
        clusters.insert(name.clone(), Arc::new(cluster));
        routes.insert(name.clone(), to(&name));
    }
    let other = InboundPort { cluster: PASSTHROUGH.to_owned(), protocol: PortProtocol::Auto, mtls: at(0) };
    Inbound { ports, other }
}

/// A route configuration that sends all requests to one cluster.
fn to(cluster: &str) -> RouteConfig {
    let retry = Retry { on: vec!["reset-before-request".to_owned()], ..default_retry() };
    let target = Weighted {
        cluster: cluster.to_owned(),
        weight: 1,
        request: Edits::default(),
        response: Edits::default(),
        authority: None,
    };
    let route = Route {
        name: "default".to_owned(),
        matches: RouteMatch::any(),
        action: Action::Forward(Forward {
            clusters: vec![target],
            rewrite_prefix: None,
            rewrite_regex: None,
            authority: None,
            timeout: None,
            retry: Some(retry),
        }),
        request: Edits::default(),
        response: Edits::default(),
        fault: Fault::default(),
        limits: Vec::new(),
    };
    let host = VirtualHost {
        name: cluster.to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![Arc::new(route)],
        require_tls: false,
    };
    RouteConfig::new(vec![host])
}
