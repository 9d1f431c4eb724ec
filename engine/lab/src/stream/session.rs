//! Carries a running command's streams to its client and back.
//!
//! Invariant: the end of input is not the end of the client, and the end of the client is the end of the session.

use std::pin::pin;
use std::time::Duration;

use futures::stream::SplitStream;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use super::channel::{self, ClientFrame, Protocol, STATUS, STDERR, STDOUT, Version};
use super::command::Wish;
use super::host::{ExecOutcome, ExecRequest, ExecSession, TerminalSize};
use super::outlet::Outlet;
use super::spdy::{Connection, Stream};
use crate::api::encode;
use crate::status::{Cause, Details, Status};

/// Largest piece of output in one frame.
const PIECE: usize = 32 * 1024;

/// Largest frame taken from a client.
const FRAME_LIMIT: usize = 1024 * 1024;

/// How long a client of Go gets before the first frame. Up to release 1.33 of its library it reads from a WebSocket before it has
/// places for what it reads, and ends with `closed all streams`; no real node starts a program as fast as that.
pub(super) const SETTLING: Duration = Duration::from_millis(20);

/// How long a client may take to open its streams.
const STREAM_CREATION: Duration = Duration::from_secs(30);

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Input = Option<Box<dyn AsyncWrite + Send + Unpin>>;

/// The connection as a WebSocket with bounded messages.
pub(super) async fn websocket(io: Upgraded) -> Socket {
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
    WebSocketStream::from_raw_socket(TokioIo::new(io), Role::Server, Some(config)).await
}

/// Sends what comes through the queue, and the close frame at its end.
pub(super) async fn send_all(
    mut sink: futures::stream::SplitSink<Socket, Message>,
    mut frames: mpsc::Receiver<Message>,
) -> Result<(), Gone> {
    while let Some(frame) = frames.recv().await {
        sink.send(frame).await.map_err(|_| Gone)?;
    }
    let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    sink.send(Message::Close(Some(close))).await.map_err(|_| Gone)?;
    // A failed close means that the client closed first, which is as good.
    let _ = sink.close().await;
    Ok(())
}

/// The client does not listen any more, or must not hear more.
pub(super) struct Gone;

/// How a session ends.
pub(super) struct Ends {
    pub(super) wish: Wish,
    pub(super) version: Version,
    pub(super) argv: Vec<String>,
    /// Bytes of output after which a fault cuts the connection.
    pub(super) cut: Option<u64>,
}

/// A command that runs, and what its client wants of it.
pub(super) struct Session {
    pub(super) wanted: ExecRequest,
    pub(super) streams: ExecSession,
    pub(super) ends: Ends,
}

impl Session {
    /// Carries the session over a WebSocket, whose client gets so much time before it must read.
    pub(super) async fn over_websocket(self, io: Upgraded, protocol: Protocol, settling: Duration) {
        let (sink, source) = websocket(io).await.split();
        let ExecSession { stdin, stdout, stderr, resize, exit } = self.streams;
        // Output waits here for a slow client, one piece a stream, and so holds the command back.
        let (frames, outgoing) = mpsc::channel(2);
        let outlet = |number| Outlet::Channel { frames: frames.clone(), codec: protocol.codec, number };
        let (out, err, status) = (outlet(STDOUT), outlet(STDERR), outlet(STATUS));
        drop(frames);
        let output = async {
            if !settling.is_zero() {
                tokio::time::sleep(settling).await;
            }
            // An empty frame on the first channel there is tells the client that all is set up.
            let first = match (self.wanted.stdout, self.wanted.stderr) {
                (true, _) => &out,
                (false, true) => &err,
                (false, false) => &status,
            };
            first.send(b"").await;
            self.ends.output([(stdout, Some(&out)), (stderr, Some(&err))], exit, &status).await?;
            drop((out, err, status));
            Ok(())
        };
        let input = read_client(protocol, source, stdin, resize);
        tokio::select! {
            biased;
            _ = async { tokio::try_join!(send_all(sink, outgoing), output) } => {}
            // The client went away; dropping the session tells the container.
            () = input => {}
        }
    }

