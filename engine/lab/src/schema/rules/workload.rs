//! Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController, ControllerRevision.
//!
//! Invariant: a selector is judged before the labels that it must find, and those before the rest of the template.

use serde_json::{Value, json};

use super::report::{At, Report, go_struct};
use super::{Subject, pod, selector, storage};
use crate::schema::text;

pub(super) fn deployment(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    report.not_negative(&spec.field("replicas"));
    let wanted = spec.field("selector");
    if !wanted.is_set() {
        report.required(&wanted, "");
    } else {
        selector::label_selector(&wanted, report);
        refuse_empty(&wanted, "deployment", report);
    }
    found_template(&spec, "ReplicaSet", report);
    strategy(&spec.field("strategy"), report);
    report.not_negative(&spec.field("minReadySeconds"));
    report.not_negative(&spec.field("revisionHistoryLimit"));
    let deadline = spec.field("progressDeadlineSeconds");
    if let Some(seconds) = deadline.number() {
        report.not_negative(&deadline);
        if seconds <= spec.field("minReadySeconds").number().unwrap_or(0) {
            report.invalid(&deadline, "must be greater than minReadySeconds");
        }
    }
    fixed_selector(subject, report);
}

fn refuse_empty(wanted: &At<'_>, kind: &str, report: &mut Report) {
    if selector::is_empty(wanted) {
        report.invalid_as(wanted, &json!({}), &format!("empty selector is invalid for {kind}"));
    }
}

fn fixed_selector(subject: &Subject<'_>, report: &mut Report) {
    if let Some(old) = subject.old_spec() {
        report.immutable(&old.field("selector"), &subject.spec().field("selector"));
    }
}

/// A template whose labels the selector finds, with what only pods of their own may have left out.
fn found_template(spec: &At<'_>, kind: &str, report: &mut Report) {
    let template = spec.field("template");
    let labels = template.field("metadata").field("labels");
    let wanted = spec.field("selector");
    if wanted.is_set() && selector::is_broken(&wanted) {
        // With a selector that can't be read, nothing can be said of the template.
        let detail = if kind == "StatefulSet" { "" } else { "invalid label selector" };
        report.invalid_go(&wanted, &selector::as_go(&wanted), detail);
        return;
    }
    // An empty selector is told of already.
    let finds = wanted.is_set() && selector::matches(&wanted, labels.value);
    let says_nothing = wanted.is_set() && selector::is_empty(&wanted);
    if !finds && !says_nothing {
        report.invalid(&labels, "`selector` does not match template `labels`");
    }
    pod::template(&template, report);
    always_on(&template, kind, report);
}

