//! Services as the mesh's registry knows them.
//!
//! Invariant: what is built from a service need not know which object it came from, except where the control plane asks.

use super::protocol::Protocol;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How a service's addresses are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// Where the application dialled.
    Passthrough,
    /// The endpoints that are listed.
    Static,
    /// The proxy resolves names.
    Dns,
    /// It is another name of this host.
    Alias(String),
}

/// One port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServicePort {
    pub(super) number: u16,
    pub(super) name: String,
    pub(super) protocol: Protocol,
    /// The port of pods behind a Service; for a ServiceEntry, the port that replaces its own.
    pub(super) target: Option<u16>,
}

/// What stands behind a service.
#[derive(Clone, Debug)]
pub(super) struct ServiceEndpoint {
    /// An address or, for resolution DNS, a name.
    pub(super) address: String,
    /// Its port for each port of the service, by number.
    pub(super) ports: BTreeMap<u16, u16>,
    pub(super) labels: BTreeMap<String, String>,
    /// Whether a sidecar takes its connections.
    pub(super) in_mesh: bool,
}

/// One service with one host name and one address.
#[derive(Clone, Debug)]
pub(super) struct MeshService {
    pub(super) host: String,
    pub(super) namespace: String,
    /// Whether it is a Service of Kubernetes.
    pub(super) kubernetes: bool,
    /// Where listeners for it stand; none means every address.
    pub(super) address: Option<IpNet>,
    pub(super) ports: Vec<ServicePort>,
    pub(super) resolution: Resolution,
    pub(super) endpoints: Vec<ServiceEndpoint>,
    /// Whether it lies outside the mesh.
    pub(super) external: bool,
    pub(super) export_to: Vec<String>,
    /// Names that its servers' certificates may have.
    pub(super) sans: Vec<String>,
    /// Other host names that lead here.
    pub(super) aliases: Vec<String>,
    pub(super) selector: BTreeMap<String, String>,
    /// Oldest first, as the control plane resolves conflicts.
    pub(super) age: (String, String, String),
    pub(super) limits: Vec<String>,
}

impl MeshService {
    pub(super) fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Its address, if that is a single one.
    pub(super) fn single_address(&self) -> Option<IpAddr> {
        self.address.filter(|range| range.prefix_len() == range.max_prefix_len()).map(|range| range.addr())
    }

    /// Its address as a domain of a virtual host.
    pub(super) fn address_domain(&self) -> Option<String> {
        let range = self.address?;
        Some(self.single_address().map_or_else(|| range.to_string(), |address| address.to_string()))
    }
}
