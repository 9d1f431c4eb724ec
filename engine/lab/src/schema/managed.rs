//! `managedFields`: who owns which field, after updates and after server-side apply.
//!
//! Invariant: a manager's stamp changes only when the set of its fields does, so writing the same again changes nothing.

use serde_json::{Map, Value};

use super::apply::{merge, remove_fields};
use super::compare::{Comparison, compare, named_fields};
use super::fieldset::FieldSet;
use super::node::Node;
use crate::status::Status;
use crate::store::meta;

/// Members of `metadata` that nobody owns, because the server writes them.
const UNOWNED: [&str; 8] = [
    "f:name",
    "f:namespace",
    "f:creationTimestamp",
    "f:selfLink",
    "f:uid",
    "f:generation",
    "f:managedFields",
    "f:resourceVersion",
];

/// Who writes, for the bookkeeping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ownership<'a> {
    pub(crate) manager: &'a str,
    /// `group/version` that the request speaks.
    pub(crate) api_version: &'a str,
    /// Empty for the main resource.
    pub(crate) subresource: &'a str,
    /// Present time, RFC 3339 to the second.
    pub(crate) now: &'a str,
    /// The status is none of this write's business.
    pub(crate) without_status: bool,
}

/// A server-side apply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApplyRequest<'a> {
    pub(crate) owner: Ownership<'a>,
    pub(crate) force: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    manager: String,
    operation: &'static str,
    api_version: String,
    subresource: String,
    time: Option<String>,
    fields: FieldSet,
}

impl Entry {
    fn from_json(json: &Value) -> Option<Self> {
        let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let operation = match json.get("operation")?.as_str()? {
            "Apply" => "Apply",
            "Update" => "Update",
            _ => return None,
        };
        Some(Self {
            manager: text("manager"),
            operation,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: json.get("time").and_then(Value::as_str).map(ToOwned::to_owned),
            fields: FieldSet::from_fields_v1(json.get("fieldsV1")?),
        })
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("manager".into(), self.manager.as_str().into());
        map.insert("operation".into(), self.operation.into());
        map.insert("apiVersion".into(), self.api_version.as_str().into());
        if let Some(time) = &self.time {
            map.insert("time".into(), time.as_str().into());
        }
        map.insert("fieldsType".into(), "FieldsV1".into());
        map.insert("fieldsV1".into(), self.fields.to_fields_v1());
        if !self.subresource.is_empty() {
            map.insert("subresource".into(), self.subresource.as_str().into());
        }
        Value::Object(map)
    }

    /// Appliers are one manager over all versions; updaters are one a version.
    fn is(&self, owner: &Ownership<'_>, operation: &str) -> bool {
        self.manager == owner.manager
            && self.operation == operation
            && self.subresource == owner.subresource
            && (operation == "Apply" || self.api_version == owner.api_version)
    }

    /// The manager as conflicts name it.
    fn shown(&self) -> String {
        let mut out = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            out = format!("{out} with subresource {:?}", self.subresource);
        }
        if self.operation == "Update" {
            out = format!("{out} using {}", self.api_version);
        }
        out
    }
}

/// Books the differences between `old` and `new` as an update. `new` carries the managed fields that the client sent; those of `old`
/// count, unless the client cleared the list.
pub(crate) fn track_update(node: Option<Node<'_>>, old: &Value, new: &mut Value, owner: &Ownership<'_>) {
    // A client clears the list by sending one empty entry.
    let cleared = new.pointer("/metadata/managedFields").and_then(Value::as_array).is_some_and(|sent| is_reset(sent));
    let sent = read(new);
    let before = match (cleared, sent.is_empty()) {
        (true, _) => Vec::new(),
        // Whoever sends fields along means them; one who knows nothing of them loses none.
        (false, false) => sent,
        (false, true) => read(old),
    };
    // An object whose fields nobody owns stays so until somebody applies it.
    if before.is_empty() && old.pointer("/metadata/uid").is_some() {
        meta::metadata(new).shift_remove("managedFields");
        return;
    }
    let mut entries = before.clone();
    let difference = stripped(compare(node, Some(old), Some(new)), owner);
    release(&mut entries, &difference, |entry| entry.is(owner, "Update"));
    let gained = difference.added.union(&difference.modified);
    match entries.iter_mut().find(|entry| entry.is(owner, "Update")) {
        Some(mine) => mine.fields = mine.fields.difference(&difference.removed).union(&gained),
        None => entries.push(Entry {
            manager: owner.manager.to_owned(),
            operation: "Update",
            api_version: owner.api_version.to_owned(),
            subresource: owner.subresource.to_owned(),
            time: None,
            fields: gained,
        }),
    }
    write(new, entries, &before, owner);
}

