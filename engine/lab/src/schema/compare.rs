//! Which fields differ between two states of an object, and which fields a configuration names.
//!
//! Invariant: the rules are those of Kubernetes' structured merge: an atomic or empty value is one field; list items have names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fieldset::{FieldSet, field};
use super::node::{ListType, Node, NodeType};

/// The fields by which a new state differs from an old one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Comparison {
    fn leaf(old: Option<&Value>, new: Option<&Value>) -> Self {
        let mut out = Self::default();
        match (old, new) {
            (None, Some(_)) => out.added.member = true,
            (Some(_), None) => out.removed.member = true,
            (Some(old), Some(new)) if old != new => out.modified.member = true,
            _ => {}
        }
        out
    }

    fn attach(&mut self, element: String, child: Self) {
        self.removed.attach(element.clone(), child.removed);
        self.modified.attach(element.clone(), child.modified);
        self.added.attach(element, child.added);
    }
}

/// How a value is merged: as one thing, by member, or by item.
pub(super) enum Granularity<'a> {
    Leaf,
    Map,
    List(ListType<'a>),
}

/// How a value at `node` is merged; without a node by its looks: maps by member, lists as one thing.
pub(super) fn granularity<'a>(node: Option<Node<'a>>, value: &Value) -> Granularity<'a> {
    let typed = node.filter(|node| node.node_type() != NodeType::Any);
    match (value, typed) {
        (Value::Object(_), Some(node)) if node.is_atomic_map() => Granularity::Leaf,
        (Value::Object(_), _) => Granularity::Map,
        (Value::Array(_), Some(node)) => match node.list_type() {
            ListType::Atomic => Granularity::Leaf,
            by_item => Granularity::List(by_item),
        },
        _ => Granularity::Leaf,
    }
}

/// Compares two states of the value at `node`.
pub(crate) fn compare(node: Option<Node<'_>>, old: Option<&Value>, new: Option<&Value>) -> Comparison {
    let shown = match (old, new) {
        (_, Some(new)) if !new.is_null() => new,
        (Some(old), _) => old,
        _ => return Comparison::leaf(old, new),
    };
    let mut out = Comparison::default();
    match granularity(node, shown) {
        Granularity::Leaf => return Comparison::leaf(old, new),
        Granularity::Map => {
            let (Some(old_map), Some(new_map)) = (map_or_empty(old), map_or_empty(new)) else {
                return Comparison::leaf(old, new);
            };
            if old_map.is_empty() && new_map.is_empty() {
                return Comparison::leaf(old, new);
            }
            for (name, old) in &old_map {
                out.attach(field(name), compare(member(node, name), Some(old), new_map.get(name).copied()));
            }
            for (name, new) in new_map.iter().filter(|(name, _)| !old_map.contains_key(*name)) {
                out.attach(field(name), compare(member(node, name), None, Some(new)));
            }
        }
        Granularity::List(by) => {
            let items = node.and_then(|node| node.items());
            let (Some(old_items), Some(new_items)) = (keyed(&by, items, old), keyed(&by, items, new)) else {
                return Comparison::leaf(old, new);
            };
            if old_items.is_empty() && new_items.is_empty() {
                return Comparison::leaf(old, new);
            }
            for (element, old) in &old_items {
                out.attach(element.clone(), compare(items, Some(old), new_items.get(element).copied()));
            }
            for (element, new) in new_items.iter().filter(|(element, _)| !old_items.contains_key(*element)) {
                out.attach(element.clone(), compare(items, None, Some(new)));
            }
        }
    }
    out.added.member = old.is_none();
    out.removed.member = new.is_none();
    out
}

/// The fields that a configuration names, as an apply owns them.
pub(crate) fn named_fields(node: Option<Node<'_>>, value: &Value) -> FieldSet {
    let mut out = FieldSet::default();
    match granularity(node, value) {
        Granularity::Leaf => out.member = true,
        Granularity::Map => {
            for (name, value) in value.as_object().into_iter().flatten() {
                let mut child = named_fields(member(node, name), value);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                child.member |= empty || node.is_none_or(|node| node.property(name).is_none());
                out.attach(field(name), child);
            }
        }
        Granularity::List(by) => {
            let items = node.and_then(|node| node.items());
            for (element, value) in keyed(&by, items, Some(value)).into_iter().flatten() {
                let mut child = named_fields(items, value);
                child.member = true;
                out.attach(element, child);
            }
        }
    }
    out
}

pub(super) fn member<'a>(node: Option<Node<'a>>, name: &str) -> Option<Node<'a>> {
    node.and_then(|node| node.member(name))
}

/// The path element of an item, or None when it lacks what would name it.
pub(super) fn element_of(by: &ListType<'_>, items: Option<Node<'_>>, item: &Value) -> Option<String> {
    match by {
        ListType::Atomic => None,
        ListType::Set => Some(format!("v:{item}")),
        ListType::Map(keys) => {
            let map = item.as_object()?;
            let mut named = BTreeMap::new();
            for key in keys {
                let default = || items.and_then(|items| items.property(key)?.default_value());
                if let Some(value) = map.get(*key).filter(|value| !value.is_null()).or_else(default) {
                    named.insert(*key, value);
                }
            }
            if named.is_empty() {
                return None;
            }
            let json: Map<String, Value> =
                named.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
            Some(format!("k:{}", Value::Object(json)))
        }
    }
}

/// Items by their path element. An absent or null list has none; None when the value is no list or an item has no name.
fn keyed<'v>(
    by: &ListType<'_>,
    items: Option<Node<'_>>,
    list: Option<&'v Value>,
) -> Option<BTreeMap<String, &'v Value>> {
    match list {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Array(list)) => list.iter().map(|item| Some((element_of(by, items, item)?, item))).collect(),
        Some(_) => None,
    }
}

/// Members by name. An absent or null map has none; None when the value is no map.
fn map_or_empty(value: Option<&Value>) -> Option<BTreeMap<&str, &Value>> {
    match value {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(map)) => Some(map.iter().map(|(name, value)| (name.as_str(), value)).collect()),
        Some(_) => None,
    }
}
