//! The rules in a schema: their fields, and whether their expressions can be read and name what there is.
//!
//! Invariant: an expression that the lab can't read but that may be CEL ends as "not simulated", never as a refusal in the server's
//! name.

use serde_json::{Value, json};

use crate::schema::cel::{is_bounded, parse};
use crate::schema::cel_types;
use crate::schema::field_path;
use crate::schema::node::Node;
use crate::status::{Cause, Status};

/// Where rules stand.
pub(super) struct RuleContext<'a> {
    pub(super) path: &'a str,
    /// The part around them that can't be told to be one of the old object; empty for none.
    pub(super) uncorrelated: &'a str,
}

fn rules(schema: &Value) -> impl Iterator<Item = (usize, &Value)> {
    schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten().enumerate()
}

fn text<'a>(rule: &'a Value, key: &str) -> &'a str {
    rule.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn has_newlines(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// Checks the fields of the rules at `path`, expressions aside.
pub(super) fn check_rule_fields(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    const REASONS: [&str; 4] =
        ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
    for (index, rule) in rules(schema) {
        let at = |name: &str| format!("{path}.x-kubernetes-validations[{index}].{name}");
        let (message, trimmed_rule) = (text(rule, "message"), text(rule, "rule").trim());
        if trimmed_rule.is_empty() {
            causes.push(Cause::required(at("rule"), "rule is not specified"));
        } else if !message.is_empty() && message.trim().is_empty() {
            causes.push(Cause::invalid(at("message"), &message.into(), "must be non-empty if specified"));
        } else if has_newlines(message.trim()) {
            causes.push(Cause::invalid(at("message"), &message.into(), "must not contain line breaks"));
        } else if has_newlines(trimmed_rule) && message.trim().is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            causes.push(Cause::required(at("message"), detail));
        }
        let expression = text(rule, "messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            causes.push(Cause::required(at("messageExpression"), detail));
        }
        let reason = text(rule, "reason");
        if !reason.is_empty() && !REASONS.contains(&reason) {
            let allowed = REASONS.map(ToOwned::to_owned);
            causes.push(Cause::not_supported(at("reason"), &reason.into(), &allowed));
        }
        check_field_path(schema, text(rule, "fieldPath"), &at("fieldPath"), causes);
    }
}

fn check_field_path(schema: &Value, path: &str, field: &str, causes: &mut Vec<Cause>) {
    let mut refuse = |detail: &str| causes.push(Cause::invalid(field, &path.into(), detail));
    if path.is_empty() {
        return;
    }
    if path.trim().is_empty() {
        refuse("must be non-empty if specified");
    }
    if has_newlines(path) {
        refuse("must not contain line breaks");
    }
    if Node::new(schema).is_some_and(|node| field_path::resolve(path, node, true).is_err()) {
        refuse("must be a valid path");
    }
}

/// A rule as the API server's inner form prints it.
fn internal_form(rule: &Value) -> Value {
    let optional = |key: &str| rule.get(key).cloned().unwrap_or_default();
    json!({
        "Rule": text(rule, "rule"),
        "Message": text(rule, "message"),
        "MessageExpression": text(rule, "messageExpression"),
        "Reason": optional("reason"),
        "FieldPath": text(rule, "fieldPath"),
        "OptionalOldSelf": optional("optionalOldSelf"),
    })
}

/// Reads the expressions of the rules at `node`.
///
/// # Errors
/// 501 for an expression that is beyond the bounds of the lab's parser.
pub(super) fn check_rules(node: Node<'_>, context: &RuleContext<'_>, causes: &mut Vec<Cause>) -> Result<(), Status> {
    for (index, rule) in rules(node.schema()) {
        let at = |name: &str| format!("{}.x-kubernetes-validations[{index}].{name}", context.path);
        let mut uses_old_self = false;
        for key in ["rule", "messageExpression"] {
            let expression = text(rule, key).trim();
            if expression.is_empty() {
                continue;
            }
            if !is_bounded(expression) {
                return Err(Status::not_simulated(&format!("the validation rule {expression:?}")));
            }
            let optional = rule.get("optionalOldSelf") == Some(&Value::Bool(true));
            match parse(expression) {
                Err(problem) => {
                    let prefix = if key == "rule" { "" } else { "messageExpression " };
                    let detail = cel_types::syntax_error(prefix, &problem);
                    causes.push(Cause::invalid_struct(at(key), &internal_form(rule), &detail));
                }
                Ok(program) => {
                    uses_old_self |= program.references().has_variable("oldSelf");
                    let wanted = if key == "rule" { "bool" } else { "string" };
                    if let Some(problem) = cel_types::problem(&program, expression, node, optional, wanted) {
                        causes.push(Cause::invalid_struct(at(key), &internal_form(rule), &problem));
                    }
                }
            }
        }
        if uses_old_self && !context.uncorrelated.is_empty() {
            let detail = format!(
                "oldSelf cannot be used on the uncorrelatable portion of the schema within {}",
                context.uncorrelated
            );
            causes.push(Cause::invalid(at("rule"), &text(rule, "rule").into(), &detail));
        } else if let Some(optional) = rule.get("optionalOldSelf").filter(|_| !uses_old_self) {
            let detail = "may not be set if oldSelf is not used in rule";
            causes.push(Cause::invalid(at("optionalOldSelf"), optional, detail));
        }
    }
    Ok(())
}