/// Applies `config` to `live` (None for an object that does not exist yet) and answers the merged object with its managed fields.
///
/// # Errors
/// 409 when other managers own fields that would change, unless forced.
pub(crate) fn apply(
    node: Option<Node<'_>>,
    live: &Value,
    exists: bool,
    config: &Value,
    request: &ApplyRequest<'_>,
) -> Result<Value, Status> {
    let owner = &request.owner;
    let before = read(live);
    let mut entries = before.clone();
    if exists && entries.is_empty() {
        let fields = strip(named_fields(node, live), owner);
        let time = live.pointer("/metadata/creationTimestamp").and_then(Value::as_str).map(ToOwned::to_owned);
        entries.push(Entry {
            manager: "before-first-apply".into(),
            operation: "Update",
            api_version: owner.api_version.to_owned(),
            subresource: String::new(),
            time,
            fields,
        });
    }
    let mut named = config.clone();
    if let Some(metadata) = named.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    let merged = merge(node, live, &named);
    let fields = strip(named_fields(node, &named), owner);
    let last = match entries.iter_mut().find(|entry| entry.is(owner, "Apply")) {
        Some(mine) => {
            mine.api_version = owner.api_version.to_owned();
            std::mem::replace(&mut mine.fields, fields)
        }
        None => {
            entries.push(Entry {
                manager: owner.manager.to_owned(),
                operation: "Apply",
                api_version: owner.api_version.to_owned(),
                subresource: owner.subresource.to_owned(),
                time: None,
                fields,
            });
            FieldSet::default()
        }
    };
    let owned = entries.iter().fold(FieldSet::default(), |all, entry| all.union(&entry.fields)).with_parents();
    let dropped = last.difference(&owned);
    let mut new = if dropped.is_empty() {
        merged
    } else {
        remove_fields(node, &merged, &dropped).unwrap_or_else(|| Value::Object(Map::new()))
    };
    let difference = stripped(compare(node, Some(live), Some(&new)), owner);
    if !request.force {
        refuse_conflicts(&entries, &difference, owner)?;
    }
    release(&mut entries, &difference, |entry| entry.is(owner, "Apply"));
    write(&mut new, entries, &before, owner);
    Ok(new)
}

/// Writes the managed fields of `from` into `to`: for writes that are not booked.
pub(crate) fn keep(from: &Value, to: &mut Value) {
    match from.pointer("/metadata/managedFields") {
        Some(fields) => meta::metadata(to).insert("managedFields".into(), fields.clone()),
        None => meta::metadata(to).shift_remove("managedFields"),
    };
}

fn is_reset(sent: &[Value]) -> bool {
    matches!(sent, [only] if only.as_object().is_some_and(Map::is_empty))
}

fn refuse_conflicts(entries: &[Entry], difference: &Comparison, owner: &Ownership<'_>) -> Result<(), Status> {
    let changed = difference.added.union(&difference.modified);
    let mut conflicts = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is(owner, "Apply")) {
        let paths = entry.fields.intersection(&changed).paths();
        conflicts.extend(paths.into_iter().map(|path| (entry.shown(), path)));
    }
    conflicts.sort();
    if conflicts.is_empty() { Ok(()) } else { Err(Status::apply_conflict(conflicts)) }
}

/// Takes changed and removed fields from everyone but the writer.
fn release(entries: &mut [Entry], difference: &Comparison, is_writer: impl Fn(&Entry) -> bool) {
    let lost = difference.added.union(&difference.modified).union(&difference.removed);
    for entry in entries.iter_mut().filter(|entry| !is_writer(entry)) {
        entry.fields = entry.fields.difference(&lost);
    }
}

fn stripped(difference: Comparison, owner: &Ownership<'_>) -> Comparison {
    Comparison {
        added: strip(difference.added, owner),
        modified: strip(difference.modified, owner),
        removed: strip(difference.removed, owner),
    }
}

fn strip(mut set: FieldSet, owner: &Ownership<'_>) -> FieldSet {
    set.member = false;
    set.remove_subtree(&["f:apiVersion"]);
    set.remove_subtree(&["f:kind"]);
    if owner.without_status {
        set.remove_subtree(&["f:status"]);
    }
    if let Some(metadata) = set.children.get_mut("f:metadata") {
        metadata.member = false;
        for field in UNOWNED {
            metadata.remove_subtree(&[field]);
        }
        if metadata.is_empty() {
            set.children.remove("f:metadata");
        }
    }
    set
}

fn read(object: &Value) -> Vec<Entry> {
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Entry::from_json).collect()
}

/// Writes the list in Kubernetes' order: appliers first, then by time, then by name.
fn write(object: &mut Value, mut entries: Vec<Entry>, before: &[Entry], owner: &Ownership<'_>) {
    entries.retain(|entry| !entry.fields.is_empty());
    for entry in &mut entries {
        let writer = entry.manager == owner.manager && entry.subresource == owner.subresource;
        let same = before.iter().any(|old| old.fields == entry.fields && old.is_same_manager(entry));
        if !same && (writer || entry.time.is_none()) {
            entry.time = Some(owner.now.to_owned());
        }
    }
    entries.sort_by(|a, b| {
        (a.operation, &a.time, &a.manager, &a.api_version, &a.subresource).cmp(&(
            b.operation,
            &b.time,
            &b.manager,
            &b.api_version,
            &b.subresource,
        ))
    });
    let metadata = meta::metadata(object);
    if entries.is_empty() {
        metadata.shift_remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), entries.iter().map(Entry::to_json).collect());
    }
}

impl Entry {
    fn is_same_manager(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && self.api_version == other.api_version
    }
}
