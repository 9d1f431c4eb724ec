//! What `kubectl get` shows of each kind.
//!
//! Invariant: cells are computed from the object and the time alone.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::jsonpath;
use super::scale::selector_text;
use crate::schema::Resource;
use crate::store::meta;

/// One column.
pub(super) struct Column {
    name: String,
    kind: String,
    format: String,
    /// 0 is always shown, 1 with `-o wide`.
    priority: i64,
    source: Source,
}

enum Source {
    Cell(fn(&Value, Timestamp) -> Value),
    Path(String),
}

impl Column {
    pub(super) fn definition(&self) -> Value {
        json!({"name": self.name, "type": self.kind, "format": self.format, "priority": self.priority})
    }

    pub(super) fn cell(&self, object: &Value, now: Timestamp) -> Value {
        match &self.source {
            Source::Cell(cell) => cell(object, now),
            Source::Path(path) => custom_cell(object, path, &self.kind, now),
        }
    }
}

const fn shown(
    name: &'static str,
    cell: fn(&Value, Timestamp) -> Value,
) -> (&'static str, i64, fn(&Value, Timestamp) -> Value) {
    (name, 0, cell)
}

const fn wide(
    name: &'static str,
    cell: fn(&Value, Timestamp) -> Value,
) -> (&'static str, i64, fn(&Value, Timestamp) -> Value) {
    (name, 1, cell)
}

