//! Label selectors as objects hold them, and the labels that they must find.
//!
//! Invariant: what a selector matches is judged after what it says.

use serde_json::Value;

use super::report::{At, Report};
use crate::schema::text;

/// Checks a map of labels; keys and values are reported at the map.
pub(super) fn labels(at: &At<'_>, report: &mut Report) {
    for (key, value) in at.entries() {
        for problem in text::qualified_name(key) {
            report.invalid_as(at, &key.into(), &problem);
        }
        for problem in text::label_value(value.text()) {
            report.invalid_as(at, &value.text().into(), &problem);
        }
    }
}

/// Checks a label selector.
pub(super) fn label_selector(at: &At<'_>, report: &mut Report) {
    labels(&at.field("matchLabels"), report);
    for expression in at.field("matchExpressions").items() {
        requirement(&expression, false, report);
        for value in expression.field("values").items() {
            report.text(&value, text::label_value);
        }
    }
}

/// Checks operator, number of values and key of one expression; `ordered` lets `Gt` and `Lt` in, as selectors of nodes do.
pub(super) fn requirement(expression: &At<'_>, ordered: bool, report: &mut Report) {
    let (operator, values) = (expression.field("operator"), expression.field("values"));
    match operator.text() {
        "In" | "NotIn" => {
            if values.is_empty() {
                report.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
            }
        }
        "Exists" | "DoesNotExist" => {
            if !values.is_empty() {
                report.forbidden(&values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
        }
        "Gt" | "Lt" if ordered => {
            if values.items().count() != 1 {
                report.required(&values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
            }
        }
        other => report.invalid_as(&operator, &other.into(), "not a valid selector operator"),
    }
    report.text(&expression.field("key"), text::qualified_name);
}

/// Whether a selector says nothing at all.
pub(super) fn is_empty(at: &At<'_>) -> bool {
    at.field("matchLabels").is_empty() && at.field("matchExpressions").is_empty()
}

/// Whether a selector can't be read at all.
pub(super) fn is_broken(at: &At<'_>) -> bool {
    let mut report = Report::default();
    label_selector(at, &mut report);
    !report.causes.is_empty()
}

/// A selector as Go writes it.
pub(super) fn as_go(at: &At<'_>) -> String {
    let labels = at.field("matchLabels");
    let mut parts = Vec::new();
    if !labels.is_empty() {
        parts.push(format!("\"matchLabels\":{}", labels.shown()));
    }
    let expressions: Vec<String> = at
        .field("matchExpressions")
        .items()
        .map(|one| {
            let values = one.field("values");
            let values = if values.is_empty() { String::new() } else { format!(",\"values\":{}", values.shown()) };
            let (key, operator) = (one.field("key"), one.field("operator"));
            format!("{{\"key\":{:?},\"operator\":{:?}{values}}}", key.text(), operator.text())
        })
        .collect();
    if !expressions.is_empty() {
        parts.push(format!("\"matchExpressions\":[{}]", expressions.join(",")));
    }
    format!("{{{}}}", parts.join(","))
}

/// Whether a selector finds these labels. An operator that is none finds nothing.
pub(super) fn matches(selector: &At<'_>, labels: Option<&Value>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
    selector.field("matchLabels").entries().all(|(key, value)| label(key) == Some(value.text()))
        && selector.field("matchExpressions").items().all(|expression| {
            let value = label(expression.field("key").text());
            let listed = || expression.field("values").items().any(|one| Some(one.text()) == value);
            match expression.field("operator").text() {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}
