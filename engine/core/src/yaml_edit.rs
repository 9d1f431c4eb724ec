//! Editing YAML text in place: what is not edited keeps its bytes, comments and order included.
//!
//! The edit is a JSON merge patch (RFC 7386). Each field is spliced into the text by itself, and the whole result is
//! parsed again: if it does not mean exactly what the patch asks for, nothing is returned but an error.

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use thiserror::Error;

use crate::change::{FieldChange, push_segment, segments};

/// Text after an edit.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// The fields that became different; empty when the text already said so.
    pub fields: Vec<FieldChange>,
}

/// Why text could not be edited in place.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EditError {
    /// The text is no YAML.
    #[error("the text is not valid YAML: {0}")]
    Syntax(String),
    /// The text is a list or a single value, so that it has no fields.
    #[error("the YAML is not a mapping, so it has no field {0}")]
    NotAMapping(String),
    /// The text uses something whose edit in place would not be certain to mean the same.
    #[error("the YAML cannot be edited in place at {path}: {reason}")]
    Unsupported {
        /// JSON Pointer of the field.
        path: String,
        /// What stands in the way.
        reason: &'static str,
    },
}

/// Reads one YAML document as Kubernetes' tools do: YAML 1.1 octals, whole floats as integers.
///
/// # Errors
/// A message of the parser, with line and column.
pub fn parse(text: &str) -> Result<Value, String> {
    let options = serde_yaml::options! { legacy_octal_numbers: true };
    serde_yaml::from_str_with_options::<Value>(text, options).map_err(|error| error.to_string())
}

/// Merges `patch` into the YAML mapping `text`; `null` removes a field. Empty text counts as an empty mapping. A mapping
/// of the patch that only removes leaves alone what is no mapping.
///
/// # Errors
/// [`EditError`]; the text is then untouched.
pub fn merge(text: &str, patch: &Value) -> Result<Edited, EditError> {
    let before = parse(text).map_err(EditError::Syntax)?;
    let mut leaves = Vec::new();
    collect_leaves(patch, &mut String::new(), &mut leaves);
    let mut fields = Vec::new();
    for (path, wanted) in leaves {
        let was = before.pointer(&path).cloned();
        if was != wanted {
            fields.push(FieldChange { path, yaml_in: None, before: was, after: wanted });
        }
    }
    let edits: Vec<(String, Option<Value>)> =
        fields.iter().map(|field| (field.path.clone(), field.after.clone())).collect();
    Ok(Edited { text: set(text, &edits)?, fields })
}

/// Sets or removes fields by JSON Pointer. Mappings that are missing on the way are made.
///
/// # Errors
/// [`EditError`]; the text is then untouched.
pub fn set(text: &str, edits: &[(String, Option<Value>)]) -> Result<String, EditError> {
    let mut wanted = parse(text).map_err(EditError::Syntax)?;
    if wanted.is_null() {
        wanted = Value::Object(serde_json::Map::new());
    }
    let mut edited = text.to_owned();
    for (path, value) in edits {
        if !wanted.is_object() {
            return Err(EditError::NotAMapping(path.clone()));
        }
        crate::change::write(&mut wanted, path, value.clone());
        edited = set_one(&edited, path, value.as_ref())?;
    }
    let unsure = |reason| EditError::Unsupported {
        path: edits.first().map_or_else(String::new, |(path, _)| path.clone()),
        reason,
    };
    let result = parse(&edited).map_err(|_| unsure("the result would not be valid YAML"))?;
    let same = result == wanted || (result.is_null() && wanted.as_object().is_some_and(serde_json::Map::is_empty));
    if same { Ok(edited) } else { Err(unsure("the result would not mean what was asked for")) }
}

/// The leaves of a merge patch: each value that is no mapping, by JSON Pointer; `None` removes.
fn collect_leaves(patch: &Value, path: &mut String, leaves: &mut Vec<(String, Option<Value>)>) {
    match patch {
        Value::Object(map) if !map.is_empty() || path.is_empty() => {
            for (key, value) in map {
                let length = path.len();
                push_segment(path, key);
                collect_leaves(value, path, leaves);
                path.truncate(length);
            }
        }
        Value::Null => leaves.push((path.clone(), None)),
        value => leaves.push((path.clone(), Some(value.clone()))),
    }
}

/// A node of the text, with the bytes it takes.
#[derive(Debug)]
struct Node {
    start: usize,
    end: usize,
    column: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Scalar { style: ScalarStyle, text: String },
    Mapping { flow: bool, entries: Vec<(Node, Node)> },
    Sequence,
    Alias,
}

