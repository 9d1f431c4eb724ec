//! PeerAuthentication: which mutual TLS a workload asks for.
//!
//! Invariant: the most specific policy decides: port, workload, namespace, mesh; among equals the oldest.

use super::scope::Scope;
use super::service::{MeshService, ServicePort};
use crate::mesh::envoy::MtlsMode;
use crate::mesh::objects::{MeshObjects, ROOT_NAMESPACE, fields, selects, text, text_map};
use serde_json::Value;
use std::collections::BTreeMap;

fn mode_of(value: &Value, pointer: &str) -> Option<MtlsMode> {
    match text(value, pointer) {
        "DISABLE" => Some(MtlsMode::Disable),
        "PERMISSIVE" => Some(MtlsMode::Permissive),
        "STRICT" => Some(MtlsMode::Strict),
        _ => None,
    }
}

/// The mode of a port of the workloads with these labels; without labels, of the namespace.
pub(crate) fn mode(
    objects: &MeshObjects,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
    port: u16,
) -> MtlsMode {
    let policies = objects.of_kind("PeerAuthentication");
    let selector = |policy: &Value| text_map(policy, "/spec/selector/matchLabels");
    let of = |wanted: &str, whole: bool| {
        let wanted = wanted.to_owned();
        policies
            .iter()
            .copied()
            .filter(move |policy| text(policy, "/metadata/namespace") == wanted && selector(policy).is_empty() == whole)
    };
    let for_all = |namespace: &str| of(namespace, true).next().and_then(|policy| mode_of(policy, "/spec/mtls/mode"));
    let inherited = || for_all(namespace).or_else(|| for_all(ROOT_NAMESPACE)).unwrap_or_default();
    let own = labels.and_then(|labels| of(namespace, false).find(|policy| selects(&selector(policy), labels)));
    let Some(own) = own else { return inherited() };
    let number = port.to_string();
    let on_port = fields(own, "/spec/portLevelMtls").find(|(key, _)| *key == number);
    let on_port = on_port.and_then(|(_, value)| mode_of(value, "/mode"));
    on_port.or_else(|| mode_of(own, "/spec/mtls/mode")).unwrap_or_else(inherited)
}

/// Whether clients may use mutual TLS with a service: not if its namespace or the mesh switches it off.
pub(super) fn service_mode(scope: &Scope<'_>, service: &MeshService, port: &ServicePort) -> bool {
    let labels = Some(&service.selector).filter(|selector| !selector.is_empty());
    mode(scope.objects, &service.namespace, labels, port.target.unwrap_or(port.number)) != MtlsMode::Disable
}
