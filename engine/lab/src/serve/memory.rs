//! The in-memory door: a connector for hyper's client whose connections are pipes within the process.
//!
//! Invariant: no socket, no thread; a connection costs one task.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::{Body, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

use super::connection::{Guard, serve};
use crate::access::User;
use crate::api::Api;

/// Bytes that a pipe holds in each direction.
const PIPE_SIZE: usize = 64 * 1024;

/// Connects hyper-util's legacy client to a lab: a `tower` service from a URI (which does not matter) to a [`Pipe`].
#[derive(Clone)]
pub struct Connector {
    api: Api,
    user: Arc<User>,
}

impl Connector {
    /// A connector to an API. Use it on the runtime that the lab lives on.
    pub fn new(api: Api) -> Self {
        Self { api, user: Arc::new(User::admin()) }
    }

    /// The same for somebody else: who requests without a token come from. Default: [`User::admin`].
    #[must_use]
    pub fn for_user(self, user: User) -> Self {
        Self { user: Arc::new(user), ..self }
    }

    /// Opens one connection.
    pub fn connect(&self) -> Pipe {
        let (client, server) = tokio::io::duplex(PIPE_SIZE);
        let otherwise = Arc::clone(&self.user);
        let guard = Guard { token: None, otherwise, limits: None, stop: CancellationToken::new() };
        tokio::spawn(serve(server, self.api.clone(), guard));
        Pipe { io: TokioIo::new(client) }
    }

    /// Opens one connection for a client that writes its own bytes.
    pub fn connect_raw(&self) -> DuplexStream {
        self.connect().io.into_inner()
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Pipe;
    type Error = Infallible;
    type Future = Ready<Result<Pipe, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(Ok(self.connect()))
    }
}

/// An HTTP client of a lab in the same process: a `tower` service that takes requests without an authority, as `kube::Client::new`
/// wants one. Clones share their connections.
pub struct LocalService<B> {
    client: Client<Connector, B>,
}

impl<B> Clone for LocalService<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone() }
    }
}

impl<B: Body<Data: Send> + Send + 'static> LocalService<B> {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }
}

impl<B> tower::Service<Request<B>> for LocalService<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<Incoming>;
    type Error = legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), legacy::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(Authority::from_static("lab"));
        parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
        // Whatever was a URI is one still with another authority.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        self.client.request(request)
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The client's end of an in-memory connection.
pub struct Pipe {
    io: TokioIo<DuplexStream>,
}

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
