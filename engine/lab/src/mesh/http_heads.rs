//! Heads of messages as the sidecar writes them: what it adds, leaves out and puts where.
//!
//! Invariant: names, order and case are those recorded from a real Envoy.

use super::access_log::RequestFields;
use crate::net::http1::{Headers, Request, Response, reason};
use std::time::Duration;

/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: &[&str] = &["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The authority and the path of a request, in whichever form its target is; or what about it the lab does not simulate.
pub(super) fn split_target(request: &Request) -> Result<(String, String), String> {
    if request.method == "CONNECT" {
        return Ok((request.target.clone(), request.target.clone()));
    }
    if request.headers.get("upgrade").is_some() {
        return Err("an http upgrade through a sidecar".to_owned());
    }
    if let Some(rest) = request.target.strip_prefix("http://") {
        let slash = rest.find('/').unwrap_or(rest.len());
        let path = if slash == rest.len() { "/" } else { &rest[slash..] };
        return Ok((rest[..slash].to_owned(), path.to_owned()));
    }
    match request.headers.get("host") {
        Some(host) if !host.is_empty() => Ok((host.to_owned(), request.target.clone())),
        _ => Err("an http request without a host through a sidecar".to_owned()),
    }
}

/// The head of an answer that the sidecar makes itself. Its text is plain; without one the length comes last.
pub(super) fn own_answer(status: u16, length: usize, date: String, keep: bool) -> Response {
    let mut headers = Headers::default();
    if length > 0 {
        headers.push("content-length", length.to_string());
        headers.push("content-type", "text/plain");
    }
    headers.push("date", date);
    headers.push("server", "envoy");
    if !keep {
        headers.push("connection", "close");
    }
    if length == 0 {
        headers.push("content-length", "0");
    }
    Response { status, reason: reason(status).to_owned(), minor: 1, headers }
}

/// The head of a request towards its upstream.
pub(super) fn to_upstream(request: &Request, fields: &RequestFields, path: &str, attempt: u32) -> Request {
    let mut headers = Headers::default();
    headers.push("host", fields.authority.clone());
    let replaced = ["host", "expect", "x-request-id"];
    for (name, value) in &request.headers.0 {
        let name = name.to_ascii_lowercase();
        if !HOP_BY_HOP.contains(&name.as_str()) && !replaced.contains(&name.as_str()) {
            headers.push(&name, value.clone());
        }
    }
    if request.headers.has_token("transfer-encoding", "chunked") {
        headers.push("transfer-encoding", "chunked");
    }
    headers.push("x-forwarded-proto", "http");
    headers.push("x-request-id", fields.request_id.clone());
    headers.push("x-envoy-attempt-count", attempt.to_string());
    Request { method: request.method.clone(), target: path.to_owned(), minor: 1, headers }
}

/// The head of an upstream's answer towards the client.
pub(super) fn to_downstream(answer: &Response, took: Duration, date: String, chunked: bool, keep: bool) -> Response {
    let mut headers = Headers::default();
    for (name, value) in &answer.headers.0 {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "server" => headers.push("server", "envoy"),
            hop if HOP_BY_HOP.contains(&hop) => {}
            _ => headers.push(&name, value.clone()),
        }
    }
    if headers.get("date").is_none() {
        headers.push("date", date);
    }
    headers.push("x-envoy-upstream-service-time", took.as_millis().to_string());
    if headers.get("server").is_none() {
        headers.push("server", "envoy");
    }
    if chunked {
        headers.push("transfer-encoding", "chunked");
    }
    if !keep {
        headers.push("connection", "close");
    }
    Response { status: answer.status, reason: reason(answer.status).to_owned(), minor: 1, headers }
}