fn set_one(text: &str, path: &str, value: Option<&Value>) -> Result<String, EditError> {
    let unsupported = |reason| EditError::Unsupported { path: path.to_owned(), reason };
    let keys: Vec<String> = segments(path).collect();
    let Some(root) = tree(text)? else {
        return Ok(match value {
            Some(value) => format!("{text}{}", block(&keys, value, 0)),
            None => text.to_owned(),
        });
    };
    let mut node = &root;
    let mut entry = None;
    for (depth, key) in keys.iter().enumerate() {
        let Kind::Mapping { flow, entries } = &node.kind else {
            return match (&node.kind, value) {
                (Kind::Alias, _) => Err(unsupported("it holds an alias")),
                (_, None) => Ok(text.to_owned()),
                // A scalar, a null or a list stands where a mapping is needed: the mapping takes its place.
                (_, Some(value)) => match entry {
                    Some(entry) => Ok(replace(text, entry, &nested(&keys[depth..], value))),
                    None => Err(EditError::NotAMapping(path.to_owned())),
                },
            };
        };
        let found = entries.iter().position(|(name, _)| matches!(&name.kind, Kind::Scalar { text, .. } if text == key));
        let last = depth + 1 == keys.len();
        match (found, value) {
            (Some(at), Some(value)) if last => return Ok(replace(text, &entries[at], value)),
            (Some(at), None) if last => return remove(text, node, *flow, entries, at).map_err(unsupported),
            (Some(at), _) => {
                entry = Some(&entries[at]);
                node = &entries[at].1;
            }
            (None, None) => return Ok(text.to_owned()),
            (None, Some(value)) => return Ok(insert(text, node, *flow, entries, &keys[depth..], value)),
        }
    }
    Ok(text.to_owned())
}

/// Puts a new value where the value of an entry stands.
fn replace(text: &str, (key, node): &(Node, Node), value: &Value) -> String {
    let (mut start, mut end) = (node.start, node.end);
    let mut new = inline(value);
    if let Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } = node.kind {
        // The span of a block scalar leaves out its header, which must go with it.
        start = text[..start].rfind([':', '-']).map_or(start, |at| at + 1);
        new.insert(0, ' ');
        new.push('\n');
    } else if let Kind::Mapping { flow: false, .. } | Kind::Sequence = node.kind
        && text[..start].trim_end_matches([' ', '\t']).ends_with('\n')
    {
        // A block collection below its key: the value moves up to the key's line.
        start = text[..start].trim_end().len();
        new.insert(0, ' ');
    } else if start == end {
        // An empty value, `key:`, which the parser places anywhere before the next content.
        start = text[key.end..].find(':').map_or(start, |colon| key.end + colon + 1);
        end = start;
        new.insert(0, ' ');
    }
    let tail = &text[end..];
    format!("{}{new}{}", &text[..start], tail)
}

/// Takes an entry of a mapping out of the text.
fn remove(text: &str, map: &Node, flow: bool, entries: &[(Node, Node)], at: usize) -> Result<String, &'static str> {
    let (key, value) = &entries[at];
    if flow {
        let (start, end) = match (entries.get(at + 1), at.checked_sub(1)) {
            (Some((next, _)), _) => (key.start, next.start),
            (None, Some(previous)) => (entries[previous].1.end, value.end),
            (None, None) => (key.start, value.end),
        };
        return Ok(format!("{}{}", &text[..start], &text[end..]));
    }
    if entries.len() == 1 {
        let start = if text[..map.start].trim_end_matches(' ').ends_with('\n') || map.start == 0 {
            text[..map.start].trim_end_matches(' ').len()
        } else {
            return Err("it is the only field of a mapping that shares its line");
        };
        let (head, tail) = (&text[..start], &text[line_end(text, value.end)..]);
        // The mapping above keeps the key, with an empty mapping as its value.
        return Ok(if map.column == 0 { format!("{head}{tail}") } else { format!("{} {{}}\n{tail}", head.trim_end()) });
    }
    let start = text[..key.start].rfind('\n').map_or(0, |newline| newline + 1);
    Ok(format!("{}{}", &text[..start], &text[line_end(text, value.end)..]))
}

/// Adds an entry at the end of a mapping.
fn insert(text: &str, map: &Node, flow: bool, entries: &[(Node, Node)], keys: &[String], value: &Value) -> String {
    if flow {
        let entry = format!("{}: {}", inline(&Value::String(keys[0].clone())), inline(&nested(&keys[1..], value)));
        return match entries.last() {
            Some((_, last)) => format!("{}, {entry}{}", &text[..last.end], &text[last.end..]),
            None => format!("{}{entry}{}", &text[..=map.start], &text[map.start + 1..]),
        };
    }
    let at = entries.last().map_or(map.end, |(_, last)| line_end(text, last.end));
    let separator = if at == 0 || text[..at].ends_with('\n') { "" } else { "\n" };
    format!("{}{separator}{}{}", &text[..at], block(keys, value, map.column), &text[at..])
}

