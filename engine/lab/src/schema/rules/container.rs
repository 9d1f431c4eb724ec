//! Containers: names, ports, environment, mounts, probes, resources, rights.
//!
//! Invariant: containers and init containers go through the same rules; what only one of them may have is judged around them.

use serde_json::Value;

use super::report::{At, Report, go_struct};
use crate::schema::{quantity, text};

/// The containers of a pod's spec.
pub(super) fn containers(spec: &At<'_>, report: &mut Report) {
    let list = spec.field("containers");
    if list.is_empty() {
        report.required(&list, "");
        return;
    }
    let mut names: Vec<&str> = Vec::new();
    for container in list.items() {
        common(&container, spec, report);
        unique_name(&container, &mut names, report);
        lifecycle(&container.field("lifecycle"), report);
        probes(&container, report);
        let policy = container.field("restartPolicy");
        report.one_of(&policy, &["Always", "Never", "OnFailure"]);
    }
}

/// The init containers of a pod's spec; their names differ from those of its containers, too.
pub(super) fn init_containers(spec: &At<'_>, report: &mut Report) {
    let main = spec.field("containers");
    let mut names: Vec<&str> = main.items().map(|container| container.field("name").text()).collect();
    for container in spec.field("initContainers").items() {
        common(&container, spec, report);
        unique_name(&container, &mut names, report);
        let policy = container.field("restartPolicy");
        if policy.text() == "Always" {
            lifecycle(&container.field("lifecycle"), report);
            probes(&container, report);
            continue;
        }
        for name in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            let at = container.field(name);
            if at.is_set() {
                report.forbidden(&at, "may not be set for init containers without restartPolicy=Always");
            }
        }
        report.one_of(&policy, &["Always", "Never", "OnFailure"]);
    }
}

fn unique_name<'a>(container: &At<'a>, names: &mut Vec<&'a str>, report: &mut Report) {
    let at = container.field("name");
    let name = at.text();
    if name.is_empty() {
        return;
    }
    if names.contains(&name) {
        report.duplicate(&at, &name.into());
    }
    names.push(name);
}

fn common(container: &At<'_>, spec: &At<'_>, report: &mut Report) {
    let name = container.field("name");
    if name.is_empty() {
        report.required(&name, "");
    } else {
        report.text(&name, text::dns_label);
    }
    let image = container.field("image");
    if image.is_empty() {
        report.required(&image, "");
    } else if image.text().trim() != image.text() && spec.path == "spec" {
        // In templates spaces are tolerated.
        report.invalid(&image, "must not have leading or trailing whitespace");
    }
    report.one_of(&container.field("terminationMessagePolicy"), &["File", "FallbackToLogsOnError"]);
    ports(container, spec, report);
    for variable in container.field("env").items() {
        environment(&variable, report);
    }
    for source in container.field("envFrom").items() {
        environment_source(&source, &container.field("envFrom"), report);
    }
    mounts(container, spec, report);
    report.one_of(&container.field("imagePullPolicy"), &["Always", "IfNotPresent", "Never"]);
    resources(&container.field("resources"), report);
    security_context(&container.field("securityContext"), report);
}

fn ports(container: &At<'_>, spec: &At<'_>, report: &mut Report) {
    let mut names: Vec<&str> = Vec::new();
    for port in container.field("ports").items() {
        let name = port.field("name");
        if !name.is_empty() {
            let problems = text::port_name(name.text());
            if problems.is_empty() {
                if names.contains(&name.text()) {
                    report.duplicate(&name, &name.text().into());
                }
                names.push(name.text());
            }
            for problem in problems {
                report.invalid(&name, &problem);
            }
        }
        let inside = port.field("containerPort");
        if inside.number().unwrap_or(0) == 0 {
            report.required(&inside, "");
        } else {
            report.port(&inside);
        }
        let outside = port.field("hostPort");
        if let Some(number) = outside.number().filter(|number| *number != 0) {
            report.port(&outside);
            if spec.field("hostNetwork").is(true) && inside.number() != Some(number) {
                report.invalid(&outside, "must match `containerPort` when `hostNetwork` is true");
            }
        }
        report.one_of(&port.field("protocol"), &["SCTP", "TCP", "UDP"]);
    }
}

