//! HorizontalPodAutoscaler, PodDisruptionBudget, ResourceQuota, LimitRange.
//!
//! Invariant: amounts are compared as numbers, never as texts.

use super::report::{At, Report, go_struct};
use super::{Subject, selector};
use crate::schema::{quantity, text};

pub(super) fn autoscaler(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let (least, most) = (spec.field("minReplicas"), spec.field("maxReplicas"));
    let low = least.number().unwrap_or(1);
    if low < 1 {
        report.invalid(&least, "must be greater than or equal to 1");
    }
    let high = most.number().unwrap_or(0);
    if high < 1 {
        report.required(&most, "must be set and greater than 0");
    }
    if high < low {
        report.invalid_as(&most, &high.into(), "must be greater than or equal to `minReplicas`");
    }
    let target = spec.field("scaleTargetRef");
    for name in ["kind", "name"] {
        let at = target.field(name);
        if at.is_empty() {
            report.required(&at, "");
        } else {
            report.text(&at, text::path_segment);
        }
    }
    let version = target.field("apiVersion");
    if version.is_empty() {
        report.invalid_as(&version, &"".into(), "apiVersion must specify API group");
    }
    for metric in spec.field("metrics").items() {
        self::metric(&metric, report);
    }
    for direction in ["scaleUp", "scaleDown"] {
        behavior(&spec.field("behavior").field(direction), report);
    }
    if low == 0 {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        report.forbidden(&spec.field("metrics"), detail);
    }
}

fn metric(at: &At<'_>, report: &mut Report) {
    let kind = at.field("type");
    let source = match kind.text() {
        "ContainerResource" => "containerResource",
        "External" => "external",
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        _ => return report.one_of(&kind, &["ContainerResource", "External", "Object", "Pods", "Resource"]),
    };
    let source = at.field(source);
    if !source.is_set() {
        report.required(&source, "must populate information for the given metric source");
        return;
    }
    if kind.text() == "Resource" {
        report.filled(&source.field("name"));
        let target = source.field("target");
        let share = target.field("averageUtilization");
        if !share.is_set() && !target.field("averageValue").is_set() {
            report.required(&share, "must set either a target raw value or a target utilization");
        }
        if share.number().is_some_and(|share| share < 1) {
            report.invalid(&share, "must be greater than 0");
        }
    }
}

fn behavior(at: &At<'_>, report: &mut Report) {
    let window = at.field("stabilizationWindowSeconds");
    if let Some(seconds) = window.number() {
        if seconds < 0 {
            report.invalid(&window, "must be greater than or equal to zero");
        } else if seconds > 3600 {
            report.invalid(&window, "must be less than or equal to 3600");
        }
    }
    report.one_of(&at.field("selectPolicy"), &["Disabled", "Max", "Min"]);
    let policies = at.field("policies");
    if at.is_set() && policies.is_empty() {
        report.required(&policies, "must specify at least one Policy");
    }
    for policy in policies.items() {
        report.one_of(&policy.field("type"), &["Percent", "Pods"]);
        for name in ["value", "periodSeconds"] {
            let number = policy.field(name);
            if number.number().unwrap_or(0) <= 0 {
                report.invalid_as(&number, &number.number().unwrap_or(0).into(), "must be greater than zero");
            }
        }
    }
}

pub(super) fn disruption_budget(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let (available, unavailable) = (spec.field("minAvailable"), spec.field("maxUnavailable"));
    if available.is_set() && unavailable.is_set() {
        let fields = [
            ("MinAvailable", "minAvailable"),
            ("Selector", "selector"),
            ("MaxUnavailable", "maxUnavailable"),
            ("UnhealthyPodEvictionPolicy", "unhealthyPodEvictionPolicy"),
        ];
        report.invalid_go(&spec, &go_struct(&spec, &fields), "minAvailable and maxUnavailable cannot be both set");
    }
    for at in [&available, &unavailable] {
        if at.is_set() {
            report.count_or_percent(at);
            report.at_most_all(at);
        }
    }
    selector::label_selector(&spec.field("selector"), report);
    report.one_of(&spec.field("unhealthyPodEvictionPolicy"), &["AlwaysAllow", "IfHealthyBudget"]);
}

