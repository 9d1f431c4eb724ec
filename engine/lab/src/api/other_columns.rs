//! What `kubectl get` shows of nodes, events, storage, access, scaling and the network.
//!
//! Columns and cells are those of kube-apiserver v1.36.2.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::cells::{age, at, joined, list, number, pairs, since, template_list, text};
use super::columns::{Row, shown, wide};
use super::scale::selector_text;
use crate::store::meta;

const NAME: Row = shown("Name", |object, _| meta::name(object).into());
const AGE: Row = shown("Age", age);

/// The columns of a kind; None for one that has nothing but its name and its age to show.
pub(super) fn other_rows(group: &str, plural: &str) -> Option<Vec<Row>> {
    Some(match (group, plural) {
        ("", "nodes") => nodes(),
        ("" | "events.k8s.io", "events") => events(),
        ("", "replicationcontrollers") => replication_controllers(),
        ("", "persistentvolumeclaims") => claims(),
        ("", "persistentvolumes") => volumes(),
        ("storage.k8s.io", "storageclasses") => storage_classes(),
        ("", "limitranges") | ("rbac.authorization.k8s.io", "roles" | "clusterroles") => {
            vec![NAME, shown("Created At", |object, _| text(object, "/metadata/creationTimestamp"))]
        }
        ("", "resourcequotas") => vec![
            NAME,
            shown("Request", |quota, _| used_of(quota, false)),
            shown("Limit", |quota, _| used_of(quota, true)),
            AGE,
        ],
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => vec![
            NAME,
            shown("Role", |binding, _| slashed(at(binding, "/roleRef/kind"), at(binding, "/roleRef/name"))),
            AGE,
            wide("Users", |binding, _| subjects(binding, "User")),
            wide("Groups", |binding, _| subjects(binding, "Group")),
            wide("ServiceAccounts", |binding, _| subjects(binding, "ServiceAccount")),
        ],
        ("autoscaling", "horizontalpodautoscalers") => autoscalers(),
        ("networking.k8s.io", "ingresses") => ingresses(),
        ("networking.k8s.io", "ingressclasses") => vec![
            shown("Name", |class, _| marked(class, "ingressclass.kubernetes.io/is-default-class")),
            shown("Controller", |class, _| text(class, "/spec/controller")),
            shown("Parameters", |class, _| parameters(class)),
            AGE,
        ],
        ("networking.k8s.io", "networkpolicies") => vec![
            NAME,
            shown("Pod-Selector", |policy, _| selector_text(policy.pointer("/spec/podSelector")).into()),
            AGE,
        ],
        ("policy", "poddisruptionbudgets") => vec![
            NAME,
            shown("Min Available", |budget, _| amount(budget, "/spec/minAvailable")),
            shown("Max Unavailable", |budget, _| amount(budget, "/spec/maxUnavailable")),
            shown("Allowed Disruptions", |budget, _| number(budget, "/status/disruptionsAllowed")),
            AGE,
        ],
        ("batch", "cronjobs") => cron_jobs(),
        ("apps", "controllerrevisions") => vec![
            NAME,
            shown("Controller", |revision, _| owner(revision)),
            shown("Revision", |revision, _| number(revision, "/revision")),
            AGE,
        ],
        ("scheduling.k8s.io", "priorityclasses") => vec![
            NAME,
            shown("Value", |class, _| number(class, "/value")),
            shown("Global-Default", |class, _| flag(class, "/globalDefault")),
            AGE,
            shown("PreemptionPolicy", |class, _| text(class, "/preemptionPolicy")),
        ],
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            vec![NAME, shown("Webhooks", |hooks, _| list(hooks, "/webhooks").len().into()), AGE]
        }
        ("node.k8s.io", "runtimeclasses") => vec![NAME, shown("Handler", |class, _| text(class, "/handler")), AGE],
        _ => return None,
    })
}

fn nodes() -> Vec<Row> {
    vec![
        NAME,
        shown("Status", |node, _| node_status(node)),
        shown("Roles", |node, _| node_roles(node)),
        AGE,
        shown("Version", |node, _| text(node, "/status/nodeInfo/kubeletVersion")),
        wide("Internal-IP", |node, _| node_address(node, "InternalIP")),
        wide("External-IP", |node, _| node_address(node, "ExternalIP")),
        wide("OS-Image", |node, _| known(at(node, "/status/nodeInfo/osImage")).into()),
        wide("Kernel-Version", |node, _| kernel(node)),
        wide("Container-Runtime", |node, _| known(at(node, "/status/nodeInfo/containerRuntimeVersion")).into()),
    ]
}

