//! Merging an applied configuration into the live object, and taking out what its manager no longer names.
//!
//! Invariant: both functions are pure; who owns what is decided in `managed`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::compare::{Granularity, element_of, granularity, member};
use super::fieldset::{FieldSet, field};
use super::node::{ListType, Node};

/// `live` with everything that `config` names put to what `config` says.
pub(super) fn merge(node: Option<Node<'_>>, live: &Value, config: &Value) -> Value {
    match (granularity(node, config), live, config) {
        (Granularity::Map, Value::Object(live), Value::Object(config)) => {
            let mut out = live.clone();
            for (name, value) in config {
                let merged =
                    live.get(name).map_or_else(|| value.clone(), |live| merge(member(node, name), live, value));
                out.insert(name.clone(), merged);
            }
            Value::Object(out)
        }
        (Granularity::List(by), Value::Array(live), Value::Array(config)) => {
            Value::Array(merge_lists(node.and_then(|node| node.items()), &by, live, config))
        }
        _ => config.clone(),
    }
}

/// Merges lists by item: the order is that of `config`, and what only `live` has keeps its place before the next common item.
fn merge_lists(items: Option<Node<'_>>, by: &ListType<'_>, live: &[Value], config: &[Value]) -> Vec<Value> {
    let name = |item: &Value| element_of(by, items, item);
    let live_names: Vec<Option<String>> = live.iter().map(name).collect();
    let config_names: Vec<Option<String>> = config.iter().map(name).collect();
    let in_config: BTreeSet<&String> = config_names.iter().flatten().collect();
    let (mut out, mut left) = (Vec::with_capacity(live.len() + config.len()), 0);
    let mut right = 0;
    loop {
        let live_shared = live_names.get(left).map(|name| name.as_ref().is_some_and(|name| in_config.contains(name)));
        if live_shared == Some(false) {
            out.push(live[left].clone());
            left += 1;
            continue;
        }
        let Some(item) = config.get(right) else {
            // Only shared items can be left, and those are out already.
            break;
        };
        let twin = config_names[right]
            .as_ref()
            .and_then(|name| live_names.iter().position(|other| other.as_ref() == Some(name)));
        out.push(twin.map_or_else(|| item.clone(), |at| merge(items, &live[at], item)));
        if twin == Some(left) {
            left += 1;
        } else if twin.is_some() {
            // The order changed: step over live items that stand elsewhere in the configuration.
            let placed: BTreeSet<&String> = config_names[..=right].iter().flatten().collect();
            while live_names.get(left).is_some_and(|name| name.as_ref().is_some_and(|name| placed.contains(name))) {
                left += 1;
            }
        }
        right += 1;
        if right == config.len() {
            // Shared items that are left stand earlier in the configuration; only live's own ones are still owed.
            for (item, name) in live.iter().zip(&live_names).skip(left) {
                if !name.as_ref().is_some_and(|name| in_config.contains(name)) {
                    out.push(item.clone());
                }
            }
            break;
        }
    }
    out
}

/// `value` without the fields of `set`. None when nothing is left of a value that lost something.
pub(super) fn remove_fields(node: Option<Node<'_>>, value: &Value, set: &FieldSet) -> Option<Value> {
    match (granularity(node, value), value) {
        (Granularity::Map, Value::Object(map)) => {
            let mut out = Map::new();
            for (name, value) in map {
                let Some(below) = set.children.get(&field(name)) else {
                    out.insert(name.clone(), value.clone());
                    continue;
                };
                if !below.member
                    && let Some(rest) = remove_fields(member(node, name), value, below)
                {
                    out.insert(name.clone(), rest);
                }
            }
            (!out.is_empty() || map.is_empty()).then_some(Value::Object(out))
        }
        (Granularity::List(by), Value::Array(list)) => {
            let items = node.and_then(|node| node.items());
            let mut out = Vec::with_capacity(list.len());
            for item in list {
                match element_of(&by, items, item).and_then(|element| set.children.get(&element)) {
                    None => out.push(item.clone()),
                    Some(below) if below.member => {}
                    Some(below) => out.extend(remove_fields(items, item, below)),
                }
            }
            (!out.is_empty() || list.is_empty()).then_some(Value::Array(out))
        }
        _ => Some(value.clone()),
    }
}
