//! Pods and pod templates.
//!
//! Invariant: a pod's spec is judged the same wherever it stands; only paths differ.

use serde_json::{Map, Value};

use super::report::{At, Report};
use super::{Subject, container, scheduling, selector, volume};
use crate::schema::text;

/// What of a pod's spec may change, as the server lists it.
const MUTABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` \
                       (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it \
                       was previously negative)";

pub(super) fn pod(subject: &Subject<'_>, report: &mut Report) {
    spec(&subject.spec(), report);
    let ephemeral = subject.spec().field("ephemeralContainers");
    match &subject.old {
        None if !ephemeral.is_empty() => report.forbidden(&ephemeral, "cannot be set on create"),
        None => {}
        Some(old) => update(&old.field("spec"), &subject.spec(), report),
    }
}

pub(super) fn pod_template(subject: &Subject<'_>, report: &mut Report) {
    template(&subject.object.field("template"), report);
}

/// Labels, annotations and spec of a template.
pub(super) fn template(at: &At<'_>, report: &mut Report) {
    // The server leaves `metadata` out of these paths.
    let metadata = at.field("metadata");
    selector::labels(&At::new(metadata.field("labels").value, format!("{}.labels", at.path)), report);
    let annotations = metadata.field("annotations");
    crate::schema::names::check_annotations(annotations.value, &format!("{}.annotations", at.path), &mut report.causes);
    spec(&at.field("spec"), report);
}

/// A pod's spec.
pub(super) fn spec(at: &At<'_>, report: &mut Report) {
    volume::volumes(&at.field("volumes"), report);
    container::containers(at, report);
    container::init_containers(at, report);
    report.one_of(&at.field("restartPolicy"), &["Always", "OnFailure", "Never"]);
    let dns = at.field("dnsPolicy");
    report.one_of(&dns, &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]);
    selector::labels(&at.field("nodeSelector"), report);
    security_context(at, report);
    scheduling::affinity(&at.field("affinity"), report);
    dns_config(at, report);
    for gate in at.field("readinessGates").items() {
        report.text(&gate.field("conditionType"), text::qualified_name);
    }
    for gate in at.field("schedulingGates").items() {
        let name = gate.field("name");
        report.text(&At::new(name.value, gate.path.as_str()), text::qualified_name);
    }
    scheduling::spread(&at.field("topologySpreadConstraints"), report);
    report.text_if_any(&at.field("serviceAccountName"), text::dns_subdomain);
    report.text_if_any(&at.field("nodeName"), text::dns_subdomain);
    report.within(&at.field("activeDeadlineSeconds"), 1..=i64::from(i32::MAX));
    report.text_if_any(&at.field("hostname"), text::dns_label);
    report.text_if_any(&at.field("subdomain"), text::dns_label);
    scheduling::tolerations(&at.field("tolerations"), report);
    for alias in at.field("hostAliases").items() {
        report.text(&alias.field("ip"), text::ip);
        for name in alias.field("hostnames").items() {
            report.text(&name, text::dns_subdomain);
        }
    }
    report.text_if_any(&at.field("priorityClassName"), text::dns_subdomain);
    report.text_if_any(&at.field("runtimeClassName"), text::dns_subdomain);
    let os = at.field("os");
    if os.is_set() && !matches!(os.field("name").text(), "linux" | "windows") {
        report.unsupported(&os, &os.field("name").text().into(), &["linux", "windows"]);
    }
}

fn security_context(spec: &At<'_>, report: &mut Report) {
    const SYSCTL: &str = "must have at most 253 characters and match regex \
                          ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
    let at = spec.field("securityContext");
    let ids = 0..=i64::from(i32::MAX);
    for name in ["fsGroup", "runAsUser", "runAsGroup"] {
        report.within(&at.field(name), ids.clone());
    }
    for group in at.field("supplementalGroups").items() {
        report.within(&group, ids.clone());
    }
    let shared = spec.field("shareProcessNamespace");
    if shared.is(true) && spec.field("hostPID").is(true) {
        let place = At::new(shared.value, format!("{}.shareProcessNamespace", at.path));
        report.invalid(&place, "ShareProcessNamespace and HostPID cannot both be enabled");
    }
    for sysctl in at.field("sysctls").items() {
        let name = sysctl.field("name");
        let fits = |part: &str| text::dns_label(&part.replace('_', "-")).is_empty();
        if name.is_empty() {
            report.required(&name, "");
        } else if name.text().len() > 253 || !name.text().split(['.', '/']).all(fits) {
            report.invalid(&name, SYSCTL);
        }
    }
    container::seccomp(&at.field("seccompProfile"), report);
}

fn dns_config(spec: &At<'_>, report: &mut Report) {
    let at = spec.field("dnsConfig");
    let none = spec.field("dnsPolicy").text() == "None";
    if none && !at.is_set() {
        report.required(&at, "must provide `dnsConfig` when `dnsPolicy` is None");
        return;
    }
    let servers = at.field("nameservers");
    if none && servers.is_empty() {
        report.required(&servers, "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    if servers.items().count() > 3 {
        report.invalid(&servers, "must not have more than 3 nameservers");
    }
    for server in servers.items() {
        report.text(&server, text::ip);
    }
    for search in at.field("searches").items() {
        let name = search.text().trim_end_matches('.');
        for problem in text::dns_subdomain(name) {
            report.invalid(&search, &problem);
        }
    }
    for option in at.field("options").items() {
        report.filled(&option.field("name"));
    }
}

/// What may not change in a running pod.
fn update(old: &At<'_>, new: &At<'_>, report: &mut Report) {
    for (list, what) in [("containers", "containers"), ("initContainers", "initContainers")] {
        let (before, now) = (old.field(list), new.field(list));
        if before.items().count() != now.items().count() {
            report.forbidden(&now, "pod updates may not add or remove containers");
            return;
        }
        for (index, item) in now.items().enumerate() {
            if item.field("image").is_empty() {
                report.required(&At::new(None, format!("{}.{what}[{index}].image", new.path)), "");
            }
        }
    }
    let (before, now) = (old.field("activeDeadlineSeconds"), new.field("activeDeadlineSeconds"));
    match (before.number(), now.number()) {
        (Some(before), Some(seconds)) if before < seconds => {
            report.invalid(&now, "must be less than or equal to previous value");
            return;
        }
        (Some(_), None) => report.invalid(&now, "must not update from a positive integer to nil value"),
        _ => {}
    }
    let kept = |toleration: &At<'_>| {
        new.field("tolerations").items().any(|other| without_seconds(&other) == without_seconds(toleration))
    };
    if !old.field("tolerations").items().all(|toleration| kept(&toleration)) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        report.forbidden(&new.field("tolerations"), detail);
    }
    let (before, mut now) = (comparable(old), comparable(new));
    // A scheduler binds a pod that is on no node yet.
    if old.field("nodeName").is_empty() {
        now.shift_remove("nodeName");
    }
    if before != now {
        report.forbidden(new, &format!("pod updates may not change fields other than {MUTABLE}"));
    }
}

fn without_seconds(toleration: &At<'_>) -> Value {
    let mut value = toleration.shown();
    if let Some(map) = value.as_object_mut() {
        map.shift_remove("tolerationSeconds");
    }
    value
}

/// A spec without what may change.
fn comparable(spec: &At<'_>) -> Map<String, Value> {
    let mut map = spec.value.and_then(Value::as_object).cloned().unwrap_or_default();
    for name in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        map.shift_remove(name);
    }
    for list in ["containers", "initContainers"] {
        for item in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(item) = item.as_object_mut() {
                item.shift_remove("image");
            }
        }
    }
    map
}
