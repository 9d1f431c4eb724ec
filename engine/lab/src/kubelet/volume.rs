//! Volumes of a pod.
//!
//! Invariant: all containers of a pod share one [`Volume`] a name, so what one writes the others read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::env::{ConfigError, Sources, data, field};
use super::resources::resource_field;
use crate::fs::Volume;
use crate::store::{GroupResource, meta};

/// The volumes of a pod by name.
pub(super) type Volumes = BTreeMap<String, Volume>;

/// Kinds of volumes that only the name of the kind is needed of to say that the lab lacks them.
const EMPTY_DIR: &str = "emptyDir";

/// Directories of claims, by namespace and name. A claim keeps its files for as long as it is there.
pub(super) type Claims = BTreeMap<(String, String), Volume>;

/// Makes all volumes of a pod.
pub(super) fn make(sources: Sources<'_>, claims: &mut Claims) -> Result<Volumes, ConfigError> {
    let mut volumes = Volumes::new();
    for volume in specs(sources.pod) {
        let name = name(volume).to_owned();
        let made = if volume.get(EMPTY_DIR).is_some() {
            Volume::new(sources.store.clock().clone())
        } else if let Some(claim) = volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str) {
            let namespace = meta::namespace(sources.pod);
            let resource = GroupResource::new("", "persistentvolumeclaims");
            if sources.store.get(&resource, namespace, claim).is_none() {
                return Err(ConfigError::Missing(format!("persistentvolumeclaim {claim:?} not found")));
            }
            let key = (namespace.to_owned(), claim.to_owned());
            claims.entry(key).or_insert_with(|| Volume::new(sources.store.clock().clone())).clone()
        } else {
            let files = files(sources, volume)?;
            Volume::from_files(sources.store.clock().clone(), &files).map_err(|error| refused(&name, &error))?
        };
        volumes.insert(name, made);
    }
    Ok(volumes)
}

/// Brings ConfigMaps and Secrets up to date. One that is gone keeps its last files, as with a real kubelet.
pub(super) fn refresh(sources: Sources<'_>, volumes: &Volumes) {
    let own = |volume: &&Value| volume.get(EMPTY_DIR).is_none() && volume.get("persistentVolumeClaim").is_none();
    for volume in specs(sources.pod).filter(own) {
        if let (Some(mounted), Ok(files)) = (volumes.get(name(volume)), files(sources, volume))
            && let Err(error) = mounted.replace(&files)
        {
            tracing::debug!(volume = name(volume), %error, "a volume keeps its old files");
        }
    }
}

fn refused(name: &str, error: &crate::fs::FsError) -> ConfigError {
    ConfigError::Missing(format!("MountVolume.SetUp failed for volume {name:?} : {error}"))
}

fn specs(pod: &Value) -> impl Iterator<Item = &Value> {
    pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten()
}

fn name(volume: &Value) -> &str {
    volume.get("name").and_then(Value::as_str).unwrap_or_default()
}

type Files = BTreeMap<String, Vec<u8>>;

fn files(sources: Sources<'_>, volume: &Value) -> Result<Files, ConfigError> {
    let mut kinds = volume.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
    let Some((kind, source)) = kinds.next() else {
        return Ok(Files::new());
    };
    if kind != "projected" {
        return source_files(sources, kind, source);
    }
    let mut files = Files::new();
    for part in source.get("sources").and_then(Value::as_array).into_iter().flatten() {
        for (kind, source) in part.as_object().into_iter().flatten() {
            files.extend(source_files(sources, kind, source)?);
        }
    }
    Ok(files)
}

fn source_files(sources: Sources<'_>, kind: &str, source: &Value) -> Result<Files, ConfigError> {
    let text = |key: &str| source.get(key).and_then(Value::as_str);
    let namespace = meta::namespace(sources.pod);
    match kind {
        "configMap" | "secret" => {
            let lower = kind.to_lowercase();
            let object = text("secretName").or_else(|| text("name")).unwrap_or_default();
            let optional = source.get("optional").and_then(Value::as_bool) == Some(true);
            let all = data(sources.store, namespace, &lower, object, optional)?.unwrap_or_default();
            choose(all, source, optional, object)
        }
        "downwardAPI" => {
            let mut files = Files::new();
            for item in source.get("items").and_then(Value::as_array).into_iter().flatten() {
                let path = item.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
                let text = match item.pointer("/fieldRef/fieldPath").and_then(Value::as_str) {
                    Some(reference) => field(sources, reference)?,
                    None => resource_field(sources.pod, None, &item["resourceFieldRef"])?,
                };
                files.insert(path, text.into_bytes());
            }
            Ok(files)
        }
        "serviceAccountToken" => {
            let account = sources.pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or("default");
            let token = format!("lab.{namespace}.{account}.{}", meta::uid(sources.pod));
            Ok(Files::from([(text("path").unwrap_or("token").to_owned(), token.into_bytes())]))
        }
        other => Err(ConfigError::NotSimulated(format!("volumes of the kind {other}"))),
    }
}

/// The keys that `items` names, under their paths; all keys when there are no items.
fn choose(all: Files, source: &Value, optional: bool, object: &str) -> Result<Files, ConfigError> {
    let Some(items) = source.get("items").and_then(Value::as_array) else { return Ok(all) };
    let mut files = Files::new();
    for item in items {
        let member = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        match all.get(member("key")) {
            Some(content) => {
                files.insert(member("path").to_owned(), content.clone());
            }
            None if optional => {}
            None => {
                let reason = format!("references non-existent config key: {} in {object}", member("key"));
                return Err(ConfigError::Missing(reason));
            }
        }
    }
    Ok(files)
}
