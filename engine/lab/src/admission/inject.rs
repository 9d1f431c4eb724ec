//! Sidecar injection, as Istio's webhook does it: which pods, and what they get.
//!
//! Invariant: a pod that has a container `istio-proxy` already is left alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::store::meta;

/// The image of the sidecar and of the container that redirects traffic to it.
pub(crate) const PROXY_IMAGE: &str = "docker.io/istio/proxyv2:1.30.3";

/// Name of the sidecar's container.
pub(crate) const PROXY_CONTAINER: &str = "istio-proxy";

/// Namespaces that the webhook never touches.
const IGNORED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "istio-system"];

/// The volumes of the sidecar, in the order in which the status annotation lists them.
const VOLUMES: [&str; 8] = [
    "workload-socket",
    "credential-socket",
    "workload-certs",
    "istio-envoy",
    "istio-data",
    "istio-podinfo",
    "istio-token",
    "istiod-ca-cert",
];

/// Whether a pod in this namespace gets a sidecar. The namespace's labels choose; the pod's own label or, for old manifests, its
/// annotation `sidecar.istio.io/inject` overrules them either way.
pub(super) fn wanted(namespace: &Value, pod: &Value) -> bool {
    const KEY: &str = "sidecar.istio.io/inject";
    if IGNORED.contains(&meta::name(namespace))
        || pod.pointer("/spec/hostNetwork").and_then(Value::as_bool) == Some(true)
        || has_sidecar(pod)
    {
        return false;
    }
    let by_namespace = match meta::label(namespace, "istio-injection") {
        Some("enabled") => Some(true),
        Some(_) => Some(false),
        None => meta::label(namespace, "istio.io/rev").map(|_| true),
    };
    // A namespace that is switched off cannot be overruled by a pod.
    match (by_namespace, meta::label(pod, KEY).or_else(|| meta::annotation(pod, KEY))) {
        (Some(false), _) | (_, Some("false")) | (None, None) => false,
        (Some(true), _) => true,
        (None, Some(choice)) => choice == "true",
    }
}

/// Whether the pod runs a sidecar.
pub(crate) fn has_sidecar(pod: &Value) -> bool {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    containers.into_iter().flatten().any(|container| container["name"] == PROXY_CONTAINER)
}

/// Adds the sidecar to a pod.
pub(super) fn inject(namespace: &str, pod: &mut Value) {
    let first = pod.pointer("/spec/containers/0/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let workload = workload_name(pod);
    let ports = application_ports(pod);
    let canonical = canonical_name(pod, &workload);

    set_absent(pod, "labels", "security.istio.io/tlsMode", "istio");
    set_absent(pod, "labels", "service.istio.io/canonical-name", &canonical);
    let revision = meta::label(pod, "version").unwrap_or("latest").to_owned();
    set_absent(pod, "labels", "service.istio.io/canonical-revision", &revision);
    let status = json!({
        "initContainers": ["istio-init"], "containers": [PROXY_CONTAINER], "volumes": VOLUMES,
        "imagePullSecrets": null, "revision": "default",
    });
    for (key, value) in [
        ("istio.io/rev", "default"),
        ("kubectl.kubernetes.io/default-container", &first),
        ("kubectl.kubernetes.io/default-logs-container", &first),
        ("prometheus.io/path", "/stats/prometheus"),
        ("prometheus.io/port", "15020"),
        ("prometheus.io/scrape", "true"),
        ("sidecar.istio.io/status", &status.to_string()),
    ] {
        set_absent(pod, "annotations", key, value);
    }

    let init = init_container(pod);
    let spec = meta::child(pod, "spec");
    push(spec, "initContainers", init);
    push(spec, "containers", proxy_container(namespace, &workload, &first, &ports));
    let mut volumes = volumes();
    if let Some(own) = spec.get("volumes").and_then(Value::as_array) {
        volumes.extend(own.iter().cloned());
    }
    spec.insert("volumes".to_owned(), volumes.into());
}

fn set_absent(pod: &mut Value, map: &str, key: &str, value: &str) {
    let entry = meta::metadata(pod).entry(map).or_insert_with(|| Map::new().into());
    if let Some(map) = entry.as_object_mut() {
        map.entry(key).or_insert_with(|| value.into());
    }
}

fn push(spec: &mut Map<String, Value>, list: &str, item: Value) {
    if let Some(items) = spec.entry(list).or_insert_with(|| json!([])).as_array_mut() {
        items.push(item);
    }
}

/// The name of the Deployment behind a pod, as the webhook derives it: the ReplicaSet's name without the template's hash.
fn workload_name(pod: &Value) -> String {
    let owner = meta::controller(pod).and_then(|owner| owner.get("name")).and_then(Value::as_str);
    let Some(owner) = owner else { return meta::name(pod).to_owned() };
    match meta::label(pod, "pod-template-hash") {
        Some(hash) => owner.strip_suffix(hash).and_then(|name| name.strip_suffix('-')).unwrap_or(owner).to_owned(),
        None => owner.to_owned(),
    }
}

fn canonical_name(pod: &Value, workload: &str) -> String {
    ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]
        .iter()
        .find_map(|key| meta::label(pod, key))
        .unwrap_or(workload)
        .to_owned()
}

