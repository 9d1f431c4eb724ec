//! Where a pod may run: affinity, tolerations, spreading.
//!
//! Invariant: an empty topology key is told as missing and as misshapen, as the server has it.

use super::report::{At, Report};
use super::selector;
use crate::schema::text;

pub(super) fn affinity(at: &At<'_>, report: &mut Report) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let node = at.field("nodeAffinity");
    let required = node.field(REQUIRED);
    if required.is_set() {
        let terms = required.field("nodeSelectorTerms");
        if terms.is_empty() {
            report.required(&terms, "must have at least one node selector term");
        }
        for term in terms.items() {
            node_term(&term, report);
        }
    }
    for preferred in node.field(PREFERRED).items() {
        weight(&preferred, report);
        node_term(&preferred.field("preference"), report);
    }
    for name in ["podAffinity", "podAntiAffinity"] {
        let pods = at.field(name);
        for term in pods.field(REQUIRED).items() {
            pod_term(&term, report);
        }
        for preferred in pods.field(PREFERRED).items() {
            weight(&preferred, report);
            pod_term(&preferred.field("podAffinityTerm"), report);
        }
    }
}

fn weight(at: &At<'_>, report: &mut Report) {
    let weight = at.field("weight");
    let number = weight.number().unwrap_or(0);
    if !(1..=100).contains(&number) {
        report.invalid_as(&weight, &number.into(), "must be in the range 1-100");
    }
}

fn node_term(term: &At<'_>, report: &mut Report) {
    for expression in term.field("matchExpressions").items() {
        selector::requirement(&expression, true, report);
    }
}

fn pod_term(term: &At<'_>, report: &mut Report) {
    selector::label_selector(&term.field("labelSelector"), report);
    selector::label_selector(&term.field("namespaceSelector"), report);
    for namespace in term.field("namespaces").items() {
        for problem in text::dns_label(namespace.text()) {
            report.invalid(&namespace, &problem);
        }
    }
    let key = term.field("topologyKey");
    if key.is_empty() {
        report.required(&key, "can not be empty");
    }
    report.text(&key, text::qualified_name);
}

pub(super) fn tolerations(list: &At<'_>, report: &mut Report) {
    for toleration in list.items() {
        let (key, operator) = (toleration.field("key"), toleration.field("operator"));
        report.text_if_any(&key, text::qualified_name);
        if key.is_empty() && operator.text() != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            report.invalid_as(&operator, &operator.text().into(), detail);
        }
        let (effect, seconds) = (toleration.field("effect"), toleration.field("tolerationSeconds"));
        if seconds.is_set() && effect.text() != "NoExecute" {
            report.invalid_as(
                &effect,
                &effect.text().into(),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        let value = toleration.field("value");
        match operator.text() {
            "Equal" | "" => report.text_if_any(&value, text::label_value),
            "Exists" => {
                if !value.is_empty() {
                    report.invalid_as(&operator, &value.shown(), "value must be empty when `operator` is 'Exists'");
                }
            }
            _ => report.one_of(&operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            report.one_of(&effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        }
    }
}

pub(super) fn spread(list: &At<'_>, report: &mut Report) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for constraint in list.items() {
        let (skew, key) = (constraint.field("maxSkew"), constraint.field("topologyKey"));
        let number = skew.number().unwrap_or(0);
        if number <= 0 {
            report.invalid_as(&skew, &number.into(), "must be greater than zero");
        }
        if key.is_empty() {
            report.required(&key, "can not be empty");
        }
        let otherwise = constraint.field("whenUnsatisfiable");
        report.one_of(&otherwise, &["DoNotSchedule", "ScheduleAnyway"]);
        let pair = (key.text(), otherwise.text());
        if seen.contains(&pair) {
            // The server counts from the other end.
            let first = seen.iter().position(|one| *one == pair).unwrap_or(0);
            let place = At::new(None, format!("{}[{first}].{{topologyKey, whenUnsatisfiable}}", list.path));
            report.duplicate(&place, &format!("{{{}, {}}}", pair.0, pair.1).into());
        }
        seen.push(pair);
        selector::label_selector(&constraint.field("labelSelector"), report);
    }
}
