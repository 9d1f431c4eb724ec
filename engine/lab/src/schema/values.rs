//! Values against an OpenAPI schema, as kube-openapi's validator checks them: which checks, in which order, in which words.
//!
//! Invariant: an unchanged part of an object is never refused on an update (ratcheting); what can't be correlated is checked anew.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::correlate::Correlation;
use super::formats;
use super::numbers::{float_text, is_whole, whole};
use crate::status::Cause;

/// Problems of a value, and how many of its checks held: the branch of an `anyOf` with most of these is the one reported.
#[derive(Default)]
struct Outcome {
    problems: Vec<Problem>,
    held: usize,
}

struct Problem {
    /// The sentence by which repetitions are told.
    text: String,
    cause: Cause,
}

impl Outcome {
    fn add(&mut self, problem: Problem) {
        if !self.problems.iter().any(|known| known.text == problem.text) {
            self.problems.push(problem);
        }
    }

    fn merge(&mut self, other: Self) {
        self.held += other.held;
        other.problems.into_iter().for_each(|problem| self.add(problem));
    }

    fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Everything that is wrong with `value` by `schema`. Fields are named below `root`; `old` is what the value was before.
pub(super) fn check_value(schema: &Value, value: &Value, old: Option<Correlation<'_>>, root: &str) -> Vec<Cause> {
    let outcome = ratcheted(&Place { root, path: "" }, schema, value, old);
    outcome.problems.into_iter().map(|problem| problem.cause).collect()
}

/// Where a value stands: the path that messages name, below the field that causes add.
struct Place<'a> {
    root: &'a str,
    path: &'a str,
}

impl Place<'_> {
    fn field(&self, name: &str) -> String {
        let name = name.trim_start_matches('.');
        match (self.root, name) {
            ("", "") => "<nil>".to_owned(),
            ("", name) => name.to_owned(),
            (root, "") => root.to_owned(),
            (root, name) => format!("{root}.{name}"),
        }
    }

    /// A value that breaks a rule of its schema.
    fn invalid(&self, value: &Value, rule: &str) -> Problem {
        let text = format!("{} in body {rule}", self.path);
        let cause = Cause::invalid(self.field(self.path), value, &text);
        Problem { text, cause }
    }

    fn mistyped(&self, wanted: &str, shown: &str) -> Problem {
        let text = format!("{} in body must be of type {wanted}: {shown:?}", self.path);
        let cause = Cause::type_invalid(self.field(self.path), &shown.into(), &text);
        Problem { text, cause }
    }

    /// A problem that is put down to the whole object; the sentence names the place.
    fn overall(&self, text: String) -> Problem {
        let cause = Cause::invalid(self.field(""), &"".into(), &text);
        Problem { text, cause }
    }
}

/// Checks a value, and forgives what is wrong with it if it is what it was.
fn ratcheted(place: &Place<'_>, schema: &Value, value: &Value, old: Option<Correlation<'_>>) -> Outcome {
    let mut outcome = check(place, schema, value, old);
    if !outcome.is_valid() && old.is_some_and(|old| old.is_unchanged(value)) {
        outcome.problems.clear();
    }
    outcome
}

fn check(place: &Place<'_>, schema: &Value, value: &Value, old: Option<Correlation<'_>>) -> Outcome {
    let mut out = Outcome::default();
    if value.is_null() {
        out.merge(check_type(place, schema, value).unwrap_or_default());
        out.merge(check_enum(place, schema, value));
        return out;
    }
    if let Some(outcome) = check_type(place, schema, value) {
        out.merge(outcome);
        out.held += 1;
    }
    out.merge(check_combinations(place, schema, value, old));
    out.held += 1;
    match value {
        Value::String(text) => {
            check_text(place, schema, value, text, &mut out);
            out.held += 1;
            check_format(place, schema, text, &mut out);
        }
        Value::Number(number) => {
            check_number(place, schema, value, number, &mut out);
            out.held += 2;
        }
        Value::Array(items) => {
            check_items(place, schema, value, items, old, &mut out);
            out.held += 2;
        }
        _ => {}
    }
    out.merge(check_enum(place, schema, value));
    out.held += 1;
    if let Value::Object(members) = value {
        check_members(place, schema, members, old, &mut out);
        out.held += 1;
    }
    out.held += 1;
    out
}

/// The types that a schema allows.
fn types(schema: &Value) -> Vec<&str> {
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return vec!["integer", "string"];
    }
    schema.get("type").and_then(Value::as_str).filter(|name| !name.is_empty()).into_iter().collect()
}