fn application_ports(pod: &Value) -> Vec<Value> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let ports = containers.into_iter().flatten().filter_map(|container| container.get("ports")?.as_array());
    ports.flatten().cloned().collect()
}

/// What of a pod's traffic goes through its sidecar: a flag of `istio-iptables`, the annotation that sets it, its default.
/// As in the template of Istio's injection; a flag without a default is left out where the annotation is absent.
const INTERCEPTION: [(&str, &str, Option<&str>); 6] = [
    ("-i", "includeOutboundIPRanges", Some("*")),
    ("-x", "excludeOutboundIPRanges", Some("")),
    ("-b", "includeInboundPorts", Some("*")),
    ("-d", "excludeInboundPorts", Some("15090,15021,15020")),
    ("-q", "includeOutboundPorts", None),
    ("-o", "excludeOutboundPorts", None),
];

fn init_container(pod: &Value) -> Value {
    let mut args = vec!["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT"];
    for (flag, annotation, default) in INTERCEPTION {
        let key = format!("traffic.sidecar.istio.io/{annotation}");
        if let Some(value) = meta::annotation(pod, &key).or(default) {
            args.extend([flag, value]);
        }
    }
    args.push("--log_output_level=default:info");
    json!({
        "name": "istio-init",
        "image": PROXY_IMAGE,
        "args": args,
        "resources": resources(),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
            "privileged": false, "readOnlyRootFilesystem": false, "runAsGroup": 0, "runAsNonRoot": false, "runAsUser": 0,
        },
    })
}

fn resources() -> Value {
    json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "10m", "memory": "40Mi"}})
}

