//! The parts of an HTTP/1 message: heads, headers, and how a body ends.
//!
//! Invariant: a head that was read and is written again has the same lines in the same order.

use std::io;

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The stream ended inside a message.
    #[error("connection closed in the middle of a message")]
    Truncated,
    /// These bytes are no HTTP/1.x message.
    #[error("malformed http message")]
    Malformed,
    /// The head or a line is larger than what is read.
    #[error("http head too large")]
    TooLarge,
}

/// Header lines in the order in which they came; names keep their case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) Vec<(String, String)>);

impl Headers {
    /// The first value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Removes all values of this name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Adds a line at the end.
    pub(crate) fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds a value to the list of this name, which then stands at the end.
    pub(crate) fn append(&mut self, name: &str, value: &str) {
        let list = self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        let list = list.chain([value]).collect::<Vec<_>>().join(", ");
        self.remove(name);
        self.push(name, list);
    }

    /// Whether the comma-separated header `name` has this token.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.0
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .any(|(_, v)| v.split(',').any(|t| t.trim().eq_ignore_ascii_case(token)))
    }
}

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// 0 or 1, for HTTP/1.0 and HTTP/1.1.
    pub(crate) minor: u8,
    pub(crate) headers: Headers,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// 0 or 1, for HTTP/1.0 and HTTP/1.1.
    pub(crate) minor: u8,
    pub(crate) headers: Headers,
}

/// How the end of a body is known, with what is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// That many bytes are left.
    Length(u64),
    /// Chunks; a chunk of that many bytes is under way.
    Chunked(u64),
    /// Until the stream ends.
    UntilEnd,
}

impl Request {
    pub(crate) fn body(&self) -> Result<Body, HttpError> {
        if self.headers.has_token("transfer-encoding", "chunked") {
            return Ok(Body::Chunked(0));
        }
        Ok(Body::Length(content_length(&self.headers)?.unwrap_or(0)))
    }

    /// Whether the connection stays open after the answer.
    pub(crate) fn keep_alive(&self) -> bool {
        keep_alive(self.minor, &self.headers)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.{}\r\n", self.method, self.target, self.minor);
        encode_headers(&mut out, &self.headers);
        out.into_bytes()
    }
}

impl Response {
    /// How the body of the answer to a `method` request ends.
    pub(crate) fn body(&self, method: &str) -> Result<Body, HttpError> {
        if method == "HEAD" || matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(Body::Length(0));
        }
        if self.headers.has_token("transfer-encoding", "chunked") {
            return Ok(Body::Chunked(0));
        }
        Ok(content_length(&self.headers)?.map_or(Body::UntilEnd, Body::Length))
    }

    /// Whether the connection stays open after this answer.
    pub(crate) fn keep_alive(&self) -> bool {
        keep_alive(self.minor, &self.headers)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.{} {} {}\r\n", self.minor, self.status, self.reason);
        encode_headers(&mut out, &self.headers);
        out.into_bytes()
    }
}

fn encode_headers(out: &mut String, headers: &Headers) {
    for (name, value) in &headers.0 {
        out.push_str(name);
        out.push_str(": ");
        out.push_str(value);
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
}

fn keep_alive(minor: u8, headers: &Headers) -> bool {
    if headers.has_token("connection", "close") || headers.has_token("proxy-connection", "close") {
        return false;
    }
    minor == 1 || headers.has_token("connection", "keep-alive")
}

fn content_length(headers: &Headers) -> Result<Option<u64>, HttpError> {
    headers.get("content-length").map(|v| v.trim().parse().map_err(|_| HttpError::Malformed)).transpose()
}

/// The reason phrase of a status.
pub(crate) fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Unknown")
}
