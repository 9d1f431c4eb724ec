//! A connected virtual TCP socket and the listener that gives out such sockets.
//!
//! Invariant: a socket never reaches the host's network; its two ends live in this process.

use super::link::{Link, Side};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// One end of a virtual TCP connection.
///
/// Dropping it closes the connection: cleanly if all data that arrived was read, with a reset otherwise.
pub struct Socket {
    link: Arc<Link>,
    side: Side,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Socket {
    /// Two connected ends: the one that dialled from `client`, and the one that accepted at `server`.
    #[must_use]
    pub fn pair(client: SocketAddr, server: SocketAddr) -> (Self, Self) {
        Self::pair_via(client, server, server)
    }

    /// As [`Self::pair`], where the address that was dialled was translated into `endpoint` on the way.
    pub(super) fn pair_via(client: SocketAddr, dialled: SocketAddr, endpoint: SocketAddr) -> (Self, Self) {
        let link = Arc::new(Link::default());
        (
            Self { link: Arc::clone(&link), side: Side::Client, local: client, peer: dialled },
            Self { link, side: Side::Server, local: endpoint, peer: client },
        )
    }

    /// The address of this end.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The address of the other end, as this end sees it.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Closes the connection with a reset: the peer's next read fails with [`io::ErrorKind::ConnectionReset`].
    pub fn reset(self) {
        self.link.reset(self.side);
    }

    /// Ends the connection because the lab cannot carry it; the peer's calls fail with [`super::NotSimulated`].
    pub fn refuse_to_simulate(self, reason: &str) {
        self.link.refuse_to_simulate(self.side, reason);
    }

    /// Waits until data has arrived or the peer has closed, and takes nothing out.
    pub async fn readable(&self) {
        self.peek(|data, open| (!data.is_empty() || !open).then_some(())).await;
    }

    /// Whether the connection is open and holds no unread data.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.link.is_idle(self.side)
    }

    /// Looks at the data that has arrived, without taking it, until `look` gives a value.
    ///
    /// `look` gets all unread bytes and whether more may come; when no more may come it must give a value.
    pub async fn peek<T>(&self, mut look: impl FnMut(&[u8], bool) -> Option<T>) -> T {
        poll_fn(|cx| self.link.poll_peek(self.side, cx, &mut look)).await
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.link.poll_read(self.side, cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.link.poll_write(self.side, cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.finish(self.side);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.link.close(self.side);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({} -> {})", self.local, self.peer)
    }
}

/// Accepts connections to one port of a pod; dropping it closes the port.
#[derive(Debug)]
pub struct Listener {
    pub(super) address: SocketAddr,
    pub(super) queue: mpsc::Receiver<Socket>,
    pub(super) _port: PortGuard,
}

impl Listener {
    /// The address it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] once the pod has gone.
    pub async fn accept(&mut self) -> io::Result<Socket> {
        self.queue.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Gives the port back when the listener goes.
pub(super) struct PortGuard(pub(super) Option<Box<dyn FnOnce() + Send + Sync>>);

impl fmt::Debug for PortGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortGuard")
    }
}

impl Drop for PortGuard {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}
