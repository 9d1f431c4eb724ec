//! A connection from outside that may not hold the lab up: it has a place among a bounded number, and must move.
//!
//! Invariant: the place is given back when the last owner of the stream lets go, also after an upgrade; a client that neither sends
//! its first bytes nor takes what is sent to it loses the connection, however little memory it holds.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

/// Time for the first bytes after the handshake.
const FIRST_BYTES: Duration = Duration::from_secs(30);

/// What is enough to know that a client speaks: the length of HTTP/2's preface.
const ENOUGH: usize = 24;

/// Time in which a client must take at least something of what waits for it.
const STALLED: Duration = Duration::from_secs(60);

/// A stream and its place.
pub(super) struct Guarded<S> {
    stream: S,
    _place: OwnedSemaphorePermit,
    received: usize,
    /// Runs while the first bytes are awaited.
    silence: Pin<Box<Sleep>>,
    /// Runs while the client takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, place: OwnedSemaphorePermit) -> Self {
        Self { stream, _place: place, received: 0, silence: Box::pin(sleep(FIRST_BYTES)), stall: None }
    }

    /// Ends a write that has waited for too long.
    fn patience<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                self.received = self.received.saturating_add(buf.filled().len() - before);
                Poll::Ready(read)
            }
            Poll::Pending if self.received < ENOUGH => {
                ready!(self.silence.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client is silent")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.patience(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.patience(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.patience(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.patience(cx, closed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    use super::*;

    fn pair(places: &Arc<Semaphore>) -> (tokio::io::DuplexStream, Guarded<tokio::io::DuplexStream>) {
        let (client, server) = tokio::io::duplex(64);
        (client, Guarded::new(server, Arc::clone(places).try_acquire_owned().expect("a place")))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_cut_off_and_one_that_has_spoken_may_idle() {
        let places = Arc::new(Semaphore::new(2));
        let (mut silent, mut server) = pair(&places);
        silent.write_all(b"GET").await.expect("written");
        let mut head = [0; 30];
        assert_eq!(server.read(&mut head).await.expect("some bytes"), 3);
        assert_eq!(server.read(&mut head).await.expect_err("cut off").kind(), io::ErrorKind::TimedOut);
        drop(server);
        assert_eq!(places.available_permits(), 2);
        let (mut client, mut server) = pair(&places);
        client.write_all(&[b'x'; ENOUGH]).await.expect("written");
        server.read_exact(&mut head[..ENOUGH]).await.expect("all of it");
        let idle = tokio::time::timeout(Duration::from_secs(3600), server.read(&mut head)).await;
        assert!(idle.is_err(), "still open");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
        let places = Arc::new(Semaphore::new(2));
        let (_deaf, mut server) = pair(&places);
        assert_eq!(server.write_all(&[0; 100]).await.expect_err("cut off").kind(), io::ErrorKind::TimedOut);
        let (mut slow, mut server) = pair(&places);
        let reader = async {
            let mut piece = [0; 40];
            for _ in 0..5 {
                tokio::time::sleep(STALLED / 2).await;
                slow.read_exact(&mut piece).await.expect("a piece");
            }
        };
        let (written, ()) = tokio::join!(server.write_all(&[0; 200]), reader);
        written.expect("all taken in the end");
    }
}
