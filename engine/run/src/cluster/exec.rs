//! Running a program in a container, and telling what it returned from everything that is not an answer.
//!
//! The exit code of a program is known only from the status that the server sends for it. Whatever else ends the
//! stream (a cut, a deadline, a program that could not be started) is [`Inconclusive`], so that no check can take it for
//! a failure of the program.

use std::time::Duration;

use http::Method;
use kube::core::Status;
use tokio::time::Instant;

use super::client::Cluster;
use super::error::{Asked, ClusterError};
use super::exec_stream::{ExecFrame, ExecStream};
use super::request::{Call, segment};

/// Bytes kept of each of stdout and stderr, unless said otherwise.
pub const MAX_OUTPUT: usize = 4 << 20;

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct ExecRequest {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The program and its arguments. They stand in the request's URL, hence in audit logs: no secrets.
    pub argv: Vec<String>,
    /// Bytes for its standard input, which is closed after them. `None` for no standard input at all.
    ///
    /// Servers before 1.30 cannot close it: the program must know by itself where its input ends.
    pub stdin: Option<Vec<u8>>,
    /// Time for all of it, from the connection to the exit code.
    pub deadline: Duration,
    /// Bytes kept of each of stdout and stderr. The rest is read and counted.
    pub max_output: usize,
}

/// What a program wrote to one of its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The first bytes, up to the request's bound.
    pub bytes: Vec<u8>,
    /// How many bytes followed that were not kept.
    pub dropped: u64,
}

impl Output {
    pub(super) fn push(&mut self, bytes: &[u8], max: usize) {
        let kept = bytes.len().min(max.saturating_sub(self.bytes.len()));
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
    }
}

/// How an exec ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecOutcome {
    /// The program ran to its end.
    Finished {
        /// What it returned: 0 to 255; 128 and the signal's number for one that a signal ended.
        exit: i32,
        /// What it wrote to standard output.
        stdout: Output,
        /// What it wrote to standard error.
        stderr: Output,
    },
    /// It was not run, or how it ended is not known.
    Inconclusive {
        /// Why.
        reason: Inconclusive,
        /// What came of standard output until then.
        stdout: Output,
        /// What came of standard error until then.
        stderr: Output,
    },
}

/// Why an exec says nothing about the program's success.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Inconclusive {
    /// The container runtime could not start the program; mostly the image lacks it.
    #[error("the program could not be started: {0}")]
    NotStarted(String),
    /// The connection broke while it ran.
    #[error("the stream was cut: {0}")]
    StreamCut(String),
    /// It did not end in time. It may be running still: Kubernetes cannot stop it.
    #[error("it did not end within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The lab does not simulate something that the program or the shell around it needs.
    #[error("not simulated: {0}")]
    NotSimulated(String),
    /// The API server refused, or could not be asked.
    #[error(transparent)]
    Api(ClusterError),
}

impl From<ClusterError> for Inconclusive {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::NotSimulated(what) => Self::NotSimulated(what),
            ClusterError::StreamCut(cause) => Self::StreamCut(cause),
            error => Self::Api(error),
        }
    }
}

impl Cluster {
    /// Runs a program to its end, once.
    pub async fn exec(&self, request: &ExecRequest) -> ExecOutcome {
        let (mut stdout, mut stderr) = (Output::default(), Output::default());
        let deadline = Instant::now() + request.deadline;
        let run = async {
            let mut stream = self.open_exec(request).await?;
            loop {
                match stream.next().await {
                    ExecFrame::Stdout(bytes) => stdout.push(&bytes, request.max_output),
                    ExecFrame::Stderr(bytes) => stderr.push(&bytes, request.max_output),
                    ExecFrame::End(end) => return end,
                }
            }
        };
        let end = match tokio::time::timeout_at(deadline, run).await {
            Ok(end) => end,
            Err(_) => Err(Inconclusive::Timeout(request.deadline)),
        };
        match end {
            Ok(exit) => ExecOutcome::Finished { exit, stdout, stderr },
            Err(reason) => ExecOutcome::Inconclusive { reason, stdout, stderr },
        }
    }

