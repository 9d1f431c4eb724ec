//! An API server made of one function. It speaks real HTTP over an in-memory pipe, upgrades included.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::{Request, Response, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Collected, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::cluster::Cluster;

pub(super) type Reply = Response<BoxBody<Bytes, io::Error>>;

/// A request as a test looks at it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: String,
    pub(super) body: String,
}

impl Seen {
    /// The value of a query's key.
    pub(super) fn query(&self, key: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
    }
}

/// What was asked so far.
pub(super) type Log = Arc<Mutex<Vec<Seen>>>;

/// A cluster whose answers `answer` gives, and what it was asked.
pub(super) fn cluster(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Cluster, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let answer = Arc::new(answer);
    let cluster = serve(move |request| {
        let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
            let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
            let seen = Seen {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                content_type: content_type.unwrap_or_default().to_owned(),
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            kept.lock().unwrap().push(seen.clone());
            answer(&seen)
        }
        .boxed()
    });
    (cluster, log)
}

/// A cluster served by a function that sees the raw request.
pub(super) fn serve(
    handle: impl Fn(Request<Incoming>) -> BoxFuture<'static, Reply> + Send + Sync + 'static,
) -> Cluster {
    let handle = Arc::new(handle);
    let connector = tower::service_fn(move |_: Uri| {
        let (near, far) = tokio::io::duplex(64 << 10);
        let handle = Arc::clone(&handle);
        let service = hyper::service::service_fn(move |request| {
            let reply = handle(request);
            async move { Ok::<_, Infallible>(reply.await) }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service);
        tokio::spawn(async move { connection.with_upgrades().await.ok() });
        std::future::ready(Ok::<_, io::Error>(Pipe(TokioIo::new(near))))
    });
    Cluster::over(connector, &Uri::from_static("http://test"), "test/1").unwrap()
}

/// An answer in JSON.
pub(super) fn json(code: u16, body: &Value) -> Reply {
    text(code, &body.to_string())
}

/// An answer in any text.
pub(super) fn text(code: u16, body: &str) -> Reply {
    let body = Full::new(Bytes::from(body.to_owned())).map_err(|never| match never {}).boxed();
    Response::builder().status(code).body(body).unwrap()
}

/// An answer whose body comes piece by piece, and breaks off without an end after an `Err`.
pub(super) fn stream() -> (mpsc::UnboundedSender<io::Result<String>>, Reply) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pieces = tokio_stream_of(receiver).map(|piece: io::Result<String>| piece.map(|text| Frame::data(text.into())));
    (sender, Response::new(BodyExt::boxed(StreamBody::new(pieces))))
}

fn tokio_stream_of<T>(mut receiver: mpsc::UnboundedReceiver<T>) -> impl futures::Stream<Item = T> {
    futures::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// The end of a pipe, as the client's HTTP wants it.
pub(super) struct Pipe(TokioIo<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// How long a test's own deadline is: virtual time, so any length is short.
pub(super) const LONG: Duration = Duration::from_secs(60);
