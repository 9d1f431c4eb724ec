//! Label and field selectors.
//!
//! Invariant: parsing accepts what the API server accepts and fails in its words.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::Value;

use crate::schema::Resource;
use crate::status::Status;
use crate::store::meta;

/// What a list or a watch is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldTerm {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// From the two parameters.
    pub(super) fn parse(labels: Option<&str>, fields: Option<&str>, resource: &Resource) -> Result<Self, Status> {
        let labels = labels.map_or(Ok(Vec::new()), parse_labels).map_err(Status::bad_request)?;
        let fields = fields.map_or(Ok(Vec::new()), |text| parse_fields(text, resource)).map_err(Status::bad_request)?;
        Ok(Self { labels, fields })
    }

    /// Whether an object is selected.
    pub(super) fn matches(&self, object: &Value) -> bool {
        self.labels.iter().all(|requirement| requirement.matches(object))
            && self.fields.iter().all(|term| (field_value(object, &term.path) == term.value) == term.equal)
    }

    /// Narrows to one name.
    pub(super) fn select_name(&mut self, name: &str) {
        self.fields.push(FieldTerm { path: "metadata.name".into(), value: name.into(), equal: true });
    }

    /// Whether everything is selected.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

impl Requirement {
    fn matches(&self, object: &Value) -> bool {
        let value = meta::label(object, &self.key);
        match &self.operator {
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Operator::NotIn(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
            Operator::Greater(bound) => {
                value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value > *bound)
            }
            Operator::Less(bound) => {
                value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value < *bound)
            }
        }
    }
}

