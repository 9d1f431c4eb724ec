//! Paths to fields as CRDs write them (`.spec.replicas`, `['a.b']`), followed through a schema.
//!
//! Invariant: a path resolves only to a field that the schema names or allows.

use super::node::Node;

/// A path that leads somewhere.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The path as messages write it.
    pub(super) text: String,
    /// The first step.
    pub(super) root: String,
    /// The schema at its end.
    pub(super) node: Node<'a>,
}

/// Follows `path` from `node`.
///
/// # Errors
/// Why it leads nowhere, in the API server's words.
pub(super) fn resolve<'a>(path: &str, node: Node<'a>, brackets: bool) -> Result<Found<'a>, String> {
    let mut found = Found { text: String::new(), root: String::new(), node };
    let mut tokens = tokens(path).into_iter();
    while let Some(token) = tokens.next() {
        let mut next = || tokens.next().ok_or_else(|| "unexpected end of JSON path".to_owned());
        match token {
            "[" if !brackets => return Err("array notation is not allowed".to_owned()),
            "[" => {
                let quoted = next()?;
                let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                let inner = inner.ok_or_else(|| format!("expected single quoted string but got {quoted}"))?;
                step(&mut found, &unescaped(inner)?)?;
                let end = next()?;
                if end != "]" {
                    return Err(format!("expected ] but got {end}"));
                }
            }
            "." => step(&mut found, next()?)?,
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(found)
}

fn step(found: &mut Found<'_>, name: &str) -> Result<(), String> {
    let nowhere = || "does not refer to a valid field".to_owned();
    if found.root.is_empty() {
        name.clone_into(&mut found.root);
    }
    if found.node.keyword("properties").is_some() {
        found.node = found.node.own_property(name).ok_or_else(nowhere)?;
        if !found.text.is_empty() {
            found.text.push('.');
        }
        found.text.push_str(name);
    } else {
        found.node = found.node.additional().ok_or_else(nowhere)?;
        found.text.push_str(&format!("[{name}]"));
    }
    Ok(())
}

/// Pieces between the delimiters, and the delimiters. A quoted piece is one.
fn tokens(path: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let end = if let Some(inner) = rest.strip_prefix('\'') {
            let mut escape = false;
            let close = inner.char_indices().find(|(_, letter)| {
                let closes = *letter == '\'' && !escape;
                escape = *letter == '\\';
                closes
            });
            close.map_or(rest.len(), |(at, _)| at + 2)
        } else {
            match rest.find(['.', '[', ']']) {
                Some(0) => 1,
                Some(at) => at,
                None => rest.len(),
            }
        };
        let (token, tail) = rest.split_at(end);
        out.push(token);
        rest = tail;
    }
    out
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        out.push(match letters.next() {
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some(letter @ ('\'' | '\\')) => letter,
            Some(other) => return Err(format!("invalid string literal: invalid escape char \\{other}")),
            None => return Err("unexpected end of JSON path".to_owned()),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_fields_or_say_why_not() {
        let schema = serde_json::json!({"properties": {"a.b": {"type": "object", "properties": {"c": {"type": "string"}}},
            "m": {"type": "object", "additionalProperties": {"type": "string"}}}});
        let node = Node::new(&schema).expect("a schema");
        let found = |path: &str| resolve(path, node, true).map(|found| found.text);
        assert_eq!(found("['a.b'].c").as_deref(), Ok("a.b.c"));
        assert_eq!(found(".m.x").as_deref(), Ok("m[x]"));
        assert_eq!(found(".x").unwrap_err(), "does not refer to a valid field");
        assert_eq!(found("x").unwrap_err(), "expected [ or . but got: x");
        assert_eq!(found(".").unwrap_err(), "unexpected end of JSON path");
        assert_eq!(found("[0]").unwrap_err(), "expected single quoted string but got 0");
        assert_eq!(
            resolve("['a.b']", node, false).map(|found| found.text).unwrap_err(),
            "array notation is not allowed"
        );
    }
}
