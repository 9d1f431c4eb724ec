//! What an injected pod gets: the containers, volumes, labels and annotations of Istio's template.
//!
//! Invariant: what is injected is what Istio's default install injects, recorded in `injected.json`.

use super::{Injector, PROXY_CONTAINER};
use crate::store::meta;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The image of the sidecar and of the container that redirects traffic to it.
const PROXY_IMAGE: &str = "docker.io/istio/proxyv2:1.30.3";

/// The volumes of the sidecar, in the order in which the status annotation lists them.
const VOLUMES: [&str; 9] = [
    "workload-socket",
    "credential-socket",
    "workload-certs",
    "istio-envoy",
    "istio-data",
    "istio-podinfo",
    "istio-token",
    "istiod-ca-cert",
    "istio-ca-crl",
];

/// Adds the sidecar of this control plane to a pod.
pub(in crate::admission) fn inject(injector: &Injector, namespace: &str, pod: &mut Value) {
    let workload = Workload::of(pod);
    let native = match meta::annotation(pod, "sidecar.istio.io/nativeSidecar") {
        Some(choice) => choice != "false",
        None => injector.native,
    };
    let scraped = scraped(pod);
    label(pod, &workload);
    annotate(pod, injector, native);
    let init = init_container(pod);
    let mut proxy = proxy_container(injector, namespace, pod, &workload, native);
    if let (Some(scraped), Some(env)) = (scraped, proxy["env"].as_array_mut()) {
        env.push(json!({"name": "ISTIO_PROMETHEUS_ANNOTATIONS", "value": scraped}));
    }
    let spec = meta::child(pod, "spec");
    if native {
        // What the pod's own init containers do goes through the sidecar.
        insert(spec, "initContainers", 0, proxy);
        insert(spec, "initContainers", 0, init);
    } else {
        insert(spec, "initContainers", usize::MAX, init);
        insert(spec, "containers", usize::MAX, proxy);
    }
    let mut volumes = volumes();
    if let Some(own) = spec.get("volumes").and_then(Value::as_array) {
        volumes.extend(own.iter().cloned());
    }
    spec.insert("volumes".to_owned(), volumes.into());
}

fn label(pod: &mut Value, workload: &Workload) {
    let first = |pod: &Value, keys: &[&str], other: &str| {
        keys.iter().find_map(|key| meta::label(pod, key)).unwrap_or(other).to_owned()
    };
    let name = first(pod, &["app.kubernetes.io/name", "app"], &workload.name);
    let revision = first(pod, &["app.kubernetes.io/version", "version"], "latest");
    set_absent(pod, "labels", "security.istio.io/tlsMode", "istio");
    set_absent(pod, "labels", "service.istio.io/canonical-name", &name);
    set_absent(pod, "labels", "service.istio.io/canonical-revision", &revision);
}

/// Where the application itself offers metrics, if its annotations say so.
fn scraped(pod: &Value) -> Option<String> {
    let [scrape, path, port] =
        ["scrape", "path", "port"].map(|key| meta::annotation(pod, &format!("prometheus.io/{key}")).map(str::to_owned));
    if scrape.as_deref() == Some("false") || [&scrape, &path, &port].iter().all(|value| value.is_none()) {
        return None;
    }
    let shown = |value: Option<String>| Value::from(value.unwrap_or_default());
    Some(format!("{{\"scrape\":{},\"path\":{},\"port\":{}}}", shown(scrape), shown(path), shown(port)))
}

fn annotate(pod: &mut Value, injector: &Injector, native: bool) {
    let first = containers(pod).next().unwrap_or_default().to_owned();
    set_absent(pod, "annotations", "kubectl.kubernetes.io/default-container", &first);
    set_absent(pod, "annotations", "kubectl.kubernetes.io/default-logs-container", &first);
    let status = json!({
        "initContainers": if native { json!(["istio-init", PROXY_CONTAINER]) } else { json!(["istio-init"]) },
        "containers": if native { Value::Null } else { json!([PROXY_CONTAINER]) },
        "volumes": VOLUMES, "imagePullSecrets": null, "revision": injector.revision,
    });
    let mut set = vec![("istio.io/rev", injector.revision.clone()), ("sidecar.istio.io/status", status.to_string())];
    // The sidecar offers the application's metrics beside its own.
    if meta::annotation(pod, "prometheus.io/scrape") != Some("false") {
        let metrics = [("path", "/stats/prometheus"), ("port", "15020"), ("scrape", "true")];
        set.extend(metrics.map(|(key, value)| {
            let key = match key {
                "path" => "prometheus.io/path",
                "port" => "prometheus.io/port",
                _ => "prometheus.io/scrape",
            };
            (key, value.to_owned())
        }));
    }
    let annotations = meta::metadata(pod).entry("annotations").or_insert_with(|| Map::new().into());
    if let Some(annotations) = annotations.as_object_mut() {
        for (key, value) in set {
            annotations.insert(key.to_owned(), value.into());
        }
    }
}

