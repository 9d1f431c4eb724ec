//! `pods/exec` over WebSocket.
//!
//! Invariant: the client gets all output before the status, and the status before the close frame 1000.

use std::fmt::Display;

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use super::channel::{ClientFrame, Protocol, STATUS, STDERR, STDOUT, frame};
use super::container::choose;
use super::host::{ExecOutcome, ExecRequest, ExecSession, PodHost, TerminalSize};
use crate::api::{Body, Query, encode, text_response};
use crate::status::{Cause, Details, Status};
use crate::store::Store;

/// Largest piece of output in one frame.
const PIECE: usize = 32 * 1024;

/// Largest frame taken from a client.
const FRAME_LIMIT: usize = 1024 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers a request to run a command. With `cut`, the connection breaks after so many bytes of output.
pub(crate) fn exec<B>(
    store: &Store,
    pods: &dyn PodHost,
    namespace: &str,
    pod: &str,
    query: &Query,
    request: Request<B>,
    cut: Option<u64>,
) -> Result<Response<Body>, Status>
where
    B: Send + 'static,
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Display,
{
    let container = choose(store, namespace, pod, query.get("container"))?;
    let wanted = ExecRequest {
        argv: query.all("command"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr") && !query.flag("tty"),
        tty: query.flag("tty"),
    };
    if !(wanted.stdin || wanted.stdout || wanted.stderr) {
        return Ok(text_response(StatusCode::BAD_REQUEST, "you must specify at least 1 of stdin, stdout, stderr"));
    }
    let header =
        |name: http::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !header(UPGRADE).eq_ignore_ascii_case("websocket") {
        let message = "Upgrade request required";
        return Err(Status::bad_request(message));
    }
    let Some(protocol) = Protocol::choose(header(SEC_WEBSOCKET_PROTOCOL)) else {
        return Ok(text_response(StatusCode::FORBIDDEN, ""));
    };
    let accept = HeaderValue::from_str(&derive_accept_key(header(SEC_WEBSOCKET_KEY).as_bytes()))
        .map_err(|_| Status::bad_request("bad Sec-WebSocket-Key"))?;
    let session = pods.exec(namespace, pod, &container, wanted.clone())?;
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let config =
                WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
            Run { protocol, argv: wanted.argv, cut }.carry(socket, session, wanted.stdout).await;
        }
    });
    let mut response = text_response(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.clear();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol.name()));
    Ok(response)
}

/// One command and the protocol that it is carried over.
struct Run {
    protocol: Protocol,
    argv: Vec<String>,
    cut: Option<u64>,
}

impl Run {
    async fn carry(self, socket: Socket, session: ExecSession, wants_output: bool) {
        let (mut sink, source) = socket.split();
        let ExecSession { stdin, stdout, stderr, resize, exit } = session;
        // Output waits here for a slow client, one piece a stream, and so holds the command back.
        let (frames, mut outgoing) = mpsc::channel::<Bytes>(2);
        if wants_output && sink.send(Message::Binary(frame(STDOUT, b""))).await.is_err() {
            return;
        }
        let output = async {
            tokio::join!(pump(stdout, STDOUT, frames.clone()), pump(stderr, STDERR, frames.clone()));
            drop(frames);
            exit.await
        };
        let mut left = self.cut;
        let sending = async {
            while let Some(mut piece) = outgoing.recv().await {
                // The first byte of a piece is its channel.
                let output = piece.len().saturating_sub(1);
                let passes = left.map_or(output, |left| usize::try_from(left).unwrap_or(usize::MAX).min(output));
                left = left.map(|left| left - passes as u64);
                piece.truncate(passes + 1);
                sink.send(Message::Binary(piece)).await?;
                if passes < output {
                    return Err(tokio_tungstenite::tungstenite::Error::ConnectionClosed);
                }
            }
            Ok::<SplitSink<Socket, Message>, tokio_tungstenite::tungstenite::Error>(sink)
        };
        let output = async { Ok(output.await) };
        let input = read_client(self.protocol, source, stdin, resize);
        let ended = tokio::select! {
            biased;
            ended = async { tokio::try_join!(sending, output) } => ended,
            // The client went away; dropping the session tells the container.
            () = input => return,
        };
        // A connection that a fault cuts off never tells how the command ended.
        if let Ok((mut sink, outcome)) = ended
            && self.cut.is_none()
        {
            let status = encode(&self.status(outcome.ok()));
            let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            let sent = sink.send(Message::Binary(frame(STATUS, &status))).await;
            if sent.is_ok() && sink.send(Message::Close(Some(close))).await.is_ok() {
                // A failed close means that the client closed first, which is as good.
                let _ = sink.close().await;
            }
        }
    }

    /// What the status channel says.
    fn status(&self, outcome: Option<ExecOutcome>) -> Value {
        match outcome {
            Some(ExecOutcome::Exited(0)) => json!({"metadata": {}, "status": "Success"}),
            Some(ExecOutcome::Exited(code)) => self.exit_code(code),
            Some(ExecOutcome::NotStarted(why)) => {
                let mut cause = format!("error executing command in container: {why}");
                if self.protocol == Protocol::V5 {
                    cause = format!("Internal error occurred: {cause}");
                }
                Status::internal(cause).to_stream_json()
            }
            Some(ExecOutcome::NotSimulated(what)) => {
                let message = format!("not simulated: {what}");
                Status { code: 500, reason: "InternalError", message, details: None }.to_stream_json()
            }
            None => Status::internal("error executing command in container: container is gone").to_stream_json(),
        }
    }

    fn exit_code(&self, code: u8) -> Value {
        let detail = match self.protocol {
            Protocol::V4 => format!("error executing command [{}], exit code {code}", self.argv.join(" ")),
            Protocol::V5 => format!("command terminated with exit code {code}"),
        };
        let cause = Cause::new("ExitCode", "", code.to_string());
        let details = Details { causes: vec![cause], ..Details::default() };
        let message = format!("command terminated with non-zero exit code: {detail}");
        let status = Status { code: 0, reason: "NonZeroExitCode", message, details: Some(Box::new(details)) };
        let mut json = status.to_stream_json();
        if let Some(map) = json.as_object_mut() {
            // The real server gives no code here.
            map.shift_remove("code");
        }
        json
    }
}

/// Moves a command's output into frames until it ends or nobody listens.
async fn pump(from: Option<Box<dyn AsyncRead + Send + Unpin>>, channel: u8, to: mpsc::Sender<Bytes>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || to.send(frame(channel, &buffer[..read])).await.is_err() {
            return;
        }
    }
}

/// Takes the client's frames until it closes or breaks off. The end of input is not the end of the client.
async fn read_client(
    protocol: Protocol,
    mut source: SplitStream<Socket>,
    mut stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    resize: Option<mpsc::Sender<TerminalSize>>,
) {
    while let Some(Ok(message)) = source.next().await {
        let frame = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        match ClientFrame::parse(protocol, &frame) {
            ClientFrame::Input(bytes) => {
                if let Some(input) = &mut stdin
                    && (input.write_all(&bytes).await.is_err() || input.flush().await.is_err())
                {
                    // The command reads no more; what still comes is for nobody.
                    stdin = None;
                }
            }
            ClientFrame::EndOfInput => {
                if let Some(mut input) = stdin.take() {
                    let _ = input.shutdown().await;
                }
            }
            ClientFrame::Resize(size) => {
                if let Some(resize) = &resize {
                    // A full queue means that newer sizes are on their way; the terminal only needs the last.
                    let _ = resize.try_send(size);
                }
            }
            ClientFrame::Other => {}
        }
    }
}
