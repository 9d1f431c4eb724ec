//! What the API needs of whoever runs the pods.
//!
//! Invariant: plain types only, so that the kubelet and the streams know nothing of each other's insides.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use crate::net::Explanation;
use crate::status::Status;

/// Runs commands in containers and hands out their logs. Implemented by the kubelet.
pub trait PodHost: Send + Sync {
    /// Starts a command in a running container.
    ///
    /// The API has checked that pod and container exist in the store. A program that can't be started is *not* an error here: it is
    /// told by [`ExecSession::exit`], because the connection is upgraded first.
    ///
    /// # Errors
    /// A [`Status`] when the container can't take commands at all, for instance `container not found ("NAME")`.
    fn exec(&self, namespace: &str, pod: &str, container: &str, request: ExecRequest) -> Result<ExecSession, Status>;

    /// Joins the streams of a running container's own command.
    ///
    /// # Errors
    /// A [`Status`] when the container does not run.
    fn attach(&self, namespace: &str, pod: &str, container: &str, request: ExecRequest) -> Result<ExecSession, Status>;

    /// Connects to a port of a pod as from inside it. What comes in time is the connection, or the words of the runtime for
    /// why there is none.
    ///
    /// # Errors
    /// A [`Status`] when the pod does not run.
    fn dial(&self, namespace: &str, pod: &str, port: u16) -> Result<Dialled, Status>;

    /// The log of a container, or of its last terminated instance when `previous`.
    ///
    /// # Errors
    /// 400 when the container waits to start or there is no previous instance.
    fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Result<ContainerLog, Status>;

    /// Why a call of a program in the pod goes where it goes; through an HTTP proxy, if one is given. No real cluster has this.
    fn explain(
        &self,
        _namespace: &str,
        _pod: &str,
        _url: &str,
        _proxy: Option<&str>,
    ) -> BoxFuture<'static, Result<Explanation, Status>> {
        Box::pin(async { Err(Status::not_simulated("an explanation without a mesh")) })
    }

    /// Why the calls of the pod's programs since then went where they went; nothing if no sidecar took them over.
    fn explain_since(&self, _namespace: &str, _pod: &str, _since: Timestamp) -> Vec<Explanation> {
        Vec::new()
    }
}

/// A connection to a port of a pod, to come.
pub type Dialled = BoxFuture<'static, Result<Box<dyn Port>, ForwardError>>;

/// Both directions of a connection to a port.
pub trait Port: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Port for T {}

/// Why there is no connection to a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardError {
    /// The pod as the runtime names it.
    pub sandbox: String,
    /// The runtime's words.
    pub why: String,
}

/// A command and the streams that the client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Program and arguments; may be empty, which no runtime can start.
    pub argv: Vec<String>,
    /// The client will send input.
    pub stdin: bool,
    /// The client wants standard output.
    pub stdout: bool,
    /// The client wants standard error. Never set together with `tty`.
    pub stderr: bool,
    /// Standard streams are one terminal: output lines end in CR LF and stderr joins stdout.
    pub tty: bool,
}

/// The far ends of a started command's streams. Dropping it is the client's going away.
pub struct ExecSession {
    /// Where the client's input goes; shutting it down is the end of input. None unless asked for.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// The command's output; ends with the command. None unless asked for.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// The command's errors; ends with the command. None unless asked for.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Sizes of the client's terminal. None without a terminal.
    pub resize: Option<mpsc::Sender<TerminalSize>>,
    /// How the command ended. A dropped sender means that the container went away under it.
    pub exit: oneshot::Receiver<ExecOutcome>,
}

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecOutcome {
    /// The program ran and returned this code; a signal is 128 + its number.
    Exited(u8),
    /// The runtime could not start it. The text is the runtime's, beginning with `failed to exec in container: …`.
    NotStarted(String),
    /// The lab lacks something that the real container has. The text says what, without the prefix `not simulated: `.
    NotSimulated(String),
}

impl ExecOutcome {
    /// A program that the container's image does not have, in the words of containerd and runc.
    pub fn program_not_found(exec_id: &str, program: &str) -> Self {
        Self::runtime_refusal(
            exec_id,
            &format!("unable to start container process: exec: {program:?}: executable file not found in $PATH"),
        )
    }

    /// An exec without a program, in the words of containerd and runc.
    pub fn empty_command(exec_id: &str) -> Self {
        Self::runtime_refusal(exec_id, "args must not be empty")
    }

    /// Any other reason for which nothing was started, such as `exec: "x": permission denied`, in the words of containerd and runc.
    pub fn not_started(exec_id: &str, why: &str) -> Self {
        Self::runtime_refusal(exec_id, &format!("unable to start container process: {why}"))
    }

    fn runtime_refusal(exec_id: &str, why: &str) -> Self {
        Self::NotStarted(format!(
            "failed to exec in container: failed to start exec {exec_id:?}: OCI runtime exec failed: exec failed: {why}: unknown"
        ))
    }
}

/// A shared handle on a container's log.
pub type ContainerLog = Arc<dyn LogSource>;

/// A container's log as numbered entries; numbers start at 0 and never repeat.
pub trait LogSource: Send + Sync {
    /// At most `limit` entries from number `from` on, oldest first. Entries that the log's bound has dropped are passed over.
    fn read(&self, from: u64, limit: usize) -> LogPage;

    /// Resolves when an entry numbered `from` or later exists, or when the container has ended.
    fn wait(&self, from: u64) -> BoxFuture<'_, ()>;
}

/// Part of a log.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// The entries, oldest first.
    pub entries: Vec<LogEntry>,
    /// The number to go on from.
    pub next: u64,
    /// The container has ended and nothing comes after this page.
    pub ended: bool,
}

/// One line of a container's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When it was written, to the nanosecond.
    pub stamp: Timestamp,
    /// Where it was written.
    pub stream: LogStream,
    /// The bytes, with the line feed if the program wrote one.
    pub line: Bytes,
}

/// The stream of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