fn proxy_container(namespace: &str, workload: &str, application: &str, ports: &[Value]) -> Value {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let owner = format!("kubernetes://apis/apps/v1/namespaces/{namespace}/deployments/{workload}");
    let env = json!([
        {"name": "PILOT_CERT_PROVIDER", "value": "istiod"},
        {"name": "CA_ADDR", "value": "istiod.istio-system.svc:15012"},
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("INSTANCE_IP", "status.podIP"),
        field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        field("HOST_IP", "status.hostIP"),
        {"name": "PROXY_CONFIG", "value": "{}\n"},
        {"name": "ISTIO_META_POD_PORTS", "value": Value::from(ports.to_vec()).to_string()},
        {"name": "ISTIO_META_APP_CONTAINERS", "value": application},
        {"name": "ISTIO_META_CLUSTER_ID", "value": "Kubernetes"},
        field("ISTIO_META_NODE_NAME", "spec.nodeName"),
        {"name": "ISTIO_META_INTERCEPTION_MODE", "value": "REDIRECT"},
        {"name": "ISTIO_META_WORKLOAD_NAME", "value": workload},
        {"name": "ISTIO_META_OWNER", "value": owner},
        {"name": "ISTIO_META_MESH_ID", "value": "cluster.local"},
        {"name": "TRUST_DOMAIN", "value": "cluster.local"},
    ]);
    let mounts: Vec<Value> = [
        ("workload-socket", "/var/run/secrets/workload-spiffe-uds"),
        ("credential-socket", "/var/run/secrets/credential-uds"),
        ("workload-certs", "/var/run/secrets/workload-spiffe-credentials"),
        ("istiod-ca-cert", "/var/run/secrets/istio"),
        ("istio-data", "/var/lib/istio/data"),
        ("istio-envoy", "/etc/istio/proxy"),
        ("istio-token", "/var/run/secrets/tokens"),
        ("istio-podinfo", "/etc/istio/pod"),
    ]
    .iter()
    .map(|(name, path)| json!({"name": name, "mountPath": path}))
    .collect();
    let health = json!({"path": "/healthz/ready", "port": 15021});
    json!({
        "name": PROXY_CONTAINER,
        "image": PROXY_IMAGE,
        "args": [
            "proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--proxyLogLevel=warning",
            "--proxyComponentLogLevel=misc:error", "--log_output_level=default:info",
        ],
        "ports": [{"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}],
        "env": env,
        "resources": resources(),
        "volumeMounts": mounts,
        "readinessProbe": {"httpGet": health, "timeoutSeconds": 3, "periodSeconds": 15, "failureThreshold": 4},
        "startupProbe": {"httpGet": health, "timeoutSeconds": 3, "periodSeconds": 1, "failureThreshold": 600},
        "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "privileged": false,
            "readOnlyRootFilesystem": true, "runAsGroup": 1337, "runAsNonRoot": true, "runAsUser": 1337,
        },
    })
}

fn volumes() -> Vec<Value> {
    let podinfo = json!([
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}},
    ]);
    let token =
        json!([{"serviceAccountToken": {"path": "istio-token", "expirationSeconds": 43200, "audience": "istio-ca"}}]);
    let source = BTreeMap::from([
        ("istio-envoy", json!({"emptyDir": {"medium": "Memory"}})),
        ("istio-podinfo", json!({"downwardAPI": {"items": podinfo}})),
        ("istio-token", json!({"projected": {"sources": token}})),
        ("istiod-ca-cert", json!({"configMap": {"name": "istio-ca-root-cert", "optional": true}})),
    ]);
    let volume = |name: &&str| {
        let mut volume = Map::new();
        volume.insert("name".to_owned(), (*name).into());
        match source.get(*name).and_then(Value::as_object) {
            Some(source) => volume.extend(source.clone()),
            None => {
                volume.insert("emptyDir".to_owned(), json!({}));
            }
        }
        Value::Object(volume)
    };
    VOLUMES.iter().map(volume).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_choose_the_pods() {
        let namespace = |labels: Value| json!({"metadata": {"name": "n", "labels": labels}});
        let pod = |labels: Value| json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}]}});
        let cases = [
            (json!({}), json!({}), false),
            (json!({"istio-injection": "enabled"}), json!({}), true),
            (json!({"istio-injection": "enabled"}), json!({"sidecar.istio.io/inject": "false"}), false),
            (json!({"istio-injection": "disabled"}), json!({"sidecar.istio.io/inject": "true"}), false),
            (json!({"istio.io/rev": "default"}), json!({}), true),
            (json!({}), json!({"sidecar.istio.io/inject": "true"}), true),
        ];
        for (of_namespace, of_pod, expected) in cases {
            let case = format!("{of_namespace} {of_pod}");
            assert_eq!(wanted(&namespace(of_namespace), &pod(of_pod)), expected, "{case}");
        }
    }

    #[test]
    fn an_injected_pod_looks_like_one() {
        let mut pod = json!({
            "metadata": {
                "name": "sleep-5b7-x", "labels": {"app": "sleep", "pod-template-hash": "5b7"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "sleep-5b7", "controller": true}],
            },
            "spec": {"containers": [{"name": "sleep", "image": "curlimages/curl"}]},
        });
        inject("default", &mut pod);
        assert!(has_sidecar(&pod));
        assert!(!wanted(&json!({"metadata": {"name": "n", "labels": {"istio-injection": "enabled"}}}), &pod));
        assert_eq!(pod["spec"]["containers"][0]["name"], "sleep");
        assert_eq!(pod["spec"]["initContainers"][0]["name"], "istio-init");
        assert_eq!(meta::annotation(&pod, "kubectl.kubernetes.io/default-container"), Some("sleep"));
        assert_eq!(meta::label(&pod, "service.istio.io/canonical-name"), Some("sleep"));
        let env = pod["spec"]["containers"][1]["env"].as_array().unwrap();
        assert!(env.iter().any(|entry| entry["name"] == "ISTIO_META_WORKLOAD_NAME" && entry["value"] == "sleep"));
        let mounted = pod["spec"]["containers"][1]["volumeMounts"].as_array().unwrap();
        let volumes = pod["spec"]["volumes"].as_array().unwrap();
        assert!(mounted.iter().all(|mount| volumes.iter().any(|volume| volume["name"] == mount["name"])));
    }

    #[test]
    fn annotations_say_what_goes_through_the_sidecar() {
        let mut pod = json!({
            "metadata": {"name": "p", "annotations": {
                "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.0.0.0/8",
                "traffic.sidecar.istio.io/excludeOutboundPorts": "3128",
            }},
            "spec": {"containers": [{"name": "a", "image": "curlimages/curl"}]},
        });
        inject("default", &mut pod);
        let args: Vec<&str> =
            pod["spec"]["initContainers"][0]["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let after = |flag| args.iter().position(|arg| *arg == flag).map(|at| args[at + 1]);
        assert_eq!(
            (after("-i"), after("-x"), after("-o"), after("-q")),
            (Some("*"), Some("10.0.0.0/8"), Some("3128"), None)
        );
    }
}
