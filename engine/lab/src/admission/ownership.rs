//! What the API server adds to new workloads and claims so that their controllers find what is theirs.
//!
//! Invariant: what the client said itself stays.

use serde_json::{Value, json};

use crate::controllers::volumes::{DEFAULT_CLASS, PVC_PROTECTION};
use crate::store::{GroupResource, Store, meta};

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// A Job's pods are told from all others by its uid, unless the client chose a selector.
pub(super) fn job(job: &mut Value) {
    let (uid, name) = (meta::uid(job).to_owned(), meta::name(job).to_owned());
    let spec = meta::child(job, "spec");
    let is_manual = spec.entry("manualSelector").or_insert(Value::Bool(false)) == &Value::Bool(true);
    if is_manual {
        return;
    }
    let mut selector = spec.get("selector").cloned().unwrap_or_else(|| json!({}));
    meta::child(&mut selector, "matchLabels")
        .insert("batch.kubernetes.io/controller-uid".to_owned(), uid.as_str().into());
    spec.insert("selector".to_owned(), selector);
    let template = spec.entry("template").or_insert_with(|| json!({}));
    meta::metadata(template);
    let labels = meta::child(&mut template["metadata"], "labels");
    for (key, value) in [("controller-uid", &uid), ("job-name", &name)] {
        labels.insert(key.to_owned(), value.as_str().into());
        labels.insert(format!("batch.kubernetes.io/{key}"), value.as_str().into());
    }
    let labels = labels.clone();
    if meta::labels(job).next().is_none() {
        meta::metadata(job).insert("labels".to_owned(), labels.into());
    }
}

/// A DaemonSet counts the changes of its template.
pub(super) fn daemon_set(old: Option<&Value>, set: &mut Value) {
    let known =
        old.and_then(|old| meta::annotation(old, TEMPLATE_GENERATION)).and_then(|text| text.parse::<u64>().ok());
    let is_new = old.is_none_or(|old| old.pointer("/spec/template") != set.pointer("/spec/template"));
    let generation = known.unwrap_or(0) + u64::from(is_new);
    meta::metadata(set);
    let annotations = meta::child(&mut set["metadata"], "annotations");
    annotations.insert(TEMPLATE_GENERATION.to_owned(), generation.to_string().into());
}

/// A claim without a class gets the default one, and none is removed while pods use it.
pub(super) fn claim(store: &Store, claim: &mut Value) {
    let spec = meta::child(claim, "spec");
    let has_default = store.get(&GroupResource::STORAGE_CLASSES, "", DEFAULT_CLASS).is_some();
    if has_default && spec.get("storageClassName").is_none_or(Value::is_null) {
        spec.insert("storageClassName".to_owned(), DEFAULT_CLASS.into());
    }
    claim["status"] = json!({"phase": "Pending"});
    let list = meta::metadata(claim).entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|known| known == PVC_PROTECTION)
    {
        list.push(PVC_PROTECTION.into());
    }
}
