//! Addresses and node ports of Services.
//!
//! Invariant: what is given out depends on the stored Services and the order of requests alone.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::status::{Cause, Status};
use crate::store::{GroupResource, Store, meta};

/// The Service network. Its first address is the `kubernetes` Service.
const NETWORK: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 96, 0, 0), 12);

/// Addresses below this offset are left to those who ask for one (the DNS has 10.96.0.10).
const FIRST_DYNAMIC: u32 = 256;

/// Node ports, as a default API server has them.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// Gives a Service its cluster address and node ports. Addresses of the stored Service are kept.
pub(super) fn allocate(store: &Store, old: Option<&Value>, service: &mut Value) -> Result<(), Status> {
    let name = meta::name(service).to_owned();
    let spec = meta::child(service, "spec");
    if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
        return Ok(());
    }
    let kept = old.and_then(|old| old.pointer("/spec/clusterIP")).and_then(Value::as_str);
    let asked = spec.get("clusterIP").and_then(Value::as_str).filter(|address| !address.is_empty());
    let address = match (asked.or(kept), kept) {
        (Some("None"), _) => "None".to_owned(),
        (Some(asked), Some(kept)) if asked == kept => asked.to_owned(),
        (Some(asked), _) => {
            check(store, &name, asked)?;
            asked.to_owned()
        }
        (None, _) => next_address(store)?.to_string(),
    };
    spec.insert("clusterIP".to_owned(), address.clone().into());
    spec.insert("clusterIPs".to_owned(), json!([address]));
    if matches!(spec.get("type").and_then(Value::as_str), Some("NodePort" | "LoadBalancer")) {
        node_ports(store, &name, old, spec)?;
    }
    Ok(())
}

fn used_addresses(store: &Store) -> BTreeSet<Ipv4Addr> {
    let services = store.list(&GroupResource::SERVICES, "").items;
    let address = |service: &std::sync::Arc<Value>| service.pointer("/spec/clusterIP")?.as_str()?.parse().ok();
    services.iter().filter_map(address).collect()
}

fn check(store: &Store, name: &str, asked: &str) -> Result<(), Status> {
    let refuse = |detail: &str| {
        let cause = Cause::invalid("spec.clusterIPs", &json!([asked]), detail);
        Err(Status::invalid("", "Service", name, vec![cause]))
    };
    let Ok(address) = asked.parse::<Ipv4Addr>() else {
        let problem = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        let cause = Cause::invalid("spec.clusterIPs[0]", &asked.into(), problem);
        return Err(Status::invalid("", "Service", name, vec![cause]));
    };
    let mask = u32::MAX << (32 - NETWORK.1);
    if u32::from(address) & mask != u32::from(NETWORK.0) {
        let problem = "the provided network does not match the current range";
        return refuse(&format!("failed to allocate IP {asked}: {problem}"));
    }
    if used_addresses(store).contains(&address) {
        return refuse(&format!("failed to allocate IP {asked}: provided IP is already allocated"));
    }
    Ok(())
}

fn next_address(store: &Store) -> Result<Ipv4Addr, Status> {
    let used = used_addresses(store);
    let size = 1_u32 << (32 - NETWORK.1);
    (FIRST_DYNAMIC..size - 1)
        .map(|offset| Ipv4Addr::from(u32::from(NETWORK.0) + offset))
        .find(|address| !used.contains(address))
        .ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))
}

fn node_ports(
    store: &Store,
    name: &str,
    old: Option<&Value>,
    spec: &mut serde_json::Map<String, Value>,
) -> Result<(), Status> {
    let ports_of = |service: &Value| {
        let ports = service.pointer("/spec/ports").and_then(Value::as_array).cloned().unwrap_or_default();
        ports.into_iter().filter_map(|port| port.get("nodePort")?.as_u64()).collect::<BTreeSet<u64>>()
    };
    let mut used: BTreeSet<u64> = BTreeSet::new();
    for service in store.list(&GroupResource::SERVICES, "").items {
        used.extend(ports_of(&service));
    }
    let own = old.map(ports_of).unwrap_or_default();
    let mut asked: BTreeSet<u64> = BTreeSet::new();
    for (index, port) in spec.get("ports").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let Some(number) = port.get("nodePort").and_then(Value::as_u64).filter(|number| *number != 0) else { continue };
        let in_range = u16::try_from(number).is_ok_and(|number| NODE_PORTS.contains(&number));
        let problem = if !in_range {
            format!(
                "provided port is not in the valid range. The range of valid ports is {}-{}",
                NODE_PORTS.start(),
                NODE_PORTS.end()
            )
        } else if (used.contains(&number) && !own.contains(&number)) || !asked.insert(number) {
            "provided port is already allocated".to_owned()
        } else {
            continue;
        };
        let cause = Cause::invalid(format!("spec.ports[{index}].nodePort"), &number.into(), &problem);
        return Err(Status::invalid("", "Service", name, vec![cause]));
    }
    used.extend(asked);
    let mut kept: Vec<u64> = old.map(ports_of).unwrap_or_default().into_iter().collect();
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        if port.get("nodePort").and_then(Value::as_u64).is_some_and(|number| number != 0) {
            continue;
        }
        let number = if kept.is_empty() {
            NODE_PORTS.map(u64::from).find(|number| !used.contains(number))
        } else {
            Some(kept.remove(0))
        };
        let number = number.ok_or_else(|| Status::internal("failed to allocate a nodePort: range is full"))?;
        used.insert(number);
        port.insert("nodePort".to_owned(), number.into());
    }
    Ok(())
}
