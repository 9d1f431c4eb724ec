//! `x-kubernetes-validations`: compiled once per kind, evaluated on each write.
//!
//! Invariant: an expression is parsed only if its length and nesting are bounded, because CEL's parser recurses; a rule that
//! can't be evaluated here is never taken for kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube_cel::KubeCelExt;
use kube_cel::cel::objects::OptionalValue;
use kube_cel::cel::{Context, ExecutionError, Program, Value as CelValue};
use serde_json::Value;

use super::cel_values::to_cel;
use super::correlate::Correlation;
use super::field_path;
use super::node::Node;
use crate::status::{Cause, Status};

/// Longest expression in bytes.
const LONGEST: usize = 8 * 1024;
/// Deepest nesting: brackets, and operators that recurse to their right.
const DEEPEST: usize = 24;
/// Longest result of a message expression in bytes, as in Kubernetes.
const LONGEST_MESSAGE: usize = 5 * 1024;

/// The rules of a schema. Parts without rules are left out.
#[derive(Debug, Default)]
pub(super) struct Rules {
    here: Vec<Rule>,
    properties: BTreeMap<String, Rules>,
    items: Option<Box<Rules>>,
    additional: Option<Box<Rules>>,
    all_of: Vec<Rules>,
}

#[derive(Debug)]
struct Rule {
    /// None for a rule that is beyond the bounds or no CEL.
    program: Option<Program>,
    message_program: Option<Program>,
    uses_old_self: bool,
    optional_old_self: bool,
    message: String,
    /// What stands for the rule where it is named.
    name: String,
    reason: String,
    /// Below the place of the rule; empty for that place itself.
    field_path: String,
}

/// What evaluating the rules found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Rules that are not kept.
    pub(super) causes: Vec<Cause>,
    /// Rules that were not kept before either, in parts that did not change.
    pub(super) warnings: Vec<String>,
}

impl Rules {
    /// Compiles the rules of the schema at `node`; None when it has none.
    pub(super) fn compile(node: Node<'_>) -> Option<Self> {
        Self::compile_as(node, node)
    }

    /// Compiles the rules of `source`, which stands for (a part of) `node`.
    fn compile_as(source: Node<'_>, node: Node<'_>) -> Option<Self> {
        let rules = source.keyword("x-kubernetes-validations").and_then(Value::as_array);
        let mut out = Self {
            here: rules.into_iter().flatten().map(|rule| Rule::compile(rule, node)).collect(),
            ..Self::default()
        };
        for (name, property) in source.properties() {
            let compiled = node.own_member(name).and_then(|node| Self::compile_as(property, node));
            out.properties.extend(compiled.map(|rules| (name.to_owned(), rules)));
        }
        out.items =
            source.items().zip(node.items()).and_then(|(source, node)| Self::compile_as(source, node)).map(Box::new);
        out.additional = source
            .additional()
            .zip(node.additional())
            .and_then(|(source, node)| Self::compile_as(source, node))
            .map(Box::new);
        let all_of = source.keyword("allOf").and_then(Value::as_array).into_iter().flatten();
        out.all_of = all_of.filter_map(|branch| Self::compile_as(Node::new(branch)?, node)).collect();
        (!out.is_empty()).then_some(out)
    }

    fn is_empty(&self) -> bool {
        self.here.is_empty()
            && self.properties.is_empty()
            && self.items.is_none()
            && self.additional.is_none()
            && self.all_of.is_empty()
    }

    /// Evaluates all rules on `value`, whose schema is `node`.
    ///
    /// # Errors
    /// 501 for a rule that needs something of CEL that is not simulated.
    pub(super) fn check(
        &self,
        node: Node<'_>,
        value: &Value,
        old: Option<Correlation<'_>>,
        path: &str,
    ) -> Result<Verdict, Status> {
        let context = functions();
        let mut check = Check { context: &context, verdict: Verdict::default() };
        check.place(self, node, value, old, old.is_some_and(|old| old.is_unchanged(value)), path)?;
        Ok(check.verdict)
    }
}

/// CEL's functions, Kubernetes' and `type`, whose answers are names here: `type(self) == int`.
fn functions() -> Context<'static> {
    const TYPES: [&str; 9] = ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type"];
    let mut context = Context::default().with_all();
    context.add_function("type", |value: CelValue| -> String {
        match value {
            CelValue::Int(_) => "int",
            CelValue::UInt(_) => "uint",
            CelValue::Float(_) => "double",
            CelValue::Bool(_) => "bool",
            CelValue::String(_) => "string",
            CelValue::Bytes(_) => "bytes",
            CelValue::List(_) => "list",
            CelValue::Map(_) => "map",
            CelValue::Null => "null_type",
            _ => "other",
        }
        .to_owned()
    });
    context.add_function("dyn", |value: CelValue| -> Result<CelValue, ExecutionError> { Ok(value) });
    for name in TYPES {
        context.add_variable_from_value(name, name.to_owned());
    }
    context
}

