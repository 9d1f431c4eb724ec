//! The conditions of an HTTP match as those of a route.
//!
//! Invariant: the order of conditions never matters to the result.

use crate::mesh::envoy::{HeaderMatch, PathMatch, RouteMatch, TextMatch};
use crate::mesh::objects::{fields, unknown};
use regex::Regex;
use serde_json::Value;

/// Conditions that are understood here, or that were settled before: by the port, the gateways and the labels.
const KNOWN: &[&str] = &[
    "name",
    "uri",
    "scheme",
    "method",
    "authority",
    "headers",
    "port",
    "sourceLabels",
    "gateways",
    "queryParams",
    "ignoreUriCase",
    "withoutHeaders",
    "sourceNamespace",
    "statPrefix",
];

/// A pattern that the whole text must fit.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// What one match of an HTTP rule asks.
pub(super) fn route_match(one: &Value) -> RouteMatch {
    let mut found = RouteMatch::any();
    found.limit = unknown(one, "", KNOWN).into_iter().next();
    found.ignore_case = one.get("ignoreUriCase").and_then(Value::as_bool) == Some(true);
    if let Some(uri) = one.get("uri").filter(|uri| !uri.is_null()) {
        match path_match(uri) {
            Some(path) => found.path = path,
            None => found.limit = Some("uri".to_owned()),
        }
    }
    for (key, pseudo) in [("method", ":method"), ("authority", ":authority"), ("scheme", ":scheme")] {
        if let Some(value) = one.get(key).filter(|value| !value.is_null()) {
            header(&mut found, pseudo, value, false);
        }
    }
    for (name, value) in fields(one, "/headers") {
        header(&mut found, name, value, false);
    }
    for (name, value) in fields(one, "/withoutHeaders") {
        header(&mut found, name, value, true);
    }
    for (name, value) in fields(one, "/queryParams") {
        match text_match(value) {
            Some(value) => found.query.push(HeaderMatch { name: name.to_owned(), value, invert: false }),
            None => found.limit = Some(format!("queryParams.{name}")),
        }
    }
    found
}

fn header(found: &mut RouteMatch, name: &str, value: &Value, invert: bool) {
    match text_match(value) {
        Some(value) if !name.starts_with('@') => {
            found.headers.push(HeaderMatch { name: name.to_ascii_lowercase(), value, invert });
        }
        _ => found.limit = Some(format!("headers.{name}")),
    }
}

fn path_match(value: &Value) -> Option<PathMatch> {
    match text_match(value)? {
        TextMatch::Exact(path) => Some(PathMatch::Exact(path)),
        TextMatch::Prefix(path) => Some(PathMatch::Prefix(path)),
        TextMatch::Regex(pattern) => Some(PathMatch::Regex(pattern)),
        TextMatch::Present => None,
    }
}

/// A text match; an empty one asks that something is there. None if it is not understood.
fn text_match(value: &Value) -> Option<TextMatch> {
    let mut all = fields(value, "");
    let Some((kind, value)) = all.next() else { return Some(TextMatch::Present) };
    let text = value.as_str()?;
    if all.next().is_some() {
        return None;
    }
    match kind {
        "exact" => Some(TextMatch::Exact(text.to_owned())),
        "prefix" => Some(TextMatch::Prefix(text.to_owned())),
        "regex" if text == "*" => Some(TextMatch::Present),
        "regex" => whole(text).map(TextMatch::Regex),
        _ => None,
    }
}
