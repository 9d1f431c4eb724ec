//! Heads of messages as a proxy writes them: what it adds, leaves out and puts where.
//!
//! Invariant: names, order and case are those recorded from a real Envoy.

use super::Role;
use crate::mesh::envoy::Edits;
use crate::mesh::log::RequestFields;
use crate::net::http1::{Headers, Request, Response, reason};
use std::time::Duration;

/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: &[&str] = &["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Headers whose values Envoy joins in one line.
const JOINED: &[&str] = &["accept", "via", "cache-control"];

/// The authority and the path of a request, in whichever form its target is; or what about it the lab does not simulate. The
/// authority is empty if the request names none.
pub(super) fn split_target(request: &Request) -> Result<(String, String), String> {
    if request.method == "CONNECT" {
        return Ok((request.target.clone(), request.target.clone()));
    }
    if request.headers.get("upgrade").is_some() {
        return Err("an http upgrade through a proxy of the mesh".to_owned());
    }
    if let Some(rest) = request.target.strip_prefix("http://") {
        let slash = rest.find('/').unwrap_or(rest.len());
        let path = if slash == rest.len() { "/" } else { &rest[slash..] };
        return Ok((rest[..slash].to_owned(), path.to_owned()));
    }
    Ok((request.headers.get("host").unwrap_or_default().to_owned(), request.target.clone()))
}

/// The words of a status; Envoy knows fewer than there are.
fn words(status: u16) -> String {
    if matches!(status, 418 | 425 | 451) { "Unknown".to_owned() } else { reason(status).to_owned() }
}

/// The head of an answer that the proxy makes itself: where to go, what the route adds, then its own. A text is plain; without one
/// the length comes last.
pub(super) fn own_answer(
    status: u16,
    location: Option<&str>,
    edits: &Edits,
    length: usize,
    (date, server): (String, &str),
    keep: bool,
) -> Response {
    let mut headers = Headers::default();
    if let Some(location) = location {
        headers.push("location", location);
    }
    edit(&mut headers, edits);
    headers.remove("server");
    if length > 0 {
        headers.push("content-length", length.to_string());
        if headers.get("content-type").is_none() {
            headers.push("content-type", "text/plain");
        }
    }
    headers.push("date", date);
    headers.push("server", server);
    if !keep {
        headers.push("connection", "close");
    }
    if length == 0 {
        headers.push("content-length", "0");
    }
    Response { status, reason: words(status), minor: 1, headers }
}

/// Changes headers: what is set goes to the end, what is added joins what is there.
fn edit(headers: &mut Headers, edits: &Edits) {
    for (name, value, append) in &edits.add {
        let old = headers.get(name).map(str::to_owned);
        match old {
            Some(old) if *append && JOINED.contains(&name.as_str()) => {
                for (own, text) in &mut headers.0 {
                    if own == name {
                        *text = format!("{old},{value}");
                    }
                }
            }
            _ => {
                if !append {
                    headers.remove(name);
                }
                headers.push(name, value.clone());
            }
        }
    }
    for name in &edits.remove {
        headers.remove(name);
    }
}

/// What a request becomes on its way to an endpoint.
pub(super) struct Onward<'a> {
    pub(super) path: &'a str,
    pub(super) authority: &'a str,
    /// The authority that the client named.
    pub(super) asked: &'a str,
    pub(super) attempt: u32,
    pub(super) role: Role,
    /// `http` or `https`, as the client spoke.
    pub(super) scheme: &'static str,
    pub(super) timeout: Option<Duration>,
    /// The client's address, which gateways pass on.
    pub(super) client: Option<String>,
    /// The client's identity in the mesh, which gateways pass on.
    pub(super) certificate: Option<String>,
    pub(super) edits: [&'a Edits; 2],
}

/// Overwrites a line where it stands, or adds it at the end.
fn put(headers: &mut Headers, name: &str, value: String) {
    match headers.0.iter_mut().find(|(own, _)| own == name) {
        Some((_, old)) => *old = value,
        None => headers.push(name, value),
    }
}

/// The head of a request towards its upstream.
pub(super) fn to_upstream(request: &Request, fields: &RequestFields, onward: &Onward<'_>) -> Request {
    let mut headers = Headers::default();
    headers.push("host", onward.authority);
    let role = onward.role;
    let dropped = ["host", "expect", "x-envoy-decorator-operation", "x-envoy-expected-rq-timeout-ms"];
    for (name, value) in &request.headers.0 {
        let name = name.to_ascii_lowercase();
        let own = HOP_BY_HOP.contains(&name.as_str()) || dropped.contains(&name.as_str());
        if !own && (role != Role::Outbound || name != "x-request-id") {
            headers.push(&name, value.clone());
        }
    }
    if request.headers.has_token("transfer-encoding", "chunked") {
        headers.push("transfer-encoding", "chunked");
    }
    // What a sidecar of the client has said of it stands.
    if role != Role::Inbound || headers.get("x-forwarded-proto").is_none() {
        let scheme = if role == Role::Inbound { "http" } else { onward.scheme };
        put(&mut headers, "x-forwarded-proto", scheme.to_owned());
    }
    put(&mut headers, "x-request-id", fields.request_id.clone());
    if let Some(timeout) = onward.timeout {
        headers.push("x-envoy-expected-rq-timeout-ms", timeout.as_millis().to_string());
    }
    if role != Role::Inbound {
        put(&mut headers, "x-envoy-attempt-count", onward.attempt.to_string());
    }
    if let Some(forwarded) = &fields.forwarded_for {
        put(&mut headers, "x-forwarded-for", forwarded.clone());
    }
    if let Some(client) = &onward.client {
        put(&mut headers, "x-envoy-external-address", client.clone());
        headers.remove("x-forwarded-client-cert");
    }
    if let Some(certificate) = &onward.certificate {
        headers.push("x-forwarded-client-cert", certificate.clone());
    }
    for edits in onward.edits {
        edit(&mut headers, edits);
    }
    if onward.authority != onward.asked {
        headers.push("x-envoy-original-host", onward.asked);
    }
    if fields.path.as_deref().is_some_and(|path| path != onward.path) {
        headers.push("x-envoy-original-path", fields.path.clone().unwrap_or_default());
    }
    Request { method: request.method.clone(), target: onward.path.to_owned(), minor: 1, headers }
}

/// How an answer goes on to the client.
pub(super) struct Framing {
    pub(super) chunked: bool,
    /// Whether the connection stays open.
    pub(super) keep: bool,
    /// Whether the upstream speaks HTTP/2. Then its own empty answers have no length, and the client gets one last.
    pub(super) http2: bool,
}

/// The head of an upstream's answer towards the client.
pub(super) fn to_downstream(
    answer: &Response,
    took: Duration,
    (date, server): (String, &str),
    framing: &Framing,
    edits: [&Edits; 2],
) -> Response {
    let mut headers = Headers::default();
    let last = answer.headers.0.last().map(|(name, _)| name.as_str());
    let own_answer = framing.http2 && last == Some("content-length");
    for (name, value) in &answer.headers.0 {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "content-length" if own_answer => {}
            "server" => headers.push("server", server),
            hop if HOP_BY_HOP.contains(&hop) => {}
            _ => headers.push(&name, value.clone()),
        }
    }
    if headers.get("date").is_none() {
        headers.push("date", date);
    }
    put(&mut headers, "x-envoy-upstream-service-time", took.as_millis().to_string());
    for edits in edits {
        let without_server = Edits {
            add: edits.add.iter().filter(|(name, _, _)| name != "server").cloned().collect(),
            remove: edits.remove.clone(),
        };
        edit(&mut headers, &without_server);
    }
    if headers.get("server").is_none() {
        headers.push("server", server);
    }
    if framing.chunked {
        headers.push("transfer-encoding", "chunked");
    }
    if !framing.keep {
        headers.push("connection", "close");
    }
    if own_answer {
        headers.push("content-length", "0");
    }
    Response { status: answer.status, reason: words(answer.status), minor: 1, headers }
}