fn environment(variable: &At<'_>, report: &mut Report) {
    let name = variable.field("name");
    if name.is_empty() {
        report.required(&name, "");
    } else {
        report.text(&name, text::env_name);
    }
    let from = variable.field("valueFrom");
    if !from.is_set() {
        return;
    }
    let nothing: Value = "".into();
    let sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let given = sources.iter().filter(|source| from.field(source).is_set()).count();
    let field = from.field("fieldRef");
    if field.is_set() {
        field_path(&field.field("fieldPath"), report);
    }
    let resource = from.field("resourceFieldRef");
    if resource.is_set() {
        report.filled(&resource.field("resource"));
    }
    for source in ["configMapKeyRef", "secretKeyRef"] {
        let at = from.field(source);
        if !at.is_set() {
            continue;
        }
        report.text(&at.field("name"), text::dns_subdomain);
        let key = at.field("key");
        if key.is_empty() {
            report.required(&key, "");
        } else {
            report.text(&key, text::config_key);
        }
    }
    if !variable.field("value").is_empty() {
        if given > 0 {
            report.invalid_as(&from, &nothing, "may not be specified when `value` is not empty");
        }
    } else if given > 1 {
        report.invalid_as(&from, &nothing, "may not have more than one field specified at a time");
    } else if given == 0 {
        let detail =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        report.invalid_as(&from, &nothing, detail);
    }
}

/// A field of the pod that a variable or a file is filled from.
pub(super) fn field_path(at: &At<'_>, report: &mut Report) {
    const KNOWN: [&str; 13] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.labels",
        "metadata.annotations",
        "spec.nodeName",
        "spec.serviceAccountName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
        "status.hostIP",
        "status.podIP",
        "status.podIPs",
    ];
    let path = at.text();
    if path.is_empty() {
        report.required(at, "");
        return;
    }
    let subscripted = ["metadata.labels[", "metadata.annotations["].iter().any(|start| path.starts_with(start));
    if !KNOWN.contains(&path) && path != "status.hostIPs" && !subscripted {
        report.invalid(at, &format!("error converting fieldPath: field label not supported: {path}"));
    }
}

fn environment_source(source: &At<'_>, list: &At<'_>, report: &mut Report) {
    report.text_if_any(&source.field("prefix"), text::env_name);
    let given: Vec<At<'_>> =
        ["configMapRef", "secretRef"].iter().map(|name| source.field(name)).filter(At::is_set).collect();
    for reference in &given {
        let name = reference.field("name");
        if name.is_empty() {
            report.required(&name, "");
        } else {
            report.text(&name, text::dns_subdomain);
        }
    }
    let place = At::new(None, list.path.as_str());
    match given.len() {
        0 => report.invalid_as(&place, &"".into(), "must specify one of: `configMapRef` or `secretRef`"),
        1 => {}
        _ => report.invalid_as(&place, &"".into(), "may not have more than one field specified at a time"),
    }
}

fn mounts(container: &At<'_>, spec: &At<'_>, report: &mut Report) {
    let volumes = spec.field("volumes");
    let list = container.field("volumeMounts");
    let mut places: Vec<&str> = Vec::new();
    for mount in list.items() {
        let (name, place) = (mount.field("name"), mount.field("mountPath"));
        report.filled(&name);
        if !volumes.items().any(|volume| volume.field("name").text() == name.text()) {
            let message = format!("Not found: {:?}", name.text());
            report.causes.push(crate::status::Cause::new("FieldValueNotFound", name.path.as_str(), message));
        }
        report.filled(&place);
        if places.contains(&place.text()) {
            report.invalid(&place, "must be unique");
        }
        places.push(place.text());
        for part in ["subPath", "subPathExpr"] {
            let at = mount.field(part);
            // The server leaves the number of the mount out here.
            descending_path(&At::new(at.value, format!("{}.{part}", list.path)), report);
        }
    }
}

/// A path that stays below where it starts.
pub(super) fn descending_path(at: &At<'_>, report: &mut Report) {
    if at.text().starts_with('/') {
        report.invalid(at, "must be a relative path");
    }
    if at.text().split('/').any(|piece| piece == "..") {
        report.invalid(at, "must not contain '..'");
    }
}

fn probes(container: &At<'_>, report: &mut Report) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.field(name);
        if !probe.is_set() {
            continue;
        }
        handler(&probe, report);
        for count in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
        {
            report.not_negative(&probe.field(count));
        }
        let grace = probe.field("terminationGracePeriodSeconds");
        if grace.number().is_some_and(|seconds| seconds <= 0) {
            report.invalid(&grace, "must be greater than 0");
        }
        let successes = probe.field("successThreshold");
        if name != "readinessProbe" && successes.number().is_some_and(|number| number != 1) {
            report.invalid(&successes, "must be 1");
        }
    }
}

fn lifecycle(at: &At<'_>, report: &mut Report) {
    for name in ["postStart", "preStop"] {
        let hook = at.field(name);
        if hook.is_set() {
            handler(&hook, report);
        }
    }
}

