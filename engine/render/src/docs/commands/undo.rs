//! What each step changes, and how it is taken back: known from the runbook alone.
//!
//! What a step made is deleted. What was there before is put back from a file that the step's block wrote. What was
//! made and changed further by the same page needs no file: it is deleted with all its changes.

use std::collections::{BTreeMap, BTreeSet};

use periplus_core::model::verb::{Presence, Verb};
use periplus_core::model::{ObjectRef, Requirement, Runbook, Step, StepId, Text, Which};

use super::manifest::{Object, documents};
use super::names::Names;
use super::path::segments;

/// An object, by texts that hold templates as the runbook has them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: String,
    namespace: String,
    name: String,
}

/// What is known of an object before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was there before the page.
    Before,
    /// The step at this position made it.
    MadeBy(usize),
    /// The page deleted it.
    Gone,
}

/// What a step's block does beside its own work, and what taking it back asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// The file that keeps the state before.
    pub(super) before: Option<String>,
    /// Whether that state has to be put back, or only served for the change.
    pub(super) restores: bool,
    /// Objects of an apply that were surely not there before it.
    pub(super) made: Vec<Object>,
    /// Objects of an apply that were there before it, with the files that keep them.
    pub(super) altered: Vec<(Object, String)>,
}

/// The traces of all steps, by position.
pub(super) fn traces(runbook: &Runbook, names: &Names) -> Vec<Trace> {
    let keep: BTreeSet<&StepId> =
        runbook.cleanup.iter().flat_map(|cleanup| &cleanup.keep).map(|kept| &kept.value).collect();
    let mut known: BTreeMap<Key, Known> = BTreeMap::new();
    let mut files = BTreeSet::new();
    for name in ["default", "kube-system", "kube-public", "kube-node-lease", "istio-system"] {
        let key = Key { kind: "namespace".to_owned(), namespace: String::new(), name: name.to_owned() };
        known.insert(key, Known::Before);
    }
    for requirement in &runbook.requires {
        if let Requirement::Object(object) = requirement
            && let Some(key) = key(runbook, None, object)
        {
            known.insert(key, Known::Before);
        }
    }
    let mut traces: Vec<Trace> = Vec::new();
    // What is surely put back as it was before the first change: with its fields where that is all that is put back.
    let mut restored: BTreeSet<(Key, Option<String>)> = BTreeSet::new();
    for (position, step) in runbook.steps.iter().enumerate() {
        let sure = step.when.is_none() && !keep.contains(&step.id.value);
        let mut trace = Trace::default();
        let goes_with = |of: Option<&Known>| match of {
            Some(Known::MadeBy(maker)) => !keep.contains(&runbook.steps[*maker].id.value),
            _ => false,
        };
        match &step.verb {
            Verb::Apply(apply) => {
                let place = apply.namespace.as_ref().or(step.namespace.as_ref()).or(runbook.namespace.as_ref());
                for object in
                    documents(apply, names).into_iter().flat_map(|all| all.documents).flat_map(|one| one.objects)
                {
                    let key = applied_key(&object, place);
                    match known.get(&key) {
                        None | Some(Known::Gone) => {
                            known.insert(key, Known::MadeBy(position));
                            trace.made.push(object);
                        }
                        Some(Known::Before) if restored.contains(&(key.clone(), None)) => {}
                        Some(Known::Before) => {
                            if sure {
                                restored.insert((key, None));
                            }
                            let before = file(&format!("{}-before.yaml", object.name), step, &mut files);
                            trace.altered.push((object, before));
                        }
                        Some(Known::MadeBy(_)) => {}
                    }
                }
            }
            Verb::Patch(patch) => {
                let key = key(runbook, Some(step), &patch.object);
                let was = key.as_ref().and_then(|key| known.get(key));
                let field = patch.yaml_in.as_ref().map(|pointer| pointer.raw.clone());
                let first = key.as_ref().is_none_or(|key| {
                    [None, field.clone()].into_iter().all(|field| !restored.contains(&(key.clone(), field)))
                });
                trace.restores = !goes_with(was) && first;
                if let (Some(key), true) = (&key, trace.restores && sure) {
                    restored.insert((key.clone(), field));
                }
                if trace.restores || patch.yaml_in.is_some() {
                    let field = patch.yaml_in.as_ref().and_then(|pointer| segments(&pointer.raw).last());
                    let stem = field.unwrap_or_else(|| named(&patch.object));
                    let stem = stem.trim_end_matches(".yaml").trim_end_matches(".yml").to_owned();
                    trace.before = Some(file(&format!("{stem}-before.yaml"), step, &mut files));
                }
                see(&mut known, key);
            }
            Verb::Delete(delete) => {
                let key = key(runbook, Some(step), &delete.object);
                let was = key.as_ref().and_then(|key| known.get(key));
                // By labels it may be the page's own objects that go.
                let own = matches!(delete.object.which, Which::Selector(_))
                    && known.values().any(|known| matches!(known, Known::MadeBy(_)));
                if !goes_with(was) && was != Some(&Known::Gone) && !own {
                    trace.restores = true;
                    trace.before = Some(file(&format!("{}-before.yaml", named(&delete.object)), step, &mut files));
                }
                if own {
                    // What goes for good has no state before to be put back.
                    for (earlier, trace) in runbook.steps.iter().zip(&mut traces) {
                        if let Verb::Patch(patch) = &earlier.verb
                            && matches!(patch.object.which, Which::Selector(_))
                            && kin(runbook, earlier, &patch.object) == kin(runbook, step, &delete.object)
                        {
                            trace.restores = false;
                            trace.before = None;
                        }
                    }
                }
                if let Some(key) = key {
                    restored.retain(|(known, _)| *known != key);
                    known.insert(key, Known::Gone);
                }
            }
            Verb::Get(get) => see(&mut known, key(runbook, Some(step), &get.object)),
            Verb::ExpectObject(expect) if matches!(expect.presence, Presence::Matches(_)) => {
                see(&mut known, key(runbook, Some(step), &expect.object));
            }
            Verb::ExpectObject(_) | Verb::Exec(_) | Verb::ExpectOutput(_) | Verb::LogGrep(_) | Verb::Wait(_) => {}
        }
        traces.push(trace);
    }
    traces
}

