//! PersistentVolumeClaims, PersistentVolumes and StorageClasses.
//!
//! Invariant: a claim that is bound keeps its spec but for the size that it asks for.

use serde_json::Value;

use super::Subject;
use super::report::{At, Report};
use super::volume::host_path;
use crate::schema::{quantity, text};

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

pub(super) fn claim(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    claim_spec(&spec, report);
    let Some(old) = subject.old_spec() else { return };
    let fixed = |spec: &At<'_>| {
        let mut map = spec.value.and_then(Value::as_object).cloned().unwrap_or_default();
        map.shift_remove("resources");
        map.shift_remove("volumeAttributesClassName");
        map
    };
    let unbound = old.field("volumeName").is_empty();
    let mut now = fixed(&spec);
    if unbound {
        now.shift_remove("volumeName");
    }
    if now != fixed(&old) {
        let detail =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        report.forbidden(&spec, detail);
    }
}

/// The spec of a claim or of a template of claims.
pub(super) fn claim_spec(spec: &At<'_>, report: &mut Report) {
    let modes = spec.field("accessModes");
    if modes.is_empty() {
        report.required(&modes, "at least 1 access mode is required");
    }
    access_modes(&modes, report);
    let size = spec.field("resources").field("requests").field("storage");
    let place = At::new(size.value, format!("{}.resources[storage]", spec.path));
    if size.is_set() {
        if quantity::parse(size.text()).is_some_and(|size| size <= 0) {
            report.invalid(&place, "must be greater than zero");
        }
    } else {
        report.required(&place, "");
    }
    report.text_if_any(&spec.field("storageClassName"), text::dns_subdomain);
    report.one_of(&spec.field("volumeMode"), &["Block", "Filesystem"]);
}

fn access_modes(modes: &At<'_>, report: &mut Report) {
    for mode in modes.items() {
        if !MODES.contains(&mode.text()) {
            report.unsupported(&At::new(None, modes.path.as_str()), &mode.shown(), &MODES);
        }
    }
    let single = modes.items().any(|mode| mode.text() == "ReadWriteOncePod");
    if single && modes.items().count() > 1 {
        report.forbidden(modes, "may not use ReadWriteOncePod with other access modes");
    }
}

/// The sources in the order in which the server looks at them.
const SOURCES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
    "flexVolume",
];

pub(super) fn volume(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let (modes, capacity) = (spec.field("accessModes"), spec.field("capacity"));
    report.filled(&modes);
    access_modes(&modes, report);
    report.filled(&capacity);
    let size = capacity.field("storage");
    if !size.is_set() || capacity.entries().count() > 1 {
        report.unsupported(&capacity, &capacity.shown(), &["storage"]);
    }
    if quantity::parse(size.text()).is_some_and(|size| size <= 0) {
        report.invalid(&At::new(size.value, format!("{}[storage]", capacity.path)), "must be greater than zero");
    }
    let policy = spec.field("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        report.one_of(&policy, &["Delete", "Recycle", "Retain"]);
    }
    let mut given = 0;
    for source in SOURCES {
        let at = spec.field(source);
        if !at.is_set() {
            continue;
        }
        given += 1;
        if given > 1 {
            report.forbidden(&at, "may not specify more than 1 volume type");
        } else if source == "hostPath" {
            host_path(&at, report);
        }
    }
    if given == 0 {
        report.required(&spec, "must specify a volume type");
    }
    if spec.field("hostPath").field("path").text() == "/" && policy.text() == "Recycle" {
        report.forbidden(&policy, "may not be 'recycle' for a hostPath mount of '/'");
    }
    report.text_if_any(&spec.field("storageClassName"), text::dns_subdomain);
    report.one_of(&spec.field("volumeMode"), &["Block", "Filesystem"]);
}

pub(super) fn class(subject: &Subject<'_>, report: &mut Report) {
    let object = &subject.object;
    let provisioner = object.field("provisioner");
    if provisioner.is_empty() {
        report.required(&provisioner, "");
    } else {
        let lower = provisioner.text().to_lowercase();
        for problem in text::qualified_name(&lower) {
            report.invalid_as(&provisioner, &lower.as_str().into(), &problem);
        }
    }
    let parameters = object.field("parameters");
    for (key, _) in parameters.entries().filter(|(key, _)| key.is_empty()) {
        report.invalid_as(&parameters, &key.into(), "field can not be empty.");
    }
    report.one_of(&object.field("reclaimPolicy"), &["Delete", "Retain"]);
    report.one_of(&object.field("volumeBindingMode"), &["Immediate", "WaitForFirstConsumer"]);
    let Some(old) = &subject.old else { return };
    for name in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        let at = object.field(name);
        if old.field(name).value != at.value {
            report.forbidden(&at, &format!("updates to {name} are forbidden."));
        }
    }
}
