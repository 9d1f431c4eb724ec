//! What `kubectl get` shows of each kind.
//!
//! Invariant: cells are computed from the object and the time alone.

use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use super::cells::{
    age, data_count, duration_text, endpoints, external_ip, job_completions, job_duration, job_status, joined, number,
    or_none, pairs, ready_of, service_ports, slice_endpoints, template_list, text,
};
use super::jsonpath;
use super::other_columns::other_rows;
use super::pod_cells::{pod_ready, pod_restarts, pod_status};
use super::scale::selector_text;
use crate::schema::{Resource, float_text};
use crate::status::go_json;
use crate::store::meta;

/// One column.
pub(super) struct Column {
    name: String,
    kind: String,
    format: String,
    /// Empty for built-in kinds, whose prose is left out.
    description: String,
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
        let mut map = Map::new();
        for (key, text) in [("name", &self.name), ("type", &self.kind), ("format", &self.format)] {
            map.insert(key.to_owned(), text.as_str().into());
        }
        if !self.description.is_empty() {
            map.insert("description".to_owned(), self.description.as_str().into());
        }
        map.insert("priority".to_owned(), self.priority.into());
        Value::Object(map)
    }

    pub(super) fn cell(&self, object: &Value, now: Timestamp) -> Value {
        match &self.source {
            Source::Cell(cell) => cell(object, now),
            Source::Path(path) => custom_cell(object, path, &self.kind, now),
        }
    }
}

/// A column of a built-in kind: its name, its priority and its cell.
pub(super) type Row = (&'static str, i64, fn(&Value, Timestamp) -> Value);

pub(super) const fn shown(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Row {
    (name, 0, cell)
}

pub(super) const fn wide(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Row {
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
            wide("Containers", |object, _| template_list(object, "name")),
            wide("Images", |object, _| template_list(object, "image")),
            wide("Selector", |object, _| selector_text(object.pointer("/spec/selector")).into()),
        ],
        ("batch", "jobs") => vec![
            name,
            shown("Status", |object, _| job_status(object)),
            shown("Completions", |object, _| job_completions(object)),
            shown("Duration", job_duration),
            shown("Age", age),
            wide("Containers", |object, _| template_list(object, "name")),
            wide("Images", |object, _| template_list(object, "image")),
            wide("Selector", |object, _| selector_text(object.pointer("/spec/selector")).into()),
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
        _ => other_rows(group, plural).unwrap_or_else(|| vec![name, shown("Age", age)]),
    };
    let columns = rows.into_iter().map(|(name, priority, cell)| Column {
        name: name.to_owned(),
        kind: column_type(plural, name).to_owned(),
        format: if name == "Name" { "name" } else { "" }.to_owned(),
        description: String::new(),
        priority,
        source: Source::Cell(cell),
    });
    columns.collect()
}

/// The type of a column, which decides how clients align it.
fn column_type(plural: &str, name: &str) -> &'static str {
    match (plural, name) {
        ("persistentvolumeclaims" | "persistentvolumes", _) => "string",
        ("replicasets" | "daemonsets" | "replicationcontrollers", "Ready") => "integer",
        (
            _,
            "Desired"
            | "Current"
            | "Up-to-date"
            | "Available"
            | "Allowed Disruptions"
            | "Active"
            | "Webhooks"
            | "Value",
        ) => "integer",
        (_, "Suspend" | "Global-Default") => "boolean",
        (_, "Created At") => "date",
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
        description: String::new(),
        priority: 0,
        source: Source::Cell(|object, _| meta::name(object).into()),
    }];
    match version.get("additionalPrinterColumns").and_then(Value::as_array) {
        Some(printed) => columns.extend(printed.iter().map(|column| {
            let text = |name: &str| column.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let description = Some(text("description")).filter(|text| !text.is_empty());
            Column {
                name: text("name"),
                kind: text("type"),
                format: text("format"),
                description: description.unwrap_or_else(|| {
                    format!("Custom resource definition column (in JSONPath format): {}", text("jsonPath"))
                }),
                priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
                source: Source::Path(text("jsonPath")),
            }
        })),
        None => columns.push(Column {
            name: "Age".into(),
            kind: "date".into(),
            format: String::new(),
            description: String::new(),
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
        ("integer", Value::Number(number)) => whole(number),
        ("number", number @ Value::Number(_)) => (*number).clone(),
        ("boolean", flag @ Value::Bool(_)) => (*flag).clone(),
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", Value::Number(number)) if number.is_f64() => float_text(number.as_f64().unwrap_or_default()).into(),
        ("string", other) => go_json(other).into(),
        _ => Value::Null,
    }
}

/// A number without its fraction.
fn whole(number: &Number) -> Value {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            #[expect(clippy::cast_possible_truncation, reason = "the server cuts the fraction off in the same way")]
            let integer = float as i64;
            integer.into()
        }
        _ => Value::Number(number.clone()),
    }
}
