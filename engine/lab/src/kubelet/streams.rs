//! A container's streams joined to those of a client: for commands of the client's own, and for the container's.
//!
//! Invariant: a client that goes away ends its input and its output, and no program.

use std::sync::PoisonError;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};

use super::state::{Input, Instance};
use crate::controllers::fnv32;
use crate::log::Stream;
use crate::process::{Container, Exit, Fd, Terminal};
use crate::stream::{ExecOutcome, ExecRequest, ExecSession, TerminalSize};

/// Bytes that may wait between a program and a client that reads slowly.
const BUFFER: usize = 64 << 10;

type Reader = Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>;

/// Starts a command and joins its descriptors to the session's streams.
pub(super) fn exec(instance: &Instance, request: ExecRequest) -> ExecSession {
    let (exit, outcome) = oneshot::channel();
    let mut session = ExecSession { stdin: None, stdout: None, stderr: None, resize: None, exit: outcome };
    let (mut stdout, reader) = output(request.stdout);
    session.stdout = reader;
    let (mut stderr, reader) = output(request.stderr && !request.tty);
    session.stderr = reader;
    let mut stdin = Fd::null();
    let terminal = request.tty.then(Terminal::default);
    let mut client = None;
    if request.stdin {
        let (near, far) = tokio::io::duplex(BUFFER);
        session.stdin = Some(Box::new(far));
        if let Some(terminal) = &terminal {
            stdin = Fd::typed_at(terminal.clone());
            client = Some(near);
        } else {
            let (read, write) = Fd::pipe();
            tokio::spawn(feed(near, write));
            stdin = read;
        }
    }
    if terminal.is_some() {
        stdout = stdout.into_terminal();
        stderr = stdout.clone();
        session.resize = Some(ignore_sizes());
    }
    let screen = stdout.clone();
    let process = instance.container.process(request.argv.clone(), stdin, stdout, stderr);
    let root = process.pid;
    let id = exec_id(&instance.id, root);
    let typing = terminal.zip(client).map(|(terminal, client)| {
        let container = instance.container.clone();
        tokio::spawn(Keyboard { terminal, container, root, screen }.type_in(client))
    });
    tokio::spawn(async move {
        let outcome = match process.run().await {
            Exit::Code(code) => ExecOutcome::Exited(code),
            Exit::Signal(signal) => ExecOutcome::Exited(128_u8.saturating_add(signal)),
            Exit::NotSimulated(what) => ExecOutcome::NotSimulated(what),
            Exit::NotFound(_) if request.argv.is_empty() => ExecOutcome::empty_command(&id),
            Exit::NotFound(why) => ExecOutcome::not_started(&id, &why),
        };
        // The keyboard holds the screen open.
        if let Some(typing) = typing {
            typing.abort();
        }
        // A client that went away does not ask.
        let _ = exit.send(outcome);
    });
    session
}

/// Joins the streams of a container's own command, from now on.
pub(super) fn attach(instance: &Instance, request: &ExecRequest) -> ExecSession {
    let (mut exit, outcome) = oneshot::channel();
    let mut session = ExecSession { stdin: None, stdout: None, stderr: None, resize: None, exit: outcome };
    let tap = |wanted: bool, stream: Stream| {
        wanted.then(|| {
            let (near, far) = tokio::io::duplex(BUFFER);
            tokio::spawn(show(instance.console.attach(stream), near));
            Box::new(far) as _
        })
    };
    session.stdout = tap(request.stdout, Stream::Stdout);
    session.stderr = tap(request.stderr && !request.tty, Stream::Stderr);
    if request.tty {
        session.resize = Some(ignore_sizes());
    }
    if request.stdin {
        let (near, far) = tokio::io::duplex(BUFFER);
        session.stdin = Some(Box::new(far));
        match &instance.input {
            Input::None => {}
            Input::Pipe { write, once } => {
                let mut write = write.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(write) = if *once { write.take() } else { write.clone() } {
                    tokio::spawn(feed(near, write));
                }
            }
            Input::Keyboard(terminal) => {
                let screen = Fd::console(instance.console.clone(), Stream::Stdout).into_terminal();
                let (terminal, container) = (terminal.clone(), instance.container.clone());
                tokio::spawn(Keyboard { terminal, container, root: 1, screen }.lend(near));
            }
        }
    }
    let log = instance.console.log().clone();
    tokio::spawn(async move {
        let ended = async { while log.wait(log.end()).await {} };
        tokio::select! {
            biased;
            () = exit.closed() => return,
            () = ended => {}
        }
        // How it ended is nothing that a runtime tells those who are attached.
        let _ = exit.send(ExecOutcome::Exited(0));
    });
    session
}

/// A descriptor to write to, and the end that the client reads.
fn output(wanted: bool) -> (Fd, Reader) {
    if !wanted {
        return (Fd::null(), None);
    }
    let (read, write) = Fd::pipe();
    let (near, far) = tokio::io::duplex(BUFFER);
    tokio::spawn(drain(read, near));
    (write, Some(Box::new(far)))
}

/// Programs of the lab do not ask for the size of their terminal; this takes what the client sends.
fn ignore_sizes() -> mpsc::Sender<TerminalSize> {
    let (sizes, mut sent) = mpsc::channel(4);
    tokio::spawn(async move { while sent.recv().await.is_some() {} });
    sizes
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

/// Shows a container's output to a client that is attached, until one of them goes: it need not write anything for that.
async fn show(console: Fd, client: DuplexStream) {
    let (mut gone, mut client) = tokio::io::split(client);
    loop {
        tokio::select! {
            biased;
            data = console.read(BUFFER) => match data {
                Ok(data) if !data.is_empty() => if client.write_all(&data).await.is_err() { return },
                _ => break,
            },
            // The other end never writes.
            _ = gone.read_u8() => return,
        }
    }
    // A client that is gone needs no end either.
    let _ = client.shutdown().await;
}

/// The client's keyboard at a terminal, with the programs on it and where they write.
struct Keyboard {
    terminal: Terminal,
    container: Container,
    root: u32,
    screen: Fd,
}

impl Keyboard {
    /// Types what the client sends until it goes.
    async fn type_in(self, client: DuplexStream) {
        let terminal = self.terminal.clone();
        self.lend(client).await;
        terminal.hang_up();
    }

    /// Types what the client sends; the terminal stays when it goes.
    async fn lend(self, mut client: DuplexStream) {
        let mut buffer = vec![0; 4 << 10];
        while let Ok(count @ 1..) = client.read(&mut buffer).await {
            self.terminal.ready().await;
            let typed = self.terminal.type_in(&buffer[..count]);
            for signal in typed.signals {
                self.container.signal_family(self.root, signal);
            }
            // A screen that nobody looks at shows nothing.
            let _ = self.screen.write_all(&typed.echo).await;
        }
    }
}