impl Rule {
    fn compile(rule: &Value, node: Node<'_>) -> Self {
        let text = |key: &str| rule.get(key).and_then(Value::as_str).unwrap_or_default().trim();
        let program = parse(text("rule")).ok();
        let message_program =
            Some(text("messageExpression")).filter(|text| !text.is_empty()).and_then(|text| parse(text).ok());
        let uses_old_self = program.as_ref().is_some_and(|program| program.references().has_variable("oldSelf"));
        let name = if text("message").is_empty() { text("rule") } else { text("message") };
        Self {
            program,
            message_program,
            uses_old_self,
            optional_old_self: rule.get("optionalOldSelf") == Some(&Value::Bool(true)),
            message: if text("message").is_empty() { format!("failed rule: {name}") } else { name.to_owned() },
            name: name.to_owned(),
            reason: text("reason").to_owned(),
            field_path: field_path::resolve(text("fieldPath"), node, true).map(|found| found.text).unwrap_or_default(),
        }
    }
}

/// Parses an expression.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(expression: &str) -> Result<Program, String> {
    if !is_bounded(expression) {
        return Err("expression beyond the bounds of the parser".to_owned());
    }
    Program::compile(expression).map_err(|errors| errors.to_string())
}

/// Whether the parser can take an expression without running out of stack.
pub(super) fn is_bounded(expression: &str) -> bool {
    if expression.len() > LONGEST {
        return false;
    }
    let (mut deepest, mut unary, mut operators) = (0_usize, 0_usize, 0);
    // Choices recurse to their right, until the bracket around them closes.
    let mut open: Vec<usize> = vec![0];
    let mut quote = None;
    let mut escaped = false;
    for byte in expression.bytes() {
        if let Some(end) = quote {
            if byte == end && !escaped {
                quote = None;
            }
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'\'' | b'"' => quote = Some(byte),
            b'(' | b'[' | b'{' => open.push(0),
            b')' | b']' | b'}' if open.len() > 1 => {
                open.pop();
            }
            b'?' => {
                if let Some(choices) = open.last_mut() {
                    *choices += 1;
                }
            }
            b'+' | b'*' | b'/' | b'%' | b'&' | b'|' | b'<' | b'>' | b'=' | b'.' => operators += 1,
            _ => {}
        }
        unary = if matches!(byte, b'!' | b'-') { unary + 1 } else { 0 };
        deepest = deepest.max(open.len() + open.iter().sum::<usize>() + unary);
        if deepest > DEEPEST {
            return false;
        }
    }
    operators <= 40 * DEEPEST
}

/// One walk over an object.
struct Check<'c> {
    context: &'c Context<'c>,
    verdict: Verdict,
}

impl Check<'_> {
    /// `unchanged` tells of the nearest part around the value that has a counterpart in the old object.
    fn place(
        &mut self,
        rules: &Rules,
        node: Node<'_>,
        value: &Value,
        old: Option<Correlation<'_>>,
        unchanged: bool,
        path: &str,
    ) -> Result<(), Status> {
        if value.is_null() {
            return Ok(());
        }
        self.evaluate(&rules.here, node, value, old, unchanged, path)?;
        for branch in &rules.all_of {
            self.place(branch, node, value, old, unchanged, path)?;
        }
        match value {
            Value::Array(items) => {
                let Some((rules, node)) = rules.items.as_deref().zip(node.items()) else { return Ok(()) };
                for (index, item) in items.iter().enumerate() {
                    let old = old.and_then(|old| old.item(item));
                    let same = old.map_or(unchanged, |old| old.is_unchanged(item));
                    self.place(rules, node, item, old, same, &format!("{path}[{index}]"))?;
                }
            }
            Value::Object(members) => self.members(rules, node, members, old, unchanged, path)?,
            _ => {}
        }
        Ok(())
    }

    fn members(
        &mut self,
        rules: &Rules,
        node: Node<'_>,
        members: &serde_json::Map<String, Value>,
        old: Option<Correlation<'_>>,
        unchanged: bool,
        path: &str,
    ) -> Result<(), Status> {
        let old_of = |name: &str| old.filter(|_| !node.is_atomic_map()).and_then(|old| old.member(name));
        if let Some((rules, node)) = rules.additional.as_deref().zip(node.additional()) {
            for (name, value) in members {
                let old = old_of(name);
                let same = old.map_or(unchanged, |old| old.is_unchanged(value));
                self.place(rules, node, value, old, same, &format!("{path}[{name}]"))?;
            }
        }
        for (name, rules) in &rules.properties {
            let Some((value, node)) = members.get(name).zip(node.own_member(name)) else { continue };
            let old = old_of(name);
            let same = old.map_or(unchanged, |old| old.is_unchanged(value));
            let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.place(rules, node, value, old, same, &at)?;
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        rules: &[Rule],
        node: Node<'_>,
        value: &Value,
        old: Option<Correlation<'_>>,
        unchanged: bool,
        path: &str,
    ) -> Result<(), Status> {
        if rules.is_empty() {
            return Ok(());
        }
        let this = to_cel(Some(node), value);
        let old_self = old.map(|old| to_cel(Some(node), old.value()));
        for rule in rules {
            let mut scope = self.context.new_inner_scope();
            scope.add_variable_from_value("self", this.clone());
            if rule.optional_old_self {
                let optional = old_self.clone().map_or_else(OptionalValue::none, OptionalValue::of);
                scope.add_variable_from_value("oldSelf", CelValue::Opaque(Arc::new(optional)));
            } else if let Some(old_self) = &old_self {
                scope.add_variable_from_value("oldSelf", old_self.clone());
            } else if rule.uses_old_self {
                continue;
            }
            if let Some(cause) = rule.evaluate(&scope, node, value, path)? {
                if unchanged && !rule.uses_old_self {
                    self.verdict.warnings.push(format!("{}: {}", cause.field, cause.message));
                } else {
                    self.verdict.causes.push(cause);
                }
            }
        }
        Ok(())
    }
}

