//! `wait`: wait for objects by watching them.

use std::time::Duration;

use periplus_core::jsonpath::JsonPath;
use periplus_core::model::Step;
use periplus_core::model::verb::{WaitCondition, WaitFor};
use periplus_core::outcome::FailureKind;
use serde_json::Value;
use tokio::time::Instant;

use super::Done;
use super::get::address_of;
use crate::bench::{Bench, Located};
use crate::broken::Broken;
use crate::cluster::{self, ClusterError, ObjectAddress, Verdict};
use crate::kubectl;
use crate::recorder::Recorder;

/// How long a deletion may take.
pub(crate) const DELETION: Duration = Duration::from_secs(300);

/// Kinds that roll out.
const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// Waits for what the verb names, or else for what the step wrote.
pub(crate) async fn await_objects(
    bench: &Bench,
    recorder: &Recorder,
    step: &Step,
    verb: &WaitFor,
    written: &[ObjectAddress],
) -> Result<Done, Broken> {
    let (addresses, kubectl) = match &verb.object {
        Some(object) => {
            let located = bench.locate(step, object).await?;
            let line = kubectl::wait(&located, &shown(&verb.condition), verb.timeout.get().as_secs());
            (named(bench, &located).await?, Some(line))
        }
        None => (written.to_vec(), None),
    };
    let waited = await_all(bench, recorder, verb, addresses).await.map_err(|broken| match &kubectl {
        Some(kubectl) => broken.by_hand(kubectl),
        None => broken,
    })?;
    Ok(Done { kubectl, ..waited })
}

async fn await_all(
    bench: &Bench,
    recorder: &Recorder,
    verb: &WaitFor,
    addresses: Vec<ObjectAddress>,
) -> Result<Done, Broken> {
    let rollout = verb.condition == WaitCondition::Rollout;
    let addresses: Vec<ObjectAddress> = addresses
        .into_iter()
        .filter(|at| verb.object.is_some() || !rollout || WORKLOADS.contains(&at.resource.kind.as_str()))
        .collect();
    if addresses.is_empty() && verb.object.is_some() && verb.condition == WaitCondition::Deletion {
        // Gone already, as `kubectl wait --for=delete` takes it: who deletes and then waits may come late.
        return Ok(Done { note: "nothing is left".to_owned(), ..Done::default() });
    }
    if addresses.is_empty() {
        let what = if rollout {
            "nothing was written that rolls out: no Deployment, StatefulSet or DaemonSet"
        } else {
            "there is nothing to wait for"
        };
        return Err(Broken::failed(FailureKind::Check, what));
    }
    let condition = condition(bench, &verb.condition)?;
    let deadline = Instant::now() + verb.timeout.get();
    let mut notes = Vec::new();
    for address in &addresses {
        notes.push(await_one(bench, recorder, address, &condition, deadline).await?);
    }
    Ok(Done { note: notes.join(", "), ..Done::default() })
}

async fn await_one(
    bench: &Bench,
    recorder: &Recorder,
    address: &ObjectAddress,
    condition: &cluster::WaitFor,
    deadline: Instant,
) -> Result<String, Broken> {
    let left = deadline.saturating_duration_since(Instant::now());
    let key = address.key();
    let mut progress = |text: &str| recorder.waiting(format!("{key}: {text}"));
    let waited = bench.cluster.wait(address, condition, left, &mut progress).await?;
    match waited.verdict {
        Verdict::Held(text) => Ok(text),
        Verdict::Never(text) => Err(Broken::failed(FailureKind::Check, format!("{key}: {text}"))),
        Verdict::NotYet(text) => {
            let not_simulated = waited.object.as_ref().and_then(not_simulated);
            let broken = match not_simulated {
                Some(what) => Broken::inconclusive(FailureKind::NotSimulated, what),
                None => Broken::failed(FailureKind::Timeout, format!("{key}: {text}, and the time for it is up")),
            };
            Err(broken.advise(format!("Look at it: kubectl describe {} {}", key.kind.to_lowercase(), key.name)))
        }
    }
}

/// What a status says that a simulated cluster cannot do.
fn not_simulated(object: &Value) -> Option<String> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let messages = conditions.iter().filter_map(|condition| condition["message"].as_str());
    messages.into_iter().find(|message| message.contains("not simulated: ")).map(str::to_owned)
}

async fn named(bench: &Bench, located: &Located) -> Result<Vec<ObjectAddress>, Broken> {
    match located {
        Located::One(address) => Ok(vec![address.clone()]),
        Located::Some { resource, namespace, selector } => {
            let listed = bench.cluster.list(resource, namespace.as_deref(), selector).await?;
            Ok(listed.items.iter().filter_map(|item| address_of(located, item)).collect())
        }
    }
}

fn condition(bench: &Bench, condition: &WaitCondition) -> Result<cluster::WaitFor, Broken> {
    Ok(match condition {
        WaitCondition::Rollout => cluster::WaitFor::Rollout,
        WaitCondition::Deletion => cluster::WaitFor::Deletion { uid: None },
        WaitCondition::Condition { kind, status } => {
            cluster::WaitFor::Condition { kind: bench.text(kind)?, status: status.clone() }
        }
        WaitCondition::JsonPath { path, value } => {
            let path = bench.text(path)?;
            let path =
                JsonPath::parse(&path).map_err(|error| Broken::failed(FailureKind::Render, error.to_string()))?;
            cluster::WaitFor::JsonPath { path, value: value.as_ref().map(|value| bench.text(value)).transpose()? }
        }
    })
}

/// The condition in the notation of `kubectl wait --for`.
fn shown(condition: &WaitCondition) -> String {
    match condition {
        WaitCondition::Rollout => "rollout".to_owned(),
        WaitCondition::Deletion => "delete".to_owned(),
        WaitCondition::Condition { kind, status } => format!("condition={}={status}", kind.raw),
        WaitCondition::JsonPath { path, value } => match value {
            Some(value) => format!("jsonpath={}={}", path.raw, value.raw),
            None => format!("jsonpath={}", path.raw),
        },
    }
}

/// Waits until an object, of this UID if one is given, is gone.
pub(crate) async fn until_gone(
    cluster: &cluster::Cluster,
    address: &ObjectAddress,
    uid: Option<String>,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<(), ClusterError> {
    let waited = cluster.wait(address, &cluster::WaitFor::Deletion { uid }, DELETION, progress).await?;
    if waited.held() {
        return Ok(());
    }
    Err(ClusterError::Timeout {
        what: format!("the deletion of {}: {}", address.key(), waited.verdict.text()),
        after: DELETION,
    })
}
