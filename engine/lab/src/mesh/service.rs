//! Services as the mesh's registry knows them, from ServiceEntries and from Kubernetes Services.
//!
//! Invariant: both sources end in one type; the listeners built from it need not know where a service came from. A field
//! that would matter and is not understood becomes a limit of that service.

use ipnet::IpNet;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// Protocols that make a difference for an outbound listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Http,
    /// TLS that the sidecar passes on: protocols `TLS` and `HTTPS`.
    Tls,
}

/// How a cluster finds the address to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// Where the application dialled.
    OriginalDestination,
    /// One of these, in turn.
    Static(Vec<SocketAddr>),
    /// What the sidecar resolves these names to, in turn.
    Dns(Vec<(String, u16)>),
}

/// One port of a service.
#[derive(Clone, Debug)]
pub(super) struct ServicePort {
    pub(super) number: u16,
    /// The protocol, or why the lab cannot tell.
    pub(super) protocol: Result<Protocol, String>,
    pub(super) discovery: Discovery,
}

/// One service with one host name.
#[derive(Clone, Debug)]
pub(super) struct MeshService {
    pub(super) host: String,
    /// Names by which HTTP requests may call it, the host first.
    pub(super) domains: Vec<String>,
    /// Addresses; none means that the listener stands on every address.
    pub(super) addresses: Vec<IpNet>,
    pub(super) ports: Vec<ServicePort>,
    /// Oldest first, as the control plane resolves conflicts.
    pub(super) age: (String, String, String),
    pub(super) limits: Vec<String>,
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn port_number(value: Option<&Value>) -> Option<u16> {
    value?.as_u64()?.try_into().ok()
}

fn age(object: &Value) -> (String, String, String) {
    let get = |pointer| text(object, pointer).to_owned();
    (get("/metadata/creationTimestamp"), get("/metadata/name"), get("/metadata/namespace"))
}

/// The services of one ServiceEntry, as seen from `namespace`.
pub(super) fn from_service_entry(entry: &Value, namespace: &str) -> Vec<MeshService> {
    let name = format!("ServiceEntry {}/{}", text(entry, "/metadata/namespace"), text(entry, "/metadata/name"));
    let mut limits = Vec::new();
    let mut visible = true;
    for scope in list(entry, "/spec/exportTo").filter_map(Value::as_str) {
        match scope {
            "*" => visible = true,
            "." => visible = text(entry, "/metadata/namespace") == namespace,
            other => limits.push(format!("{name}: exportTo {other:?}")),
        }
    }
    if !visible {
        return Vec::new();
    }
    for (key, value) in entry.get("spec").and_then(Value::as_object).into_iter().flatten() {
        let known =
            ["hosts", "addresses", "ports", "location", "resolution", "endpoints", "exportTo", "subjectAltNames"];
        if !known.contains(&key.as_str()) && !value.is_null() {
            limits.push(format!("{name}: spec.{key}"));
        }
    }
    let mut addresses = Vec::new();
    for address in list(entry, "/spec/addresses").filter_map(Value::as_str) {
        match address.parse::<IpNet>().or_else(|_| address.parse::<IpAddr>().map(IpNet::from)) {
            Ok(net) => addresses.push(net.trunc()),
            Err(_) => limits.push(format!("{name}: address {address:?}")),
        }
    }
    let hosts: Vec<&str> = list(entry, "/spec/hosts").filter_map(Value::as_str).collect();
    hosts
        .into_iter()
        .map(|host| {
            let mut limits = limits.clone();
            let ports = list(entry, "/spec/ports")
                .filter_map(|port| {
                    let number = port_number(port.get("number"))?;
                    let discovery = entry_discovery(entry, host, port, number).unwrap_or_else(|limit| {
                        limits.push(format!("{name}: {limit}"));
                        Discovery::OriginalDestination
                    });
                    let protocol = entry_protocol(text(port, "/protocol"));
                    Some(ServicePort { number, protocol: protocol.map_err(|p| format!("{name}: {p}")), discovery })
                })
                .collect();
            let host = host.to_ascii_lowercase();
            let mut domains = vec![host.clone()];
            domains.extend(addresses.iter().filter(|a| is_single(a)).map(|a| a.addr().to_string()));
            MeshService { host, domains, addresses: addresses.clone(), ports, age: age(entry), limits }
        })
        .collect()
}

fn entry_protocol(protocol: &str) -> Result<Protocol, String> {
    match protocol.to_ascii_uppercase().as_str() {
        "TCP" => Ok(Protocol::Tcp),
        "HTTP" => Ok(Protocol::Http),
        "HTTPS" | "TLS" => Ok(Protocol::Tls),
        other => Err(format!("port protocol {other:?}")),
    }
}

fn entry_discovery(entry: &Value, host: &str, port: &Value, number: u16) -> Result<Discovery, String> {
    let target = port_number(port.get("targetPort")).unwrap_or(number);
    let port_name = text(port, "/name");
    let mut endpoints = Vec::new();
    for endpoint in list(entry, "/spec/endpoints") {
        for (key, value) in endpoint.as_object().into_iter().flatten() {
            if !["address", "ports", "labels", "weight", "locality", "network"].contains(&key.as_str())
                || value.is_null()
            {
                return Err(format!("endpoint field {key}"));
            }
        }
        let own = endpoint.get("ports").and_then(|ports| port_number(ports.get(port_name)));
        endpoints.push((text(endpoint, "/address").to_ascii_lowercase(), own.unwrap_or(target)));
    }
    match text(entry, "/spec/resolution") {
        "" | "NONE" if endpoints.is_empty() => Ok(Discovery::OriginalDestination),
        "STATIC" => {
            let parsed: Result<Vec<_>, _> =
                endpoints.iter().map(|(ip, port)| ip.parse().map(|ip| SocketAddr::new(ip, *port))).collect();
            parsed.map(Discovery::Static).map_err(|_| "a static endpoint that is no address".to_owned())
        }
        "DNS" | "DNS_ROUND_ROBIN" if endpoints.is_empty() && host.contains('*') => {
            Err("resolution DNS for a wildcard host".to_owned())
        }
        "DNS" | "DNS_ROUND_ROBIN" if endpoints.is_empty() => {
            Ok(Discovery::Dns(vec![(host.to_ascii_lowercase(), target)]))
        }
        "DNS" | "DNS_ROUND_ROBIN" => Ok(Discovery::Dns(endpoints)),
        other => Err(format!("resolution {other:?}")),
    }
}

/// A Kubernetes Service, as seen from `namespace`; none if it has nothing that a sidecar would listen for.
pub(super) fn from_service(service: &Value, slices: &[&Value], namespace: &str) -> Option<MeshService> {
    let (name, own) = (text(service, "/metadata/name"), text(service, "/metadata/namespace"));
    if text(service, "/spec/type") == "ExternalName" {
        return None;
    }
    let host = format!("{name}.{own}.svc.cluster.local");
    let mut limits = Vec::new();
    for key in service.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flat_map(|a| a.keys()) {
        if key.starts_with("networking.istio.io/") || key.starts_with("traffic.istio.io/") {
            limits.push(format!("Service {own}/{name}: annotation {key}"));
        }
    }
    let table = crate::net::ServiceTable::from_objects([service], slices.iter().copied());
    let record = table.by_name(own, name)?;
    let addresses = match record.cluster_ip {
        Some(ip) => vec![IpNet::from(ip)],
        None => record.endpoints.iter().copied().map(IpNet::from).collect(),
    };
    let ports = list(service, "/spec/ports")
        .filter_map(|port| {
            let number = port_number(port.get("port"))?;
            let discovery = if record.cluster_ip.is_some() {
                Discovery::Static(record.ports.get(&number)?.clone())
            } else {
                Discovery::OriginalDestination
            };
            let protocol = service_protocol(port).ok_or_else(|| {
                format!("Service {own}/{name}: port {number} without a protocol in its name (detection)")
            });
            Some(ServicePort { number, protocol, discovery })
        })
        .collect();
    let mut domains = vec![host.clone(), format!("{name}.{own}.svc"), format!("{name}.{own}")];
    if own == namespace {
        domains.push(name.to_owned());
    }
    domains.extend(record.cluster_ip.map(|ip| ip.to_string()));
    Some(MeshService { host, domains, addresses, ports, age: age(service), limits })
}

/// The protocol that `appProtocol` or the prefix of the port's name selects.
fn service_protocol(port: &Value) -> Option<Protocol> {
    let named = port.get("appProtocol").or_else(|| port.get("name")).and_then(Value::as_str)?;
    match named.split('-').next()?.to_ascii_lowercase().as_str() {
        "http" => Some(Protocol::Http),
        "https" | "tls" => Some(Protocol::Tls),
        "tcp" | "mongo" | "mysql" | "redis" => Some(Protocol::Tcp),
        _ => None,
    }
}

/// Whether a range holds one address only.
pub(super) fn is_single(range: &IpNet) -> bool {
    range.prefix_len() == range.max_prefix_len()
}
