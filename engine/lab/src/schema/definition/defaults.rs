//! Defaults in a schema must be values that the schema itself accepts.
//!
//! Invariant: a default that passes needs neither pruning nor another default.

use serde_json::Value;

use crate::schema::cel::Rules;
use crate::schema::node::Node;
use crate::schema::structural::prune;
use crate::schema::values::check_value;
use crate::status::Cause;

/// Checks all defaults below `node`.
pub(super) fn check_defaults(node: Node<'_>, path: &str, causes: &mut Vec<Cause>) {
    if let Some(default) = node.default_value().filter(|default| !default.is_null()) {
        check_default(node, default, &format!("{path}.default"), causes);
    }
    if let Some(items) = node.items() {
        check_defaults(items, &format!("{path}.items"), causes);
    }
    for (name, property) in node.properties() {
        check_defaults(property, &format!("{path}.properties[{name}]"), causes);
    }
}

fn check_default(node: Node<'_>, default: &Value, field: &str, causes: &mut Vec<Cause>) {
    let mut pruned = default.clone();
    prune(node, &mut pruned, "", &mut Vec::new());
    if pruned != *default {
        causes.push(Cause::invalid(field, default, "must not have unknown fields"));
    }
    let problems = check_value(node.schema(), default, None, field);
    if !problems.is_empty() {
        causes.extend(problems);
        return;
    }
    // A rule that the lab can't evaluate is reported where it stands.
    if let Some(Ok(verdict)) = Rules::compile(node).map(|rules| rules.check(node, default, None, field)) {
        causes.extend(verdict.causes);
    }
}
