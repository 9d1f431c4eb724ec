//! The one owner of `kube::Client`: every request passes here, under a deadline and with its failure classified.
//!
//! Nothing in this file repeats a request. A hidden retry would be invisible to the journal.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::core::Status;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, Semaphore};

use super::discovery::Kinds;
use super::error::{Asked, ClusterError};
use super::request::{Call, warning_text};

/// Ordinary requests under way at a time; each has a connection of its own, since the client speaks HTTP/1.1.
const PARALLEL_REQUESTS: usize = 16;

/// Bytes of one answer that are read at most. A page of 500 pods has about 5 MB.
const MAX_ANSWER: usize = 128 << 20;

/// Bytes of a failure's text that are read at most.
const MAX_FAILURE: usize = 1 << 20;

/// A cluster that can be asked and changed. Cheap to clone; clones share connections and the list of kinds.
///
/// It decides no policy: nothing is repeated, nothing is worded for a check.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    client: kube::Client,
    server: String,
    context: Option<String>,
    user_agent: HeaderValue,
    request_timeout: Duration,
    slots: Semaphore,
    kinds: Mutex<Option<Arc<Kinds>>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The body.
    pub(crate) body: Bytes,
    /// Texts of the `Warning` headers, in order.
    pub(crate) warnings: Vec<String>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("server", &self.inner.server).field("context", &self.inner.context).finish()
    }
}

impl Cluster {
    pub(super) fn new(
        client: kube::Client,
        server: String,
        context: Option<String>,
        user_agent: HeaderValue,
        request_timeout: Duration,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                client,
                server,
                context,
                user_agent,
                request_timeout,
                slots: Semaphore::new(PARALLEL_REQUESTS),
                kinds: Mutex::new(None),
            }),
        }
    }

    /// URL of the API server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.inner.server
    }

    /// The kubeconfig context, or `in-cluster`. `None` for a cluster reached [over a connector](Self::over).
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.inner.context.as_deref()
    }

    pub(super) fn kinds_slot(&self) -> &Mutex<Option<Arc<Kinds>>> {
        &self.inner.kinds
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.inner.request_timeout
    }

    /// Sends a request and reads the whole answer, all within the request time-out.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, ClusterError> {
        let asked = call.asked(self.inner.request_timeout);
        let whole = async {
            // The semaphore is never closed.
            let _slot = self.inner.slots.acquire().await.ok();
            let response = self.begin(call, &asked).await?;
            let warnings = warnings(&response);
            let body = read(response.into_body(), MAX_ANSWER).await.map_err(|cause| self.broken(cause))?;
            Ok(Answer { body, warnings })
        };
        within(asked.deadline, &asked, whole).await
    }

    /// Sends a request and decodes its JSON answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClusterError> {
        let asked = call.asked(self.inner.request_timeout);
        let answer = self.send(call).await?;
        decode(&answer.body, &asked)
    }

    /// Sends a request and hands over the open body: a watch or a followed log. Only the head is under the request
    /// time-out; how long the body may last is the caller's.
    pub(super) async fn open(&self, call: Call) -> Result<Body, ClusterError> {
        let asked = call.asked(self.inner.request_timeout);
        let response = within(asked.deadline, &asked, self.begin(call, &asked)).await?;
        Ok(response.into_body())
    }

    /// Opens a WebSocket. Only the handshake is under the request time-out.
    pub(super) async fn upgrade(&self, call: Call) -> Result<kube::client::Connection, ClusterError> {
        let asked = call.asked(self.inner.request_timeout);
        let request = call.build(&self.inner.user_agent)?;
        let connect = async { self.inner.client.connect(request).await.map_err(|error| self.failure(error, &asked)) };
        within(asked.deadline, &asked, connect).await
    }

    async fn begin(&self, call: Call, asked: &Asked) -> Result<Response<Body>, ClusterError> {
        let request = call.build(&self.inner.user_agent)?;
        let sent = self.inner.client.send(request.map(Body::from)).boxed();
        let response = sent.await.map_err(|error| self.failure(error, asked))?;
        if !response.status().is_client_error() && !response.status().is_server_error() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let text = read(response.into_body(), MAX_FAILURE).await.map_err(|cause| self.broken(cause))?;
        Err(ClusterError::from_status(status_of(&text, code), &self.inner.server, asked))
    }

    fn broken(&self, cause: String) -> ClusterError {
        ClusterError::Unreachable { server: self.inner.server.clone(), cause }
    }

    fn failure(&self, error: kube::Error, asked: &Asked) -> ClusterError {
        match error {
            kube::Error::Api(status) => ClusterError::from_status(*status, &self.inner.server, asked),
            kube::Error::Auth(error) => ClusterError::Config(chain(&error)),
            kube::Error::Service(error) => match error.downcast::<kube::client::AuthError>() {
                Ok(error) => ClusterError::Config(chain(&*error)),
                Err(error) => self.broken(chain(&*error)),
            },
            error => self.broken(chain(&error)),
        }
    }
}

/// Reads a failure's body: a `Status` as the API server writes it, or the text of something in between.
fn status_of(text: &[u8], code: u16) -> Status {
    match serde_json::from_slice::<Status>(text) {
        Ok(status) if !status.message.is_empty() || !status.reason.is_empty() => {
            let code = if status.code == 0 { code } else { status.code };
            status.with_code(code)
        }
        _ => Status::failure(String::from_utf8_lossy(text).trim(), "").with_code(code),
    }
}

fn warnings(response: &Response<Body>) -> Vec<String> {
    let headers = response.headers().get_all(http::header::WARNING);
    headers.iter().map(|header| warning_text(&String::from_utf8_lossy(header.as_bytes()))).collect()
}

async fn read(body: Body, limit: usize) -> Result<Bytes, String> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(chain(&*error)),
    }
}

/// What broke an open body, without the client library's own wrapping.
pub(super) fn cut(error: &kube::Error) -> String {
    match error {
        kube::Error::Service(error) => chain(&**error),
        error => chain(error),
    }
}

/// Decodes an answer.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8], asked: &Asked) -> Result<T, ClusterError> {
    serde_json::from_slice(body)
        .map_err(|error| ClusterError::Malformed { what: asked.to_string(), cause: error.to_string() })
}

/// Puts a deadline around a request.
async fn within<T>(
    after: Duration,
    asked: &Asked,
    future: impl Future<Output = Result<T, ClusterError>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(after, future).await {
        Ok(result) => result,
        Err(_) => Err(ClusterError::Timeout { what: asked.to_string(), after }),
    }
}

/// An error and its sources in one line. The HTTP client's own wrapping says nothing and is left out, and so is what
/// an outer text repeats of an inner one.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut at = Some(error);
    while let Some(error) = at {
        let text = error.to_string();
        at = error.source();
        if at.is_some() && text.starts_with("client error (") {
            continue;
        }
        if !texts.last().is_some_and(|outer| outer.ends_with(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}
