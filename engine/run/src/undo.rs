//! Taking changes back, newest first: what was created is deleted, what was altered gets its old fields back, what was
//! deleted is made again.
//!
//! Nothing that someone else changed since is touched, unless the caller forces it. Every step back is announced in the
//! journal before it goes out, so that an undo that was cut off can be started again.

use std::collections::BTreeSet;

use periplus_core::change::{FieldChange, ObjectKey, recreatable, restore};
use periplus_core::event::{Before, EventKind, Operation, UndoResult};
use periplus_core::model::StepId;
use periplus_core::state::{ChangeProgress, ChangeState};
use periplus_core::yaml_edit;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError, DeleteOptions, ObjectAddress};
use crate::journal::StateDirError;
use crate::ledger::Ledger;
use crate::verbs::{until_gone, write_text};

/// How often a write is tried when others write the same object at the same time.
const TRIES: u32 = 5;

/// How changes are taken back.
#[derive(Clone, Copy, Debug, Default)]
pub struct UndoOptions {
    /// Whether fields that someone else changed since are overwritten, too.
    pub force: bool,
}

/// Takes back all changes that stand, but for those of steps that the runbook keeps. Returns whether all of them are.
pub(crate) async fn undo(
    cluster: &Cluster,
    ledger: &mut Ledger<'_>,
    options: UndoOptions,
) -> Result<bool, StateDirError> {
    let standing: Vec<ChangeState> = ledger.state().standing_changes().cloned().collect();
    if standing.is_empty() {
        return Ok(true);
    }
    let keep = ledger.state().started.as_ref().map_or_else(Vec::new, |started| started.keep.clone());
    ledger.fact(EventKind::UndoStarted { changes: u32::try_from(standing.len()).unwrap_or(u32::MAX) }).await?;
    let mut complete = true;
    let passing = passing(&standing, &keep);
    for change in standing {
        let id = change.intent.change;
        ledger.fact(EventKind::UndoIntended { change: id, object: change.intent.object.clone() }).await?;
        let result = if keep.contains(&change.step) {
            UndoResult::Kept
        } else {
            let passing = passing.contains(&change.intent.object);
            take_back(cluster, &change, passing, options.force).await
        };
        complete &= result.is_complete();
        ledger.fact(EventKind::UndoFinished { change: id, result }).await?;
    }
    Ok(complete)
}

/// The objects that the run created and deleted again: they were not there before, and need not come back to go.
fn passing(standing: &[ChangeState], keep: &[StepId]) -> BTreeSet<ObjectKey> {
    let created = |change: &&ChangeState| change.intent.before == Before::Absent && !keep.contains(&change.step);
    let created: BTreeSet<&ObjectKey> = standing.iter().filter(created).map(|change| &change.intent.object).collect();
    let deleted = standing.iter().filter(|change| change.intent.operation == Operation::Delete);
    deleted.map(|change| &change.intent.object).filter(|object| created.contains(object)).cloned().collect()
}

async fn take_back(cluster: &Cluster, change: &ChangeState, passing: bool, force: bool) -> UndoResult {
    let intent = &change.intent;
    if let Operation::Exec { command } = &intent.operation {
        return UndoResult::Refused { reason: format!("what `{command}` did cannot be known") };
    }
    let key = &intent.object;
    let tried = async {
        let resource = cluster.resolve(Some(&key.api_version), &key.kind).await?;
        let address = ObjectAddress { resource, namespace: key.namespace.clone(), name: key.name.clone() };
        if passing && cluster.find(&address).await?.is_none() {
            return Ok(UndoResult::AlreadyUndone);
        }
        match (&intent.before, &intent.operation) {
            (Before::Absent, _) => delete(cluster, &address, change, force).await,
            (Before::Present { object }, Operation::Delete) => recreate(cluster, &address, object).await,
            (Before::Present { object }, _) => put_back(cluster, &address, object, change, force).await,
            (Before::Withheld { .. }, _) => Ok(UndoResult::Refused {
                reason: format!("what {key} held before was not written down, since it is secret"),
            }),
            (Before::NotAnObject, _) => Ok(UndoResult::AlreadyUndone),
        }
    };
    match tried.await {
        Ok(result) => result,
        // The kind is gone, and its objects with it.
        Err(ClusterError::KindUnknown { .. }) if intent.before == Before::Absent => UndoResult::AlreadyUndone,
        Err(error) => UndoResult::Failed { error: error.to_string() },
    }
}