fn set_absent(pod: &mut Value, map: &str, key: &str, value: &str) {
    let entry = meta::metadata(pod).entry(map).or_insert_with(|| Map::new().into());
    if let Some(map) = entry.as_object_mut() {
        map.entry(key).or_insert_with(|| value.into());
    }
}

/// Puts an item into a list of the spec, at the end if the place is beyond it.
fn insert(spec: &mut Map<String, Value>, list: &str, at: usize, item: Value) {
    if let Some(items) = spec.entry(list).or_insert_with(|| json!([])).as_array_mut() {
        items.insert(at.min(items.len()), item);
    }
}

/// The names of the pod's own containers.
fn containers(pod: &Value) -> impl Iterator<Item = &str> {
    let all = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|container| container.get("name")?.as_str())
}

/// Who made a pod, as the webhook derives it.
struct Workload {
    name: String,
    api_version: String,
    /// The kind as it stands in paths: `deployments`.
    plural: String,
}

impl Workload {
    fn of(pod: &Value) -> Self {
        let Some(owner) = meta::controller(pod) else {
            let name = meta::name(pod).to_owned();
            return Self { name, api_version: "v1".to_owned(), plural: "pods".to_owned() };
        };
        let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        let (mut name, mut kind) = (text("name"), text("kind"));
        // A ReplicaSet is named after its Deployment and the hash of the template.
        let template = meta::label(pod, "pod-template-hash").filter(|_| kind == "ReplicaSet");
        if let Some(deployment) = template.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-')) {
            (name, kind) = (deployment, "Deployment");
        }
        let plural = format!("{}s", kind.to_ascii_lowercase());
        Self { name: name.to_owned(), api_version: text("apiVersion").to_owned(), plural }
    }
}

/// The ports of the application, as the template writes them.
fn application_ports(pod: &Value) -> String {
    let all = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let ports = all.filter_map(|container| container.get("ports")?.as_array()).flatten();
    let shown = ports.map(|port| {
        let fields = ["name", "hostPort", "containerPort", "protocol", "hostIP"];
        let given = fields.iter().filter_map(|key| {
            let value = port.get(key).cloned().or((*key == "protocol").then(|| "TCP".into()))?;
            Some(format!("\"{key}\":{value}"))
        });
        format!("{{{}}}", given.collect::<Vec<_>>().join(","))
    });
    let shown: Vec<String> = shown.collect();
    let lines = shown.iter().enumerate().map(|(at, port)| format!("    {}{port}\n", if at == 0 { "" } else { "," }));
    format!("[\n{}]", lines.collect::<String>())
}

/// What of a pod's traffic goes through its sidecar: a flag of `istio-iptables`, the annotation that sets it, its default.
/// As in the template of Istio's injection; a flag without a default is left out where the annotation is absent.
const INTERCEPTION: [(&str, &str, Option<&str>); 6] = [
    ("-i", "includeOutboundIPRanges", Some("*")),
    ("-x", "excludeOutboundIPRanges", Some("")),
    ("-b", "includeInboundPorts", Some("*")),
    ("-d", "excludeInboundPorts", Some("")),
    ("-q", "includeOutboundPorts", None),
    ("-o", "excludeOutboundPorts", None),
];