fn node_status(node: &Value) -> Value {
    let ready = list(node, "/status/conditions").iter().find(|one| at(one, "/type") == "Ready");
    let mut status = match ready {
        Some(ready) if at(ready, "/status") == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    status.into()
}

fn node_roles(node: &Value) -> Value {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let roles: BTreeSet<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => (key == "kubernetes.io/role").then(|| value.as_str()).flatten(),
        })
        .filter(|role| !role.is_empty())
        .collect();
    if roles.is_empty() { "<none>".into() } else { roles.into_iter().collect::<Vec<_>>().join(",").into() }
}

fn node_address(node: &Value, kind: &str) -> Value {
    let found = list(node, "/status/addresses").iter().find(|one| at(one, "/type") == kind);
    found.map_or("<none>".into(), |one| text(one, "/address"))
}

fn kernel(node: &Value) -> Value {
    let kernel = known(at(node, "/status/nodeInfo/kernelVersion"));
    match at(node, "/status/nodeInfo/architecture") {
        "" => kernel.into(),
        architecture => format!("{kernel} ({architecture})").into(),
    }
}

fn known(text: &str) -> &str {
    if text.is_empty() { "<unknown>" } else { text }
}

fn events() -> Vec<Row> {
    vec![
        shown("Last Seen", |event, now| {
            since(event, &["/series/lastObservedTime", "/lastTimestamp", "/firstTimestamp", "/eventTime"], now)
        }),
        shown("Type", |event, _| text(event, "/type")),
        shown("Reason", |event, _| text(event, "/reason")),
        shown("Object", |event, _| {
            let object = first_of(event, &["/involvedObject", "/regarding"]);
            let kind = at(object, "/kind").to_lowercase();
            match at(object, "/name") {
                "" => kind.into(),
                name => format!("{kind}/{name}").into(),
            }
        }),
        wide("Subobject", |event, _| text(first_of(event, &["/involvedObject", "/regarding"]), "/fieldPath")),
        wide("Source", |event, _| {
            let component = first_text(event, &["/source/component", "/reportingComponent", "/reportingController"]);
            match first_text(event, &["/source/host", "/reportingInstance"]) {
                "" => component.into(),
                instance => format!("{component}, {instance}").into(),
            }
        }),
        shown("Message", |event, _| first_text(event, &["/message", "/note"]).trim().into()),
        wide("First Seen", |event, now| since(event, &["/firstTimestamp", "/eventTime"], now)),
        wide("Count", |event, _| {
            let counts = ["/series/count", "/count", "/deprecatedCount"];
            let count = counts.iter().find_map(|path| event.pointer(path)?.as_i64()).filter(|count| *count > 0);
            count.unwrap_or(1).into()
        }),
        wide("Name", |event, _| meta::name(event).into()),
    ]
}

fn first_of<'v>(object: &'v Value, paths: &[&str]) -> &'v Value {
    paths.iter().find_map(|path| object.pointer(path)).unwrap_or(&Value::Null)
}

fn first_text<'v>(object: &'v Value, paths: &[&str]) -> &'v str {
    paths.iter().map(|path| at(object, path)).find(|text| !text.is_empty()).unwrap_or_default()
}

fn replication_controllers() -> Vec<Row> {
    vec![
        NAME,
        shown("Desired", |object, _| number(object, "/spec/replicas")),
        shown("Current", |object, _| number(object, "/status/replicas")),
        shown("Ready", |object, _| number(object, "/status/readyReplicas")),
        AGE,
        wide("Containers", |object, _| template_list(object, "name")),
        wide("Images", |object, _| template_list(object, "image")),
        wide("Selector", |object, _| pairs(object.pointer("/spec/selector"))),
    ]
}

fn claims() -> Vec<Row> {
    vec![
        NAME,
        shown("Status", |claim, _| phase(claim)),
        shown("Volume", |claim, _| text(claim, "/spec/volumeName")),
        shown("Capacity", |claim, _| if_bound(claim, text(claim, "/status/capacity/storage"))),
        shown("Access Modes", |claim, _| if_bound(claim, access_modes(claim, "/status/accessModes"))),
        shown("StorageClass", |claim, _| text(claim, "/spec/storageClassName")),
        shown("VolumeAttributesClass", |claim, _| unset(at(claim, "/spec/volumeAttributesClassName"))),
        AGE,
        wide("VolumeMode", |claim, _| unset(at(claim, "/spec/volumeMode"))),
    ]
}