/// The format, unless the server does not know it for that type.
fn format_of<'a>(schema: &'a Value, types: &[&str]) -> &'a str {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let known = match types {
        [] | ["string"] | [_, _, ..] => formats::is_known(format),
        ["integer"] => matches!(format, "int32" | "int64"),
        ["number"] => matches!(format, "float" | "double"),
        _ => false,
    };
    if known { format } else { "" }
}

/// None where the schema says nothing about types.
fn check_type(place: &Place<'_>, schema: &Value, value: &Value) -> Option<Outcome> {
    let types = types(schema);
    let format = format_of(schema, &types);
    if types.is_empty() && format.is_empty() {
        return None;
    }
    let refuse = |wanted: &str, found: &str| {
        let mut out = Outcome::default();
        out.add(place.mistyped(wanted, found));
        Some(out)
    };
    let fine = Some(Outcome { held: 1, ..Outcome::default() });
    let (found, found_format) = match value {
        Value::Null => {
            let nullable = schema.get("nullable") == Some(&Value::Bool(true));
            return if types.is_empty() || nullable { fine } else { refuse(&types.join(","), "null") };
        }
        Value::Object(_) => ("object", ""),
        Value::Array(_) => ("array", ""),
        Value::String(_) => ("string", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if whole(number).is_some() => ("integer", "int64"),
        Value::Number(_) => ("number", "float64"),
    };
    let numeric = types.iter().any(|name| matches!(*name, "number" | "integer"));
    let whole_float = found == "number" && value.as_f64().is_some_and(is_whole) && types.contains(&"integer");
    let int_as_float = found == "integer" && types.contains(&"number");
    let sequence = value.is_string() || value.is_array();
    let right = types.contains(&found) || found_format == format || whole_float || int_as_float;
    if !(sequence || format.is_empty() || right) {
        return refuse(format, found_format);
    }
    if !numeric && !format.is_empty() && sequence {
        return fine;
    }
    if types.contains(&found) || whole_float || int_as_float { fine } else { refuse(&types.join(","), found) }
}

fn branches<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn check_combinations(place: &Place<'_>, schema: &Value, value: &Value, old: Option<Correlation<'_>>) -> Outcome {
    let mut out = Outcome { held: 1, ..Outcome::default() };
    let try_all = |key: &str| -> Vec<Outcome> {
        branches(schema, key).iter().map(|branch| check(place, branch, value, old)).collect()
    };
    let path = place.path;
    let any = try_all("anyOf");
    if !any.is_empty() {
        if !any.iter().any(Outcome::is_valid) {
            out.add(place.overall(format!("{path:?} must validate at least one schema (anyOf)")));
        }
        out.merge(best(any));
    }
    let one = try_all("oneOf");
    let valid = one.iter().filter(|outcome| outcome.is_valid()).count();
    if !one.is_empty() {
        let rule = "must validate one and only one schema (oneOf).";
        match valid {
            1 => out.merge(best(one)),
            0 => {
                out.add(place.overall(format!("{path:?} {rule} Found none valid")));
                out.merge(best(one));
            }
            many => out.add(place.overall(format!("{path:?} {rule} Found {many} valid alternatives"))),
        }
    }
    let all = try_all("allOf");
    let (count, valid) = (all.len(), all.iter().filter(|outcome| outcome.is_valid()).count());
    all.into_iter().for_each(|outcome| out.merge(outcome));
    if valid != count {
        let none = if valid == 0 { ". None validated" } else { "" };
        out.add(place.overall(format!("{path:?} must validate all the schemas (allOf){none}")));
    }
    if schema.get("not").is_some_and(|not| check(place, not, value, old).is_valid()) {
        out.add(place.overall(format!("{path:?} must not validate the schema (not)")));
    }
    out
}

/// The first branch that holds, or the one that failed the least.
fn best(outcomes: Vec<Outcome>) -> Outcome {
    let mut best: Option<Outcome> = None;
    for outcome in outcomes {
        if outcome.is_valid() {
            return outcome;
        }
        if best.as_ref().is_none_or(|best| outcome.held > best.held) {
            best = Some(outcome);
        }
    }
    best.unwrap_or_default()
}

fn limit(schema: &Value, key: &str) -> Option<i64> {
    schema.get(key).and_then(Value::as_i64)
}

fn too_many(place: &Place<'_>, text: String, found: usize, limit: i64) -> Problem {
    let message = format!("Too many: {found}: must have at most {limit} items");
    Problem { text, cause: Cause::new("FieldValueTooMany", place.field(place.path), message) }
}

fn exceeds(count: usize, limit: i64) -> bool {
    i64::try_from(count).unwrap_or(i64::MAX) > limit
}

fn falls_short(count: usize, limit: i64) -> bool {
    i64::try_from(count).unwrap_or(i64::MAX) < limit
}

fn check_text(place: &Place<'_>, schema: &Value, value: &Value, text: &str, out: &mut Outcome) {
    let length = text.chars().count();
    if let Some(limit) = limit(schema, "maxLength").filter(|limit| exceeds(length, *limit)) {
        let message = format!("Too long: may not be more than {limit} bytes");
        let text = format!("{} in body should be at most {limit} chars long", place.path);
        return out.add(Problem { text, cause: Cause::new("FieldValueTooLong", place.field(place.path), message) });
    }
    if let Some(limit) = limit(schema, "minLength").filter(|limit| falls_short(length, *limit)) {
        return out.add(place.invalid(value, &format!("should be at least {limit} chars long")));
    }
    let pattern = schema.get("pattern").and_then(Value::as_str).unwrap_or_default();
    // A CRD whose pattern this engine can't read is refused when it is created, so that every pattern here can be checked.
    if !pattern.is_empty() && regex::Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
        out.add(place.invalid(value, &format!("should match '{pattern}'")));
    }
}

