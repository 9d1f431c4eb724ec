//! EndpointSlices of Endpoints that somebody wrote by hand, for Services without a selector.
//!
//! Invariant: Endpoints that a controller keeps are never mirrored.

use std::sync::Arc;

use serde_json::{Value, json};

use super::TRIGGERED;
use super::slice::{MANAGED_BY, SERVICE_NAME};
use crate::controllers::object::{list, map, text};
use crate::controllers::owned::owner_reference;
use crate::controllers::plan::{Action, Plan, View};
use crate::store::{GroupResource, meta};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";

/// Compares the mirrored slices of Endpoints with these.
pub(in crate::controllers) fn mirror(view: &View<'_>, endpoints: &Value) -> Plan {
    let mut plan = Plan::default();
    let mut known = view.controlled(&GroupResource::ENDPOINT_SLICES, endpoints);
    let subsets = if is_mirrored(view, endpoints) { list(endpoints, "/subsets") } else { &[] };
    for subset in subsets {
        for family in ["IPv4", "IPv6"] {
            let addresses = of_family(subset, family);
            if addresses.is_empty() {
                continue;
            }
            let wanted = wanted(endpoints, subset, family, &addresses);
            let fitting = known
                .iter()
                .position(|slice| slice["addressType"] == family && list(slice, "/ports") == list(&wanted, "/ports"));
            match fitting.map(|index| known.remove(index)) {
                None => plan.push(Action::Create(GroupResource::ENDPOINT_SLICES, wanted)),
                Some(old) => update(&old, &wanted, &mut plan),
            }
        }
    }
    for slice in known {
        plan.push(Action::delete(&GroupResource::ENDPOINT_SLICES, &slice));
    }
    plan
}

fn is_mirrored(view: &View<'_>, endpoints: &Value) -> bool {
    let service = view.get(&GroupResource::SERVICES, meta::namespace(endpoints), meta::name(endpoints));
    let is_manual = |service: Arc<Value>| {
        map(&service, "/spec/selector").is_none_or(serde_json::Map::is_empty)
            && text(&service, "/spec/type") != Some("ExternalName")
    };
    service.is_some_and(is_manual)
        && meta::label(endpoints, "endpointslice.kubernetes.io/skip-mirror") != Some("true")
        && meta::label(endpoints, "endpoints.kubernetes.io/managed-by").is_none()
        && meta::annotation(endpoints, "control-plane.alpha.kubernetes.io/leader").is_none()
        && !meta::is_deleting(endpoints)
}

/// The addresses of one family, ready or not, as endpoints.
fn of_family(subset: &Value, family: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for (pointer, ready) in [("/addresses", true), ("/notReadyAddresses", false)] {
        for address in list(subset, pointer) {
            let ip = text(address, "/ip").unwrap_or_default();
            if ip.contains(':') != (family == "IPv6") {
                continue;
            }
            let mut endpoint = json!({"addresses": [ip], "conditions": {"ready": ready}});
            for key in ["hostname", "targetRef", "nodeName"] {
                if let Some(value) = address.get(key) {
                    endpoint[key] = value.clone();
                }
            }
            found.push(endpoint);
        }
    }
    found
}

fn wanted(endpoints: &Value, subset: &Value, family: &str, addresses: &[Value]) -> Value {
    let mut labels = map(endpoints, "/metadata/labels").cloned().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), meta::name(endpoints).into());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.into());
    let mut annotations = map(endpoints, "/metadata/annotations").cloned().unwrap_or_default();
    annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    annotations.shift_remove(TRIGGERED);
    let ports: Vec<Value> = list(subset, "/ports")
        .iter()
        .map(|port| {
            let name = text(port, "/name").unwrap_or_default();
            let mut own = json!({"name": name, "protocol": text(port, "/protocol").unwrap_or("TCP")});
            for key in ["port", "appProtocol"] {
                if let Some(value) = port.get(key) {
                    own[key] = value.clone();
                }
            }
            own
        })
        .collect();
    let mut metadata = json!({
        "generateName": format!("{}-", meta::name(endpoints)),
        "namespace": meta::namespace(endpoints),
        "labels": labels,
    });
    if !annotations.is_empty() {
        metadata["annotations"] = annotations.into();
    }
    metadata["ownerReferences"] = json!([owner_reference(endpoints, "v1", "Endpoints")]);
    json!({
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata,
        "addressType": family, "endpoints": addresses, "ports": ports,
    })
}

fn update(old: &Value, wanted: &Value, plan: &mut Plan) {
    let mut slice = old.clone();
    slice["endpoints"] = wanted["endpoints"].clone();
    slice["metadata"]["labels"] = wanted["metadata"]["labels"].clone();
    match wanted["metadata"].get("annotations") {
        Some(annotations) => slice["metadata"]["annotations"] = annotations.clone(),
        None => {
            meta::metadata(&mut slice).shift_remove("annotations");
        }
    }
    if slice != *old {
        plan.push(Action::Update(GroupResource::ENDPOINT_SLICES, slice));
    }
}
