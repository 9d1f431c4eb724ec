//! A byte stream through the binary messages of a WebSocket, as kubectl carries SPDY since 1.31.
//!
//! Invariant: message borders mean nothing, and one message at most is held on either side.

use std::io;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use super::channel;
use super::session::Socket;

/// Both directions of a WebSocket as one stream of bytes.
pub(super) fn bytes(socket: Socket) -> impl AsyncRead + AsyncWrite + Send + Unpin {
    let (sink, source) = socket.split();
    let incoming = source
        .take_while(|message| std::future::ready(!matches!(message, Ok(Message::Close(_)))))
        .filter_map(|message| std::future::ready(message.map(channel::payload).map_err(broken).transpose()));
    let outgoing =
        sink.sink_map_err(broken).with(|bytes: Bytes| std::future::ready(Ok::<_, io::Error>(Message::Binary(bytes))));
    tokio::io::join(StreamReader::new(Box::pin(incoming)), SinkWriter::new(CopyToBytes::new(Box::pin(outgoing))))
}

fn broken(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, error)
}
