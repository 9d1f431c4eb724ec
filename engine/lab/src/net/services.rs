//! Services as the network sees them: cluster addresses, their endpoints, and the names in the cluster's DNS.
//!
//! Invariant: a table is a snapshot, built from objects and never changed; a new one replaces it as a whole.

use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What the network knows about one Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRecord {
    /// The cluster address; none for a headless Service or an external name.
    pub cluster_ip: Option<IpAddr>,
    /// Addresses of ready endpoints, in the order of the EndpointSlices.
    pub endpoints: Vec<IpAddr>,
    /// The name that an `ExternalName` Service stands for.
    pub external_name: Option<String>,
    /// Ready endpoints by Service port; TCP only.
    pub ports: BTreeMap<u16, Vec<SocketAddr>>,
}

/// All Services, by name and by cluster address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceTable {
    records: BTreeMap<(String, String), ServiceRecord>,
    by_address: BTreeMap<IpAddr, (String, String)>,
}

impl ServiceTable {
    /// Reads Service and EndpointSlice objects. What kube-proxy would ignore is ignored: ports that are not TCP, endpoints
    /// that are not ready, slices of no Service.
    #[must_use]
    pub fn from_objects<'a>(
        services: impl IntoIterator<Item = &'a Value>,
        slices: impl IntoIterator<Item = &'a Value>,
    ) -> Self {
        let mut by_service: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
        for slice in slices {
            if let Some(service) = slice.pointer("/metadata/labels/kubernetes.io~1service-name").and_then(Value::as_str)
            {
                by_service.entry((text(slice, "/metadata/namespace"), service.to_owned())).or_default().push(slice);
            }
        }
        let mut table = Self::default();
        for service in services {
            let key = (text(service, "/metadata/namespace"), text(service, "/metadata/name"));
            let record = record(service, by_service.get(&key).map_or(&[], Vec::as_slice));
            if let Some(address) = record.cluster_ip {
                table.by_address.insert(address, key.clone());
            }
            table.records.insert(key, record);
        }
        table
    }

    /// The Service of that namespace and name.
    #[must_use]
    pub fn by_name(&self, namespace: &str, name: &str) -> Option<&ServiceRecord> {
        self.records.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The Service that has this cluster address.
    #[must_use]
    pub fn by_address(&self, address: IpAddr) -> Option<&ServiceRecord> {
        self.records.get(self.by_address.get(&address)?)
    }
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn record(service: &Value, slices: &[&Value]) -> ServiceRecord {
    let mut record = ServiceRecord {
        cluster_ip: service.pointer("/spec/clusterIP").and_then(Value::as_str).and_then(|ip| ip.parse().ok()),
        external_name: service.pointer("/spec/externalName").and_then(Value::as_str).map(str::to_owned),
        ..ServiceRecord::default()
    };
    for slice in slices {
        record.endpoints.extend(ready_addresses(slice));
    }
    for port in service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten() {
        if port.get("protocol").and_then(Value::as_str).unwrap_or("TCP") != "TCP" {
            continue;
        }
        let Some(number) = port_number(port.get("port")) else { continue };
        let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut endpoints = Vec::new();
        for slice in slices {
            let target = slice
                .get("ports")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .find(|p| p.get("name").and_then(Value::as_str).unwrap_or_default() == name)
                .and_then(|p| port_number(p.get("port")));
            if let Some(target) = target {
                endpoints.extend(ready_addresses(slice).map(|ip| SocketAddr::new(ip, target)));
            }
        }
        record.ports.insert(number, endpoints);
    }
    record
}

fn port_number(value: Option<&Value>) -> Option<u16> {
    value?.as_u64()?.try_into().ok()
}

fn ready_addresses(slice: &Value) -> impl Iterator<Item = IpAddr> {
    slice
        .get("endpoints")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true))
        .flat_map(|endpoint| endpoint.get("addresses").and_then(Value::as_array).into_iter().flatten())
        .filter_map(|address| address.as_str()?.parse().ok())
}
