//! Which access log a proxy writes: what Telemetry resources say, else the mesh's settings.
//!
//! Invariant: resources are merged in istiod's order: that of the root namespace, that of the proxy's, those that select its workload;
//! whoever names providers last decides which there are.

use super::proxy::Proxy;
use crate::mesh::config::{LogProvider, MeshConfig};
use crate::mesh::envoy::AccessLogs;
use crate::mesh::log::LogFormat;
use crate::mesh::objects::{MeshObjects, ROOT_NAMESPACE, list, named, selects, text, text_map, unknown};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which of a proxy's sides logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// What leaves a pod, and what passes a gateway.
    Client,
    /// What comes in to a pod.
    Server,
}

/// What becomes of a provider once all is merged.
#[derive(Clone, Copy, Default)]
struct Told {
    disabled: bool,
    /// Whether lines are picked by an expression.
    filtered: bool,
}

/// The access logs of a proxy. What is asked for and not simulated is added to `limits`.
pub(super) fn access_logs(
    objects: &MeshObjects,
    proxy: &Proxy,
    settings: &MeshConfig,
    limits: &mut Vec<String>,
) -> AccessLogs {
    let applicable = applicable(objects, proxy);
    let mut format = |side| format_of(&applicable, settings, side, limits);
    AccessLogs { outbound: format(Side::Client), inbound: format(Side::Server) }
}

/// The resources that reach a proxy and say something of access logs, in the order in which they count.
fn applicable<'a>(objects: &'a MeshObjects, proxy: &Proxy) -> Vec<&'a Arc<Value>> {
    let all = objects.of_kind("Telemetry");
    let of = |namespace: &str| {
        let namespace = namespace.to_owned();
        all.iter().copied().filter(move |one| text(one, "/metadata/namespace") == namespace)
    };
    let mut found: Vec<_> = of(ROOT_NAMESPACE).find(|one| is_wide(one)).into_iter().collect();
    if proxy.namespace != ROOT_NAMESPACE {
        found.extend(of(&proxy.namespace).find(|one| is_wide(one)));
    }
    let selected = |one: &Value| {
        let wanted = text_map(one, "/spec/selector/matchLabels");
        !wanted.is_empty() && selects(&wanted, &proxy.labels)
    };
    found.extend(of(&proxy.namespace).filter(|one| selected(one)));
    found.retain(|one| list(one, "/spec/accessLogging").next().is_some());
    found
}

/// Whether a resource is for a whole namespace.
fn is_wide(telemetry: &Value) -> bool {
    text_map(telemetry, "/spec/selector/matchLabels").is_empty() && list(telemetry, "/spec/targetRefs").next().is_none()
}

fn format_of(
    applicable: &[&Arc<Value>],
    settings: &MeshConfig,
    side: Side,
    limits: &mut Vec<String>,
) -> Option<LogFormat> {
    let mut formats = Vec::new();
    let mut known = false;
    for (name, told) in merged(applicable, settings, side, limits) {
        match settings.log_provider(&name) {
            // What is no provider of logs counts for nothing.
            None => {}
            Some(_) if told.disabled => known = true,
            Some(_) if told.filtered => limits.push(format!("Telemetry: an access log with a filter ({name})")),
            Some(LogProvider::File(format)) => {
                known = true;
                formats.push(format);
            }
            Some(LogProvider::NotSimulated(what)) => limits.push(format!("Telemetry: the provider {name}, {what}")),
        }
    }
    if formats.len() > 1 {
        limits.push("Telemetry: more than one access log on standard output".to_owned());
    }
    match formats.pop() {
        None if !known && settings.access_log => Some(settings.log_format.clone()),
        format => format,
    }
}

/// The providers that are left once all resources are merged, by name.
fn merged(
    applicable: &[&Arc<Value>],
    settings: &MeshConfig,
    side: Side,
    limits: &mut Vec<String>,
) -> BTreeMap<String, Told> {
    let defaults = &settings.default_log_providers;
    if applicable.is_empty() {
        return defaults.iter().map(|name| (name.clone(), Told::default())).collect();
    }
    let mut in_scope: BTreeSet<String> = defaults.iter().cloned().collect();
    let mut filtered = BTreeMap::new();
    for telemetry in applicable {
        let mut names = BTreeSet::new();
        for logging in list(telemetry, "/spec/accessLogging") {
            let lacking = unknown(logging, "spec.accessLogging", &["providers", "disabled", "match", "filter"]);
            limits.extend(lacking.into_iter().map(|field| format!("{}: {field}", named(telemetry))));
            if matches(logging, side) {
                for name in providers(logging) {
                    filtered.insert(name.clone(), !text(logging, "/filter/expression").is_empty());
                    names.insert(name);
                }
            }
        }
        if !names.is_empty() {
            in_scope = names;
        }
    }
    let mut merged = BTreeMap::new();
    let mut above = defaults.clone();
    for logging in applicable.iter().flat_map(|telemetry| list(telemetry, "/spec/accessLogging")) {
        let own = providers(logging);
        if !own.is_empty() {
            above = own;
        }
        for name in above.iter().filter(|name| in_scope.contains(*name) && matches(logging, side)) {
            let disabled = logging.get("disabled") == Some(&Value::Bool(true));
            let filtered = !disabled && filtered.get(name).copied().unwrap_or_default();
            merged.insert(name.clone(), Told { disabled, filtered });
        }
    }
    merged
}

