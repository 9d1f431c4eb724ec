//! A byte stream that is read and written as HTTP/1 messages.
//!
//! Invariant: memory stays bounded: a head has at most 60 KiB, a body passes through in pieces.

use super::message::{Body, Headers, HttpError, Request, Response};
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest head that is read, in bytes.
const MAX_HEAD: usize = 60 * 1024;

/// The largest number of header lines.
const MAX_HEADERS: usize = 100;

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

    /// Takes these bytes out, if the stream begins with them; false if it begins otherwise or ends.
    pub(crate) async fn skip_prefix(&mut self, prefix: &[u8]) -> io::Result<bool> {
        loop {
            let same = self.buffer.iter().zip(prefix).all(|(a, b)| a == b);
            if same && self.buffer.len() >= prefix.len() {
                self.buffer.advance(prefix.len());
                return Ok(true);
            }
            if !same || !self.fill().await? {
                return Ok(false);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Socket;
    use crate::net::testing::address;

    /// A stream on which these bytes have arrived and nothing more comes.
    async fn arrived(bytes: &[u8]) -> Http<Socket> {
        let (mut far, near) = Socket::pair(address("10.244.0.1:1"), address("10.244.0.2:2"));
        let bytes = bytes.to_vec();
        tokio::spawn(async move { far.write_all(&bytes).await });
        Http::new(near)
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_end_where_their_heads_say() {
        let cases: [(&[u8], &[u8]); 4] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", b"abc"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: x\r\n\r\nrest",
                b"abc",
            ),
            (b"HTTP/1.1 200 OK\r\n\r\nabc", b"abc"),
            (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", b""),
        ];
        for (message, expected) in cases {
            let mut http = arrived(message).await;
            let mut body = http.response().await.unwrap().body("GET").unwrap();
            let mut read = Vec::new();
            while let Some(piece) = http.piece(&mut body).await.unwrap() {
                read.extend_from_slice(&piece);
            }
            assert_eq!(read, expected, "{}", String::from_utf8_lossy(message));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn broken_messages_have_their_own_errors() {
        let huge = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 70_000]].concat();
        assert!(matches!(arrived(&huge).await.request().await, Err(HttpError::TooLarge)));
        assert!(matches!(arrived(b"\x16\x03\x01").await.request().await, Err(HttpError::Malformed)));
        assert!(matches!(arrived(b"GET / HT").await.request().await, Err(HttpError::Truncated)));
        assert!(matches!(arrived(b"").await.request().await, Ok(None)));
        let mut http = arrived(b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n").await;
        assert!(matches!(http.request().await.unwrap().unwrap().body(), Err(HttpError::Malformed)));
        let mut http = arrived(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
        let body = http.response().await.unwrap().body("GET").unwrap();
        assert!(matches!(http.skip(body).await, Err(HttpError::Truncated)));
    }
}
