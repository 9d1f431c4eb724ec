//! Relays bytes between two connections, as a TCP proxy does.
//!
//! Invariant: an end of stream passes on as such in its direction alone; a failure of either side resets the other.

use crate::net::{Socket, not_simulated};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

/// How many bytes move at a time.
const CHUNK: usize = 16 * 1024;

/// A connection that can be ended in other ways than by closing it.
pub(crate) trait Ends: AsyncRead + AsyncWrite + Unpin {
    /// Ends it with a reset.
    fn reset(self);
    /// Ends it because the lab cannot carry it.
    fn refuse_to_simulate(self, reason: &str);
}

impl Ends for Socket {
    fn reset(self) {
        Self::reset(self);
    }

    fn refuse_to_simulate(self, reason: &str) {
        Self::refuse_to_simulate(self, reason);
    }
}

/// What a relay came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relayed {
    /// Bytes that came from the first connection.
    pub(crate) received: u64,
    /// Bytes that went to it.
    pub(crate) sent: u64,
    /// Whether the second connection was reset.
    pub(crate) far_broke: bool,
}

/// Relays until both directions have ended.
pub(crate) async fn relay<A: Ends, B: Ends>(a: A, b: B) -> Relayed {
    let mut relayed = Relayed::default();
    let (mut a_read, mut a_write) = split(a);
    let (mut b_read, mut b_write) = split(b);
    let there = pump(&mut a_read, &mut b_write, &mut relayed.received);
    let back = pump(&mut b_read, &mut a_write, &mut relayed.sent);
    let there = async { there.await.map_err(|broken| (broken.writing, broken.error)) };
    let back = async { back.await.map_err(|broken| (!broken.writing, broken.error)) };
    let result = futures::future::try_join(there, back).await;
    let (a, b) = (a_read.unsplit(a_write), b_read.unsplit(b_write));
    if let Err((far_broke, error)) = result {
        // Writing to a side that has closed without a reset is no more than late.
        relayed.far_broke = far_broke && error.kind() == io::ErrorKind::ConnectionReset;
        match not_simulated(&error) {
            Some(reason) => {
                a.refuse_to_simulate(reason);
                b.refuse_to_simulate(reason);
            }
            None => {
                a.reset();
                b.reset();
            }
        }
    }
    relayed
}

/// Why a direction ended badly.
struct Broken {
    error: io::Error,
    writing: bool,
}

async fn pump<R, W>(from: &mut R, to: &mut W, count: &mut u64) -> Result<(), Broken>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut chunk = vec![0; CHUNK];
    let writing = |error| Broken { error, writing: true };
    loop {
        let n = match from.read(&mut chunk).await {
            // A TLS peer that goes without saying so ends its stream all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            read => read.map_err(|error| Broken { error, writing: false })?,
        };
        if n == 0 {
            return to.shutdown().await.map_err(writing);
        }
        *count += n as u64;
        to.write_all(&chunk[..n]).await.map_err(writing)?;
        to.flush().await.map_err(writing)?;
    }
}

/// Relays until either side ends its stream or fails, then closes both, as a proxy's tunnel does; bytes that went to `client`.
pub(crate) async fn relay_until_either_ends(client: Socket, server: Socket) -> u64 {
    let (mut there, mut back) = (0, 0);
    let (mut client_read, mut client_write) = split(client);
    let (mut server_read, mut server_write) = split(server);
    let result = tokio::select! {
        biased;
        result = pump(&mut server_read, &mut client_write, &mut back) => result,
        result = pump(&mut client_read, &mut server_write, &mut there) => result,
    };
    if let Some(reason) = result.as_ref().err().and_then(|broken| not_simulated(&broken.error)) {
        client_read.unsplit(client_write).refuse_to_simulate(reason);
        server_read.unsplit(server_write).refuse_to_simulate(reason);
    }
    back
}