    /// Carries the session over SPDY.
    pub(super) async fn over_spdy(self, io: Upgraded) {
        let (mut connection, reading) = Connection::new(TokioIo::new(io));
        let work = async {
            let opening = Opened::wait(&mut connection, self.wanted.streams(self.ends.version));
            let Ok(Some(opened)) = tokio::time::timeout(STREAM_CREATION, opening).await else { return };
            let ExecSession { stdin, stdout, stderr, resize, exit } = self.streams;
            let outlet = |stream: &Option<Stream>| stream.as_ref().map(|stream| Outlet::Stream(stream.writer.clone()));
            let (out, err) = (outlet(&opened.stdout), outlet(&opened.stderr));
            let Some(status) = outlet(&opened.error) else { return };
            let input = async {
                tokio::join!(feed(opened.stdin, stdin), sizes(opened.resize, resize));
                std::future::pending::<()>().await;
            };
            let output = self.ends.output([(stdout, out.as_ref()), (stderr, err.as_ref())], exit, &status);
            tokio::select! {
                biased;
                ended = output => if ended.is_err() { return },
                () = input => {}
            }
            status.finish().await;
            connection.close().await;
        };
        let reading = pin!(reading);
        tokio::select! {
            biased;
            () = work => {}
            () = reading => {}
        }
    }
}

impl ExecRequest {
    /// How many streams a client of SPDY opens for this.
    fn streams(&self, version: Version) -> usize {
        let resizes = self.tty && version != Version::V1;
        1 + [self.stdin, self.stdout, self.stderr, resizes].into_iter().filter(|wanted| *wanted).count()
    }
}

/// The streams that a client of SPDY has opened, by what they are for.
#[derive(Default)]
struct Opened {
    error: Option<Stream>,
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    resize: Option<Stream>,
}

impl Opened {
    async fn wait(connection: &mut Connection, expected: usize) -> Option<Self> {
        let mut opened = Self::default();
        for _ in 0..expected {
            let stream = connection.opened.recv().await?;
            let place = match stream.headers.get("streamtype").map(String::as_str) {
                Some("error") => &mut opened.error,
                Some("stdin") => &mut opened.stdin,
                Some("stdout") => &mut opened.stdout,
                Some("stderr") => &mut opened.stderr,
                Some("resize") => &mut opened.resize,
                _ => continue,
            };
            *place = Some(stream);
        }
        Some(opened)
    }
}

type Output<'a> = (Option<Box<dyn AsyncRead + Send + Unpin>>, Option<&'a Outlet>);

