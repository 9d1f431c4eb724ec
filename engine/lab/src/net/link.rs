//! One TCP connection as shared memory: two inboxes with a window, end of stream, reset.
//!
//! Invariant: what one end sees never depends on how long the other end takes, only on the order of calls. The rules are
//! those of Linux: data that arrived before a reset can still be read, an error is reported once, a close with unread
//! data is a reset, and a write to an end that closed cleanly succeeds once before the pipe is broken.

use super::error::not_simulated_error;
use bytes::{Buf, BytesMut};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;

/// How many bytes an end holds for its reader before the writer has to wait.
const WINDOW: usize = 64 * 1024;

/// Which of the two ends of a link is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

impl Side {
    const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }

    const fn other(self) -> usize {
        1 - self.index()
    }
}

/// Why an end of a link no longer works.
#[derive(Clone, Debug)]
enum Fault {
    /// The peer sent a reset; not yet reported to the program.
    Reset,
    /// The peer had closed cleanly and then got data: writes fail, reads still see the end of the stream.
    Broken,
    /// The lab does not simulate what this connection needs; reported by every call.
    NotSimulated(Arc<str>),
}

/// What one end of the connection knows.
#[derive(Default)]
struct End {
    inbox: BytesMut,
    /// The peer will send nothing more.
    fin: bool,
    /// This end will send nothing more.
    shut: bool,
    /// The program let go of this end.
    closed: bool,
    fault: Option<Fault>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl End {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// The error that a call reports now, if any; a reset is reported once.
    fn report(&mut self, writing: bool) -> Option<io::Error> {
        match self.fault.clone()? {
            Fault::Reset => {
                self.fault = Some(Fault::Broken);
                self.fin = true;
                Some(io::ErrorKind::ConnectionReset.into())
            }
            Fault::Broken => writing.then(|| io::ErrorKind::BrokenPipe.into()),
            Fault::NotSimulated(reason) => Some(not_simulated_error(&reason)),
        }
    }
}

/// The connection; each [`super::Socket`] holds it and knows its side.
#[derive(Default)]
pub(super) struct Link {
    ends: Mutex<[End; 2]>,
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, [End; 2]> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_read(&self, side: Side, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.lock();
        let end = &mut ends[side.index()];
        if !end.inbox.is_empty() {
            let n = buf.remaining().min(end.inbox.len());
            buf.put_slice(&end.inbox[..n]);
            end.inbox.advance(n);
            if let Some(waker) = ends[side.other()].writer.take() {
                waker.wake();
            }
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = end.report(false) {
            return Poll::Ready(Err(error));
        }
        if end.fin {
            return Poll::Ready(Ok(()));
        }
        end.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Calls `look` with what has arrived and whether more can come, until it gives a value; takes nothing out.
    pub(super) fn poll_peek<T>(
        &self,
        side: Side,
        cx: &Context<'_>,
        look: impl FnOnce(&[u8], bool) -> Option<T>,
    ) -> Poll<T> {
        let mut ends = self.lock();
        let end = &mut ends[side.index()];
        let open = !end.fin && end.fault.is_none() && end.inbox.len() < WINDOW;
        if let Some(value) = look(&end.inbox, open) {
            return Poll::Ready(value);
        }
        end.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_write(&self, side: Side, cx: &Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut ends = self.lock();
        let end = &mut ends[side.index()];
        if let Some(error) = end.report(true) {
            return Poll::Ready(Err(error));
        }
        if end.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let peer = &mut ends[side.other()];
        if peer.closed {
            // The peer's kernel answers this data with a reset, which comes back after the write has returned.
            let end = &mut ends[side.index()];
            end.fault = Some(Fault::Broken);
            end.wake();
            return Poll::Ready(Ok(data.len()));
        }
        let room = WINDOW.saturating_sub(peer.inbox.len());
        if room == 0 {
            ends[side.index()].writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = room.min(data.len());
        peer.inbox.extend_from_slice(&data[..n]);
        if let Some(waker) = peer.reader.take() {
            waker.wake();
        }
        Poll::Ready(Ok(n))
    }

    /// Whether this side is open and has nothing to read.
    pub(super) fn is_idle(&self, side: Side) -> bool {
        let ends = self.lock();
        let end = &ends[side.index()];
        end.inbox.is_empty() && !end.fin && end.fault.is_none()
    }

    /// Says that this side will send nothing more (`shutdown(SHUT_WR)`).
    pub(super) fn finish(&self, side: Side) {
        let mut ends = self.lock();
        ends[side.index()].shut = true;
        let peer = &mut ends[side.other()];
        peer.fin = true;
        if let Some(waker) = peer.reader.take() {
            waker.wake();
        }
    }

    /// Lets go of this side: a reset if data was left unread, else the end of the stream.
    pub(super) fn close(&self, side: Side) {
        let mut ends = self.lock();
        let end = &mut ends[side.index()];
        if end.closed {
            return;
        }
        end.closed = true;
        let unread = !end.inbox.is_empty() && end.fault.is_none();
        end.inbox = BytesMut::new();
        if unread {
            fail(&mut ends[side.other()], Fault::Reset);
        } else {
            let peer = &mut ends[side.other()];
            peer.fin = true;
            peer.wake();
        }
    }

    /// Sends a reset to the peer (`SO_LINGER` 0 and close).
    pub(super) fn reset(&self, side: Side) {
        let mut ends = self.lock();
        ends[side.index()].closed = true;
        ends[side.index()].inbox = BytesMut::new();
        fail(&mut ends[side.other()], Fault::Reset);
    }

    /// Makes every further call of the peer fail with "not simulated".
    pub(super) fn refuse_to_simulate(&self, side: Side, reason: &str) {
        let mut ends = self.lock();
        ends[side.index()].closed = true;
        ends[side.index()].inbox = BytesMut::new();
        let peer = &mut ends[side.other()];
        peer.inbox = BytesMut::new();
        fail(peer, Fault::NotSimulated(reason.into()));
    }
}

fn fail(end: &mut End, fault: Fault) {
    if end.fault.is_none() && !(end.fin && matches!(fault, Fault::Reset)) {
        end.fault = Some(fault);
    } else if end.fault.is_none() {
        end.fault = Some(Fault::Broken);
    }
    end.wake();
}
