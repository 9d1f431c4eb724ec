//! The forms in which objects are shown: as they are, as rows of a table, or by their metadata alone.
//!
//! Invariant: the form changes how an object looks, never which objects are shown.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::columns::{Column, builtin_columns, custom_columns};
use crate::schema::{Resource, show};
use crate::store::Store;

/// What the client's `Accept` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    /// The objects.
    Plain,
    /// `meta.k8s.io/v1 Table`, which `kubectl get` prints.
    Table(Beside),
    /// `meta.k8s.io/v1 PartialObjectMetadata` and lists of it.
    Metadata,
}

/// What of its object a row of a table carries beside its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// The metadata.
    Metadata,
    /// All of it, as `kubectl get --sort-by` asks for.
    Object,
    /// Nothing.
    Nothing,
}

impl Beside {
    fn of(self, object: &Value) -> Value {
        match self {
            Self::Metadata => partial(object),
            Self::Object => {
                let mut object = object.clone();
                show(&mut object);
                object
            }
            Self::Nothing => Value::Null,
        }
    }
}

impl Representation {
    /// One object in this form.
    pub(super) fn single<'v>(self, resource: &Resource, object: Cow<'v, Value>, store: &Store) -> Cow<'v, Value> {
        match self {
            Self::Plain => object,
            Self::Metadata => Cow::Owned(partial(&object)),
            Self::Table(beside) => {
                let mut metadata = Map::new();
                metadata.insert("resourceVersion".into(), crate::store::meta::resource_version(&object).into());
                Cow::Owned(table(resource, &[object.as_ref()], beside, &metadata, store.clock().now()))
            }
        }
    }

    /// A list in this form; None for the plain one.
    pub(super) fn list(
        self,
        resource: &Resource,
        items: &[&Arc<Value>],
        metadata: &Map<String, Value>,
        store: &Store,
    ) -> Option<Value> {
        match self {
            Self::Plain => None,
            Self::Metadata => {
                let items: Vec<Value> = items.iter().map(|object| partial(object)).collect();
                let kind = "PartialObjectMetadataList";
                Some(json!({"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items}))
            }
            Self::Table(beside) => {
                let items: Vec<&Value> = items.iter().map(AsRef::as_ref).collect();
                Some(table(resource, &items, beside, metadata, store.clock().now()))
            }
        }
    }
}

/// `PartialObjectMetadata` of an object.
pub(super) fn partial(object: &Value) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_default();
    let mut partial = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
    show(&mut partial);
    partial
}

fn table(
    resource: &Resource,
    items: &[&Value],
    beside: Beside,
    metadata: &Map<String, Value>,
    now: Timestamp,
) -> Value {
    let columns: Vec<Column> =
        custom_columns(resource).unwrap_or_else(|| builtin_columns(&resource.group, &resource.plural));
    let definitions: Vec<Value> = columns.iter().map(Column::definition).collect();
    let rows: Vec<Value> = items
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|column| column.cell(object, now)).collect();
            json!({"cells": cells, "object": beside.of(object)})
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}
