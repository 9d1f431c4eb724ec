//! What makes a pod the n-th of a StatefulSet: its name, its host name, its labels, its claims.
//!
//! Invariant: the same ordinal has the same identity in every life of the pod.

use serde_json::{Value, json};

use super::{KIND, REVISION_LABEL, at_revision, claims};
use crate::controllers::object::{list, text};
use crate::controllers::pods;
use crate::store::meta;

/// The ordinal in a pod's name.
pub(super) fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    let digits = meta::name(pod).strip_prefix(meta::name(set))?.strip_prefix('-')?;
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a pod's name is one that the set gives.
pub(super) fn is_member(set: &Value, pod: &Value) -> bool {
    ordinal(set, pod).is_some()
}

/// Sets the labels that depend on the ordinal, and the volumes of the claims.
pub(super) fn set(set: &Value, ordinal: i64, pod: &mut Value) {
    let name = format!("{}-{ordinal}", meta::name(set));
    meta::metadata(pod);
    let labels = meta::child(&mut pod["metadata"], "labels");
    labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), name.into());
    labels.insert("apps.kubernetes.io/pod-index".to_owned(), ordinal.to_string().into());
}

/// The pod with this ordinal and the template of `revision`.
pub(super) fn new_pod(set: &Value, revision: &Value, ordinal: i64) -> Value {
    let versioned = at_revision(set, revision);
    let mut pod = pods::from_template(&versioned, KIND.0, KIND.1);
    let name = format!("{}-{ordinal}", meta::name(set));
    meta::metadata(&mut pod).insert("name".to_owned(), name.as_str().into());
    self::set(set, ordinal, &mut pod);
    meta::child(&mut pod["metadata"], "labels").insert(REVISION_LABEL.to_owned(), meta::name(revision).into());
    let templates = list(set, "/spec/volumeClaimTemplates");
    let is_claimed = |volume: &Value| templates.iter().any(|template| volume["name"] == meta::name(template));
    let mut volumes: Vec<Value> = templates
        .iter()
        .map(|template| {
            let claim = claims::name(set, template, ordinal);
            json!({"name": meta::name(template), "persistentVolumeClaim": {"claimName": claim}})
        })
        .collect();
    volumes.extend(list(&pod, "/spec/volumes").iter().filter(|volume| !is_claimed(volume)).cloned());
    let spec = meta::child(&mut pod, "spec");
    if !volumes.is_empty() {
        spec.insert("volumes".to_owned(), volumes.into());
    }
    spec.insert("hostname".to_owned(), name.into());
    if let Some(service) = text(set, "/spec/serviceName") {
        spec.insert("subdomain".to_owned(), service.into());
    }
    pod
}
