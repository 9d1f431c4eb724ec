//! `patch`: change fields of an object that exists.

use periplus_core::change::FieldChange;
use periplus_core::event::Operation;
use periplus_core::model::Step;
use periplus_core::model::verb::{Patch, PatchKind};
use periplus_core::outcome::FailureKind;
use periplus_core::yaml_edit;
use serde_json::{Value, json};

use super::apply::note;
use super::get::address_of;
use super::{Change, Done};
use crate::bench::{Bench, Located};
use crate::broken::Broken;
use crate::cluster::{self, ClusterError, ObjectAddress};
use crate::kubectl;
use crate::recorder::Recorder;

pub(crate) async fn patch(bench: &Bench, recorder: &Recorder, step: &Step, verb: &Patch) -> Result<Done, Broken> {
    let located = bench.locate(step, &verb.object).await?;
    let patch = bench.tree(&verb.patch)?;
    let kubectl = kubectl::patch(&located, verb, &patch);
    let patched =
        patch_all(bench, recorder, verb, &located, &patch).await.map_err(|broken| broken.by_hand(&kubectl))?;
    Ok(Done { kubectl: Some(kubectl), ..patched })
}

async fn patch_all(
    bench: &Bench,
    recorder: &Recorder,
    verb: &Patch,
    located: &Located,
    patch: &Value,
) -> Result<Done, Broken> {
    let mut done = Done::default();
    let mut notes = Vec::new();
    for address in addresses(bench, located).await? {
        recorder.waiting(format!("the API server to change {}", address.key()));
        let change = Change::begin(bench, recorder, &address).await?;
        let Some(before) = change.before.clone() else {
            return Err(
                ClusterError::NotFound(format!("{} is not there, so it cannot be changed", address.key())).into()
            );
        };
        let (result, after) = match &verb.yaml_in {
            Some(pointer) => {
                let pointer = bench.text(pointer)?;
                let Some((fields, request)) = edit_held_yaml(&before, &pointer, patch)? else {
                    notes.push(format!("{} already so, nothing changed", address.key()));
                    done.written.push(address);
                    done.object = Some(before);
                    continue;
                };
                let request = bench.cluster.patch(&address, &request);
                change.send(Operation::PatchYaml { pointer: pointer.clone() }, Some(fields), request).await?
            }
            None => {
                let request = match verb.kind {
                    PatchKind::Merge => cluster::Patch::Merge(patch.clone()),
                    PatchKind::Json => cluster::Patch::Json(patch.clone()),
                    PatchKind::Strategic => cluster::Patch::Strategic(patch.clone()),
                };
                let request = bench.cluster.patch(&address, &request);
                change.send(Operation::Patch, None, request).await?
            }
        };
        notes.push(note(&address, result));
        done.object = Some(after);
        done.written.push(address);
    }
    done.note = notes.join(", ");
    Ok(done)
}

async fn addresses(bench: &Bench, located: &Located) -> Result<Vec<ObjectAddress>, Broken> {
    match located {
        Located::One(address) => Ok(vec![address.clone()]),
        Located::Some { resource, namespace, selector } => {
            let listed = bench.cluster.list(resource, namespace.as_deref(), selector).await?;
            if listed.items.is_empty() {
                let what = format!("no {} has the labels {}, so none can be changed", resource.kind, selector.labels);
                return Err(Broken::failed(FailureKind::Refused, what));
            }
            Ok(listed.items.iter().filter_map(|item| address_of(located, item)).collect())
        }
    }
}

/// The fields that a merge into held YAML alters, and the request that writes it if nobody wrote meanwhile. `None` where
/// the YAML already says so.
fn edit_held_yaml(
    object: &Value,
    pointer: &str,
    patch: &Value,
) -> Result<Option<(Vec<FieldChange>, cluster::Patch)>, Broken> {
    let refused = |what: String| Broken::failed(FailureKind::Refused, what);
    let text = match object.pointer(pointer) {
        Some(Value::String(text)) => text.as_str(),
        Some(_) => return Err(refused(format!("{pointer} is not a text"))),
        None => "",
    };
    let edited = yaml_edit::merge(text, patch).map_err(|error| refused(format!("{pointer}: {error}")))?;
    if edited.fields.is_empty() {
        return Ok(None);
    }
    let yaml_in = Some(pointer.to_owned());
    let fields = edited.fields.into_iter().map(|field| FieldChange { yaml_in: yaml_in.clone(), ..field });
    Ok(Some((fields.collect(), write_text(object, pointer, edited.text))))
}

/// Writes one text field, refused by the server if somebody wrote meanwhile.
pub(crate) fn write_text(object: &Value, pointer: &str, text: String) -> cluster::Patch {
    let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let mut patch = json!({"metadata": {"resourceVersion": version}});
    periplus_core::change::write(&mut patch, pointer, Some(Value::String(text)));
    cluster::Patch::Merge(patch)
}
