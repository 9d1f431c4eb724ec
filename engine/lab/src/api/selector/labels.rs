//! Label selectors.
//!
//! Invariant: parsing accepts what the API server accepts and fails in its words.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::Value;

use crate::schema::text;
use crate::store::meta;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
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

impl Requirement {
    pub(super) fn matches(&self, object: &Value) -> bool {
        let value = meta::label(object, &self.key);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.operator {
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Operator::NotIn(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
            Operator::Greater(bound) => number().is_some_and(|value| value > *bound),
            Operator::Less(bound) => number().is_some_and(|value| value < *bound),
        }
    }
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

pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut tokens = tokens(text).into_iter().peekable();
    let mut out = Vec::new();
    if tokens.peek().is_none() {
        return Ok(out);
    }
    loop {
        match tokens.peek() {
            Some(Token::Identifier(_) | Token::Symbol("!")) => {
                let requirement = parse_requirement(&mut tokens);
                out.push(requirement.map_err(|problem| format!("unable to parse requirement: {problem}"))?);
            }
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
    judge(&text::qualified_name(&key), "<nil>", &key)?;
    if absent || matches!(tokens.peek(), None | Some(Token::Symbol(","))) {
        let operator = if absent { Operator::Absent } else { Operator::Exists };
        return Ok(Requirement { key, operator });
    }
    let operator = match tokens.next() {
        Some(Token::Symbol("=" | "==")) => Operator::In(vec![parse_value(tokens)?]),
        Some(Token::Symbol("!=")) => Operator::NotIn(vec![parse_value(tokens)?]),
        Some(Token::Symbol(sign @ (">" | "<"))) => {
            let value = parse_value(tokens)?;
            let rule = "for 'Gt', 'Lt' operators, the value must be an integer";
            let bound = value.parse().map_err(|_| format!("values[0]: Invalid value: {value:?}: {rule}"))?;
            if sign == ">" { Operator::Greater(bound) } else { Operator::Less(bound) }
        }
        Some(Token::Identifier(word)) if word == "in" || word == "notin" => {
            let values = parse_values(tokens)?;
            if word == "in" { Operator::In(values) } else { Operator::NotIn(values) }
        }
        other => return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", found(other.as_ref()))),
    };
    if let Operator::In(values) | Operator::NotIn(values) = &operator {
        for (index, value) in values.iter().enumerate() {
            judge(&text::label_value(value), &format!("values[{index}][{key}]"), value)?;
        }
    }
    Ok(Requirement { key, operator })
}

fn judge(problems: &[String], field: &str, value: &str) -> Result<(), String> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("{field}: Invalid value: {value:?}: {}", problems.join("; ")))
}

/// The value after a sign; nothing at all means "".
fn parse_value(tokens: &mut Tokens) -> Result<String, String> {
    if matches!(tokens.peek(), None | Some(Token::Symbol(","))) {
        return Ok(String::new());
    }
    match tokens.next() {
        Some(Token::Identifier(value)) => Ok(value),
        other => Err(format!("found '{}', expected: identifier", found(other.as_ref()))),
    }
}

/// The values within parentheses, sorted and each once; an empty place between commas is "".
fn parse_values(tokens: &mut Tokens) -> Result<Vec<String>, String> {
    match tokens.next() {
        Some(Token::Symbol("(")) => {}
        other => return Err(format!("found '{}' expected: '('", found(other.as_ref()))),
    }
    if tokens.next_if_eq(&Token::Symbol(")")).is_some() {
        return Ok(vec![String::new()]);
    }
    if !matches!(tokens.peek(), Some(Token::Identifier(_) | Token::Symbol(","))) {
        return Err(format!("found '{}', expected: ',', ')' or identifier", found(tokens.peek())));
    }
    let mut values = std::collections::BTreeSet::new();
    loop {
        match tokens.next() {
            Some(Token::Identifier(value)) => {
                values.insert(value);
                if !matches!(tokens.peek(), Some(Token::Symbol("," | ")"))) {
                    return Err(format!("found '{}', expected: ',' or ')'", found(tokens.peek())));
                }
            }
            Some(Token::Symbol(",")) => {
                if values.is_empty() || matches!(tokens.peek(), Some(Token::Symbol("," | ")"))) {
                    values.insert(String::new());
                }
            }
            other => return Err(format!("found '{}', expected: ',', or identifier", found(other.as_ref()))),
        }
        if tokens.next_if_eq(&Token::Symbol(")")).is_some() {
            return Ok(values.into_iter().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selects(text: &str, labels: &Value) -> bool {
        let labels_of = json!({"metadata": {"labels": labels}});
        parse(text).expect(text).iter().all(|requirement| requirement.matches(&labels_of))
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
        assert_eq!(parse("==").unwrap_err(), "found '==', expected: !, identifier, or 'end of string'");
        assert_eq!(parse("a in b").unwrap_err(), "unable to parse requirement: found 'b' expected: '('");
        assert_eq!(parse("a,").unwrap_err(), "found '', expected: identifier after ','");
        assert_eq!(
            parse("a b").unwrap_err(),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"
        );
    }
}
