//! Defaults of the kinds that are neither workloads nor Services: storage, policies, networks, webhooks.
//!
//! Invariant: facts of Kubernetes 1.36, as a real server writes them.

use serde_json::{Map, Value, json};

use super::{items, pod_spec, set};
use crate::store::meta;

/// `template` of the object itself.
pub(super) fn pod_template(object: &mut Value) {
    if let Some(map) = object.as_object_mut() {
        pod_spec::template(map);
    }
}

pub(super) fn replication_controller(object: &mut Value) {
    let spec = meta::child(object, "spec");
    set(spec, "replicas", 1);
    if !spec.get("template").is_some_and(Value::is_object) {
        return;
    }
    pod_spec::template(spec);
    let labels = spec.get("template").and_then(|template| template.pointer("/metadata/labels")).cloned();
    let chosen = spec.get("selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty());
    if let Some(labels) = labels.filter(|_| !chosen) {
        spec.insert("selector".to_owned(), labels);
    }
}

pub(super) fn volume(object: &mut Value) {
    let spec = meta::child(object, "spec");
    if let Some(path) = spec.get_mut("hostPath").and_then(Value::as_object_mut) {
        set(path, "type", "");
    }
    set(spec, "persistentVolumeReclaimPolicy", "Retain");
    set(spec, "volumeMode", "Filesystem");
}

pub(super) fn storage_class(object: &mut Value) {
    if let Some(map) = object.as_object_mut() {
        set(map, "reclaimPolicy", "Delete");
        set(map, "volumeBindingMode", "Immediate");
    }
}

pub(super) fn priority_class(object: &mut Value) {
    if let Some(map) = object.as_object_mut() {
        set(map, "preemptionPolicy", "PreemptLowerPriority");
    }
}

pub(super) fn autoscaler(object: &mut Value) {
    let spec = meta::child(object, "spec");
    set(spec, "minReplicas", 1);
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".to_owned(), json!([metric]));
    }
    let Some(behavior) = spec.get_mut("behavior").and_then(Value::as_object_mut) else { return };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let up = [json!({"type": "Pods", "value": 4, "periodSeconds": 15}), percent.clone()];
    for (direction, policies) in [("scaleUp", json!(up)), ("scaleDown", json!([percent]))] {
        let rules = behavior.entry(direction).or_insert_with(|| json!({}));
        let Some(rules) = rules.as_object_mut() else { continue };
        if direction == "scaleUp" {
            set(rules, "stabilizationWindowSeconds", 0);
        }
        set(rules, "selectPolicy", "Max");
        set(rules, "policies", policies);
    }
}

pub(super) fn network_policy(object: &mut Value) {
    let spec = meta::child(object, "spec");
    for direction in ["ingress", "egress"] {
        for rule in items(spec, direction) {
            for port in items(rule, "ports") {
                set(port, "protocol", "TCP");
            }
        }
    }
    if spec.get("policyTypes").is_none_or(Value::is_null) {
        let outward = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
        let types = if outward { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        spec.insert("policyTypes".to_owned(), types);
    }
}

pub(super) fn endpoints(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    for subset in items(map, "subsets") {
        for port in items(subset, "ports") {
            set(port, "protocol", "TCP");
        }
    }
}

pub(super) fn endpoint_slice(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    for port in items(map, "ports") {
        set(port, "name", "");
        set(port, "protocol", "TCP");
    }
}

pub(super) fn limit_range(object: &mut Value) {
    for limit in items(meta::child(object, "spec"), "limits") {
        if limit.get("type").and_then(Value::as_str) != Some("Container") {
            continue;
        }
        copy_missing(limit, "max", "default");
        copy_missing(limit, "default", "defaultRequest");
        copy_missing(limit, "min", "defaultRequest");
    }
}

/// Adds what `from` has and `to` lacks.
fn copy_missing(limit: &mut Map<String, Value>, from: &str, to: &str) {
    let Some(source) = limit.get(from).and_then(Value::as_object).filter(|map| !map.is_empty()).cloned() else {
        return;
    };
    if let Some(target) = limit.entry(to).or_insert_with(|| json!({})).as_object_mut() {
        for (name, amount) in source {
            set(target, &name, amount);
        }
    }
}

/// The webhooks of an admission configuration.
pub(super) fn webhooks(object: &mut Value, mutating: bool) {
    let Some(map) = object.as_object_mut() else { return };
    for hook in items(map, "webhooks") {
        set(hook, "failurePolicy", "Fail");
        set(hook, "matchPolicy", "Equivalent");
        set(hook, "namespaceSelector", json!({}));
        set(hook, "objectSelector", json!({}));
        set(hook, "timeoutSeconds", 10);
        if mutating {
            set(hook, "reinvocationPolicy", "Never");
        }
        for rule in items(hook, "rules") {
            set(rule, "scope", "*");
        }
        let service = hook.get_mut("clientConfig").and_then(|config| config.get_mut("service"));
        if let Some(service) = service.and_then(Value::as_object_mut) {
            set(service, "port", 443);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a default makes of an object.
    fn filled(fill: fn(&mut Value), mut object: Value) -> Value {
        fill(&mut object);
        let once = object.clone();
        fill(&mut object);
        assert_eq!(object, once, "filling in twice changes nothing");
        object
    }

    #[test]
    fn defaults_are_as_recorded() {
        let hpa = filled(autoscaler, json!({"spec": {"maxReplicas": 3}}));
        assert_eq!(
            (&hpa["spec"]["minReplicas"], &hpa["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"]),
            (&json!(1), &json!(80))
        );
        let policy = filled(network_policy, json!({"spec": {"egress": [{"ports": [{"port": 53}]}]}}));
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        assert_eq!(policy["spec"]["egress"][0]["ports"][0]["protocol"], "TCP");
        let limits = filled(
            limit_range,
            json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}}]}}),
        );
        assert_eq!(limits["spec"]["limits"][0]["defaultRequest"], json!({"cpu": "1", "memory": "1Mi"}));
    }
}