/// The field as selectors compare it: text, with absent as "".
fn field_value(object: &Value, path: &str) -> String {
    let mut at = object;
    for piece in path.split('.') {
        match at.get(piece) {
            Some(next) => at = next,
            None => return if path == "spec.unschedulable" { "false".into() } else { String::new() },
        }
    }
    match at {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The fields that a resource can be selected by.
fn known_fields(resource: &Resource) -> Vec<String> {
    let mut known: Vec<String> = vec!["metadata.name".into()];
    if resource.namespaced {
        known.push("metadata.namespace".into());
    }
    let own: &[&str] = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "namespaces") => &["status.phase"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") | ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        _ => &[],
    };
    known.extend(own.iter().map(|field| (*field).to_owned()));
    let selectable =
        resource.custom_version().and_then(|version| version.get("selectableFields")).and_then(Value::as_array);
    for field in selectable.into_iter().flatten() {
        known.extend(field.get("jsonPath").and_then(Value::as_str).map(|path| path.trim_start_matches('.').to_owned()));
    }
    known
}

fn parse_fields(text: &str, resource: &Resource) -> Result<Vec<FieldTerm>, String> {
    let known = known_fields(resource);
    let mut terms = Vec::new();
    for term in text.split(',').filter(|term| !term.is_empty()) {
        let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
            (path, value, false)
        } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (path, value, true)
        } else {
            return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
        };
        if !known.iter().any(|one| one == path) {
            let (group, plural) = (resource.group.as_str(), resource.plural.as_str());
            if matches!((group, plural), ("", "pods" | "nodes" | "events" | "namespaces" | "secrets" | "services")) {
                return Err(format!("field label not supported: {path}"));
            }
            return Err(format!(
                "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            ));
        }
        terms.push(FieldTerm { path: path.into(), value: value.replace("\\,", ",").replace("\\=", "="), equal });
    }
    Ok(terms)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Identifier(String),
    Symbol(&'static str),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Identifier(text) => text,
            Self::Symbol(text) => text,
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SYMBOLS: [&str; 9] = ["!=", "==", "=", "!", ",", "(", ")", ">", "<"];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            out.push(Token::Symbol(symbol));
            rest = rest[symbol.len()..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=!,()<>".contains(c)).unwrap_or(rest.len());
        out.push(Token::Identifier(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    out
}

type Tokens = Peekable<IntoIter<Token>>;

fn found(token: Option<&Token>) -> &str {
    token.map_or("", Token::text)
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let mut tokens = tokens(text).into_iter().peekable();
    let mut out = Vec::new();
    if tokens.peek().is_none() {
        return Ok(out);
    }
    loop {
        match tokens.peek() {
            Some(Token::Identifier(_) | Token::Symbol("!")) => out.push(parse_requirement(&mut tokens)?),
            other => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", found(other))),
        }
        match tokens.next() {
            None => return Ok(out),
            Some(Token::Symbol(",")) => {
                if !matches!(tokens.peek(), Some(Token::Identifier(_) | Token::Symbol("!"))) {
                    return Err(format!("found '{}', expected: identifier after ','", found(tokens.peek())));
                }
            }
            Some(other) => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
        }
    }
}

fn parse_requirement(tokens: &mut Tokens) -> Result<Requirement, String> {
    let absent = tokens.next_if_eq(&Token::Symbol("!")).is_some();
    let key = match tokens.next() {
        Some(Token::Identifier(key)) => key,
        other => return Err(format!("found '{}', expected: identifier", found(other.as_ref()))),
    };
    if absent {
        return Ok(Requirement { key, operator: Operator::Absent });
    }
    let operator = match tokens.peek().cloned() {
        None | Some(Token::Symbol(",")) => Operator::Exists,
        Some(Token::Symbol("=" | "==")) => Operator::In(vec![parse_value(tokens)]),
        Some(Token::Symbol("!=")) => Operator::NotIn(vec![parse_value(tokens)]),
        Some(Token::Symbol(sign @ (">" | "<"))) => {
            let value = parse_value(tokens);
            let bound = value.parse().map_err(|_| {
                format!(
                    "values[0][{key}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"
                )
            })?;
            if sign == ">" { Operator::Greater(bound) } else { Operator::Less(bound) }
        }
        Some(Token::Identifier(word)) if word == "in" || word == "notin" => {
            tokens.next();
            let values = parse_values(tokens)?;
            if word == "in" { Operator::In(values) } else { Operator::NotIn(values) }
        }
        Some(other) => {
            return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.text()));
        }
    };
    Ok(Requirement { key, operator })
}

/// The value after a sign; nothing at all means "".
fn parse_value(tokens: &mut Tokens) -> String {
    tokens.next();
    match tokens.next_if(|token| matches!(token, Token::Identifier(_))) {
        Some(Token::Identifier(value)) => value,
        _ => String::new(),
    }
}

fn parse_values(tokens: &mut Tokens) -> Result<Vec<String>, String> {
    match tokens.next() {
        Some(Token::Symbol("(")) => {}
        other => return Err(format!("found '{}' expected: '('", found(other.as_ref()))),
    }
    let mut values = Vec::new();
    loop {
        match tokens.next() {
            Some(Token::Identifier(value)) => values.push(value),
            Some(Token::Symbol(",")) => {
                values.push(String::new());
                continue;
            }
            Some(Token::Symbol(")")) => {
                values.push(String::new());
                return Ok(values);
            }
            other => return Err(format!("found '{}', expected: ',', or identifier", found(other.as_ref()))),
        }
        match tokens.next() {
            Some(Token::Symbol(",")) => {}
            Some(Token::Symbol(")")) => return Ok(values),
            other => return Err(format!("found '{}', expected: ',' or ')'", found(other.as_ref()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selects(text: &str, labels: &Value) -> bool {
        let labels_of = json!({"metadata": {"labels": labels}});
        Selector { labels: parse_labels(text).expect(text), fields: Vec::new() }.matches(&labels_of)
    }

    #[test]
    fn every_operator_selects() {
        let labels = json!({"app": "web", "tier": "3"});
        for text in [
            "app",
            "app=web",
            "app==web",
            "app in (db, web)",
            "app notin (db)",
            "!gone",
            "tier>2",
            "tier<4",
            "a!=b",
            "",
        ] {
            assert!(selects(text, &labels), "{text}");
        }
        for text in
            ["gone", "app=db", "app!=web", "app in (db)", "app notin (web,x)", "!app", "tier>3", "app=web,gone", "app="]
        {
            assert!(!selects(text, &labels), "{text}");
        }
    }

    #[test]
    fn errors_are_the_servers() {
        assert_eq!(parse_labels("==").unwrap_err(), "found '==', expected: !, identifier, or 'end of string'");
        assert_eq!(parse_labels("a in b").unwrap_err(), "found 'b' expected: '('");
        assert_eq!(parse_labels("a,").unwrap_err(), "found '', expected: identifier after ','");
        assert_eq!(parse_labels("a b").unwrap_err(), "found 'b', expected: in, notin, =, ==, !=, gt, lt");
    }
}