fn check_format(place: &Place<'_>, schema: &Value, text: &str, out: &mut Outcome) {
    let types = types(schema);
    let format = format_of(schema, &types);
    if format.is_empty() || types == ["integer"] || types == ["number"] {
        return;
    }
    if !formats::is_valid(format, text) {
        out.add(place.mistyped(format, text));
    }
    out.held += 1;
}

fn check_number(place: &Place<'_>, schema: &Value, value: &Value, number: &Number, out: &mut Outcome) {
    let types = types(schema);
    let integer = whole(number);
    if let Some(kind) = out_of_range(&types, format_of(schema, &types), number) {
        out.add(place.overall(format!("Checked value must be of type {kind} in {}", place.path)));
    }
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let exclusive = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    let float = number.as_f64().unwrap_or_default();
    if let Some(factor) = bound("multipleOf") {
        check_multiple(place, value, integer, float, factor, out);
    }
    if let Some(most) = bound("maximum") {
        let exclusive = exclusive("exclusiveMaximum");
        if beyond(integer, float, most, exclusive, std::cmp::Ordering::Greater) {
            let rule = if exclusive { "less than" } else { "less than or equal to" };
            out.add(place.invalid(value, &format!("should be {rule} {}", bound_text(integer, most))));
        }
    }
    if let Some(least) = bound("minimum") {
        let exclusive = exclusive("exclusiveMinimum");
        if beyond(integer, float, least, exclusive, std::cmp::Ordering::Less) {
            let rule = if exclusive { "greater than" } else { "greater than or equal to" };
            out.add(place.invalid(value, &format!("should be {rule} {}", bound_text(integer, least))));
        }
    }
}

/// The type and format that a number is beyond.
fn out_of_range(types: &[&str], format: &str, number: &Number) -> Option<String> {
    let float = number.as_f64().unwrap_or_default();
    let integer = whole(number).or_else(|| is_whole(float).then(|| truncated(float)));
    let fits = match (types, format) {
        (["integer"], "int32") => integer.is_some_and(|integer| i32::try_from(integer).is_ok()),
        (["integer"], _) => integer.is_some(),
        (["number"], "float") => float.abs() <= f64::from(f32::MAX),
        _ => true,
    };
    let format = if format.is_empty() { "(default format)".to_owned() } else { format!("with format {format}") };
    (!fits).then(|| format!("{} {format}", types[0]))
}

/// A bound as an integer, where the value is one: the fraction is cut off, as Go's conversion does.
#[expect(clippy::cast_possible_truncation, reason = "the server compares integers with the truncated bound")]
fn truncated(bound: f64) -> i64 {
    bound as i64
}

fn beyond(integer: Option<i64>, float: f64, bound: f64, exclusive: bool, side: std::cmp::Ordering) -> bool {
    let order = match integer {
        Some(integer) => integer.cmp(&truncated(bound)),
        None => float.partial_cmp(&bound).unwrap_or(std::cmp::Ordering::Equal),
    };
    order == side || (exclusive && order.is_eq())
}

fn bound_text(integer: Option<i64>, bound: f64) -> String {
    if integer.is_some() { truncated(bound).to_string() } else { float_text(bound) }
}