fn shown_path(path: &str) -> &str {
    if path.is_empty() { "<nil>" } else { path }
}

impl Rule {
    /// The problem, if the rule is not kept.
    fn evaluate(
        &self,
        scope: &Context<'_>,
        node: Node<'_>,
        value: &Value,
        path: &str,
    ) -> Result<Option<Cause>, Status> {
        let not_simulated = || Status::not_simulated(&format!("the validation rule {:?}", self.name));
        let program = self.program.as_ref().ok_or_else(not_simulated)?;
        let problem = match program.execute(scope) {
            Ok(CelValue::Bool(true)) => return Ok(None),
            Ok(_) => return Ok(Some(self.cause(scope, node, value, path))),
            Err(ExecutionError::NoSuchKey(name)) => format!("no such key: {name} evaluating rule: {}", self.name),
            Err(ExecutionError::IndexOutOfBounds(CelValue::Int(index))) => {
                format!("index out of bounds: {index} evaluating rule: {}", self.name)
            }
            Err(ExecutionError::DivisionByZero(_)) => format!("division by zero evaluating rule: {}", self.name),
            Err(ExecutionError::FunctionError { message, .. }) => format!("{message} evaluating rule: {}", self.name),
            Err(_) => return Err(not_simulated()),
        };
        Ok(Some(Cause::invalid(shown_path(path), &node.text("type").into(), &problem)))
    }

    fn cause(&self, scope: &Context<'_>, node: Node<'_>, value: &Value, path: &str) -> Cause {
        let message = self.computed_message(scope).unwrap_or_else(|| self.message.clone());
        let field = match (path, self.field_path.as_str()) {
            (path, "") => shown_path(path).to_owned(),
            ("", below) => below.to_owned(),
            (path, below) => format!("{path}.{below}"),
        };
        let shown = !matches!(node.text("type"), "object" | "array");
        match self.reason.as_str() {
            "FieldValueForbidden" => Cause::forbidden(field, &message),
            "FieldValueRequired" => Cause::required(field, &message),
            "FieldValueDuplicate" if shown => Cause::duplicate(field, value),
            "FieldValueDuplicate" => Cause::new("FieldValueDuplicate", field, "Duplicate value"),
            _ if shown => Cause::invalid(field, value, &message),
            _ => Cause::new("FieldValueInvalid", field, format!("Invalid value: {message}")),
        }
    }

    fn computed_message(&self, scope: &Context<'_>) -> Option<String> {
        let CelValue::String(text) = self.message_program.as_ref()?.execute(scope).ok()? else { return None };
        let text = text.trim();
        let usable = !text.is_empty() && !text.contains('\n') && text.len() <= LONGEST_MESSAGE;
        usable.then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_recurses_is_bounded_and_what_stands_in_a_row_is_not() {
        let row = vec!["(a ? b : c)"; 30].join(" + ");
        assert!(is_bounded(&row) && parse(&row).is_ok());
        assert!(is_bounded("'((((((((((((((((((((((((((((' == self"));
        for deep in ["(".repeat(30), "!".repeat(30), "a ? b : ".repeat(30), "[".repeat(30), "x".repeat(9000)] {
            assert!(!is_bounded(&deep), "{deep}");
        }
        let deepest = format!("{}a{}", "(".repeat(DEEPEST - 2), ")".repeat(DEEPEST - 2));
        assert!(is_bounded(&deepest) && parse(&deepest).is_ok());
    }
}