fn volumes() -> Vec<Row> {
    vec![
        NAME,
        shown("Capacity", |volume, _| text(volume, "/spec/capacity/storage")),
        shown("Access Modes", |volume, _| access_modes(volume, "/spec/accessModes")),
        shown("Reclaim Policy", |volume, _| text(volume, "/spec/persistentVolumeReclaimPolicy")),
        shown("Status", |volume, _| phase(volume)),
        shown("Claim", |volume, _| {
            let claim = volume.pointer("/spec/claimRef");
            claim.map_or("".into(), |claim| slashed(at(claim, "/namespace"), at(claim, "/name")))
        }),
        shown("StorageClass", |volume, _| text(volume, "/spec/storageClassName")),
        shown("VolumeAttributesClass", |volume, _| unset(at(volume, "/spec/volumeAttributesClassName"))),
        shown("Reason", |volume, _| text(volume, "/status/reason")),
        AGE,
        wide("VolumeMode", |volume, _| unset(at(volume, "/spec/volumeMode"))),
    ]
}

fn phase(object: &Value) -> Value {
    let gone = object.pointer("/metadata/deletionTimestamp").is_some();
    if gone { "Terminating".into() } else { text(object, "/status/phase") }
}

fn if_bound(claim: &Value, cell: Value) -> Value {
    if at(claim, "/spec/volumeName").is_empty() { "".into() } else { cell }
}

fn unset(text: &str) -> Value {
    if text.is_empty() { "<unset>".into() } else { text.into() }
}

/// Access modes by their short names, always in the same order.
fn access_modes(object: &Value, path: &str) -> Value {
    const SHORT: [(&str, &str); 4] =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let modes = list(object, path);
    let found = SHORT.iter().filter(|(mode, _)| modes.iter().any(|one| one == mode)).map(|(_, short)| *short);
    found.collect::<Vec<_>>().join(",").into()
}

fn storage_classes() -> Vec<Row> {
    vec![
        shown("Name", |class, _| marked(class, "storageclass.kubernetes.io/is-default-class")),
        shown("Provisioner", |class, _| text(class, "/provisioner")),
        shown("ReclaimPolicy", |class, _| text(class, "/reclaimPolicy")),
        shown("VolumeBindingMode", |class, _| text(class, "/volumeBindingMode")),
        shown("AllowVolumeExpansion", |class, _| flag(class, "/allowVolumeExpansion")),
        AGE,
    ]
}

/// The name, with a word behind it if an annotation makes it the default one.
fn marked(object: &Value, annotation: &str) -> Value {
    let annotations = object.pointer("/metadata/annotations");
    let default = annotations.and_then(|all| all.get(annotation)) == Some(&Value::from("true"));
    if default { format!("{} (default)", meta::name(object)).into() } else { meta::name(object).into() }
}

fn flag(object: &Value, path: &str) -> Value {
    object.pointer(path).and_then(Value::as_bool).unwrap_or(false).into()
}

fn slashed(first: &str, second: &str) -> Value {
    format!("{first}/{second}").into()
}

fn subjects(binding: &Value, kind: &str) -> Value {
    let found = list(binding, "/subjects").iter().filter(|subject| at(subject, "/kind") == kind);
    let names = found.map(|subject| match (kind, at(subject, "/namespace"), at(subject, "/name")) {
        ("ServiceAccount", namespace, name) if !namespace.is_empty() => format!("{namespace}/{name}"),
        (_, _, name) => name.to_owned(),
    });
    names.collect::<Vec<_>>().join(", ").into()
}

/// What of a quota is used: of limits, or of everything else.
fn used_of(quota: &Value, limits: bool) -> Value {
    let hard = quota.pointer("/status/hard").and_then(Value::as_object).into_iter().flatten();
    let mut parts: Vec<String> = hard
        .filter(|(name, _)| name.starts_with("limits.") == limits)
        .map(|(name, hard)| {
            let used = quota.pointer("/status/used").and_then(|used| used.get(name)).and_then(Value::as_str);
            format!("{name}: {}/{}", used.unwrap_or("0"), hard.as_str().unwrap_or_default())
        })
        .collect();
    parts.sort();
    parts.join(", ").into()
}

fn autoscalers() -> Vec<Row> {
    vec![
        NAME,
        shown("Reference", |scaler, _| {
            slashed(at(scaler, "/spec/scaleTargetRef/kind"), at(scaler, "/spec/scaleTargetRef/name"))
        }),
        shown("Targets", |scaler, _| targets(scaler)),
        shown("MinPods", |scaler, _| {
            scaler.pointer("/spec/minReplicas").map_or("<unset>".into(), |least| least.to_string().into())
        }),
        shown("MaxPods", |scaler, _| number(scaler, "/spec/maxReplicas")),
        shown("Replicas", |scaler, _| number(scaler, "/status/currentReplicas")),
        AGE,
    ]
}