fn init_container(pod: &Value) -> Value {
    let fixed = ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT"];
    let mut args: Vec<String> = fixed.map(str::to_owned).to_vec();
    for (flag, annotation, default) in INTERCEPTION {
        let key = format!("traffic.sidecar.istio.io/{annotation}");
        if let Some(value) = meta::annotation(pod, &key).or(default) {
            // The sidecar's own ports are never redirected.
            let own = match (flag, value) {
                ("-d", "") => "15090,15021,15020".to_owned(),
                ("-d", value) => format!("15090,15021,{value},15020"),
                _ => value.to_owned(),
            };
            args.extend([flag.to_owned(), own]);
        }
    }
    args.push("--log_output_level=default:info".to_owned());
    json!({
        "name": "istio-init",
        "image": PROXY_IMAGE,
        "args": args,
        "resources": resources(pod),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
            "privileged": false, "readOnlyRootFilesystem": false, "runAsGroup": 0, "runAsNonRoot": false, "runAsUser": 0,
        },
    })
}

/// What the sidecar may use: what the pod's annotations say, or what an install says.
fn resources(pod: &Value) -> Value {
    let own = |suffix: &str| meta::annotation(pod, &format!("sidecar.istio.io/proxy{suffix}"));
    let mut given = Map::new();
    for (kind, cpu, memory) in
        [("requests", own("CPU"), own("Memory")), ("limits", own("CPULimit"), own("MemoryLimit"))]
    {
        let amounts = [("cpu", cpu), ("memory", memory)];
        let amounts: Map<String, Value> =
            amounts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect();
        if !amounts.is_empty() {
            given.insert(kind.to_owned(), amounts.into());
        }
    }
    if given.is_empty() {
        return json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "128Mi"}});
    }
    given.into()
}

/// The address of a revision's control plane.
fn address(revision: &str) -> String {
    let suffix = if revision == "default" { String::new() } else { format!("-{revision}") };
    format!("istiod{suffix}.istio-system.svc:15012")
}

fn environment(injector: &Injector, namespace: &str, pod: &Value, workload: &Workload) -> Value {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let limit = |name: &str, resource: &str| json!({"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": "1"}}});
    let address = address(&injector.revision);
    let settings = match injector.revision.as_str() {
        "default" => "{}\n".to_owned(),
        _ => format!("{}\n", json!({"discoveryAddress": address})),
    };
    let Workload { name, api_version, plural } = workload;
    json!([
        {"name": "PILOT_CERT_PROVIDER", "value": "istiod"},
        {"name": "CA_ADDR", "value": address},
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("INSTANCE_IP", "status.podIP"),
        field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        field("HOST_IP", "status.hostIP"),
        limit("ISTIO_CPU_LIMIT", "limits.cpu"),
        {"name": "PROXY_CONFIG", "value": settings},
        {"name": "ISTIO_META_POD_PORTS", "value": application_ports(pod)},
        {"name": "ISTIO_META_APP_CONTAINERS", "value": containers(pod).collect::<Vec<_>>().join(",")},
        limit("GOMEMLIMIT", "limits.memory"),
        {"name": "ISTIO_META_CLUSTER_ID", "value": "Kubernetes"},
        field("ISTIO_META_NODE_NAME", "spec.nodeName"),
        {"name": "ISTIO_META_INTERCEPTION_MODE", "value": "REDIRECT"},
        {"name": "ISTIO_META_WORKLOAD_NAME", "value": name},
        {"name": "ISTIO_META_OWNER",
            "value": format!("kubernetes://apis/{api_version}/namespaces/{namespace}/{plural}/{name}")},
        {"name": "ISTIO_META_MESH_ID", "value": "cluster.local"},
        {"name": "TRUST_DOMAIN", "value": "cluster.local"},
    ])
}