/// The columns of a built-in kind.
pub(super) fn builtin_columns(group: &str, plural: &str) -> Vec<Column> {
    let name = shown("Name", |object, _| meta::name(object).into());
    let rows = match (group, plural) {
        ("", "configmaps") => vec![name, shown("Data", |object, _| data_count(object)), shown("Age", age)],
        ("", "secrets") => {
            vec![
                name,
                shown("Type", |object, _| text(object, "/type")),
                shown("Data", |object, _| data_count(object)),
                shown("Age", age),
            ]
        }
        ("", "namespaces") => vec![name, shown("Status", |object, _| text(object, "/status/phase")), shown("Age", age)],
        ("", "serviceaccounts") => {
            vec![name, shown("Secrets", |object, _| count(object, "/secrets")), shown("Age", age)]
        }
        ("", "pods") => vec![
            name,
            shown("Ready", |object, _| pod_ready(object)),
            shown("Status", |object, _| pod_status(object)),
            shown("Restarts", pod_restarts),
            shown("Age", age),
            wide("IP", |object, _| or_none(object, "/status/podIP")),
            wide("Node", |object, _| or_none(object, "/spec/nodeName")),
            wide("Nominated Node", |object, _| or_none(object, "/status/nominatedNodeName")),
            wide("Readiness Gates", |_, _| "<none>".into()),
        ],
        ("", "services") => vec![
            name,
            shown("Type", |object, _| text(object, "/spec/type")),
            shown("Cluster-IP", |object, _| or_none(object, "/spec/clusterIP")),
            shown("External-IP", |object, _| external_ip(object)),
            shown("Port(s)", |object, _| service_ports(object)),
            shown("Age", age),
            wide("Selector", |object, _| pairs(object.pointer("/spec/selector"))),
        ],
        ("", "endpoints") => vec![name, shown("Endpoints", |object, _| endpoints(object)), shown("Age", age)],
        ("", "nodes") => vec![
            name,
            shown("Status", |object, _| node_status(object)),
            shown("Roles", |_, _| "<none>".into()),
            shown("Age", age),
            shown("Version", |object, _| text(object, "/status/nodeInfo/kubeletVersion")),
        ],
        ("", "events") => vec![
            shown("Last Seen", |object, now| {
                since(object, &["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"], now)
            }),
            shown("Type", |object, _| text(object, "/type")),
            shown("Reason", |object, _| text(object, "/reason")),
            shown("Object", |object, _| event_object(object)),
            shown("Message", |object, _| text(object, "/message")),
        ],
        ("apps", "deployments") => vec![
            name,
            shown("Ready", |object, _| ready_of(object, "/status/readyReplicas", "/spec/replicas")),
            shown("Up-to-date", |object, _| number(object, "/status/updatedReplicas")),
            shown("Available", |object, _| number(object, "/status/availableReplicas")),
            shown("Age", age),
            wide("Containers", |object, _| template_list(object, "name")),
            wide("Images", |object, _| template_list(object, "image")),
            wide("Selector", |object, _| selector_text(object.pointer("/spec/selector")).into()),
        ],
        ("apps", "replicasets") => vec![
            name,
            shown("Desired", |object, _| number(object, "/spec/replicas")),
            shown("Current", |object, _| number(object, "/status/replicas")),
            shown("Ready", |object, _| number(object, "/status/readyReplicas")),
            shown("Age", age),
            wide("Containers", |object, _| template_list(object, "name")),
            wide("Images", |object, _| template_list(object, "image")),
            wide("Selector", |object, _| selector_text(object.pointer("/spec/selector")).into()),
        ],
        ("apps", "statefulsets") => vec![
            name,
            shown("Ready", |object, _| ready_of(object, "/status/readyReplicas", "/spec/replicas")),
            shown("Age", age),
            wide("Containers", |object, _| template_list(object, "name")),
            wide("Images", |object, _| template_list(object, "image")),
        ],
        ("apps", "daemonsets") => vec![
            name,
            shown("Desired", |object, _| number(object, "/status/desiredNumberScheduled")),
            shown("Current", |object, _| number(object, "/status/currentNumberScheduled")),
            shown("Ready", |object, _| number(object, "/status/numberReady")),
            shown("Up-to-date", |object, _| number(object, "/status/updatedNumberScheduled")),
            shown("Available", |object, _| number(object, "/status/numberAvailable")),
            shown("Node Selector", |object, _| pairs(object.pointer("/spec/template/spec/nodeSelector"))),
            shown("Age", age),
        ],
        ("batch", "jobs") => vec![
            name,
            shown("Status", |object, _| job_status(object)),
            shown("Completions", |object, _| ready_of(object, "/status/succeeded", "/spec/completions")),
            shown("Duration", job_duration),
            shown("Age", age),
        ],
        ("coordination.k8s.io", "leases") => {
            vec![name, shown("Holder", |object, _| text(object, "/spec/holderIdentity")), shown("Age", age)]
        }
        ("discovery.k8s.io", "endpointslices") => vec![
            name,
            shown("AddressType", |object, _| text(object, "/addressType")),
            shown("Ports", |object, _| joined(object, "/ports", "port", "<unset>")),
            shown("Endpoints", |object, _| slice_endpoints(object)),
            shown("Age", age),
        ],
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            vec![name, shown("Created At", |object, _| text(object, "/metadata/creationTimestamp"))]
        }
        _ => vec![name, shown("Age", age)],
    };
    let columns = rows.into_iter().map(|(name, priority, cell)| Column {
        name: name.to_owned(),
        kind: column_type(name).to_owned(),
        format: if name == "Name" { "name" } else { "" }.to_owned(),
        priority,
        source: Source::Cell(cell),
    });
    columns.collect()
}

fn column_type(name: &str) -> &'static str {
    match name {
        "Desired" | "Current" | "Up-to-date" | "Available" | "Secrets" => "integer",
        _ => "string",
    }
}

/// The columns of a custom kind; None for a built-in one.
pub(super) fn custom_columns(resource: &Resource) -> Option<Vec<Column>> {
    let version = resource.custom_version()?;
    let mut columns = vec![Column {
        name: "Name".into(),
        kind: "string".into(),
        format: "name".into(),
        priority: 0,
        source: Source::Cell(|object, _| meta::name(object).into()),
    }];
    match version.get("additionalPrinterColumns").and_then(Value::as_array) {
        Some(printed) => columns.extend(printed.iter().map(|column| {
            let text = |name: &str| column.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            Column {
                name: text("name"),
                kind: text("type"),
                format: text("format"),
                priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
                source: Source::Path(text("jsonPath")),
            }
        })),
        None => columns.push(Column {
            name: "Age".into(),
            kind: "date".into(),
            format: String::new(),
            priority: 0,
            source: Source::Path(".metadata.creationTimestamp".into()),
        }),
    }
    Some(columns)
}

