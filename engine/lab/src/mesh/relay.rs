//! Relays bytes between two sockets, as a TCP proxy does.
//!
//! Invariant: an end of stream passes on as such in its direction alone; a failure of either side resets the other.

use crate::net::{Socket, not_simulated};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

/// How many bytes move at a time.
const CHUNK: usize = 16 * 1024;

/// Relays until both directions have ended; bytes that came from `a` and that went to `a`.
pub(crate) async fn relay(a: Socket, b: Socket) -> (u64, u64) {
    let (mut from_a, mut to_a) = (0, 0);
    let (mut a_read, mut a_write) = split(a);
    let (mut b_read, mut b_write) = split(b);
    let there = pump(&mut a_read, &mut b_write, &mut from_a);
    let back = pump(&mut b_read, &mut a_write, &mut to_a);
    let result = futures::future::try_join(there, back).await;
    let (a, b) = (a_read.unsplit(a_write), b_read.unsplit(b_write));
    if let Err(error) = result {
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
    (from_a, to_a)
}

async fn pump<R, W>(from: &mut R, to: &mut W, count: &mut u64) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = from.read(&mut chunk).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        *count += n as u64;
        to.write_all(&chunk[..n]).await?;
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
    if let Some(reason) = result.as_ref().err().and_then(not_simulated) {
        client_read.unsplit(client_write).refuse_to_simulate(reason);
        server_read.unsplit(server_write).refuse_to_simulate(reason);
    }
    back
}