impl Ends {
    /// Carries the output to its end, and then tells how the command ended.
    async fn output(
        &self,
        [out, err]: [Output<'_>; 2],
        exit: tokio::sync::oneshot::Receiver<ExecOutcome>,
        status: &Outlet,
    ) -> Result<(), Gone> {
        let left = std::sync::Mutex::new(self.cut.unwrap_or(u64::MAX));
        tokio::try_join!(pump(out, &left), pump(err, &left))?;
        let outcome = exit.await.ok();
        // A connection that a fault cuts off never tells how the command ended.
        if self.cut.is_some() {
            return Err(Gone);
        }
        if let Some(text) = self.status(outcome) {
            status.send(&text).await;
        }
        Ok(())
    }

    /// What the status channel says, if anything.
    fn status(&self, outcome: Option<ExecOutcome>) -> Option<Vec<u8>> {
        let status = match outcome {
            Some(ExecOutcome::Exited(0)) => {
                let success = json!({"metadata": {}, "status": "Success"});
                return (self.version != Version::V1).then(|| encode(&success));
            }
            // Who is attached does not learn how the container ended.
            Some(ExecOutcome::Exited(_)) if self.wish == Wish::Attach => {
                return self.status(Some(ExecOutcome::Exited(0)));
            }
            Some(ExecOutcome::Exited(code)) => self.exit_code(code),
            Some(ExecOutcome::NotStarted(why)) => self.failed(&why),
            Some(ExecOutcome::NotSimulated(what)) => {
                let message = format!("not simulated: {what}");
                Status { code: 500, reason: "InternalError", message, details: None }
            }
            None => self.failed("container is gone"),
        };
        if self.version == Version::V1 {
            return Some(status.message.into_bytes());
        }
        let mut json = status.to_stream_json();
        if status.code == 0
            && let Value::Object(map) = &mut json
        {
            // The real server gives no code with an exit code.
            map.shift_remove("code");
        }
        Some(encode(&json))
    }

    fn failed(&self, why: &str) -> Status {
        let doing = match self.wish {
            Wish::Exec => "error executing command in container",
            Wish::Attach => "error attaching to container",
        };
        let mut cause = format!("{doing}: {why}");
        if self.version == Version::V5 {
            cause = format!("Internal error occurred: {cause}");
        }
        Status::internal(cause)
    }

    fn exit_code(&self, code: u8) -> Status {
        let detail = match self.version {
            Version::V1 | Version::V4 => {
                format!("error executing command [{}], exit code {code}", self.argv.join(" "))
            }
            Version::V5 => format!("command terminated with exit code {code}"),
        };
        let cause = Cause::new("ExitCode", "", code.to_string());
        let details = Details { causes: vec![cause], ..Details::default() };
        let message = format!("command terminated with non-zero exit code: {detail}");
        Status { code: 0, reason: "NonZeroExitCode", message, details: Some(Box::new(details)) }
    }
}

/// Moves a command's output to the client until it ends, nobody listens, or the bytes that a fault lets through are over.
async fn pump((from, to): Output<'_>, left: &std::sync::Mutex<u64>) -> Result<(), Gone> {
    let (Some(mut from), Some(to)) = (from, to) else { return Ok(()) };
    let mut buffer = vec![0; PIECE];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let passes = {
            let mut left = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let passes = usize::try_from(*left).unwrap_or(usize::MAX).min(read);
            *left -= passes as u64;
            passes
        };
        if !to.send(&buffer[..passes]).await || passes < read {
            return Err(Gone);
        }
    }
    to.finish().await;
    Ok(())
}

/// Gives a program its input. One that reads no more is no reason to stop listening.
async fn give(input: &mut Input, bytes: &[u8]) {
    if let Some(open) = input
        && (open.write_all(bytes).await.is_err() || open.flush().await.is_err())
    {
        *input = None;
    }
}

async fn end(input: &mut Input) {
    if let Some(mut open) = input.take() {
        let _ = open.shutdown().await;
    }
}

/// Takes the client's frames until it closes or breaks off.
async fn read_client(
    protocol: Protocol,
    mut source: SplitStream<Socket>,
    mut stdin: Input,
    resize: Option<mpsc::Sender<TerminalSize>>,
) {
    while let Some(Ok(message)) = source.next().await {
        if message.is_close() {
            return;
        }
        let Some(bytes) = channel::payload(message) else { continue };
        match ClientFrame::parse(protocol, &bytes) {
            ClientFrame::Input(bytes) => give(&mut stdin, &bytes).await,
            ClientFrame::EndOfInput => end(&mut stdin).await,
            ClientFrame::Resize(size) => tell(resize.as_ref(), size),
            ClientFrame::Other => {}
            ClientFrame::Broken => return,
        }
    }
}

fn tell(resize: Option<&mpsc::Sender<TerminalSize>>, size: TerminalSize) {
    if let Some(resize) = resize {
        // A full queue means that newer sizes are on their way; the terminal only needs the last.
        let _ = resize.try_send(size);
    }
}

/// Brings a stream's bytes to the program.
async fn feed(from: Option<Stream>, mut to: Input) {
    let Some(mut from) = from else { return };
    while let Some(bytes) = from.data.recv().await {
        give(&mut to, &bytes).await;
    }
    end(&mut to).await;
}

/// Reads sizes of the terminal: one JSON text after another, in pieces of any size.
async fn sizes(from: Option<Stream>, to: Option<mpsc::Sender<TerminalSize>>) {
    /// More than this without a closing brace is no size.
    const LIMIT: usize = 256;
    let Some(mut from) = from else { return };
    let mut text: Vec<u8> = Vec::new();
    while let Some(bytes) = from.data.recv().await {
        for byte in bytes {
            text.push(byte);
            if byte == b'}' || text.len() > LIMIT {
                if let Some(size) = TerminalSize::parse(&text) {
                    tell(to.as_ref(), size);
                }
                text.clear();
            }
        }
    }
}
