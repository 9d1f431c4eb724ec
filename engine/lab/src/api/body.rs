//! Bodies of answers: whole, or streamed.
//!
//! Invariant: a stream is pulled by the connection; nothing is produced ahead of a slow client.

use std::convert::Infallible;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::Stream;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY, WARNING};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;

use super::accept::Writing;
use crate::status::Status;

/// Answers from this size on are compressed for clients that can read that; the API server's own limit, in bytes.
const GZIP_FROM: usize = 128 * 1024;

/// The body of an answer.
pub(crate) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>;

/// A body that is all there.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

/// A body of pieces as they come.
pub(crate) fn streamed(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    use futures::StreamExt;
    Either::Right(StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync())
}

/// An answer of one type.
pub(crate) fn response(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// JSON as Go's encoder writes it: `<`, `>` and `&` are escaped, in case somebody shows it as HTML.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    escaped(serde_json::to_vec(value).unwrap_or_default())
}

fn escaped(plain: Vec<u8>) -> Vec<u8> {
    if memchr::memchr3(b'<', b'>', b'&', &plain).is_none() {
        return plain;
    }
    // These bytes stand in strings only, so they can be replaced wherever they are.
    let mut out = Vec::with_capacity(plain.len() + 64);
    for byte in plain {
        match byte {
            b'<' => out.extend_from_slice(b"\\u003c"),
            b'>' => out.extend_from_slice(b"\\u003e"),
            b'&' => out.extend_from_slice(b"\\u0026"),
            other => out.push(other),
        }
    }
    out
}

/// A JSON answer.
pub(crate) fn json_response(code: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut bytes = encode(value);
    bytes.push(b'\n');
    response(code, "application/json", whole(bytes))
}

/// An answer in the form that the client wants it in.
pub(super) fn written(writing: Writing, code: StatusCode, value: &impl Serialize) -> Response<Body> {
    let (content_type, bytes) = match writing {
        Writing { yaml: true, .. } => ("application/yaml", yaml(value)),
        Writing { pretty: true, .. } => {
            // Through a tree, as what an object holds as JSON already has no lines.
            let tree = serde_json::to_value(value).unwrap_or_default();
            ("application/json", escaped(serde_json::to_vec_pretty(&tree).unwrap_or_default()))
        }
        _ => {
            let mut bytes = encode(value);
            bytes.push(b'\n');
            ("application/json", bytes)
        }
    };
    if !writing.gzip || bytes.len() < GZIP_FROM {
        return response(code, content_type, whole(bytes));
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    let compressed = encoder.write_all(&bytes).and_then(|()| encoder.finish());
    let Ok(compressed) = compressed else { return response(code, content_type, whole(bytes)) };
    let mut response = response(code, content_type, whole(compressed));
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// YAML with the members of each map in order.
fn yaml(value: &impl Serialize) -> Vec<u8> {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    value.sort_all_objects();
    serde_yaml::to_string(&value).unwrap_or_default().into_bytes()
}

/// A plain text answer.
pub(crate) fn text_response(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    response(code, "text/plain; charset=utf-8", whole(text))
}

/// A refusal in JSON.
pub(crate) fn status_response(status: &Status) -> Response<Body> {
    refusal(Writing::default(), status)
}

/// A refusal in the form that the client wants it in.
pub(super) fn refusal(writing: Writing, status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = written(writing, code, &status.to_json());
    let retry = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if retry != 0 {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(retry));
    }
    response
}

/// Adds `Warning` headers (RFC 7234, code 299).
pub(crate) fn add_warnings(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let text: String =
            warning.chars().flat_map(|c| if c == '"' || c == '\\' { vec!['\\', c] } else { vec![c] }).collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

/// Plain text as it comes.
pub(crate) fn streamed_text(code: StatusCode, pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    response(code, "text/plain", streamed(pieces))
}
