//! `delete`: delete objects and wait until they are gone.

use periplus_core::event::ChangeResult;
use periplus_core::model::Step;
use periplus_core::model::verb::Delete;
use serde_json::Value;

use super::apply::note;
use super::{Change, Done};
use crate::bench::{Bench, Located};
use crate::broken::Broken;
use crate::cluster::{DeleteOptions, ObjectAddress};
use crate::kubectl;
use crate::recorder::Recorder;

pub(crate) async fn delete(bench: &Bench, recorder: &Recorder, step: &Step, verb: &Delete) -> Result<Done, Broken> {
    let located = bench.locate(step, &verb.object).await?;
    let kubectl = kubectl::delete(&located);
    let deleted = delete_all(bench, recorder, located).await.map_err(|broken| broken.by_hand(&kubectl))?;
    Ok(Done { kubectl: Some(kubectl), ..deleted })
}

async fn delete_all(bench: &Bench, recorder: &Recorder, located: Located) -> Result<Done, Broken> {
    let addresses = match located {
        Located::One(address) => vec![address],
        Located::Some { resource, namespace, selector } => {
            let listed = bench.cluster.list(&resource, namespace.as_deref(), &selector).await?;
            let names = listed.items.iter().filter_map(|item| item.pointer("/metadata/name").and_then(Value::as_str));
            names
                .map(|name| ObjectAddress {
                    resource: resource.clone(),
                    namespace: namespace.clone(),
                    name: name.to_owned(),
                })
                .collect()
        }
    };
    let mut notes = Vec::new();
    for address in &addresses {
        notes.push(note(address, delete_one(bench, recorder, address).await?));
    }
    let note = if notes.is_empty() { "nothing to delete".to_owned() } else { notes.join(", ") };
    Ok(Done { note, written: addresses, ..Done::default() })
}

async fn delete_one(bench: &Bench, recorder: &Recorder, address: &ObjectAddress) -> Result<ChangeResult, Broken> {
    let change = Change::begin(bench, recorder, address).await?;
    let Some(before) = &change.before else { return Ok(ChangeResult::NotFound) };
    let uid = before.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    let options = DeleteOptions { uid, ..DeleteOptions::default() };
    recorder.waiting(format!("{} to be gone", address.key()));
    let request = async {
        bench.cluster.delete(address, &options).await?;
        Ok(())
    };
    let key = address.key();
    let mut progress = |text: &str| recorder.waiting(format!("{key} to be gone: {text}"));
    let gone = super::wait::until_gone(&bench.cluster, address, options.uid.clone(), &mut progress);
    change.delete(request, gone).await?;
    Ok(ChangeResult::Deleted)
}