/// Where the line ends on which the content up to `end` really ends: the parser counts blank lines after a value to it.
fn line_end(text: &str, end: usize) -> usize {
    let end = text[..end].trim_end().len();
    text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1)
}

fn nested(keys: &[String], value: &Value) -> Value {
    keys.iter().rev().fold(value.clone(), |inner, key| {
        let mut map = serde_json::Map::new();
        map.insert(key.clone(), inner);
        Value::Object(map)
    })
}

/// A value on one line, in flow style, quoted where YAML asks for it.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", scalar(key), inline(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        plain => plain.to_string(),
    }
}

/// A string as a YAML scalar: plain where every reader takes it for a string, else as JSON, which is valid YAML.
#[must_use]
pub fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "nan"
        );
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

/// An entry in block style at a column, newline included.
fn block(keys: &[String], value: &Value, column: usize) -> String {
    let mut out = String::new();
    for (depth, key) in keys.iter().enumerate() {
        out.push_str(&" ".repeat(column + 2 * depth));
        out.push_str(&scalar(key));
        out.push(':');
        if depth + 1 < keys.len() {
            out.push('\n');
        }
    }
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            for (key, value) in map {
                out.push_str(&block(std::slice::from_ref(key), value, column + 2 * keys.len()));
            }
        }
        value => {
            out.push(' ');
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
    out
}

/// Builds the tree of the first document; `None` where it is empty.
fn tree(text: &str) -> Result<Option<Node>, EditError> {
    let mut events = Parser::new_from_str(text)
        .map(|next| next.map_err(|error| EditError::Syntax(error.to_string())))
        .filter(|next| !matches!(next, Ok((Event::Comment(..) | Event::StreamStart | Event::DocumentStart(..), _))));
    match node(&mut events)? {
        Some(node) if node.is_end() => Ok(None),
        Some(Node { start, end, kind: Kind::Scalar { .. }, .. }) if start == end => Ok(None),
        node => Ok(node),
    }
}

type Events<'a> = dyn Iterator<Item = Result<(Event<'a>, Span), EditError>> + 'a;

fn node<'a>(
    events: &mut (impl Iterator<Item = Result<(Event<'a>, Span), EditError>> + 'a),
) -> Result<Option<Node>, EditError> {
    let events: &mut Events<'a> = events;
    next_node(events)
}

fn next_node(events: &mut Events<'_>) -> Result<Option<Node>, EditError> {
    let Some((event, span)) = events.next().transpose()? else { return Ok(None) };
    let (start, column) = (span.start.byte_offset().unwrap_or(0), span.start.col());
    let end = span.end.byte_offset().unwrap_or(start);
    let node = |end, kind| Ok(Some(Node { start, end, column, kind }));
    match event {
        Event::Scalar(text, style, ..) => node(end, Kind::Scalar { style, text: text.into_owned() }),
        Event::Alias(_) => node(end, Kind::Alias),
        Event::MappingStart(style, ..) => {
            let mut entries = Vec::new();
            while let Some(key) = next_node(events)? {
                if key.is_end() {
                    let flow = style == StructureStyle::Flow;
                    let end =
                        if flow { key.end } else { entries.last().map_or(end, |(_, last): &(Node, Node)| last.end) };
                    return node(end, Kind::Mapping { flow, entries });
                }
                let Some(value) = next_node(events)? else { break };
                entries.push((key, value));
            }
            Err(EditError::Syntax("the mapping does not end".to_owned()))
        }
        Event::SequenceStart(style, ..) => {
            let mut last = end;
            while let Some(item) = next_node(events)? {
                if item.is_end() {
                    let end = if style == StructureStyle::Flow { item.end } else { last };
                    return node(end, Kind::Sequence);
                }
                last = item.end;
            }
            Err(EditError::Syntax("the list does not end".to_owned()))
        }
        // The end of a collection is passed up as a node without content.
        _ => Ok(Some(Node { start, end, column: usize::MAX, kind: Kind::Alias })),
    }
}

impl Node {
    /// Whether this stands for the end of a collection or of the document.
    const fn is_end(&self) -> bool {
        self.column == usize::MAX
    }
}

#[cfg(test)]
mod tests;
