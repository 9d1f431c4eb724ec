//! What the API asks of the kubelet: commands in containers, and logs.
//!
//! Invariant: a command sees the container as it is now; a container that ends takes its commands with it.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;

use super::pod::PodRun;
use super::service::Kubelet;
use super::state::{Instance, Phase};
use crate::controllers::fnv32;
use crate::log;
use crate::process::{Exit, Fd};
use crate::status::Status;
use crate::store::ObjectKey;
use crate::stream::{
    ContainerLog, ExecOutcome, ExecRequest, ExecSession, LogEntry, LogPage, LogSource, LogStream, PodHost,
};

/// Bytes that may wait between a program and a client that reads slowly.
const BUFFER: usize = 64 << 10;

impl PodHost for Kubelet {
    fn exec(&self, namespace: &str, pod: &str, container: &str, request: ExecRequest) -> Result<ExecSession, Status> {
        let gone = || Status::failure(format!("container not found ({container:?})"));
        let run = self.pod(namespace, pod).ok_or_else(gone)?;
        let state = run.state();
        let instance = state.containers.get(container).filter(|container| container.is_running());
        let instance = instance.and_then(|container| container.instance.clone()).ok_or_else(gone)?;
        drop(state);
        Ok(start(&instance, request))
    }

    fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Result<ContainerLog, Status> {
        let waiting = |reason: &str| {
            Status::bad_request(format!("container {container:?} in pod {pod:?} is waiting to start: {reason}"))
        };
        let run = self.pod(namespace, pod).ok_or_else(|| waiting("ContainerCreating"))?;
        let state = run.state();
        let Some(found) = state.containers.get(container) else {
            return Err(Status::bad_request(format!("container {container} is not valid for pod {pod}")));
        };
        let log = if previous {
            let missing = format!("previous terminated container {container:?} in pod {pod:?} not found");
            // Between two runs, the one that has just ended is the previous one already.
            let ended = matches!(&found.phase, Phase::Waiting { .. }).then(|| found.instance.as_ref()).flatten();
            let log = ended.map(|instance| instance.log.clone()).or_else(|| found.previous_log.clone());
            log.ok_or_else(|| Status::bad_request(missing))?
        } else {
            let log = found.instance.as_ref().map(|instance| instance.log.clone());
            log.ok_or_else(|| match &found.phase {
                Phase::Waiting { reason, message } if !message.is_empty() => waiting(&format!("{reason}: {message}")),
                Phase::Waiting { reason, .. } => waiting(reason),
                Phase::Running { .. } | Phase::Ended(_) => waiting("ContainerCreating"),
            })?
        };
        Ok(Arc::new(Source(log)))
    }
}

impl Kubelet {
    fn pod(&self, namespace: &str, pod: &str) -> Option<Arc<PodRun>> {
        self.shared.pods().get(&ObjectKey::new(namespace, pod)).cloned()
    }
}

/// Starts a command and joins its descriptors to the session's streams.
fn start(instance: &Instance, request: ExecRequest) -> ExecSession {
    let (exit, outcome) = oneshot::channel();
    let mut session = ExecSession { stdin: None, stdout: None, stderr: None, resize: None, exit: outcome };
    let mut pumps: Vec<BoxFuture<'static, ()>> = Vec::new();

    let mut stdin = Fd::null();
    if request.stdin {
        let (read, write) = Fd::pipe();
        let (near, far) = tokio::io::duplex(BUFFER);
        pumps.push(Box::pin(feed(near, write)));
        session.stdin = Some(Box::new(far));
        stdin = read;
    }
    let mut output = |wanted: bool| {
        if !wanted {
            return (Fd::null(), None);
        }
        let (read, write) = Fd::pipe();
        let (near, far) = tokio::io::duplex(BUFFER);
        pumps.push(Box::pin(drain(read, near)));
        (write, Some(Box::new(far) as Box<_>))
    };
    let (mut stdout, reader) = output(request.stdout);
    session.stdout = reader;
    let (mut stderr, reader) = output(request.stderr && !request.tty);
    session.stderr = reader;
    if request.tty {
        stdin = stdin.into_terminal();
        stdout = stdout.into_terminal();
        stderr = stdout.clone();
        // Programs of the lab do not ask for the size; the channel takes what the client sends.
        let (sizes, mut sent) = tokio::sync::mpsc::channel(4);
        session.resize = Some(sizes);
        pumps.push(Box::pin(async move { while sent.recv().await.is_some() {} }));
    }
    for pump in pumps {
        tokio::spawn(pump);
    }
    let process = instance.container.process(request.argv.clone(), stdin, stdout, stderr);
    let id = exec_id(&instance.id, process.pid);
    tokio::spawn(async move {
        let outcome = match process.run().await {
            Exit::Code(code) => ExecOutcome::Exited(code),
            Exit::Signal(signal) => ExecOutcome::Exited(128_u8.saturating_add(signal)),
            Exit::NotSimulated(what) => ExecOutcome::NotSimulated(what),
            Exit::NotFound(_) if request.argv.is_empty() => ExecOutcome::empty_command(&id),
            Exit::NotFound(why) => ExecOutcome::not_started(&id, &why),
        };
        // A client that went away does not ask.
        let _ = exit.send(outcome);
    });
    session
}

/// Sixty-four hexadecimal digits that name one exec.
fn exec_id(container: &str, pid: u32) -> String {
    (0..8).map(|part| format!("{:08x}", fnv32(format!("{container}/{pid}/{part}").as_bytes()))).collect()
}

/// Brings the client's input to the program.
async fn feed(mut client: DuplexStream, program: Fd) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        tokio::select! {
            biased;
            () = program.broken() => return,
            read = client.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    if program.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Brings the program's output to the client. Once the client is gone the program gets `EPIPE`.
async fn drain(program: Fd, mut client: impl AsyncWrite + Unpin) {
    while let Ok(data) = program.read(BUFFER).await {
        if data.is_empty() || client.write_all(&data).await.is_err() {
            break;
        }
    }
    // A client that is gone needs no end either.
    let _ = client.shutdown().await;
}

/// A container's log in the form that the API reads.
struct Source(log::ContainerLog);

impl LogSource for Source {
    fn read(&self, from: u64, limit: usize) -> LogPage {
        // Asked first, so that no line can come between the last page and the end.
        let closed = self.0.is_closed();
        let (lines, next) = self.0.read(from, limit);
        let entries = lines
            .into_iter()
            .map(|line| LogEntry {
                stamp: line.at,
                stream: match line.stream {
                    log::Stream::Stdout => LogStream::Stdout,
                    log::Stream::Stderr => LogStream::Stderr,
                },
                line: line.text.into(),
            })
            .collect();
        LogPage { entries, next, ended: closed && next >= self.0.end() }
    }

    fn wait(&self, from: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.wait(from).await;
        })
    }
}