    /// Starts a program and hands over its streams. The request's deadline is not looked at here.
    pub(super) async fn open_exec(&self, request: &ExecRequest) -> Result<ExecStream, Inconclusive> {
        let path = format!("/api/v1/namespaces/{}/pods/{}/exec", segment(&request.namespace)?, segment(&request.pod)?);
        // Starting a WebSocket is a GET, and the permission it takes is to create `pods/exec`.
        let mut call = Call::new(Method::GET, "create", path).about("pods/exec", Some(&request.namespace));
        for argument in &request.argv {
            call = call.query("command", argument.clone());
        }
        call = call.query("container", request.container.clone()).query("stdout", "true").query("stderr", "true");
        if request.stdin.is_some() {
            call = call.query("stdin", "true");
        }
        let asked = call.asked(self.request_timeout());
        let connection = self.upgrade(call).await?;
        Ok(ExecStream::new(connection, request.stdin.as_deref(), asked, self.server().to_owned()))
    }
}

/// Reads how a program ended from the status that the server sends last.
///
/// A failure without an `ExitCode` cause is no exit code, whatever its text says.
pub(super) fn end_of(status: Status, server: &str, asked: &Asked) -> Result<i32, Inconclusive> {
    if status.is_success() {
        return Ok(0);
    }
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    if let Some(cause) = causes.iter().find(|cause| cause.reason == "ExitCode") {
        return cause.message.parse().map_err(|_| {
            let cause = format!("exit code {:?}", cause.message);
            Inconclusive::Api(ClusterError::Malformed { what: asked.to_string(), cause })
        });
    }
    let not_simulated = status.message.starts_with("not simulated:");
    match status.message.rsplit_once("exec failed: ") {
        Some((_, cause)) if !not_simulated => {
            let cause = cause.strip_prefix("unable to start container process: ").unwrap_or(cause);
            Err(Inconclusive::NotStarted(cause.trim_end_matches(": unknown").to_owned()))
        }
        _ => Err(ClusterError::from_status(status, server, asked).into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn end(status: Value) -> Result<i32, Inconclusive> {
        let asked = Call::get("/exec").asked(Duration::from_secs(30));
        end_of(serde_json::from_value(status).unwrap(), "http://lab", &asked)
    }

    #[test]
    fn only_an_exit_code_cause_is_an_exit_code() {
        assert_eq!(end(json!({"metadata": {}, "status": "Success"})), Ok(0));
        let failed = |code: &str| {
            json!({"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
                "message": "command terminated with non-zero exit code: command terminated with exit code 137",
                "details": {"causes": [{"reason": "ExitCode", "message": code}]}})
        };
        assert_eq!(end(failed("137")), Ok(137));
        assert!(matches!(end(failed("x")), Err(Inconclusive::Api(ClusterError::Malformed { .. }))));
    }

    #[test]
    fn a_program_that_could_not_start_is_told_apart() {
        // As containerd words it; the server's own wrapping differs between versions.
        let message = "Internal error occurred: error executing command in container: failed to exec in container: \
             failed to start exec \"1f\": OCI runtime exec failed: exec failed: unable to start container process: \
             exec: \"no-such-program\": executable file not found in $PATH: unknown";
        let status = json!({"status": "Failure", "reason": "InternalError", "code": 500, "message": message,
            "details": {"causes": [{"message": message}]}});
        let cause = "exec: \"no-such-program\": executable file not found in $PATH";
        assert_eq!(end(status), Err(Inconclusive::NotStarted(cause.to_owned())));
    }

    #[test]
    fn what_the_lab_lacks_is_its_own_case() {
        let status = json!({"status": "Failure", "reason": "InternalError", "code": 500,
            "message": "not simulated: sh: option -o pipefail"});
        assert_eq!(end(status), Err(Inconclusive::NotSimulated("sh: option -o pipefail".to_owned())));
    }

    #[test]
    fn other_failures_stay_failures_of_the_api() {
        let status = json!({"status": "Failure", "code": 500, "reason": "InternalError", "message": "exit code 1"});
        assert!(matches!(end(status), Err(Inconclusive::Api(ClusterError::Api(_)))));
    }

    #[test]
    fn output_is_bounded_and_the_rest_counted() {
        let mut output = Output::default();
        for part in [&b"abc"[..], b"def", b"g"] {
            output.push(part, 4);
        }
        assert_eq!(output, Output { bytes: b"abcd".to_vec(), dropped: 3 });
    }
}
