//! What a running program sees.
//!
//! Invariant: everything a program may touch is a field here.

use super::{Container, Exit, Fd, IoError, SIGINT, SIGPIPE, SIGTERM};
use crate::clock::Clock;
use crate::fs::{self, Device, Fs, FsError, OpenOptions};
use crate::image::Image;
use crate::net::NetNs;
use futures::future::BoxFuture;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::fmt::Display;
use tokio::sync::watch;

/// One process: arguments, environment and the world around it. A clone shares the open descriptors, as after `fork`.
#[derive(Clone, Debug)]
pub struct Process {
    /// The arguments; the first is the name it was called by.
    pub argv: Vec<String>,
    /// The environment, in the order in which it was built.
    pub env: IndexMap<String, String>,
    /// The working directory, absolute.
    pub cwd: String,
    /// The open descriptors by number.
    pub fds: BTreeMap<u32, Fd>,
    /// The container's files with the rights of the process's user.
    pub fs: Fs,
    /// The pod's network.
    pub net: NetNs,
    /// The lab's clock.
    pub clock: Clock,
    /// The container's image.
    pub image: Image,
    /// Process number inside the container.
    pub pid: u32,
    /// The parent's process number; 0 for what the runtime started.
    pub parent: u32,
    /// The container.
    pub container: Container,
}

impl Process {
    /// The name it was called by, without directories.
    #[must_use]
    pub fn name(&self) -> &str {
        self.argv.first().map_or("", |name| fs::file_name(name))
    }

    /// The arguments after the program's name.
    #[must_use]
    pub fn args(&self) -> &[String] {
        self.argv.get(1..).unwrap_or_default()
    }

    /// A variable of the environment.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// `path` as an absolute path, seen from the working directory.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        if path.is_empty() { String::new() } else { fs::join(&self.cwd, path) }
    }

    /// A descriptor; one that is not open gives errors.
    #[must_use]
    pub fn fd(&self, number: u32) -> Fd {
        self.fds.get(&number).cloned().unwrap_or_else(Fd::closed)
    }

    /// Descriptor 0.
    #[must_use]
    pub fn stdin(&self) -> Fd {
        self.fd(0)
    }

    /// Descriptor 1.
    #[must_use]
    pub fn stdout(&self) -> Fd {
        self.fd(1)
    }

    /// Descriptor 2.
    #[must_use]
    pub fn stderr(&self) -> Fd {
        self.fd(2)
    }

    /// Opens a file; the devices that stand for the process's own descriptors give those.
    ///
    /// # Errors
    /// As of `open(2)`.
    pub fn open(&self, path: &str, options: OpenOptions) -> Result<Fd, FsError> {
        let file = self.fs.open(&self.path(path), options)?;
        Ok(match file.device() {
            Some(Device::Descriptor(number)) => self.fd(number),
            _ => Fd::file(file),
        })
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// The ending of a program that does not handle the failure: death by `SIGPIPE` when nobody reads, else code 1.
    pub async fn print(&self, data: impl AsRef<[u8]>) -> Result<(), Exit> {
        match self.stdout().write_all(data.as_ref()).await {
            Ok(()) => Ok(()),
            Err(IoError::BrokenPipe) => Err(Exit::Signal(SIGPIPE)),
            Err(error) => {
                self.warn(format!("{}: write error: {error}\n", self.name())).await;
                Err(Exit::FAILURE)
            }
        }
    }

    /// Writes to standard error; a failure is ignored, as programs do.
    pub async fn warn(&self, text: impl AsRef<[u8]>) {
        // There is nowhere left to complain to.
        self.stderr().write_all(text.as_ref()).await.ok();
    }

    /// Writes `name: text` and a line feed to standard error and gives the exit code.
    pub fn fail(&self, code: u8, text: impl Display) -> BoxFuture<'static, Exit> {
        let (stderr, text) = (self.stderr(), format!("{}: {text}\n", self.name()));
        Box::pin(async move {
            stderr.write_all(text.as_bytes()).await.ok();
            Exit::Code(code)
        })
    }

    /// A child of this process: the same world, new arguments and a new number.
    #[must_use]
    pub fn child(&self, argv: Vec<String>) -> Self {
        Self { argv, pid: self.container.next_pid(), parent: self.pid, ..self.clone() }
    }

    /// Takes over the signals sent to this process (`SIGKILL` excepted): they arrive here and end nothing by themselves.
    #[must_use]
    pub fn handle_signals(&self) -> Option<watch::Receiver<Option<u8>>> {
        self.container.handle_signals(self.pid)
    }

    /// Waits for a signal that ends this process, as a server does that closes down by itself: with success after a
    /// polite one, by the signal after any other.
    pub async fn stopped(&self) -> Exit {
        let Some(mut signals) = self.handle_signals() else { return std::future::pending().await };
        loop {
            if signals.changed().await.is_err() {
                return std::future::pending().await;
            }
            let signal = *signals.borrow_and_update();
            match signal {
                Some(SIGTERM | SIGINT) => return Exit::SUCCESS,
                Some(signal) => return Exit::Signal(signal),
                None => {}
            }
        }
    }
}