fn providers(logging: &Value) -> Vec<String> {
    list(logging, "/providers").map(|provider| text(provider, "/name").to_owned()).collect()
}

fn matches(logging: &Value, side: Side) -> bool {
    match text(logging, "/match/mode") {
        "CLIENT" => side == Side::Client,
        "SERVER" => side == Side::Server,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::testing::{mesh, sidecar};
    use serde_json::json;

    fn telemetry(namespace: &str, name: &str, spec: &Value) -> Value {
        json!({"apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry",
               "metadata": {"namespace": namespace, "name": name}, "spec": spec})
    }

    /// Which lines a sidecar of namespace `default` with label `app: sleep` writes: outbound, inbound.
    fn lines(mesh_settings: &str, resources: &[Value]) -> (bool, bool) {
        let objects = mesh(mesh_settings, resources);
        let settings = MeshConfig::from_config_map(objects.config_maps.first().map(|map| &**map));
        let mut limits = Vec::new();
        let logs = access_logs(&objects, &sidecar("default"), &settings, &mut limits);
        assert!(limits.is_empty(), "{limits:?}");
        (logs.outbound.is_some(), logs.inbound.is_some())
    }

    /// What a sidecar of the real control plane was told to log: its listeners as istiod of Istio master 86c9f01fd7 sent them, with
    /// `accessLogFile: /dev/stdout` and these entries of a resource for the namespace and of one for the workload.
    #[test]
    fn the_log_is_what_the_real_control_plane_makes_of_it() {
        let envoy = json!({"providers": [{"name": "envoy"}]});
        let envoy_off = json!({"providers": [{"name": "envoy"}], "disabled": true});
        let off = json!({"disabled": true});
        let prometheus = json!({"providers": [{"name": "prometheus"}]});
        let server_off = json!({"match": {"mode": "SERVER"}, "disabled": true});
        // (entries for the namespace, entries for the workload, outbound, inbound)
        let cases = [
            (json!([]), json!([]), (true, true)),
            (json!([envoy]), json!([]), (true, true)),
            (json!([off]), json!([]), (true, true)),
            (json!([envoy_off]), json!([]), (false, false)),
            (json!([{"providers": [{"name": "nope"}]}]), json!([]), (true, true)),
            (json!([{"match": {"mode": "CLIENT"}, "providers": [{"name": "envoy"}]}]), json!([]), (true, true)),
            (json!([server_off]), json!([]), (true, true)),
            (json!([envoy, server_off]), json!([]), (true, false)),
            (json!([{"providers": [{"name": "ENVOY"}]}]), json!([]), (true, true)),
            (json!([envoy]), json!([off]), (false, false)),
            (json!([prometheus]), json!([envoy_off]), (false, false)),
            (json!([prometheus]), json!([prometheus]), (true, true)),
        ];
        for (wide, own, expected) in cases {
            let resources = [
                telemetry("default", "wide", &json!({"accessLogging": wide})),
                telemetry(
                    "default",
                    "own",
                    &json!({"selector": {"matchLabels": {"app": "sleep"}}, "accessLogging": own}),
                ),
            ];
            assert_eq!(lines("accessLogFile: /dev/stdout\n", &resources), expected, "{resources:?}");
        }
    }

    /// The rules are those of istiod's `mergeLogs`, for what was not recorded.
    #[test]
    fn the_last_word_on_the_log_counts() {
        let envoy = json!({"accessLogging": [{"providers": [{"name": "envoy"}]}]});
        let off = json!({"accessLogging": [{"disabled": true}]});
        let of_sleep = |mut spec: Value| {
            spec["selector"] = json!({"matchLabels": {"app": "sleep"}});
            spec
        };
        let root = |spec: &Value| telemetry("istio-system", "mesh-default", spec);
        let own = |spec: &Value| telemetry("default", "own", spec);
        let silent = "outboundTrafficPolicy: {mode: ALLOW_ANY}\n";
        let by_default = "defaultProviders: {accessLogging: [envoy]}\n";
        let client = json!({"accessLogging": [{"match": {"mode": "CLIENT"}, "providers": [{"name": "envoy"}]}]});
        // (what, settings, resources, outbound, inbound)
        let cases = [
            ("nothing is said", silent, vec![], (false, false)),
            ("a resource for the mesh", silent, vec![root(&envoy)], (true, true)),
            ("a default provider", by_default, vec![], (true, true)),
            ("switched off in the namespace", silent, vec![root(&envoy), own(&off)], (false, false)),
            ("the default switched off", by_default, vec![own(&off)], (false, false)),
            ("for one workload", silent, vec![own(&of_sleep(envoy.clone()))], (true, true)),
            ("of another namespace", silent, vec![telemetry("shop", "own", &envoy)], (false, false)),
            ("a selector in the root namespace", silent, vec![root(&of_sleep(envoy.clone()))], (false, false)),
            ("one side", silent, vec![root(&client)], (true, false)),
        ];
        for (what, settings, resources, expected) in cases {
            assert_eq!(lines(settings, &resources), expected, "{what}");
        }
    }
}
