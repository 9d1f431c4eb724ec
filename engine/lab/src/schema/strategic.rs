//! Strategic merge patch: JSON merge patch with lists merged by key and directives (`$patch`, `$retainKeys`, …).
//!
//! Invariant: directives never reach the stored object.

use serde_json::{Map, Value};

use super::node::Node;
use crate::status::Status;

/// Merges `patch` into `object`.
///
/// # Errors
/// 500 for an unknown directive, or an item without its merge key, as the server has it; 400 for what is no object.
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
        Some(other) => {
            let map = go_map(&Value::Object(patch.clone()));
            return Err(Status::failure(format!("unknown patch type: {other} in map: {map}")));
        }
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
                let order = patch.get(&format!("$setElementOrder/{name}")).and_then(Value::as_array);
                let order = order.map(Vec::as_slice);
                if order.is_some_and(|order| !is_in_order(member, items, order)) {
                    let order = go_map(&order.unwrap_or_default().into());
                    let items = go_map(&Value::Array(items.clone()));
                    return Err(Status::failure(format!(
                        "The order in patch list:\n{items}\n doesn't match $setElementOrder list:\n{order}\n"
                    )));
                }
                merge_list(member, slot, items, order)?;
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

/// Merges a list by item. `order` is what `$setElementOrder` asks for; without it the patch itself gives the order.
fn merge_list(
    node: Option<Node<'_>>,
    slot: &mut Value,
    patch: &[Value],
    order: Option<&[Value]>,
) -> Result<(), Status> {
    let key = node.map_or("", |node| node.text("x-kubernetes-patch-merge-key"));
    let items = node.and_then(|node| node.items());
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    let Some(target) = slot.as_array_mut() else { return Ok(()) };
    let directive = |item: &Value| item.get("$patch").and_then(Value::as_str).map(ToOwned::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        *target = patch.iter().filter(|item| directive(item).is_none()).map(cleaned).collect();
        return Ok(());
    }
    let name_of = |item: &Value| if key.is_empty() { Some(item.clone()) } else { item.get(key).cloned() };
    let before: Vec<Option<Value>> = target.iter().map(name_of).collect();
    for item in patch {
        if key.is_empty() {
            if !target.contains(item) {
                target.push(cleaned(item));
            }
            continue;
        }
        let Some(name) = item.get(key) else {
            return Err(Status::failure(format!("map: {} does not contain declared merge key: {key}", go_map(item))));
        };
        let at = target.iter().position(|one| one.get(key) == Some(name));
        match (directive(item).as_deref(), at) {
            (Some("delete"), _) => target.retain(|one| one.get(key) != Some(name)),
            (_, Some(at)) => strategic_merge(items, &mut target[at], item)?,
            (_, None) => {
                let mut fresh = Value::Object(Map::new());
                strategic_merge(items, &mut fresh, item)?;
                target.push(fresh);
            }
        }
    }
    let wanted: Vec<Option<Value>> = order.unwrap_or(patch).iter().map(name_of).collect();
    sort_merged(target, &wanted, &before, name_of);
    Ok(())
}

/// Puts the items that `wanted` names in its order, and each other one where it stood `before` them.
fn sort_merged(
    list: &mut Vec<Value>,
    wanted: &[Option<Value>],
    before: &[Option<Value>],
    name_of: impl Fn(&Value) -> Option<Value>,
) {
    let rank = |names: &[Option<Value>], item: &Value| names.iter().position(|one| *one == name_of(item));
    let (mut named, rest): (Vec<Value>, Vec<Value>) = list.drain(..).partition(|item| rank(wanted, item).is_some());
    named.sort_by_key(|item| rank(wanted, item));
    let mut named = named.into_iter().peekable();
    for item in rest {
        // An item goes before the next named one only if it stood before it already.
        let place = rank(before, &item);
        while let Some(next) =
            named.next_if(|next| !matches!((place, rank(before, next)), (Some(own), Some(next)) if own < next))
        {
            list.push(next);
        }
        list.push(item);
    }
    list.extend(named);
}

/// Whether each item that a patch adds or changes is named by the order that comes with it.
fn is_in_order(node: Option<Node<'_>>, patch: &[Value], order: &[Value]) -> bool {
    let key = node.map_or("", |node| node.text("x-kubernetes-patch-merge-key"));
    let name_of = |item: &Value| if key.is_empty() { Some(item.clone()) } else { item.get(key).cloned() };
    let mut rest = order.iter();
    let kept = patch.iter().filter(|item| item.get("$patch").is_none());
    kept.into_iter().all(|item| rest.any(|one| name_of(one) == name_of(item)))
}

/// A map as Go prints it.
fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut members: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            members.sort();
            format!("map[{}]", members.join(" "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
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

/// Puts lists that the patch itself does not hold in the order that `$setElementOrder/…` asks for.
fn order_lists(node: Option<Node<'_>>, target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (directive, order) in patch {
        let Some(name) = directive.strip_prefix("$setElementOrder/").filter(|name| !patch.contains_key(*name)) else {
            continue;
        };
        let (Some(order), Some(list)) = (order.as_array(), target.get_mut(name).and_then(Value::as_array_mut)) else {
            continue;
        };
        let member = node.and_then(|node| node.member(name));
        let key = member.map_or("", |node| node.text("x-kubernetes-patch-merge-key"));
        let name_of = |item: &Value| if key.is_empty() { Some(item.clone()) } else { item.get(key).cloned() };
        let wanted: Vec<Option<Value>> = order.iter().map(name_of).collect();
        let before: Vec<Option<Value>> = list.iter().map(name_of).collect();
        sort_merged(list, &wanted, &before, name_of);
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