fn custom_cell(object: &Value, path: &str, kind: &str, now: Timestamp) -> Value {
    let found = jsonpath::select(object, path);
    let Some(first) = found.first() else { return Value::Null };
    match (kind, first) {
        ("date", Value::String(at)) => {
            at.parse().map_or_else(|_| "<invalid>".into(), |at| duration_text(at, now).into())
        }
        ("integer", number @ Value::Number(_)) | ("number", number @ Value::Number(_)) => (*number).clone(),
        ("boolean", flag @ Value::Bool(_)) => (*flag).clone(),
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", other) => other.to_string().into(),
        _ => Value::Null,
    }
}

fn at<'v>(object: &'v Value, path: &str) -> &'v str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(object: &'v Value, path: &str) -> &'v [Value] {
    object.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(object: &Value, path: &str) -> Value {
    at(object, path).into()
}

fn or_none(object: &Value, path: &str) -> Value {
    Some(at(object, path)).filter(|text| !text.is_empty()).unwrap_or("<none>").into()
}

fn number(object: &Value, path: &str) -> Value {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(0).into()
}

fn count(object: &Value, path: &str) -> Value {
    list(object, path).len().into()
}

fn data_count(object: &Value) -> Value {
    let size = |name: &str| object.get(name).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    (size("data") + size("binaryData")).into()
}

fn pairs(map: Option<&Value>) -> Value {
    let pairs = map.and_then(Value::as_object).into_iter().flatten();
    let mut pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    pairs.sort();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",").into() }
}

fn joined(object: &Value, path: &str, member: &str, none: &str) -> Value {
    let found: Vec<String> = list(object, path)
        .iter()
        .filter_map(|item| item.get(member))
        .map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
        .collect();
    if found.is_empty() { none.into() } else { found.join(",").into() }
}

fn template_list(object: &Value, member: &str) -> Value {
    joined(object, "/spec/template/spec/containers", member, "<none>")
}

fn ready_of(object: &Value, ready: &str, wanted: &str) -> Value {
    let wanted =
        object.pointer(wanted).and_then(Value::as_i64).unwrap_or(if wanted.ends_with("completions") { 1 } else { 0 });
    format!("{}/{wanted}", object.pointer(ready).and_then(Value::as_i64).unwrap_or(0)).into()
}

/// `creationTimestamp` as a short age.
fn age(object: &Value, now: Timestamp) -> Value {
    since(object, &["/metadata/creationTimestamp"], now)
}

fn since(object: &Value, paths: &[&str], now: Timestamp) -> Value {
    let stamp = paths.iter().map(|path| at(object, path)).find(|text| !text.is_empty());
    let Some(stamp) = stamp else { return "<unknown>".into() };
    stamp.parse().map_or_else(|_| "<invalid>".into(), |at| duration_text(at, now).into())
}

/// The time from `from` to `now` as kubectl shortens it.
fn duration_text(from: Timestamp, now: Timestamp) -> String {
    human_duration(now.as_second().saturating_sub(from.as_second()))
}

fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        ..-1 => "<invalid>".into(),
        -1..1 => "0s".into(),
        1..120 => format!("{seconds}s"),
        _ if minutes < 10 => with_rest(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => with_rest(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => with_rest(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => with_rest(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

fn with_rest(whole: i64, unit: &str, rest: i64, rest_unit: &str) -> String {
    if rest == 0 { format!("{whole}{unit}") } else { format!("{whole}{unit}{rest}{rest_unit}") }
}

fn statuses(pod: &Value) -> &[Value] {
    list(pod, "/status/containerStatuses")
}

fn pod_ready(pod: &Value) -> Value {
    let ready = statuses(pod).iter().filter(|status| status.get("ready") == Some(&Value::Bool(true))).count();
    format!("{ready}/{}", list(pod, "/spec/containers").len()).into()
}

fn pod_restarts(pod: &Value, now: Timestamp) -> Value {
    let restarts: i64 = statuses(pod).iter().filter_map(|status| status.get("restartCount")?.as_i64()).sum();
    let finished = statuses(pod).iter().map(|status| at(status, "/lastState/terminated/finishedAt"));
    let last = finished.filter_map(|text| text.parse::<Timestamp>().ok()).max();
    match last {
        Some(last) if restarts > 0 => format!("{restarts} ({} ago)", duration_text(last, now)).into(),
        _ => restarts.to_string().into(),
    }
}

fn pod_status(pod: &Value) -> Value {
    let mut reason = at(pod, "/status/reason").to_owned();
    if reason.is_empty() {
        at(pod, "/status/phase").clone_into(&mut reason);
    }
    let mut running = false;
    for status in statuses(pod).iter().rev() {
        let waiting = at(status, "/state/waiting/reason");
        let terminated = at(status, "/state/terminated/reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut reason);
        } else if !terminated.is_empty() {
            terminated.clone_into(&mut reason);
        } else if let Some(code) = status.pointer("/state/terminated/exitCode") {
            reason = format!("ExitCode:{code}");
        } else if status.pointer("/state/running").is_some() && status.get("ready") == Some(&Value::Bool(true)) {
            running = true;
        }
    }
    if reason == "Completed" && running {
        reason = "Running".into();
    }
    if meta::is_deleting(pod) {
        reason = "Terminating".into();
    }
    reason.into()
}

fn node_status(node: &Value) -> Value {
    let ready = list(node, "/status/conditions").iter().find(|one| at(one, "/type") == "Ready");
    let mut status =
        if ready.is_some_and(|one| at(one, "/status") == "True") { "Ready" } else { "NotReady" }.to_owned();
    if node.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    status.into()
}

fn external_ip(service: &Value) -> Value {
    match at(service, "/spec/type") {
        "ExternalName" => text(service, "/spec/externalName"),
        "LoadBalancer" => joined(service, "/status/loadBalancer/ingress", "ip", "<pending>"),
        _ => joined(service, "/spec/externalIPs", "ip", "<none>"),
    }
}

fn service_ports(service: &Value) -> Value {
    let ports = list(service, "/spec/ports").iter().map(|port| {
        let value = |name: &str| port.get(name).and_then(Value::as_i64).unwrap_or(0);
        let protocol = at(port, "/protocol");
        match value("nodePort") {
            0 => format!("{}/{protocol}", value("port")),
            node => format!("{}:{node}/{protocol}", value("port")),
        }
    });
    let ports: Vec<String> = ports.collect();
    if ports.is_empty() { "<none>".into() } else { ports.join(",").into() }
}

/// The first three addresses with their ports, and how many more there are.
fn endpoints(object: &Value) -> Value {
    let mut found: Vec<String> = Vec::new();
    for subset in list(object, "/subsets") {
        for address in list(subset, "/addresses") {
            let ip = at(address, "/ip");
            let ports = list(subset, "/ports");
            if ports.is_empty() {
                found.push(ip.to_owned());
            }
            found.extend(ports.iter().filter_map(|port| Some(format!("{ip}:{}", port.get("port")?))));
        }
    }
    shortened(&found)
}

fn slice_endpoints(object: &Value) -> Value {
    let endpoints = list(object, "/endpoints").iter().flat_map(|endpoint| list(endpoint, "/addresses"));
    let found: Vec<String> = endpoints.filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    if found.is_empty() { "<unset>".into() } else { shortened(&found) }
}

fn shortened(found: &[String]) -> Value {
    match found.len() {
        0 => "<none>".into(),
        1..=3 => found.join(",").into(),
        more => format!("{} + {} more...", found[..3].join(","), more - 3).into(),
    }
}

fn event_object(event: &Value) -> Value {
    format!("{}/{}", at(event, "/involvedObject/kind").to_lowercase(), at(event, "/involvedObject/name")).into()
}

fn job_status(job: &Value) -> Value {
    let holds = |kind: &str| {
        list(job, "/status/conditions").iter().any(|one| at(one, "/type") == kind && at(one, "/status") == "True")
    };
    ["Complete", "Failed", "Suspended"].into_iter().find(|kind| holds(kind)).unwrap_or("Running").into()
}

fn job_duration(job: &Value, now: Timestamp) -> Value {
    let Ok(start) = at(job, "/status/startTime").parse::<Timestamp>() else { return "".into() };
    let end = at(job, "/status/completionTime").parse().unwrap_or(now);
    duration_text(start, end).into()
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    #[test]
    fn ages_are_shortened_as_kubectl_does() {
        let cases = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (70_000_000, "2y80d"),
            (252_288_000, "8y"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(human_duration(seconds), shown, "{seconds}");
        }
    }
}
