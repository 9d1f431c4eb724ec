//! Volumes of pods.
//!
//! Invariant: a volume has one source at most; the first one counts.

use super::container::{descending_path, field_path};
use super::report::{At, Report};
use crate::schema::text;

/// The sources in the order in which the server looks at them.
const SOURCES: [&str; 24] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "projected",
    "csi",
    "ephemeral",
    "image",
];

pub(super) fn volumes(list: &At<'_>, report: &mut Report) {
    let mut names: Vec<&str> = Vec::new();
    for volume in list.items() {
        sources(&volume, report);
        let name = volume.field("name");
        if name.is_empty() {
            report.required(&name, "");
            continue;
        }
        report.text(&name, text::dns_label);
        if names.contains(&name.text()) {
            report.duplicate(&name, &name.text().into());
        }
        names.push(name.text());
    }
}

fn sources(volume: &At<'_>, report: &mut Report) {
    let mut given = false;
    // Directories come before all others: whoever names both is told of the second in this order.
    for source in SOURCES {
        let at = volume.field(source);
        if !at.is_set() {
            continue;
        }
        if std::mem::replace(&mut given, true) {
            report.forbidden(&at, "may not specify more than 1 volume type");
            continue;
        }
        match source {
            "hostPath" => host_path(&at, report),
            "secret" => {
                report.filled(&at.field("secretName"));
                files(&at, report);
            }
            "configMap" => {
                report.filled(&at.field("name"));
                files(&at, report);
            }
            "persistentVolumeClaim" => report.filled(&at.field("claimName")),
            "downwardAPI" => downward(&at, report),
            "projected" => projected(&at, report),
            _ => {}
        }
    }
}

/// A directory or a file of the node.
pub(super) fn host_path(at: &At<'_>, report: &mut Report) {
    const TYPES: [&str; 8] =
        ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    let path = at.field("path");
    if path.is_empty() {
        report.required(&path, "");
        return;
    }
    if path.text().split('/').any(|piece| piece == "..") {
        report.invalid(&path, "must not contain '..'");
    }
    report.one_of(&at.field("type"), &TYPES);
}

fn mode(at: &At<'_>, report: &mut Report) {
    if at.number().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        report.invalid(at, "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

fn files(at: &At<'_>, report: &mut Report) {
    mode(&at.field("defaultMode"), report);
    for item in at.field("items").items() {
        report.filled(&item.field("key"));
        let path = item.field("path");
        report.filled(&path);
        descending_path(&path, report);
        mode(&item.field("mode"), report);
    }
}

fn downward(at: &At<'_>, report: &mut Report) {
    mode(&at.field("defaultMode"), report);
    for item in at.field("items").items() {
        let path = item.field("path");
        report.filled(&path);
        descending_path(&path, report);
        let (field, resource) = (item.field("fieldRef"), item.field("resourceFieldRef"));
        if field.is_set() {
            field_path(&field.field("fieldPath"), report);
        } else if !resource.is_set() {
            report.required(&At::new(None, at.path.as_str()), "one of fieldRef and resourceFieldRef is required");
        }
        mode(&item.field("mode"), report);
    }
}

fn projected(at: &At<'_>, report: &mut Report) {
    mode(&at.field("defaultMode"), report);
    for source in at.field("sources").items() {
        for name in ["secret", "configMap"] {
            let part = source.field(name);
            if part.is_set() {
                report.filled(&part.field("name"));
                files(&part, report);
            }
        }
        let part = source.field("downwardAPI");
        if part.is_set() {
            downward(&part, report);
        }
        let token = source.field("serviceAccountToken");
        if token.is_set() {
            report.filled(&token.field("path"));
            let seconds = token.field("expirationSeconds");
            if seconds.number().is_some_and(|seconds| seconds < 600) {
                report.invalid(&seconds, "may not specify a duration less than 10 minutes");
            }
        }
    }
}