/// Deletes what the run created, if it still is that object.
async fn delete(
    cluster: &Cluster,
    address: &ObjectAddress,
    change: &ChangeState,
    force: bool,
) -> Result<UndoResult, ClusterError> {
    let Some(live) = cluster.find(address).await? else { return Ok(UndoResult::AlreadyUndone) };
    let uid = text(&live, "/metadata/uid");
    match &change.progress {
        ChangeProgress::Made(made) if made.uid != uid && !force => {
            let reason = format!("{} was deleted and made again by someone else since", address.key());
            return Ok(UndoResult::Refused { reason });
        }
        // Whether this run created it was never answered: it did if we are among its managers.
        ChangeProgress::Intended | ChangeProgress::PerhapsMade { .. } if !is_managed_by_us(&live) && !force => {
            let reason = format!("it is not certain that this run created {}", address.key());
            return Ok(UndoResult::Refused { reason });
        }
        _ => {}
    }
    let options = DeleteOptions { uid: Some(uid.clone()), ..DeleteOptions::default() };
    match cluster.delete(address, &options).await {
        Ok(_) | Err(ClusterError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    until_gone(cluster, address, Some(uid), &mut |_| {}).await?;
    Ok(UndoResult::Deleted)
}

async fn recreate(cluster: &Cluster, address: &ObjectAddress, before: &Value) -> Result<UndoResult, ClusterError> {
    if cluster.find(address).await?.is_some() {
        return Ok(UndoResult::AlreadyUndone);
    }
    cluster.create(address, &recreatable(before)).await?;
    Ok(UndoResult::Recreated)
}

/// Gives our fields their old values.
async fn put_back(
    cluster: &Cluster,
    address: &ObjectAddress,
    before: &Value,
    change: &ChangeState,
    force: bool,
) -> Result<UndoResult, ClusterError> {
    for tried in 1.. {
        let Some(live) = cluster.find(address).await? else {
            let reason = format!("{} was deleted by someone else since", address.key());
            return Ok(UndoResult::Refused { reason });
        };
        let fields = match &change.progress {
            ChangeProgress::Made(made) => made.fields.clone(),
            // The answer was lost: whatever differs now may be ours or someone else's.
            _ if text(&live, "/metadata/resourceVersion") == text(before, "/metadata/resourceVersion") => Vec::new(),
            _ => {
                let reason = format!("it is not certain which fields of {} this run changed", address.key());
                return Ok(UndoResult::Refused { reason });
            }
        };
        if fields.is_empty() {
            return Ok(UndoResult::AlreadyUndone);
        }
        let plan = match &change.intent.operation {
            Operation::PatchYaml { pointer } => put_back_yaml(&live, before, pointer, &fields, force),
            _ => put_back_fields(&live, &fields, force),
        };
        let wanted = match plan {
            PutBack::Refused(reason) => {
                let reason = format!("{}: {reason}{}", address.key(), manager(&live));
                return Ok(UndoResult::Refused { reason });
            }
            PutBack::Nothing => return Ok(UndoResult::AlreadyUndone),
            PutBack::Write(wanted) => wanted,
        };
        let written = match &wanted {
            Wanted::Object(object) => cluster.replace(address, object).await,
            Wanted::Text { pointer, text } => cluster.patch(address, &write_text(&live, pointer, text.clone())).await,
        };
        match written {
            Ok(_) => return Ok(UndoResult::Restored),
            // Someone wrote between our reading and our writing: look again.
            Err(ClusterError::Conflict { .. }) if tried < TRIES => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the last try returns")
}

enum PutBack {
    Nothing,
    Refused(String),
    Write(Wanted),
}

enum Wanted {
    /// The whole object, at the version that was read.
    Object(Box<Value>),
    /// One text field.
    Text { pointer: String, text: String },
}

fn put_back_fields(live: &Value, fields: &[FieldChange], force: bool) -> PutBack {
    let plan = restore(live, fields, force);
    if !plan.foreign.is_empty() && !force {
        return PutBack::Refused(format!("{} was changed by someone else since", plan.foreign.join(", ")));
    }
    if plan.differs { PutBack::Write(Wanted::Object(Box::new(plan.object))) } else { PutBack::Nothing }
}

/// Puts fields back within YAML text: the text as it was, byte for byte, where only we changed it; else field by field.
fn put_back_yaml(live: &Value, before: &Value, pointer: &str, fields: &[FieldChange], force: bool) -> PutBack {
    let refused = |what: &str| PutBack::Refused(format!("{pointer} {what}"));
    let was = before.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let Some(is) = live.pointer(pointer).and_then(Value::as_str) else {
        return refused("was removed by someone else since");
    };
    if is == was {
        return PutBack::Nothing;
    }
    let edits = |fields: &[FieldChange], value: fn(&FieldChange) -> &Option<Value>| {
        fields.iter().map(|field| (field.path.clone(), value(field).clone())).collect::<Vec<_>>()
    };
    let ours = yaml_edit::set(was, &edits(fields, |field| &field.after));
    if ours.is_ok_and(|ours| ours == is) {
        return PutBack::Write(Wanted::Text { pointer: pointer.to_owned(), text: was.to_owned() });
    }
    let Ok(parsed) = yaml_edit::parse(is) else { return refused("holds no valid YAML any more") };
    let unplaced: Vec<FieldChange> =
        fields.iter().map(|field| FieldChange { yaml_in: None, ..field.clone() }).collect();
    let plan = restore(&parsed, &unplaced, force);
    if !plan.foreign.is_empty() && !force {
        let what = format!("{} in {pointer} was changed by someone else since", plan.foreign.join(", "));
        return PutBack::Refused(what);
    }
    if !plan.differs {
        return PutBack::Nothing;
    }
    match yaml_edit::set(is, &edits(fields, |field| &field.before)) {
        Ok(text) => PutBack::Write(Wanted::Text { pointer: pointer.to_owned(), text }),
        Err(error) => PutBack::Refused(format!("{pointer}: {error}")),
    }
}

/// Who wrote the object last, other than us, for a refusal that names them.
fn manager(live: &Value) -> String {
    let managers = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let others = managers.into_iter().flatten().filter(|entry| entry["manager"] != crate::cluster::FIELD_MANAGER);
    let latest = others.max_by_key(|entry| entry["time"].as_str().unwrap_or_default().to_owned());
    latest.and_then(|entry| entry["manager"].as_str()).map_or_else(String::new, |name| format!(" (last by {name})"))
}

fn is_managed_by_us(live: &Value) -> bool {
    let managers = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    managers.into_iter().flatten().any(|entry| entry["manager"] == crate::cluster::FIELD_MANAGER)
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What is found reverted when all changes are read again at the end of a run; `None` where it stands as made.
pub(crate) async fn reverted(cluster: &Cluster, change: &ChangeState) -> Result<Option<String>, ClusterError> {
    let ChangeProgress::Made(made) = &change.progress else { return Ok(None) };
    if matches!(change.intent.operation, Operation::Exec { .. } | Operation::Delete) {
        return Ok(None);
    }
    let key = &change.intent.object;
    let resource = cluster.resolve(Some(&key.api_version), &key.kind).await?;
    let address = ObjectAddress { resource, namespace: key.namespace.clone(), name: key.name.clone() };
    let Some(live) = cluster.find(&address).await? else { return Ok(Some(format!("{key} is gone"))) };
    let field = |field: &FieldChange| -> bool {
        let now = match &field.yaml_in {
            None => live.pointer(&field.path).cloned(),
            Some(pointer) => live
                .pointer(pointer)
                .and_then(Value::as_str)
                .and_then(|text| yaml_edit::parse(text).ok())
                .and_then(|value| value.pointer(&field.path).cloned()),
        };
        now == field.before && field.before != field.after
    };
    let back: Vec<&str> = made.fields.iter().filter(|one| field(one)).map(|field| field.path.as_str()).collect();
    if back.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!("{key}: {} is what it was before the run{}", back.join(", "), manager(&live))))
}