/// The aims of an autoscaler. In the lab nothing is measured, so what is so now is never known.
fn targets(scaler: &Value) -> Value {
    const MOST: usize = 2;
    let one = |metric: &Value| -> String {
        let (member, named) = match at(metric, "/type") {
            "Resource" => ("resource", true),
            "ContainerResource" => ("containerResource", true),
            "Pods" => ("pods", false),
            "Object" => ("object", false),
            "External" => ("external", false),
            _ => return "<unknown type>".to_owned(),
        };
        let Some(spec) = metric.get(member) else { return "<unknown type>".to_owned() };
        let average = at(spec, "/target/averageValue");
        let aim = match (average, spec.pointer("/target/averageUtilization")) {
            ("", Some(percent)) => format!("{percent}%"),
            ("", None) if named => "<auto>".to_owned(),
            ("", None) => at(spec, "/target/value").to_owned(),
            (average, _) if named || member == "pods" => average.to_owned(),
            (average, _) => format!("{average} (avg)"),
        };
        let name = if named { format!("{}: ", at(spec, "/name")) } else { String::new() };
        format!("{name}<unknown>/{aim}")
    };
    let mut all: Vec<String> = list(scaler, "/spec/metrics").iter().map(one).collect();
    // The older version has one aim, of the processor.
    let percent = scaler.pointer("/spec/targetCPUUtilizationPercentage").and_then(Value::as_i64);
    if all.is_empty() {
        all.extend(percent.map(|percent| format!("cpu: <unknown>/{percent}%")));
    }
    match all.len() {
        0 => "<none>".into(),
        count if count > MOST => format!("{} + {} more...", all[..MOST].join(", "), count - MOST).into(),
        _ => all.join(", ").into(),
    }
}

fn ingresses() -> Vec<Row> {
    vec![
        NAME,
        shown("Class", |ingress, _| match at(ingress, "/spec/ingressClassName") {
            "" => "<none>".into(),
            class => class.into(),
        }),
        shown("Hosts", |ingress, _| hosts(ingress)),
        shown("Address", |ingress, _| joined(ingress, "/status/loadBalancer/ingress", "ip", "")),
        shown("Ports", |ingress, _| if list(ingress, "/spec/tls").is_empty() { "80".into() } else { "80, 443".into() }),
        AGE,
    ]
}

/// The first three hosts, and how many more rules there are.
fn hosts(ingress: &Value) -> Value {
    const MOST: usize = 3;
    let rules = list(ingress, "/spec/rules");
    let named = rules.iter().map(|rule| at(rule, "/host")).filter(|host| !host.is_empty());
    let hosts: Vec<&str> = named.take(MOST).collect();
    match hosts.len() {
        0 => "*".into(),
        MOST if rules.len() > MOST => format!("{} + {} more...", hosts.join(","), rules.len() - MOST).into(),
        _ => hosts.join(",").into(),
    }
}

fn parameters(class: &Value) -> Value {
    let Some(parameters) = class.pointer("/spec/parameters") else { return "<none>".into() };
    let group = match at(parameters, "/apiGroup") {
        "" => String::new(),
        group => format!(".{group}"),
    };
    format!("{}{group}/{}", at(parameters, "/kind"), at(parameters, "/name")).into()
}

/// A number or a percentage.
fn amount(object: &Value, path: &str) -> Value {
    match object.pointer(path) {
        None | Some(Value::Null) => "N/A".into(),
        Some(Value::String(text)) => text.as_str().into(),
        Some(other) => other.to_string().into(),
    }
}

fn cron_jobs() -> Vec<Row> {
    fn containers(job: &Value, member: &str) -> Value {
        joined(job, "/spec/jobTemplate/spec/template/spec/containers", member, "<none>")
    }
    vec![
        NAME,
        shown("Schedule", |job, _| text(job, "/spec/schedule")),
        shown("Timezone", |job, _| match at(job, "/spec/timeZone") {
            "" => "<none>".into(),
            zone => zone.into(),
        }),
        shown("Suspend", |job, _| if flag(job, "/spec/suspend") == true { "True".into() } else { "False".into() }),
        shown("Active", |job, _| list(job, "/status/active").len().into()),
        shown("Last Schedule", |job, now: Timestamp| match at(job, "/status/lastScheduleTime") {
            "" => "<none>".into(),
            _ => since(job, &["/status/lastScheduleTime"], now),
        }),
        AGE,
        wide("Containers", |job, _| containers(job, "name")),
        wide("Images", |job, _| containers(job, "image")),
        wide("Selector", |job, _| match job.pointer("/spec/jobTemplate/spec/selector") {
            None => "<none>".into(),
            selector => selector_text(selector).into(),
        }),
    ]
}

/// The object that controls this one, as `kubectl` names it.
fn owner(object: &Value) -> Value {
    let Some(owner) = meta::controller(object) else { return "<none>".into() };
    let group = at(owner, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let kind = at(owner, "/kind").to_lowercase();
    let dot = if group.is_empty() { "" } else { "." };
    format!("{kind}{dot}{group}/{}", at(owner, "/name")).into()
}
