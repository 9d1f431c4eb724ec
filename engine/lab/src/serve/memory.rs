//! The in-memory door: a connector for hyper's client whose connections are pipes within the process.
//!
//! Invariant: no socket, no thread; a connection costs one task.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;

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
        let guard = Guard { token: None, otherwise: Arc::clone(&self.user), head_timeout: None };
        tokio::spawn(serve(server, self.api.clone(), guard));
        Pipe { io: TokioIo::new(client) }
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
