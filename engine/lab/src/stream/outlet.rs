//! Where a session's bytes go: a channel of a WebSocket, or a stream of SPDY.
//!
//! Invariant: whoever writes waits for a slow client; nothing piles up here.

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::channel::Codec;
use super::spdy::StreamWriter;

/// One way to the client.
pub(super) enum Outlet {
    /// A channel of a WebSocket, whose messages go through one queue.
    Channel { frames: mpsc::Sender<Message>, codec: Codec, number: u8 },
    /// A stream of SPDY.
    Stream(StreamWriter),
}

impl Outlet {
    /// Sends bytes; false when the client has gone. No bytes are a frame too, where there are frames.
    pub(super) async fn send(&self, data: &[u8]) -> bool {
        match self {
            Self::Channel { frames, codec, number } => frames.send(codec.encode(*number, data)).await.is_ok(),
            Self::Stream(stream) => stream.write(data).await.is_ok(),
        }
    }

    /// Says that nothing more comes, if the protocol has a word for it.
    pub(super) async fn finish(&self) {
        if let Self::Stream(stream) = self {
            stream.finish().await;
        }
    }
}