pub(super) fn quota(subject: &Subject<'_>, report: &mut Report) {
    const COUNTED: [&str; 12] = [
        "cpu",
        "memory",
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
        "ephemeral-storage",
    ];
    const SCOPES: [&str; 7] = [
        "BestEffort",
        "CrossNamespacePodAffinity",
        "NotBestEffort",
        "NotTerminating",
        "PriorityClass",
        "Terminating",
        "VolumeAttributesClass",
    ];
    let spec = subject.spec();
    for (name, amount) in spec.field("hard").entries() {
        for problem in text::qualified_name(name) {
            report.invalid_as(&amount, &name.into(), &problem);
        }
        let known = name.contains('/')
            || COUNTED.contains(&name)
            || ["requests.", "limits.", "hugepages-"].iter().any(|start| name.starts_with(start));
        if !known {
            report.invalid_as(&amount, &name.into(), "must be a standard resource type or fully qualified");
            report.invalid_as(&amount, &name.into(), "must be a standard resource for quota");
        }
        if quantity::parse(amount.text()).is_some_and(|amount| amount < 0) {
            report.invalid(&amount, "must be greater than or equal to 0");
        }
    }
    let scopes = spec.field("scopes");
    if scopes.items().any(|scope| !SCOPES.contains(&scope.text())) {
        report.invalid(&scopes, "unsupported scope");
    }
}

pub(super) fn limit_range(subject: &Subject<'_>, report: &mut Report) {
    let mut seen: Vec<&str> = Vec::new();
    for limit in subject.spec().field("limits").items() {
        let kind = limit.field("type");
        if !kind.text().contains('/') && !matches!(kind.text(), "Pod" | "Container" | "PersistentVolumeClaim") {
            report.invalid(&kind, "must be a standard limit type or fully qualified");
        }
        if seen.contains(&kind.text()) {
            report.duplicate(&kind, &kind.text().into());
        }
        seen.push(kind.text());
        if kind.text() == "Pod" {
            for name in ["default", "defaultRequest"] {
                let at = limit.field(name);
                if !at.is_empty() {
                    report.forbidden(&at, "may not be specified when `type` is 'Pod'");
                }
            }
        }
        bounds(&limit, report);
    }
}

fn bounds(limit: &At<'_>, report: &mut Report) {
    let entries = |name: &str| limit.field(name);
    let (min, max, default, request) = (entries("min"), entries("max"), entries("default"), entries("defaultRequest"));
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in [&min, &max, &default, &request].into_iter().flat_map(|map| map.entries().collect::<Vec<_>>()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        let of = |map: &At<'_>| map.value.and_then(|map| map.get(name)?.as_str()).unwrap_or_default().to_owned();
        let place = |map: &At<'_>| At::new(None, format!("{}[{name}]", map.path));
        let (least, most, usual, asked) = (of(&min), of(&max), of(&default), of(&request));
        let above = |a: &str, b: &str| matches!((quantity::parse(a), quantity::parse(b)), (Some(a), Some(b)) if a > b);
        let mut refuse = |at: At<'_>, shown: &str, detail: String| report.invalid_as(&at, &shown.into(), &detail);
        if above(&least, &most) {
            refuse(place(&min), &least, format!("min value {least} is greater than max value {most}"));
        }
        if above(&least, &asked) {
            let detail = format!("min value {least} is greater than default request value {asked}");
            refuse(place(&request), &asked, detail);
        }
        if above(&asked, &most) {
            let detail = format!("default request value {asked} is greater than max value {most}");
            refuse(place(&request), &asked, detail);
        }
        if above(&asked, &usual) {
            let detail = format!("default request value {asked} is greater than default limit value {usual}");
            refuse(place(&request), &asked, detail);
        }
        if above(&least, &usual) {
            refuse(place(&default), &least, format!("min value {least} is greater than default value {usual}"));
        }
        if above(&usual, &most) {
            refuse(place(&default), &most, format!("default value {usual} is greater than max value {most}"));
        }
    }
}