/// What a probe or a hook does: exactly one thing.
fn handler(at: &At<'_>, report: &mut Report) {
    let mut given = 0;
    for name in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let action = at.field(name);
        if !action.is_set() {
            continue;
        }
        given += 1;
        if given > 1 {
            report.forbidden(&action, "may not specify more than 1 handler type");
            continue;
        }
        match name {
            "exec" => report.filled(&action.field("command")),
            "httpGet" => {
                report.filled(&action.field("path"));
                report.port_or_name(&action.field("port"));
                report.one_of(&action.field("scheme"), &["HTTP", "HTTPS"]);
                for header in action.field("httpHeaders").items() {
                    report.filled(&header.field("name"));
                }
            }
            "sleep" => report.not_negative(&action.field("seconds")),
            _ => report.port_or_name(&action.field("port")),
        }
    }
    if given == 0 {
        report.required(at, "must specify a handler type");
    }
}

/// Requests and limits of a container.
fn resources(at: &At<'_>, report: &mut Report) {
    let (limits, requests) = (at.field("limits"), at.field("requests"));
    for (name, amount) in limits.entries() {
        resource_name(name, &amount, report);
        resource_amount(name, &amount, report);
    }
    for (name, amount) in requests.entries() {
        resource_name(name, &amount, report);
        resource_amount(name, &amount, report);
        let limit = limits.value.and_then(|limits| limits.get(name)?.as_str());
        let (Some(limit), Some(asked)) = (limit, quantity::parse(amount.text())) else { continue };
        if quantity::parse(limit).is_some_and(|limit| asked > limit) {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            report.invalid_as(&At::new(None, requests.path.as_str()), &amount.shown(), &detail);
        }
    }
}

fn is_standard(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage" | "storage") || name.starts_with("hugepages-")
}

fn resource_name(name: &str, at: &At<'_>, report: &mut Report) {
    for problem in text::qualified_name(name) {
        report.invalid_as(at, &name.into(), &problem);
    }
    if name.contains('/') || is_standard(name) {
        return;
    }
    report.invalid_as(at, &name.into(), "must be a standard resource type or fully qualified");
    report.invalid_as(at, &name.into(), "must be a standard resource for containers");
}

fn resource_amount(name: &str, at: &At<'_>, report: &mut Report) {
    let Some(amount) = quantity::parse(at.text()) else { return };
    if amount < 0 {
        report.invalid(at, "must be greater than or equal to 0");
    }
    if name.contains('/') && !quantity::is_whole(amount) {
        report.invalid(at, "must be an integer");
    }
}

fn security_context(at: &At<'_>, report: &mut Report) {
    let ids = 0..=i64::from(i32::MAX);
    report.within(&at.field("runAsUser"), ids.clone());
    report.within(&at.field("runAsGroup"), ids);
    report.one_of(&at.field("procMount"), &["Default", "Unmasked"]);
    seccomp(&at.field("seccompProfile"), report);
    if at.field("allowPrivilegeEscalation").is(false) && at.field("privileged").is(true) {
        report.invalid_go(
            at,
            &go_context(at),
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        );
    }
}

/// A security context as Go shows it: all fields, by their Go names.
fn go_context(at: &At<'_>) -> String {
    let names = [
        ("Capabilities", "capabilities"),
        ("Privileged", "privileged"),
        ("SELinuxOptions", "seLinuxOptions"),
        ("WindowsOptions", "windowsOptions"),
        ("RunAsUser", "runAsUser"),
        ("RunAsGroup", "runAsGroup"),
        ("RunAsNonRoot", "runAsNonRoot"),
        ("ReadOnlyRootFilesystem", "readOnlyRootFilesystem"),
        ("AllowPrivilegeEscalation", "allowPrivilegeEscalation"),
        ("ProcMount", "procMount"),
        ("SeccompProfile", "seccompProfile"),
        ("AppArmorProfile", "appArmorProfile"),
    ];
    go_struct(at, &names)
}

/// A seccomp profile.
pub(super) fn seccomp(at: &At<'_>, report: &mut Report) {
    if !at.is_set() {
        return;
    }
    report.one_of(&at.field("type"), &["Localhost", "RuntimeDefault", "Unconfined"]);
    let profile = at.field("localhostProfile");
    if at.field("type").text() == "Localhost" {
        if profile.is_empty() {
            report.required(&profile, "must be set when seccomp type is Localhost");
        } else {
            descending_path(&profile, report);
        }
    } else if profile.is_set() {
        report.invalid(&profile, "can only be set when seccomp type is Localhost");
    }
}
