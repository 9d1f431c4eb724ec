//! One HTTP connection, of version 1.1 or 2.
//!
//! Invariant: heads and bodies are bounded in size, number and time, whoever is on the other end.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::timed::Timed;
use crate::access::{User, bearer};
use crate::api::{Api, Body, status_response};
use crate::status::Status;

/// Longest head of a request in bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// Most headers in a request.
const HEADER_COUNT: usize = 100;

/// Most requests at once on a connection of HTTP/2, watches among them.
const STREAMS: u32 = 256;

/// What is held for a stream of HTTP/2 whose client does not read.
const STREAM_BUFFER: usize = 64 * 1024;

/// Time between two questions to an idle connection of HTTP/2, and for the answer.
const PING: Duration = Duration::from_secs(30);

/// Who asks on a connection, and how long things may take.
#[derive(Clone)]
pub(super) struct Guard {
    /// The token of the lab's administrator; none for a door that needs none.
    pub(super) token: Option<Arc<str>>,
    /// Who asks without a credential.
    pub(super) otherwise: Arc<User>,
    /// Limits for clients that nobody vouches for.
    pub(super) limits: Option<Limits>,
    /// Asks for the end: requests under way are answered, new ones not taken.
    pub(super) stop: CancellationToken,
}

/// How long a client may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// For a request's head, counted while a connection idles too.
    pub(super) head: Duration,
    /// For a request's body.
    pub(super) body: Duration,
}

static ADMIN: LazyLock<Arc<User>> = LazyLock::new(|| Arc::new(User::admin()));

impl Guard {
    fn who(&self, api: &Api, headers: &HeaderMap) -> Result<Arc<User>, Status> {
        if let (Some(wanted), Some(given)) = (&self.token, bearer(headers))
            && same(wanted, given)
        {
            return Ok(Arc::clone(&ADMIN));
        }
        api.access().authenticate(headers, &self.otherwise)
    }

    async fn answer(&self, api: &Api, request: Request<Incoming>) -> Response<Body> {
        let user = match self.who(api, request.headers()) {
            Ok(user) => user,
            Err(status) => return status_response(&status),
        };
        match self.limits {
            Some(limits) => api.handle(&user, request.map(|body| Timed::new(body, limits.body))).await,
            None => api.handle(&user, request).await,
        }
    }
}

/// Compares all bytes, so that the time taken says nothing about where they differ.
fn same(wanted: &str, given: &str) -> bool {
    let differences = wanted.bytes().zip(given.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == wanted.len() && differences == 0
}

/// Serves HTTP/1.1 until the client closes, breaks the rules or the guard asks for the end.
pub(super) async fn serve<S>(stream: S, api: Api, guard: Guard)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_LIMIT).max_headers(HEADER_COUNT).timer(TokioTimer::new());
    builder.header_read_timeout(guard.limits.map(|limits| limits.head));
    let stop = guard.stop.clone();
    let service = service_fn(move |request| {
        let (api, guard) = (api.clone(), guard.clone());
        async move { Ok::<_, Infallible>(guard.answer(&api, request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    carry(connection, &stop, http1::UpgradeableConnection::graceful_shutdown).await;
}

/// The same for HTTP/2, which has no upgrades: clients take a connection of 1.1 for their streams.
pub(super) async fn serve_http2<S>(stream: S, api: Api, guard: Guard)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX))
        .max_send_buf_size(STREAM_BUFFER)
        .keep_alive_interval(Some(PING))
        .keep_alive_timeout(PING);
    let stop = guard.stop.clone();
    let service = service_fn(move |request| {
        let (api, guard) = (api.clone(), guard.clone());
        async move { Ok::<_, Infallible>(guard.answer(&api, request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    carry(connection, &stop, http2::Connection::graceful_shutdown).await;
}

/// Carries a connection to its end; `shut` asks it not to take more requests.
async fn carry<C>(connection: C, stop: &CancellationToken, shut: impl Fn(Pin<&mut C>))
where
    C: Future<Output = Result<(), hyper::Error>>,
{
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        biased;
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            shut(connection.as_mut());
            connection.await
        }
    };
    // A connection that ends badly is the client's affair; it has its answer or none.
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
