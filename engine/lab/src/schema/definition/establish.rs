//! What the API server adds to a definition: defaults, stored versions, and the conditions under which it is served.
//!
//! Invariant: all of it is computed from the definition and its siblings; nothing here writes.

use serde_json::{Map, Value, json};

use crate::store::meta;

/// A step that a definition's status takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// Nothing to do.
    Done,
    /// The definition with its next status.
    Next(Value),
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A condition of a definition.
pub(crate) fn condition<'a>(crd: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = crd.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| text(condition, "/type") == kind)
}

/// Fills in what a definition leaves out, and starts or keeps its status.
pub(crate) fn prepare(crd: &mut Value, old: Option<&Value>) {
    default_spec(crd);
    let mut status = match old {
        Some(old) => old.get("status").cloned().unwrap_or_default(),
        None => json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}}),
    };
    let storage = super::spec::versions(crd).find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let storage = storage.and_then(|version| version.get("name")).cloned();
    let stored = meta::as_map(&mut status).entry("storedVersions").or_insert_with(|| Value::Array(Vec::new()));
    if let (Some(stored), Some(storage)) = (stored.as_array_mut(), storage)
        && !stored.contains(&storage)
    {
        stored.push(storage);
    }
    if let Some(crd) = crd.as_object_mut() {
        crd.insert("status".into(), status);
    }
}

fn default_spec(crd: &mut Value) {
    let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let empty = |names: &Map<String, Value>, key: &str| names.get(key).is_none_or(|name| name == "");
        if empty(names, "singular") {
            names.insert("singular".into(), kind.to_lowercase().into());
        }
        if empty(names, "listKind") && !kind.is_empty() {
            names.insert("listKind".into(), format!("{kind}List").into());
        }
    }
    let conversion = spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    if let Some(service) = conversion.pointer_mut("/webhook/clientConfig/service").and_then(Value::as_object_mut) {
        service.entry("port").or_insert_with(|| 443.into());
    }
}

/// The next step of a definition's status, among the other definitions of its group.
pub(crate) fn next_status(crd: &Value, siblings: &[&Value], now: &str) -> Progress {
    let names = crd.pointer("/spec/names").cloned().unwrap_or_default();
    let accepted = crd.pointer("/status/acceptedNames").cloned().unwrap_or_default();
    if !same_names(&names, &accepted) {
        let next = accept_names(crd, &names, &accepted, siblings, now);
        if next != *crd {
            return Progress::Next(next);
        }
    }
    let holds = |kind: &str| condition(crd, kind).is_some_and(|condition| text(condition, "/status") == "True");
    if holds("NamesAccepted") && !holds("Established") {
        let mut next = crd.clone();
        let message = "the initial names have been accepted";
        set_condition(&mut next, ["Established", "True", "InitialNamesAccepted", message], now);
        return Progress::Next(next);
    }
    Progress::Done
}

fn same_names(left: &Value, right: &Value) -> bool {
    let sorted = |names: &Value| {
        let mut names = names.clone();
        names.sort_all_objects();
        names
    };
    sorted(left) == sorted(right)
}

/// Takes the names that no sibling has, and tells of the last one that is taken.
fn accept_names(crd: &Value, wanted: &Value, accepted: &Value, siblings: &[&Value], now: &str) -> Value {
    let taken = |keys: &[&str], name: &str| {
        siblings.iter().filter_map(|sibling| sibling.pointer("/status/acceptedNames")).any(|names| {
            keys.iter().any(|key| match names.get(*key) {
                Some(Value::Array(list)) => list.iter().any(|one| one == name),
                other => other.is_some_and(|one| one == name),
            })
        })
    };
    const RESOURCES: [&str; 3] = ["plural", "singular", "shortNames"];
    const KINDS: [&str; 2] = ["kind", "listKind"];
    let mut names = Map::new();
    let mut conflict: Option<(String, String)> = None;
    let rows: [(&str, &str, &[&str]); 5] = [
        ("plural", "PluralConflict", &RESOURCES),
        ("singular", "SingularConflict", &RESOURCES),
        ("shortNames", "ShortNamesConflict", &RESOURCES),
        ("kind", "KindConflict", &KINDS),
        ("listKind", "ListKindConflict", &KINDS),
    ];
    for (key, reason, keys) in rows {
        let old = accepted.get(key);
        let Some(new) = wanted.get(key) else { continue };
        let requested: Vec<&str> = match new {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        };
        let is_ours = |name: &str| match old {
            Some(Value::Array(list)) => list.iter().any(|one| one == name),
            other => other.is_some_and(|one| one == name),
        };
        let used: Vec<String> = requested
            .into_iter()
            .filter(|name| !is_ours(name) && taken(keys, name))
            .map(|name| format!("{name:?} is already in use"))
            .collect();
        if used.is_empty() {
            names.insert(key.into(), new.clone());
        } else {
            let message = if used.len() == 1 { used[0].clone() } else { format!("[{}]", used.join(", ")) };
            conflict = Some((reason.to_owned(), message));
            names.extend(old.map(|old| (key.to_owned(), old.clone())));
        }
    }
    for key in ["plural", "kind"] {
        names.entry(key).or_insert_with(|| "".into());
    }
    names.extend(wanted.get("categories").map(|categories| ("categories".to_owned(), categories.clone())));
    let mut next = crd.clone();
    meta::child(&mut next, "status").insert("acceptedNames".into(), Value::Object(names));
    let is_new = condition(crd, "Established").is_none();
    let established = condition(crd, "Established").is_some_and(|old| text(old, "/status") == "True");
    match &conflict {
        Some((reason, message)) => {
            set_condition(&mut next, ["NamesAccepted", "False", reason, message], now);
            if is_new {
                let message = "not all names are accepted";
                set_condition(&mut next, ["Established", "False", "NotAccepted", message], now);
            }
        }
        None => {
            set_condition(&mut next, ["NamesAccepted", "True", "NoConflicts", "no conflicts found"], now);
            if !established {
                let message = "the initial names have been accepted";
                set_condition(&mut next, ["Established", "False", "Installing", message], now);
            }
        }
    }
    next
}

/// Sets a condition: type, status, reason, message. The time is that of the last change of status.
pub(crate) fn set_condition(crd: &mut Value, [kind, status, reason, message]: [&str; 4], now: &str) {
    let conditions = meta::child(crd, "status").entry("conditions").or_insert(Value::Null);
    if !conditions.is_array() {
        *conditions = Value::Array(Vec::new());
    }
    let Some(list) = conditions.as_array_mut() else { return };
    let mut new = json!({
        "type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message,
    });
    match list.iter_mut().find(|old| text(old, "/type") == kind) {
        Some(old) => {
            if text(old, "/status") == status {
                new["lastTransitionTime"] = old.get("lastTransitionTime").cloned().unwrap_or_else(|| now.into());
            }
            *old = new;
        }
        None => list.push(new),
    }
}
