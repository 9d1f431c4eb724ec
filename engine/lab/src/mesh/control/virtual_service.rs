//! VirtualServices with their short names resolved, and which of them a proxy sees.
//!
//! Invariant: hosts, gateways and destinations are full names from here on.

use super::host;
use crate::mesh::objects::{MeshObjects, exported, list, named, text, texts, unknown};
use serde_json::Value;
use std::sync::Arc;

const KNOWN: &[&str] = &["hosts", "gateways", "http", "tls", "tcp", "exportTo"];

/// A VirtualService.
#[derive(Clone, Debug)]
pub(super) struct VirtualService {
    /// `VirtualService default/reviews`.
    pub(super) named: String,
    pub(super) namespace: String,
    pub(super) hosts: Vec<String>,
    /// `mesh`, or `NAMESPACE/NAME`.
    pub(super) gateways: Vec<String>,
    export_to: Vec<String>,
    pub(super) object: Arc<Value>,
    pub(super) limits: Vec<String>,
}

impl VirtualService {
    fn read(object: &Arc<Value>) -> Self {
        let namespace = text(object, "/metadata/namespace").to_owned();
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let mut gateways: Vec<String> =
            texts(spec, "/gateways").iter().map(|name| host::gateway(name, &namespace)).collect();
        if gateways.is_empty() {
            gateways.push("mesh".to_owned());
        }
        let named = named(object);
        Self {
            hosts: texts(spec, "/hosts").iter().map(|name| host::full(name, &namespace)).collect(),
            gateways,
            export_to: texts(spec, "/exportTo"),
            limits: unknown(spec, "spec", KNOWN).into_iter().map(|field| format!("{named}: {field}")).collect(),
            object: Arc::clone(object),
            namespace,
            named,
        }
    }

    /// The rules of one kind: `http`, `tls` or `tcp`.
    pub(super) fn rules(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let rules = self.object.pointer("/spec").and_then(|spec| spec.get(kind)).and_then(Value::as_array);
        rules.into_iter().flatten()
    }

    /// Whether one of its hosts overlaps with this name.
    pub(super) fn is_for(&self, name: &str) -> bool {
        self.hosts.iter().any(|own| host::overlap(own, name))
    }
}

/// The VirtualServices that a proxy of this namespace sees, oldest first: those for itself alone, those for some namespaces,
/// then those for everybody.
pub(super) fn visible(objects: &MeshObjects, namespace: &str) -> Vec<VirtualService> {
    let mut found: Vec<VirtualService> = objects
        .of_kind("VirtualService")
        .into_iter()
        .map(VirtualService::read)
        .filter(|service| exported(&service.export_to, &service.namespace, namespace))
        .collect();
    let rank = |service: &VirtualService| {
        if service.export_to.is_empty() || service.export_to.iter().any(|scope| scope == "*") {
            2
        } else {
            i32::from(service.namespace != namespace)
        }
    };
    found.sort_by_key(rank);
    found
}

/// The destination that a rule names: host, subset and port.
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) subset: String,
    pub(super) port: Option<u16>,
}

impl Destination {
    pub(super) fn read(route: &Value, namespace: &str) -> Self {
        Self {
            host: host::full(text(route, "/destination/host"), namespace),
            subset: text(route, "/destination/subset").to_owned(),
            port: crate::mesh::objects::port(route, "/destination/port/number"),
        }
    }
}

/// Whether a match names none of these gateways or one of them.
pub(super) fn gateway_fits(one: &Value, namespace: &str, gateway: &str) -> bool {
    let mut names = list(one, "/gateways").filter_map(Value::as_str).peekable();
    names.peek().is_none() || names.any(|name| host::gateway(name, namespace) == gateway)
}
