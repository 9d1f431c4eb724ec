//! The JSONPath of printer columns: members, indices, and filters of the form `[?(@.a=="b")]`.
//!
//! Invariant: a path that can't be read selects nothing.

use serde_json::Value;

/// Every value that `path` selects.
pub(super) fn select<'v>(object: &'v Value, path: &str) -> Vec<&'v Value> {
    let path = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    let mut at = vec![object];
    let mut rest = path;
    while !rest.is_empty() {
        let (step, left) = match rest.as_bytes()[0] {
            b'.' => {
                let text = &rest[1..];
                let end = member_end(text);
                (Step::Member(text[..end].replace("\\.", ".")), &text[end..])
            }
            b'[' => match closing(rest).and_then(|end| Some((Step::bracket(&rest[1..end])?, &rest[end + 1..]))) {
                Some(step) => step,
                None => return Vec::new(),
            },
            _ => return Vec::new(),
        };
        at = at.into_iter().flat_map(|value| step.apply(value)).collect();
        rest = left;
    }
    at
}

/// Where the name of a member ends: before the next step, a dot behind a backslash being part of it.
fn member_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |at: &usize| matches!(bytes[*at], b'.' | b'[') && (*at == 0 || bytes[*at - 1] != b'\\');
    (0..bytes.len()).find(ends).unwrap_or(text.len())
}

/// Place of the bracket that closes the first one, quotes skipped.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

enum Step {
    Member(String),
    Index(i64),
    All,
    Filter { path: String, value: Value },
}

impl Step {
    fn bracket(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(Self::All);
        }
        if let Some(filter) = text.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
            let (path, value) = filter.split_once("==")?;
            let path = path.trim().strip_prefix('@')?.to_owned();
            let value = value.trim();
            let unquoted = value.trim_matches(['"', '\'']);
            let value =
                if unquoted.len() < value.len() { unquoted.into() } else { serde_json::from_str(value).ok()? };
            return Some(Self::Filter { path, value });
        }
        if let Ok(index) = text.parse() {
            return Some(Self::Index(index));
        }
        let name = text.trim_matches(['"', '\'']);
        (name.len() + 2 == text.len()).then(|| Self::Member(name.replace("\\.", ".")))
    }

    fn apply<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match self {
            Self::Member(name) if name == "*" => Self::All.apply(value),
            Self::Member(name) if name.is_empty() => vec![value],
            Self::Member(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => {
                let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let at = if *index < 0 {
                    list.len().checked_sub(usize::try_from(-index).unwrap_or(usize::MAX))
                } else {
                    usize::try_from(*index).ok()
                };
                at.and_then(|at| list.get(at)).into_iter().collect()
            }
            Self::All => match value {
                Value::Array(list) => list.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            },
            Self::Filter { path, value: wanted } => {
                let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
                list.iter().filter(|item| select(item, path).first() == Some(&wanted)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn printer_columns_select() {
        let object = json!({"a": {"b": [{"type": "Ready", "status": "True"}, {"type": "X"}], "k.y": 1}});
        let one = |path: &str| select(&object, path).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(one(".a.b[?(@.type==\"Ready\")].status"), [json!("True")]);
        assert_eq!(one(".a.b[*].type"), [json!("Ready"), json!("X")]);
        assert_eq!(one(".a.b[-1].type"), [json!("X")]);
        assert_eq!(one(".a['k.y']"), [json!(1)]);
        assert_eq!(one(".a[?(@"), Vec::<Value>::new());
        assert_eq!(one("a"), Vec::<Value>::new());
    }
}
