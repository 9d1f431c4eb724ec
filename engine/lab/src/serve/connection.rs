//! One HTTP/1.1 connection.
//!
//! Invariant: headers are bounded in size, number and time, whoever is on the other end.

use std::convert::Infallible;
use std::time::Duration;

use http::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::api::{Api, status_response};
use crate::status::Status;

/// Longest head of a request in bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// Most headers in a request.
const HEADER_COUNT: usize = 100;

/// Who may ask, and how long a head may take.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    /// `Authorization` that every request must carry; none lets everyone in.
    pub(super) authorization: Option<String>,
    /// Time in which a request's head must have come.
    pub(super) head_timeout: Option<Duration>,
}

impl Guard {
    fn admits(&self, given: Option<&http::HeaderValue>) -> bool {
        let Some(wanted) = &self.authorization else { return true };
        let given = given.map(http::HeaderValue::as_bytes).unwrap_or_default();
        // Compares all bytes, so that the time taken says nothing about where they differ.
        let differences = wanted.bytes().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
        given.len() == wanted.len() && differences == 0
    }
}

/// Serves requests until the client closes or breaks the rules.
pub(super) async fn serve<S>(stream: S, api: Api, guard: Guard)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_LIMIT).max_headers(HEADER_COUNT).timer(TokioTimer::new());
    builder.header_read_timeout(guard.head_timeout);
    let service = service_fn(move |request| {
        let (api, guard) = (api.clone(), guard.clone());
        async move {
            if !guard.admits(request.headers().get(AUTHORIZATION)) {
                return Ok::<_, Infallible>(status_response(&Status::unauthorized()));
            }
            Ok(api.handle(request).await)
        }
    });
    // A connection that ends badly is the client's affair; it has its answer or none.
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