fn check_multiple(place: &Place<'_>, value: &Value, integer: Option<i64>, float: f64, factor: f64, out: &mut Outcome) {
    let shown = bound_text(integer, factor);
    let positive = if integer.is_some() { truncated(factor) > 0 } else { factor > 0.0 };
    if !positive {
        let text = format!("factor MultipleOf declared for {} must be positive: {shown}", place.path);
        let shown = integer.map_or_else(|| Value::from(factor), |_| truncated(factor).into());
        let cause = Cause::invalid(place.field(place.path), &shown, &text);
        return out.add(Problem { text, cause });
    }
    let fits = match integer {
        Some(integer) => integer % truncated(factor) == 0,
        None if factor < 1.0 => is_whole(1.0 / factor * float),
        None => is_whole(float / factor),
    };
    if !fits {
        out.add(place.invalid(value, &format!("should be a multiple of {shown}")));
    }
}

fn check_items(
    place: &Place<'_>,
    schema: &Value,
    value: &Value,
    items: &[Value],
    old: Option<Correlation<'_>>,
    out: &mut Outcome,
) {
    if let Some(item_schema) = schema.get("items").filter(|schema| schema.is_object()) {
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", place.path);
            let at = Place { root: place.root, path: &path };
            out.merge(ratcheted(&at, item_schema, item, old.and_then(|old| old.item(item))));
        }
    }
    if let Some(limit) = limit(schema, "minItems").filter(|limit| falls_short(items.len(), *limit)) {
        out.add(place.invalid(&items.len().into(), &format!("should have at least {limit} items")));
    }
    if let Some(limit) = limit(schema, "maxItems").filter(|limit| exceeds(items.len(), *limit)) {
        let text = format!("{} in body should have at most {limit} items", place.path);
        out.add(too_many(place, text, items.len(), limit));
    }
    if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
        let mut seen = BTreeSet::new();
        if !value.as_array().into_iter().flatten().all(|item| seen.insert(item.to_string())) {
            out.add(place.invalid(&"".into(), "shouldn't contain duplicates"));
        }
    }
}

fn check_members(
    place: &Place<'_>,
    schema: &Value,
    members: &Map<String, Value>,
    old: Option<Correlation<'_>>,
    out: &mut Outcome,
) {
    let path = place.path;
    if let Some(limit) = limit(schema, "minProperties").filter(|limit| falls_short(members.len(), *limit)) {
        out.add(place.invalid(&members.len().into(), &format!("should have at least {limit} properties")));
    }
    if let Some(limit) = limit(schema, "maxProperties").filter(|limit| exceeds(members.len(), *limit)) {
        let text = format!("{path} in body should have at most {limit} properties");
        out.add(too_many(place, text, members.len(), limit));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let is_named = |name: &String| properties.is_some_and(|properties| properties.contains_key(name));
    let child = |name: &str, old: Option<Correlation<'_>>| -> bool {
        // The server never takes a kind or version for unchanged.
        old.is_some() && !(path.is_empty() && matches!(name, "kind" | "apiVersion"))
    };
    let additional = schema.get("additionalProperties");
    for (name, value) in members.iter().filter(|(name, _)| !is_named(name)) {
        if additional == Some(&Value::Bool(false)) {
            let text = format!("{path}.{name} in body is a forbidden property");
            let cause = Cause::invalid(place.field(path), &name.as_str().into(), &text);
            out.add(Problem { text, cause });
        } else if let Some(additional) = additional.filter(|schema| schema.is_object()) {
            let at = format!("{path}.{name}");
            let old = old.and_then(|old| old.member(name)).filter(|_| child(name, old));
            out.merge(ratcheted(&Place { root: place.root, path: &at }, additional, value, old));
        }
    }
    for (name, schema) in properties.into_iter().flatten() {
        let Some(value) = members.get(name) else { continue };
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let old = old.and_then(|old| old.member(name)).filter(|_| child(name, old));
        out.merge(ratcheted(&Place { root: place.root, path: &at }, schema, value, old));
    }
    for name in branches(schema, "required").iter().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            let at = format!("{path}.{name}");
            let text = format!("{at} in body is required");
            out.add(Problem { text, cause: Cause::required(place.field(&at), "") });
        }
    }
}

fn check_enum(place: &Place<'_>, schema: &Value, value: &Value) -> Outcome {
    let mut out = Outcome::default();
    let allowed = branches(schema, "enum");
    let same = |one: &Value| match (one, value) {
        (Value::Number(one), Value::Number(value)) => one.as_f64() == value.as_f64(),
        _ => one == value && !one.is_null(),
    };
    if !allowed.is_empty() && !allowed.iter().any(same) {
        let shown: Vec<String> =
            allowed.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), ToOwned::to_owned)).collect();
        let text = format!("{} in body should be one of {shown:?}", place.path);
        out.add(Problem { text, cause: Cause::not_supported(place.field(place.path), value, &shown) });
    }
    out
}