fn always_on(template: &At<'_>, kind: &str, report: &mut Report) {
    let pod_spec = template.field("spec");
    let policy = pod_spec.field("restartPolicy");
    report.one_of(&policy, &["Always"]);
    let deadline = pod_spec.field("activeDeadlineSeconds");
    if deadline.is_set() {
        report.forbidden(&deadline, &format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}

/// A strategy as Go writes it.
fn go_strategy(at: &At<'_>, members: &[(&str, &str)]) -> String {
    let rolling = at.field("rollingUpdate");
    let shown = if rolling.is_set() { go_struct(&rolling, members) } else { "null".to_owned() };
    format!("{{\"Type\":{:?},\"RollingUpdate\":{shown}}}", at.field("type").text())
}

const SURGE: [(&str, &str); 2] = [("MaxUnavailable", "maxUnavailable"), ("MaxSurge", "maxSurge")];

/// Whether a count is 0, as a number or as a percentage.
fn is_none(at: &At<'_>) -> bool {
    at.number() == Some(0) || at.text().strip_suffix('%').is_some_and(|digits| digits.parse() == Ok(0_u32))
}

fn strategy(at: &At<'_>, report: &mut Report) {
    let rolling = at.field("rollingUpdate");
    match at.field("type").text() {
        "Recreate" => {
            if rolling.is_set() {
                report.forbidden(&rolling, "may not be specified when strategy `type` is 'Recreate'");
            }
        }
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
            report.count_or_percent(&unavailable);
            report.count_or_percent(&surge);
            if is_none(&unavailable) && is_none(&surge) {
                report.invalid(&unavailable, "may not be 0 when `maxSurge` is 0");
            }
            report.at_most_all(&unavailable);
        }
        "" => {}
        _ => report.unsupported_go(at, &go_strategy(at, &SURGE), &["Recreate", "RollingUpdate"]),
    }
}

pub(super) fn replica_set(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    report.not_negative(&spec.field("replicas"));
    report.not_negative(&spec.field("minReadySeconds"));
    let wanted = spec.field("selector");
    if wanted.is_set() {
        selector::label_selector(&wanted, report);
        refuse_empty(&wanted, "deployment", report);
    } else {
        report.required(&wanted, "");
    }
    found_template(&spec, "ReplicaSet", report);
    fixed_selector(subject, report);
}

pub(super) fn replication_controller(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    report.not_negative(&spec.field("minReadySeconds"));
    let wanted = spec.field("selector");
    report.filled(&wanted);
    report.not_negative(&spec.field("replicas"));
    let template = spec.field("template");
    if !template.is_set() {
        report.required(&template, "");
        return;
    }
    let labels = template.field("metadata").field("labels");
    let found = wanted
        .entries()
        .all(|(key, value)| labels.value.and_then(|labels| labels.get(key)?.as_str()) == Some(value.text()));
    if !found {
        report.invalid(&labels, "`selector` does not match template `labels`");
    }
    pod::template(&template, report);
    always_on(&template, "ReplicationController", report);
}

pub(super) fn stateful_set(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let management = spec.field("podManagementPolicy");
    if management.is_set() && !matches!(management.text(), "OrderedReady" | "Parallel") {
        report.invalid(&management, "must be 'OrderedReady' or 'Parallel'");
    }
    stateful_strategy(&spec.field("updateStrategy"), report);
    let retention = spec.field("persistentVolumeClaimRetentionPolicy");
    for when in ["whenDeleted", "whenScaled"] {
        report.one_of(&retention.field(when), &["Retain", "Delete"]);
    }
    if subject.old.is_none() {
        for claim in spec.field("volumeClaimTemplates").items() {
            storage::claim_spec(&claim.field("spec"), report);
        }
    }
    report.not_negative(&spec.field("replicas"));
    report.not_negative(&spec.field("minReadySeconds"));
    report.not_negative(&spec.field("ordinals").field("start"));
    report.text_if_any(&spec.field("serviceName"), text::dns_label);
    let wanted = spec.field("selector");
    if wanted.is_set() {
        selector::label_selector(&wanted, report);
        refuse_empty(&wanted, "statefulset", report);
    } else {
        report.required(&wanted, "");
    }
    // The server looks at these labels twice.
    let labels = spec.field("template").field("metadata").field("labels");
    selector::labels(&At::new(labels.value, "spec.template.labels"), report);
    found_template(&spec, "StatefulSet", report);
    mount_claims(&spec, report);
    if let Some(old) = subject.old_spec() {
        stateful_update(&old, &spec, report);
    }
}

/// The pods have the claims that are made for them as volumes, too.
fn mount_claims(spec: &At<'_>, report: &mut Report) {
    let claims = spec.field("volumeClaimTemplates");
    let made: Vec<String> =
        claims.items().map(|claim| format!("Not found: {:?}", claim.field("metadata").field("name").text())).collect();
    report.causes.retain(|cause| !(cause.field.contains(".volumeMounts[") && made.contains(&cause.message)));
}

fn stateful_strategy(at: &At<'_>, report: &mut Report) {
    const MEMBERS: [(&str, &str); 2] = [("Partition", "partition"), ("MaxUnavailable", "maxUnavailable")];
    let rolling = at.field("rollingUpdate");
    match at.field("type").text() {
        "OnDelete" => {
            if rolling.is_set() {
                report.invalid_go(
                    &rolling,
                    &go_struct(&rolling, &MEMBERS),
                    "only allowed for updateStrategy 'RollingUpdate'",
                );
            }
        }
        "RollingUpdate" => {
            report.not_negative(&rolling.field("partition"));
            report.count_or_percent(&rolling.field("maxUnavailable"));
        }
        "" => {}
        _ => report.invalid_go(at, &go_strategy(at, &MEMBERS), "must be 'RollingUpdate' or 'OnDelete'"),
    }
}

fn stateful_update(old: &At<'_>, new: &At<'_>, report: &mut Report) {
    const MUTABLE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |spec: &At<'_>| {
        let mut map = spec.value.and_then(Value::as_object).cloned().unwrap_or_default();
        map.retain(|name, _| !MUTABLE.contains(&name.as_str()));
        map
    };
    if fixed(old) == fixed(new) {
        return;
    }
    let listed: Vec<String> = MUTABLE[..6].iter().map(|name| format!("'{name}'")).collect();
    let detail = format!(
        "updates to statefulset spec for fields other than {} and 'minReadySeconds' are forbidden",
        listed.join(", ")
    );
    report.forbidden(new, &detail);
}

pub(super) fn daemon_set(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let wanted = spec.field("selector");
    selector::label_selector(&wanted, report);
    let template = spec.field("template");
    let labels = template.field("metadata").field("labels");
    let empty = wanted.is_set() && selector::is_empty(&wanted);
    let readable = !selector::is_broken(&wanted);
    if !empty && readable && !(wanted.is_set() && selector::matches(&wanted, labels.value)) {
        report.invalid(&labels, "`selector` does not match template `labels`");
    }
    if empty {
        refuse_empty(&wanted, "daemonset", report);
    }
    pod::template(&template, report);
    always_on(&template, "DaemonSet", report);
    report.not_negative(&spec.field("minReadySeconds"));
    daemon_strategy(&spec.field("updateStrategy"), report);
    report.not_negative(&spec.field("revisionHistoryLimit"));
    fixed_selector(subject, report);
}

fn daemon_strategy(at: &At<'_>, report: &mut Report) {
    let rolling = at.field("rollingUpdate");
    match at.field("type").text() {
        "OnDelete" | "" => {}
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
            report.count_or_percent(&unavailable);
            report.count_or_percent(&surge);
            let has = |at: &At<'_>| at.is_set() && !is_none(at);
            match (has(&unavailable), has(&surge)) {
                (true, true) => report.invalid(&surge, "may not be set when maxUnavailable is non-zero"),
                (false, false) => report.required(&unavailable, "cannot be 0 when maxSurge is 0"),
                _ => {}
            }
            report.at_most_all(&unavailable);
            report.at_most_all(&surge);
        }
        _ => report.unsupported_go(at, &go_strategy(at, &SURGE), &["RollingUpdate", "OnDelete"]),
    }
}

pub(super) fn controller_revision(subject: &Subject<'_>, report: &mut Report) {
    let data = subject.object.field("data");
    if !data.is_set() {
        report.required(&data, "data is mandatory");
    }
    report.not_negative(&subject.object.field("revision"));
    if let Some(old) = &subject.old {
        report.immutable(&old.field("data"), &data);
    }
}