/// An object that is read and that the page did not make was there before.
fn see(known: &mut BTreeMap<Key, Known>, key: Option<Key>) {
    if let Some(key) = key {
        known.entry(key).or_insert(Known::Before);
    }
}

/// Kind and namespace.
fn kin(runbook: &Runbook, step: &Step, object: &ObjectRef) -> (String, String) {
    let place = object.namespace.as_ref().or(step.namespace.as_ref()).or(runbook.namespace.as_ref());
    (object.kind.raw.to_lowercase(), place.map(|text| text.raw.clone()).unwrap_or_default())
}

fn key(runbook: &Runbook, step: Option<&Step>, object: &ObjectRef) -> Option<Key> {
    let Which::Name(name) = &object.which else { return None };
    let version = object.api_version.as_ref().map(|text| text.raw.as_str());
    let place = object
        .namespace
        .as_ref()
        .or_else(|| step.and_then(|step| step.namespace.as_ref()))
        .or(runbook.namespace.as_ref())
        .filter(|_| !super::kinds::is_cluster_wide(&object.kind.raw, version));
    Some(Key {
        kind: object.kind.raw.to_lowercase(),
        namespace: place.map(|text| text.raw.clone()).unwrap_or_default(),
        name: name.raw.clone(),
    })
}

fn applied_key(object: &Object, place: Option<&Text>) -> Key {
    let place = place.filter(|_| !object.is_cluster_wide()).map(|text| text.raw.clone());
    Key {
        kind: object.kind.to_lowercase(),
        namespace: object.namespace.clone().or(place).unwrap_or_default(),
        name: object.name.clone(),
    }
}

/// What a file is called after: the object's name where it is known, else its kind.
fn named(object: &ObjectRef) -> String {
    match &object.which {
        Which::Name(name) if !name.has_template() => name.raw.clone(),
        _ => object.kind.raw.to_lowercase(),
    }
}

/// A name for a file that no other step uses.
fn file(wish: &str, step: &Step, files: &mut BTreeSet<String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let wish = if wish.chars().all(plain) { wish.to_owned() } else { format!("{}-before.yaml", step.id.value) };
    let name = if files.contains(&wish) { format!("{}-before.yaml", step.id.value) } else { wish };
    files.insert(name.clone());
    name
}
