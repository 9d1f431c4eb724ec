//! Strategic merge patch: JSON merge patch with lists merged by key and directives (`$patch`, `$retainKeys`, …).
//!
//! Invariant: directives never reach the stored object.

use serde_json::{Map, Value};

use super::node::Node;
use crate::status::Status;

/// Merges `patch` into `object`.
///
/// # Errors
/// 400 for an unknown directive, or an item without its merge key.
pub(crate) fn strategic_merge(node: Option<Node<'_>>, object: &mut Value, patch: &Value) -> Result<(), Status> {
    let Some(patch) = patch.as_object() else {
        return Err(Status::bad_request("the patch is not a JSON object"));
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(target) = object.as_object_mut() else { return Ok(()) };
    match patch.get("$patch").and_then(Value::as_str) {
        None | Some("merge") => {}
        Some("replace") => {
            *target = cleaned_map(patch);
            return Ok(());
        }
        Some("delete") => {
            target.clear();
            return Ok(());
        }
        Some(other) => return Err(Status::bad_request(format!("unknown patch directive: {other:?}"))),
    }
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        target.retain(|name, _| kept.iter().any(|one| one == name));
    }
    for (name, value) in patch {
        if let Some(directive) = name.strip_prefix('$') {
            apply_directive(node, target, directive, value, patch);
            continue;
        }
        if value.is_null() {
            target.shift_remove(name);
            continue;
        }
        let member = node.and_then(|node| node.member(name));
        match value {
            Value::Object(map) if replaces(member) => {
                target.insert(name.clone(), Value::Object(cleaned_map(map)));
            }
            Value::Object(_) => {
                let slot = target.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                strategic_merge(member, slot, value)?;
            }
            Value::Array(items) if merges(member) => {
                let slot = target.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(member, slot, items)?;
            }
            _ => {
                target.insert(name.clone(), cleaned(value));
            }
        }
    }
    order_lists(node, target, patch);
    Ok(())
}

fn strategy(node: Option<Node<'_>>) -> &str {
    node.map_or("", |node| node.text("x-kubernetes-patch-strategy"))
}

fn merges(node: Option<Node<'_>>) -> bool {
    strategy(node).split(',').any(|word| word == "merge")
}

fn replaces(node: Option<Node<'_>>) -> bool {
    strategy(node).split(',').any(|word| word == "replace")
}

fn merge_list(node: Option<Node<'_>>, slot: &mut Value, patch: &[Value]) -> Result<(), Status> {
    let key = node.map_or("", |node| node.text("x-kubernetes-patch-merge-key"));
    let items = node.and_then(|node| node.items());
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    let Some(target) = slot.as_array_mut() else { return Ok(()) };
    if patch.iter().any(|item| item.get("$patch").and_then(Value::as_str) == Some("replace")) {
        let kept = patch.iter().filter(|item| item.get("$patch").is_none());
        *target = kept.map(cleaned).collect();
        return Ok(());
    }
    for item in patch {
        if key.is_empty() {
            if !target.contains(item) {
                target.push(cleaned(item));
            }
            continue;
        }
        let Some(name) = item.get(key) else {
            return Err(Status::bad_request(format!("map: {item} does not contain declared merge key: {key}")));
        };
        let at = target.iter().position(|one| one.get(key) == Some(name));
        match (item.get("$patch").and_then(Value::as_str), at) {
            (Some("delete"), _) => target.retain(|one| one.get(key) != Some(name)),
            (_, Some(at)) => strategic_merge(items, &mut target[at], item)?,
            (_, None) => {
                let mut fresh = Value::Object(Map::new());
                strategic_merge(items, &mut fresh, item)?;
                target.push(fresh);
            }
        }
    }
    Ok(())
}

fn apply_directive(
    node: Option<Node<'_>>,
    target: &mut Map<String, Value>,
    directive: &str,
    value: &Value,
    patch: &Map<String, Value>,
) {
    let _ = node;
    if let Some(name) = directive.strip_prefix("deleteFromPrimitiveList/")
        && let (Some(list), Some(gone)) = (target.get_mut(name).and_then(Value::as_array_mut), value.as_array())
        && !patch.contains_key(&format!("${directive}/"))
    {
        list.retain(|item| !gone.contains(item));
    }
}

/// Puts lists in the order that `$setElementOrder/…` asks for; what it does not name keeps its place behind its predecessor.
fn order_lists(node: Option<Node<'_>>, target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (directive, order) in patch {
        let Some(name) = directive.strip_prefix("$setElementOrder/") else { continue };
        let (Some(order), Some(list)) = (order.as_array(), target.get_mut(name).and_then(Value::as_array_mut)) else {
            continue;
        };
        let member = node.and_then(|node| node.member(name));
        let key = member.map_or("", |node| node.text("x-kubernetes-patch-merge-key"));
        let name_of = |item: &Value| if key.is_empty() { Some(item.clone()) } else { item.get(key).cloned() };
        let wanted: Vec<Option<Value>> = order.iter().map(name_of).collect();
        let rank = |item: &Value| wanted.iter().position(|one| *one == name_of(item));
        let mut ranked: Vec<(usize, usize, Value)> = Vec::with_capacity(list.len());
        let mut last = 0;
        for (place, item) in list.drain(..).enumerate() {
            last = rank(&item).unwrap_or(last);
            ranked.push((last, place, item));
        }
        ranked.sort_by_key(|(rank, place, _)| (*rank, *place));
        list.extend(ranked.into_iter().map(|(_, _, item)| item));
    }
}

fn cleaned_map(map: &Map<String, Value>) -> Map<String, Value> {
    let own = map.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    own.map(|(name, value)| (name.clone(), cleaned(value))).collect()
}

fn cleaned(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(cleaned_map(map)),
        Value::Array(list) => Value::Array(list.iter().map(cleaned).collect()),
        other => other.clone(),
    }
}
