//! Services of Kubernetes as services of the mesh.
//!
//! Invariant: an endpoint is ready, and knows the labels of its pod.

use super::protocol::Protocol;
use super::service::{MeshService, Resolution, ServiceEndpoint, ServicePort};
use crate::mesh::objects::{MeshObjects, age, fields, list, port, range, text, text_map};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The label that a pod with a sidecar has.
const TLS_MODE: &str = "security.istio.io/tlsMode";

/// EndpointSlices by namespace and Service.
type Slices<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Value>>;

/// All Services.
pub(super) fn services_of(objects: &MeshObjects) -> Vec<MeshService> {
    let mut slices = Slices::new();
    for slice in &objects.endpoint_slices {
        let service = text(slice, "/metadata/labels/kubernetes.io~1service-name");
        slices.entry((text(slice, "/metadata/namespace"), service)).or_default().push(slice);
    }
    let pods: BTreeMap<(&str, &str), &Arc<Value>> =
        objects.pods.iter().map(|pod| ((text(pod, "/metadata/namespace"), text(pod, "/metadata/name")), pod)).collect();
    objects.services.iter().map(|service| service_of(service, &slices, &pods)).collect()
}

fn service_of(service: &Value, slices: &Slices<'_>, pods: &BTreeMap<(&str, &str), &Arc<Value>>) -> MeshService {
    let (name, namespace) = (text(service, "/metadata/name"), text(service, "/metadata/namespace"));
    let host = format!("{name}.{namespace}.svc.cluster.local");
    let mut limits = Vec::new();
    let mut export_to = Vec::new();
    for (key, value) in fields(service, "/metadata/annotations") {
        if key == "networking.istio.io/exportTo" {
            let scopes = value.as_str().unwrap_or_default().split(',');
            export_to = scopes.map(|scope| scope.trim().to_owned()).collect();
        } else if key.starts_with("networking.istio.io/") || key.starts_with("traffic.istio.io/") {
            limits.push(format!("Service {namespace}/{name}: annotation {key}"));
        }
    }
    let external_name = Some(text(service, "/spec/externalName"))
        .filter(|name| text(service, "/spec/type") == "ExternalName" && !name.is_empty());
    let cluster_ip = text(service, "/spec/clusterIP");
    let resolution = match (external_name, cluster_ip) {
        (Some(name), _) => Resolution::Alias(name.trim_end_matches('.').to_ascii_lowercase()),
        (None, "None") => Resolution::Passthrough,
        _ => Resolution::Static,
    };
    let ports: Vec<ServicePort> = list(service, "/spec/ports").filter_map(service_port).collect();
    let own = slices.get(&(namespace, name)).map_or(&[] as &[&Value], Vec::as_slice);
    let endpoints = own.iter().flat_map(|slice| endpoints_of(slice, namespace, &ports, pods)).collect();
    MeshService {
        host: host.clone(),
        namespace: namespace.to_owned(),
        kubernetes: true,
        address: range(cluster_ip),
        ports,
        external: external_name.is_some(),
        resolution,
        endpoints,
        export_to,
        sans: Vec::new(),
        aliases: Vec::new(),
        selector: text_map(service, "/spec/selector"),
        age: age(service),
        limits,
    }
}

fn service_port(one: &Value) -> Option<ServicePort> {
    let number = port(one, "/port")?;
    let name = text(one, "/name");
    let app = one.get("appProtocol").and_then(Value::as_str);
    Some(ServicePort {
        number,
        name: name.to_owned(),
        protocol: Protocol::of_service_port(number, name, text(one, "/protocol"), app),
        target: port(one, "/targetPort"),
    })
}

fn endpoints_of(
    slice: &Value,
    namespace: &str,
    ports: &[ServicePort],
    pods: &BTreeMap<(&str, &str), &Arc<Value>>,
) -> Vec<ServiceEndpoint> {
    let targets: BTreeMap<u16, u16> = ports
        .iter()
        .filter_map(|wanted| {
            let found = list(slice, "/ports").find(|port| text(port, "/name") == wanted.name)?;
            Some((wanted.number, port(found, "/port")?))
        })
        .collect();
    let ready = |one: &&Value| one.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
    let endpoint = |one: &Value| {
        let pod = pods.get(&(namespace, text(one, "/targetRef/name")));
        let labels = pod.map(|pod| text_map(pod, "/metadata/labels")).unwrap_or_default();
        let in_mesh = labels.get(TLS_MODE).is_some_and(|mode| mode == "istio");
        let addresses: Vec<&str> = list(one, "/addresses").filter_map(Value::as_str).collect();
        addresses
            .into_iter()
            .map(|address| ServiceEndpoint {
                address: address.to_owned(),
                ports: targets.clone(),
                labels: labels.clone(),
                in_mesh,
            })
            .collect::<Vec<_>>()
    };
    list(slice, "/endpoints").filter(ready).flat_map(endpoint).collect()
}
