//! `get`: read one object.

use periplus_core::model::verb::Get;
use periplus_core::model::{Pick, Step};
use periplus_core::outcome::FailureKind;
use periplus_core::yaml_edit;
use serde_json::Value;

use super::Done;
use crate::bench::{Bench, Located};
use crate::broken::Broken;
use crate::cluster::{ObjectAddress, PodsOf};
use crate::kubectl;

pub(crate) async fn get(bench: &Bench, step: &Step, verb: &Get) -> Result<Done, Broken> {
    let located = bench.locate(step, &verb.object).await?;
    let kubectl = kubectl::get(&located);
    let read = read(bench, verb, &located).await.map_err(|broken| broken.by_hand(&kubectl))?;
    Ok(Done { kubectl: Some(kubectl), ..read })
}

async fn read(bench: &Bench, verb: &Get, located: &Located) -> Result<Done, Broken> {
    let object = match located {
        Located::One(address) => bench.cluster.get(address).await?,
        Located::Some { resource, namespace, selector } => {
            if resource.group.is_empty() && resource.kind == "Pod" {
                let pods = PodsOf::Selector(selector.labels.clone());
                let any = verb.pick == Pick::Any || !verb.one;
                bench.cluster.choose_pod(namespace.as_deref().unwrap_or_default(), &pods, any).await?
            } else {
                let listed = bench.cluster.list(resource, namespace.as_deref(), selector).await?;
                one_of(listed.items, verb, &resource.kind, &selector.labels)?
            }
        }
    };
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let note = format!("{}/{name}", kind.to_lowercase());
    let secret = kind == "Secret" && object["apiVersion"] == "v1";
    let object = match &verb.yaml_in {
        None => object,
        Some(pointer) => held_yaml(&object, &bench.text(pointer)?)?,
    };
    Ok(Done { note, object: Some(object), secret, ..Done::default() })
}

fn one_of(mut items: Vec<Value>, verb: &Get, kind: &str, labels: &str) -> Result<Value, Broken> {
    let any = verb.pick == Pick::Any || !verb.one;
    match items.len() {
        0 => Err(Broken::failed(FailureKind::Refused, format!("no {kind} has the labels {labels}"))),
        2.. if !any => {
            let names: Vec<&str> =
                items.iter().filter_map(|item| item.pointer("/metadata/name").and_then(Value::as_str)).collect();
            let what = format!("{} objects of kind {kind} have the labels {labels}: {}", names.len(), names.join(", "));
            Err(Broken::failed(FailureKind::Refused, what)
                .advise("Name one with `name:`, or take whichever comes first with `pick: any`."))
        }
        _ => Ok(items.swap_remove(0)),
    }
}

/// The YAML that a string field holds.
fn held_yaml(object: &Value, pointer: &str) -> Result<Value, Broken> {
    match object.pointer(pointer) {
        Some(Value::String(text)) => yaml_edit::parse(text)
            .map_err(|error| Broken::failed(FailureKind::Refused, format!("{pointer} holds no valid YAML: {error}"))),
        Some(_) => Err(Broken::failed(FailureKind::Refused, format!("{pointer} is not a text"))),
        None => Ok(Value::Null),
    }
}

/// The address of an object that was read.
pub(crate) fn address_of(located: &Located, object: &Value) -> Option<ObjectAddress> {
    match located {
        Located::One(address) => Some(address.clone()),
        Located::Some { resource, namespace, .. } => {
            let name = object.pointer("/metadata/name").and_then(Value::as_str)?.to_owned();
            Some(ObjectAddress { resource: resource.clone(), namespace: namespace.clone(), name })
        }
    }
}
