//! One HTTP/1.1 connection.
//!
//! Invariant: headers are bounded in size, number and time, whoever is on the other end.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::access::{User, bearer};
use crate::api::{Api, status_response};
use crate::status::Status;

/// Longest head of a request in bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// Most headers in a request.
const HEADER_COUNT: usize = 100;

/// Who asks, and how long a head may take.
#[derive(Clone)]
pub(super) struct Guard {
    /// The token of the lab's administrator; none for a door that needs none.
    pub(super) token: Option<Arc<str>>,
    /// Who asks without a credential.
    pub(super) otherwise: Arc<User>,
    /// Time in which a request's head must have come.
    pub(super) head_timeout: Option<Duration>,
}

impl Guard {
    fn who(&self, api: &Api, headers: &HeaderMap) -> Result<Arc<User>, Status> {
        if let (Some(wanted), Some(given)) = (&self.token, bearer(headers))
            && same(wanted, given)
        {
            return Ok(Arc::clone(&ADMIN));
        }
        api.access().authenticate(headers, &self.otherwise)
    }
}

static ADMIN: LazyLock<Arc<User>> = LazyLock::new(|| Arc::new(User::admin()));

/// Compares all bytes, so that the time taken says nothing about where they differ.
fn same(wanted: &str, given: &str) -> bool {
    let differences = wanted.bytes().zip(given.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == wanted.len() && differences == 0
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
            Ok::<_, Infallible>(match guard.who(&api, request.headers()) {
                Ok(user) => api.handle(&user, request).await,
                Err(status) => status_response(&status),
            })
        }
    });
    // A connection that ends badly is the client's affair; it has its answer or none.
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
