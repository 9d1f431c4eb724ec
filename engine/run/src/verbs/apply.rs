//! `apply`: server-side apply of manifests, one object after the other.

use periplus_core::event::{ChangeResult, Operation};
use periplus_core::manifest;
use periplus_core::model::Step;
use periplus_core::model::verb::{Apply, Manifest};
use periplus_core::outcome::FailureKind;
use periplus_core::template::Flavour;
use serde_json::Value;

use super::{Change, Done};
use crate::bench::Bench;
use crate::broken::Broken;
use crate::cluster::{ApplyOptions, ObjectAddress};
use crate::kubectl;
use crate::recorder::Recorder;

pub(crate) async fn apply(bench: &Bench, recorder: &Recorder, step: &Step, verb: &Apply) -> Result<Done, Broken> {
    let namespace = verb.namespace.as_ref().or(step.namespace.as_ref());
    let objects = objects(bench, verb)?;
    let given = match namespace {
        Some(namespace) => Some(bench.text(namespace)?),
        None => None,
    };
    let kubectl = kubectl::apply(verb, given.as_deref());
    let applied = apply_all(bench, recorder, step, verb, objects).await.map_err(|broken| broken.by_hand(&kubectl))?;
    Ok(Done { kubectl: Some(kubectl), ..applied })
}

async fn apply_all(
    bench: &Bench,
    recorder: &Recorder,
    step: &Step,
    verb: &Apply,
    objects: Vec<Value>,
) -> Result<Done, Broken> {
    let mut done = Done::default();
    let mut notes = Vec::new();
    for object in objects {
        let address = address(bench, step, verb, &object).await?;
        recorder.waiting(format!("the API server to apply {}", address.key()));
        let change = Change::begin(bench, recorder, &address).await?;
        let options = ApplyOptions { force: verb.force };
        let request = change.bench().cluster.apply(&address, &object, options);
        let (result, after) = change.send(Operation::Apply, None, request).await?;
        notes.push(note(&address, result));
        done.secret |= super::change::is_secret(&address.key());
        done.object = Some(after);
        done.written.push(address);
    }
    done.note = notes.join(", ");
    Ok(done)
}

/// All objects of the manifests, rendered, in the order of applying.
pub(crate) fn objects(bench: &Bench, verb: &Apply) -> Result<Vec<Value>, Broken> {
    let mut text = String::new();
    for manifest in &verb.manifests {
        let one = match manifest {
            Manifest::Inline(text) => bench.render(text, Flavour::Manifest)?,
            Manifest::File { text, render: true, .. } => bench.render_raw(text, Flavour::Manifest)?,
            Manifest::File { text, render: false, .. } => text.clone(),
        };
        text.push_str(&one);
        text.push_str("\n---\n");
    }
    manifest::parse(&text).map_err(|error| Broken::failed(FailureKind::Render, error.to_string()))
}

/// Where an object of a manifest belongs: its own namespace, which must not differ from the one that `apply` names.
async fn address(bench: &Bench, step: &Step, verb: &Apply, object: &Value) -> Result<ObjectAddress, Broken> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (api_version, kind) = (text("/apiVersion"), text("/kind").unwrap_or_default());
    let resource = bench.cluster.resolve(api_version, kind).await?;
    let name = text("/metadata/name").unwrap_or_default().to_owned();
    let namespace = match (resource.namespaced, text("/metadata/namespace"), &verb.namespace) {
        (false, ..) => None,
        (true, Some(own), Some(named)) => {
            let named = bench.text(named)?;
            if named != own {
                let what = format!("{kind} {name} is in namespace {own}, and the step names namespace {named}");
                return Err(Broken::failed(FailureKind::Render, what)
                    .advise("Take the namespace out of the manifest, or out of the step."));
            }
            Some(named)
        }
        (true, Some(own), None) => Some(own.to_owned()),
        (true, None, named) => Some(bench.namespace(step, named.as_ref())?),
    };
    Ok(ObjectAddress { resource, namespace, name })
}

/// `serviceentry/proxy created`, as kubectl reports it.
pub(crate) fn note(address: &ObjectAddress, result: ChangeResult) -> String {
    let resource = &address.resource;
    let group = if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
    format!("{}{group}/{} {result}", resource.kind.to_lowercase(), address.name)
}