fn proxy_container(injector: &Injector, namespace: &str, pod: &Value, workload: &Workload, native: bool) -> Value {
    let mounts: Vec<Value> = [
        ("workload-socket", "/var/run/secrets/workload-spiffe-uds"),
        ("credential-socket", "/var/run/secrets/credential-uds"),
        ("workload-certs", "/var/run/secrets/workload-spiffe-credentials"),
        ("istiod-ca-cert", "/var/run/secrets/istio"),
        ("istio-ca-crl", "/var/run/secrets/istio/crl"),
        ("istio-data", "/var/lib/istio/data"),
        ("istio-envoy", "/etc/istio/proxy"),
        ("istio-token", "/var/run/secrets/tokens"),
        ("istio-podinfo", "/etc/istio/pod"),
    ]
    .iter()
    .map(|(name, path)| json!({"name": name, "mountPath": path}))
    .collect();
    let health = json!({"path": "/healthz/ready", "port": 15021});
    let mut container = json!({
        "name": PROXY_CONTAINER,
        "image": PROXY_IMAGE,
        "args": [
            "proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--proxyLogLevel=warning",
            "--proxyComponentLogLevel=misc:error", "--log_output_level=default:info",
        ],
        "ports": [{"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}],
        "env": environment(injector, namespace, pod, workload),
        "resources": resources(pod),
        "volumeMounts": mounts,
        "readinessProbe": {"httpGet": health, "timeoutSeconds": 3, "periodSeconds": 15, "failureThreshold": 4},
        "startupProbe": {"httpGet": health, "timeoutSeconds": 3, "periodSeconds": 1, "failureThreshold": 600},
        "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "privileged": false,
            "readOnlyRootFilesystem": true, "runAsGroup": 1337, "runAsNonRoot": true, "runAsUser": 1337,
        },
    });
    if native {
        let drain = ["pilot-agent", "request", "--debug-port=15020", "POST", "drain"];
        container["restartPolicy"] = "Always".into();
        container["lifecycle"] = json!({"preStop": {"exec": {"command": drain}}});
    }
    container
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
        // The lab's control plane keeps no copy of its certificate in each namespace.
        ("istiod-ca-cert", json!({"configMap": {"name": "istio-ca-root-cert", "optional": true}})),
        ("istio-ca-crl", json!({"configMap": {"name": "istio-ca-crl", "optional": true}})),
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

    /// Pods and what became of them, recorded on 2026-11-26 with `kubectl create --dry-run=server` from Istio master 86c9f01fd7 on a
    /// node of Kubernetes 1.36.
    const RECORDED: &str = include_str!("injected.json");

    /// Takes away what an API server fills in or chooses.
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                let filled = [
                    "terminationMessagePath",
                    "terminationMessagePolicy",
                    "imagePullPolicy",
                    "apiVersion",
                    "successThreshold",
                    "scheme",
                    "defaultMode",
                    "optional",
                ];
                let empty = |key: &str, value: &Value| key == "resources" && *value == json!({});
                map.retain(|key, value| !(filled.contains(&key.as_str()) || empty(key, value)));
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => {
                items.retain(|item| !item["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access")));
                items.iter_mut().for_each(strip);
            }
            _ => {}
        }
    }

    fn shown(pod: &Value) -> Value {
        let mut all = json!({
            "labels": pod["metadata"]["labels"], "annotations": pod["metadata"]["annotations"],
            "initContainers": pod["spec"]["initContainers"], "containers": pod["spec"]["containers"],
            "volumes": pod["spec"]["volumes"],
        });
        strip(&mut all);
        for list in ["initContainers", "containers"] {
            for container in all[list].as_array_mut().into_iter().flatten() {
                if container["volumeMounts"] == json!([]) {
                    container.as_object_mut().unwrap().remove("volumeMounts");
                }
            }
        }
        all
    }

    #[test]
    fn pods_become_what_they_became_in_a_real_mesh() {
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let injector = Injector { revision: "default".to_owned(), native: true };
        for (name, case) in recorded.as_object().unwrap() {
            let mut pod = case["pod"].clone();
            inject(&injector, "inj-enabled", &mut pod);
            assert_eq!(shown(&pod), shown(&case["injected"]), "{name}");
        }
    }

    #[test]
    fn a_revision_is_asked_at_its_own_address() {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}});
        inject(&Injector { revision: "1-30".to_owned(), native: false }, "default", &mut pod);
        assert_eq!(pod["metadata"]["annotations"]["istio.io/rev"], "1-30");
        let env = pod["spec"]["containers"][1]["env"].as_array().unwrap();
        let value = |name: &str| env.iter().find(|one| one["name"] == name).map(|one| one["value"].clone()).unwrap();
        assert_eq!(value("CA_ADDR"), "istiod-1-30.istio-system.svc:15012");
        assert_eq!(value("PROXY_CONFIG"), "{\"discoveryAddress\":\"istiod-1-30.istio-system.svc:15012\"}\n");
    }
}
