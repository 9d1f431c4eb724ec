//! HTTP/1.1 messages on any byte stream: heads, bodies, and how a body ends. Used by sites, the sidecar and the proxy.
//!
//! Invariant: memory stays bounded: a head has at most [`MAX_HEAD`] bytes, a body passes through in pieces.

use bytes::{Buf, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest head that is read, in bytes.
pub(crate) const MAX_HEAD: usize = 60 * 1024;

/// The largest number of header lines.
const MAX_HEADERS: usize = 100;

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
    /// The head is larger than [`MAX_HEAD`].
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

/// A byte stream that is read as HTTP messages.
pub(crate) struct Http<S> {
    io: S,
    buffer: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    pub(crate) fn new(io: S) -> Self {
        Self { io, buffer: BytesMut::new() }
    }

    /// The stream and the bytes that were read from it and not used.
    pub(crate) fn into_parts(self) -> (S, BytesMut) {
        (self.io, self.buffer)
    }

    /// The stream itself.
    pub(crate) fn get_ref(&self) -> &S {
        &self.io
    }

    /// Reads the next request; none if the stream ends before its first byte.
    pub(crate) async fn request(&mut self) -> Result<Option<Request>, HttpError> {
        loop {
            // An empty line before a request is allowed (RFC 9112, 2.2).
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
            }
            let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Request::new(&mut lines);
            match parsed.parse(&self.buffer).map_err(parse_error)? {
                httparse::Status::Complete(used) => {
                    let request = Request {
                        method: parsed.method.unwrap_or_default().to_owned(),
                        target: parsed.path.unwrap_or_default().to_owned(),
                        minor: parsed.version.unwrap_or(1),
                        headers: own(parsed.headers),
                    };
                    self.buffer.advance(used);
                    return Ok(Some(request));
                }
                httparse::Status::Partial => {
                    if !self.more().await? {
                        return if self.buffer.is_empty() { Ok(None) } else { Err(HttpError::Truncated) };
                    }
                }
            }
        }
    }

    /// Reads the next response.
    pub(crate) async fn response(&mut self) -> Result<Response, HttpError> {
        loop {
            let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Response::new(&mut lines);
            match parsed.parse(&self.buffer).map_err(parse_error)? {
                httparse::Status::Complete(used) => {
                    let response = Response {
                        status: parsed.code.unwrap_or_default(),
                        reason: parsed.reason.unwrap_or_default().to_owned(),
                        minor: parsed.version.unwrap_or(1),
                        headers: own(parsed.headers),
                    };
                    self.buffer.advance(used);
                    return Ok(response);
                }
                httparse::Status::Partial => {
                    if !self.more().await? {
                        return Err(HttpError::Truncated);
                    }
                }
            }
        }
    }

    /// The next piece of a body, none at its end.
    pub(crate) async fn piece(&mut self, body: &mut Body) -> Result<Option<Bytes>, HttpError> {
        match *body {
            Body::Length(0) => Ok(None),
            Body::UntilEnd => {
                if self.buffer.is_empty() && !self.fill().await? {
                    return Ok(None);
                }
                Ok(Some(self.buffer.split().freeze()))
            }
            Body::Length(left) => {
                let piece = self.take(left).await?;
                *body = Body::Length(left - piece.len() as u64);
                Ok(Some(piece))
            }
            Body::Chunked(0) => {
                let line = self.line().await?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(size, 16).map_err(|_| HttpError::Malformed)?;
                if size == 0 {
                    while !self.line().await?.is_empty() {}
                    *body = Body::Length(0);
                    return Ok(None);
                }
                let piece = self.take(size).await?;
                self.chunk_read(body, size - piece.len() as u64).await?;
                Ok(Some(piece))
            }
            Body::Chunked(left) => {
                let piece = self.take(left).await?;
                self.chunk_read(body, left - piece.len() as u64).await?;
                Ok(Some(piece))
            }
        }
    }

    /// Reads a body and throws it away; its length.
    pub(crate) async fn skip(&mut self, mut body: Body) -> Result<u64, HttpError> {
        let mut length = 0;
        while let Some(piece) = self.piece(&mut body).await? {
            length += piece.len() as u64;
        }
        Ok(length)
    }

    /// Writes bytes and flushes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    /// Says that nothing more will be written.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }

    async fn chunk_read(&mut self, body: &mut Body, left: u64) -> Result<(), HttpError> {
        *body = Body::Chunked(left);
        if left == 0 && !self.line().await?.is_empty() {
            return Err(HttpError::Malformed);
        }
        Ok(())
    }

    async fn take(&mut self, at_most: u64) -> Result<Bytes, HttpError> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Err(HttpError::Truncated);
        }
        let n = usize::try_from(at_most).map_or(self.buffer.len(), |n| n.min(self.buffer.len()));
        Ok(self.buffer.split_to(n).freeze())
    }

    async fn line(&mut self) -> Result<String, HttpError> {
        loop {
            if let Some(end) = memchr_newline(&self.buffer) {
                let line = self.buffer.split_to(end + 1);
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            if !self.more().await? {
                return Err(HttpError::Truncated);
            }
        }
    }

    /// Reads more of a head or a line, up to the limit; false at the end of the stream.
    async fn more(&mut self) -> Result<bool, HttpError> {
        if self.buffer.len() >= MAX_HEAD {
            return Err(HttpError::TooLarge);
        }
        Ok(self.fill().await?)
    }

    async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(16 * 1024);
        Ok(self.io.read_buf(&mut self.buffer).await? > 0)
    }
}

fn memchr_newline(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| *b == b'\n')
}

fn own(headers: &[httparse::Header<'_>]) -> Headers {
    Headers(headers.iter().map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned())).collect())
}

fn parse_error(error: httparse::Error) -> HttpError {
    match error {
        httparse::Error::TooManyHeaders => HttpError::TooLarge,
        _ => HttpError::Malformed,
    }
}
