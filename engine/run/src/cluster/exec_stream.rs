//! The WebSocket of an exec, frame by frame: the first byte of each names its channel.
//!
//! kube's own reader is not used: on a cut connection its streams never end, and it keeps 1 KiB of output. Here the
//! end of the socket is always an end, with or without the status that says how the program fared. All state lives in
//! [`ExecStream`], so a caller may drop [`ExecStream::next`] half-way and call it again.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::{Sink, SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use kube::core::Status;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::error::{Asked, ClusterError};
use super::exec::{Inconclusive, end_of};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// Followed by the number of a channel that is now at its end. Version 5 of the protocol only.
const CLOSE: u8 = 255;

/// Bytes of standard input in one frame.
const CHUNK: usize = 32 << 10;

/// How often a ping goes out on a silent connection, so that nothing on the way takes it for dead.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long the server may take to close the connection once it has said how the program ended.
const CLOSING: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A program that runs in a container.
pub(super) struct ExecStream {
    socket: Socket,
    outgoing: VecDeque<Message>,
    flushing: bool,
    status: Option<Status>,
    asked: Asked,
    server: String,
}

/// What came of a program.
#[derive(Debug)]
pub(super) enum ExecFrame {
    /// It wrote to standard output.
    Stdout(Bytes),
    /// It wrote to standard error.
    Stderr(Bytes),
    /// Nothing more comes: its exit code, or why there is none.
    End(Result<i32, Inconclusive>),
}

impl ExecStream {
    pub(super) fn new(
        connection: kube::client::Connection,
        stdin: Option<&[u8]>,
        asked: Asked,
        server: String,
    ) -> Self {
        let mut outgoing = VecDeque::new();
        if let Some(input) = stdin {
            outgoing.extend(input.chunks(CHUNK).map(|chunk| frame(STDIN, chunk)));
            if connection.supports_stream_close() {
                outgoing.push_back(frame(CLOSE, &[STDIN]));
            }
        }
        Self { socket: connection.into_stream(), outgoing, flushing: false, status: None, asked, server }
    }

    /// The next thing that came of the program.
    pub(super) async fn next(&mut self) -> ExecFrame {
        loop {
            let patience = if self.status.is_some() { CLOSING } else { PING_EVERY };
            let received = tokio::time::timeout(patience, std::future::poll_fn(|context| self.poll_socket(context)));
            match received.await {
                Ok(Some(Ok(message))) => {
                    if let Some(frame) = self.sort(message) {
                        return frame;
                    }
                }
                Ok(Some(Err(error))) => return self.end(&format!("{error}")),
                Ok(None) => return self.end("the connection was closed without a word"),
                Err(_) if self.status.is_some() => return self.end(""),
                Err(_) => self.outgoing.push_back(Message::Ping(Bytes::new())),
            }
        }
    }

    fn sort(&mut self, message: Message) -> Option<ExecFrame> {
        let mut data = match message {
            Message::Binary(data) => data,
            Message::Text(text) => Bytes::from(text),
            Message::Close(close) => {
                let words = close.map(|close| close.reason.to_string()).filter(|words| !words.is_empty());
                return Some(self.end(&words.unwrap_or_else(|| "the server closed it without a status".to_owned())));
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return None,
        };
        if data.is_empty() {
            return None;
        }
        let channel = data.split_to(1)[0];
        match channel {
            // A channel is announced with an empty frame.
            STDOUT | STDERR if data.is_empty() => None,
            STDOUT => Some(ExecFrame::Stdout(data)),
            STDERR => Some(ExecFrame::Stderr(data)),
            STATUS => match serde_json::from_slice(&data) {
                Ok(status) => {
                    self.status = Some(status);
                    None
                }
                Err(error) => {
                    let error = ClusterError::Malformed { what: self.asked.to_string(), cause: error.to_string() };
                    Some(ExecFrame::End(Err(error.into())))
                }
            },
            _ => None,
        }
    }

    /// The end: the program's where its status came, else the stream's.
    fn end(&mut self, cause: &str) -> ExecFrame {
        ExecFrame::End(match self.status.take() {
            Some(status) => end_of(status, &self.server, &self.asked),
            None => Err(Inconclusive::StreamCut(cause.to_owned())),
        })
    }

    /// Sends what waits to be sent, and receives.
    fn poll_socket(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Message, SocketError>>> {
        // A failure to send shows itself in receiving, after what the server still had to say.
        let _ = self.poll_send(context);
        self.socket.poll_next_unpin(context)
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        loop {
            if self.flushing {
                ready!(self.socket.poll_flush_unpin(context))?;
                self.flushing = false;
            }
            if self.outgoing.is_empty() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.socket.poll_ready_unpin(context))?;
            if let Some(message) = self.outgoing.pop_front() {
                std::pin::Pin::new(&mut self.socket).start_send(message)?;
                self.flushing = true;
            }
        }
    }
}

fn frame(channel: u8, data: &[u8]) -> Message {
    let mut bytes = Vec::with_capacity(data.len() + 1);
    bytes.push(channel);
    bytes.extend_from_slice(data);
    Message::Binary(bytes.into())
}
