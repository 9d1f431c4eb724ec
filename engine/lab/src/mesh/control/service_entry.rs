//! ServiceEntries as services.
//!
//! Invariant: an entry with several hosts or addresses is several services; a field that would matter and is not understood is a
//! limit of each of them.

use super::protocol::Protocol;
use super::service::{MeshService, Resolution, ServiceEndpoint, ServicePort};
use crate::mesh::objects::{age, fields, list, named, port, range, text, text_map, texts, unknown};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

const KNOWN: &[&str] =
    &["hosts", "addresses", "ports", "location", "resolution", "endpoints", "exportTo", "subjectAltNames"];

const KNOWN_ENDPOINT: &[&str] = &["address", "ports", "labels", "weight", "locality", "network", "serviceAccount"];

/// The services of one ServiceEntry.
pub(super) fn services_of(entry: &Value) -> Vec<MeshService> {
    let name = named(entry);
    let spec = entry.get("spec").unwrap_or(&Value::Null);
    let mut limits: Vec<String> =
        unknown(spec, "spec", KNOWN).into_iter().map(|field| format!("{name}: {field}")).collect();
    let mut addresses = Vec::new();
    for address in list(spec, "/addresses").filter_map(Value::as_str) {
        match range(address) {
            Some(range) => addresses.push(Some(range)),
            None => limits.push(format!("{name}: address {address:?}")),
        }
    }
    if addresses.is_empty() {
        addresses.push(None);
    }
    let ports: Vec<ServicePort> = list(spec, "/ports")
        .filter_map(|one| {
            Some(ServicePort {
                number: port(one, "/number")?,
                name: text(one, "/name").to_owned(),
                protocol: Protocol::parse(text(one, "/protocol")),
                target: port(one, "/targetPort"),
            })
        })
        .collect();
    let endpoints: Vec<ServiceEndpoint> =
        list(spec, "/endpoints").map(|one| endpoint(one, &ports, &name, &mut limits)).collect();
    let resolution = match text(spec, "/resolution") {
        "" | "NONE" => Resolution::Passthrough,
        "STATIC" => Resolution::Static,
        "DNS" | "DNS_ROUND_ROBIN" => Resolution::Dns,
        other => {
            limits.push(format!("{name}: resolution {other:?}"));
            Resolution::Passthrough
        }
    };
    if resolution == Resolution::Static && endpoints.iter().any(|one| one.address.parse::<IpAddr>().is_err()) {
        limits.push(format!("{name}: a static endpoint that is no address"));
    }
    let service = |host: &str, address| MeshService {
        host: host.to_ascii_lowercase(),
        namespace: text(entry, "/metadata/namespace").to_owned(),
        kubernetes: false,
        address,
        ports: ports.clone(),
        resolution: resolution.clone(),
        endpoints: endpoints.clone(),
        external: text(spec, "/location") != "MESH_INTERNAL",
        export_to: texts(spec, "/exportTo"),
        sans: texts(spec, "/subjectAltNames"),
        aliases: Vec::new(),
        selector: BTreeMap::new(),
        age: by_host(entry, host),
        limits: limits.clone(),
    };
    let hosts = list(spec, "/hosts").filter_map(Value::as_str);
    hosts.flat_map(|host| addresses.iter().map(move |address| (host, *address))).map(|(h, a)| service(h, a)).collect()
}

/// Services of one second are ordered by their host names.
fn by_host(entry: &Value, host: &str) -> (String, String, String) {
    let (created, _, namespace) = age(entry);
    (created, host.to_owned(), namespace)
}

fn endpoint(one: &Value, ports: &[ServicePort], name: &str, limits: &mut Vec<String>) -> ServiceEndpoint {
    limits.extend(unknown(one, "endpoints", KNOWN_ENDPOINT).into_iter().map(|field| format!("{name}: {field}")));
    let weights = fields(one, "").filter(|(key, _)| *key == "weight").map(|(_, value)| value.as_u64());
    if weights.into_iter().any(|weight| weight.is_none_or(|weight| weight > 1)) {
        limits.push(format!("{name}: endpoints.weight"));
    }
    let own = |port_name: &str| {
        let (_, value) = fields(one, "/ports").find(|(key, _)| *key == port_name)?;
        u16::try_from(value.as_u64()?).ok()
    };
    let labels = text_map(one, "/labels");
    ServiceEndpoint {
        address: text(one, "/address").to_ascii_lowercase(),
        ports: ports.iter().map(|p| (p.number, own(&p.name).or(p.target).unwrap_or(p.number))).collect(),
        in_mesh: match labels.get("security.istio.io/tlsMode") {
            Some(mode) => mode == "istio",
            None => !text(one, "/serviceAccount").is_empty(),
        },
        labels,
    }
}
