//! What the processes of one container share: image, files, network, environment and the process table.
//!
//! Invariant: process 1 is the container's own command; when it ends, the owner of the container drops everything else.

use super::{Fd, Process, SIGKILL};
use crate::clock::Clock;
use crate::fs::{Fs, FsError};
use crate::image::Image;
use crate::net::NetNs;
use indexmap::IndexMap;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// What a container is made of.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// The image.
    pub image: Image,
    /// The pod's name, which is the host name.
    pub hostname: String,
    /// The pod's network.
    pub net: NetNs,
    /// The lab's clock.
    pub clock: Clock,
    /// Variables of the pod's specification and of the cluster, in order; they win over the image's.
    pub env: Vec<(String, String)>,
    /// Where processes start; the image's directory when `None`.
    pub working_dir: Option<String>,
    /// User and group to run as; the image's when `None`.
    pub user: Option<(u32, u32)>,
}

/// A container; clones are the same container.
#[derive(Clone)]
pub struct Container {
    inner: Arc<Inner>,
}

struct Inner {
    spec: ContainerSpec,
    fs: Fs,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last: u32,
    processes: BTreeMap<u32, Entry>,
}

struct Entry {
    info: ProcessInfo,
    signals: watch::Sender<Option<u8>>,
    handles_signals: bool,
}

/// The user and group whose connections Istio's rules leave alone.
const SIDECAR: u32 = 1337;

/// A row of the process table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Process number inside the container.
    pub pid: u32,
    /// The parent's number; 0 for what the runtime started.
    pub parent: u32,
    /// The arguments, program included.
    pub argv: Vec<String>,
    /// The user.
    pub uid: u32,
    /// When it started.
    pub started: Timestamp,
}

impl Container {
    /// A container with the image's files and no process yet. Mount volumes through [`Container::fs`] before starting.
    ///
    /// # Errors
    /// When the image's files do not fit into a volume, which is a fault of the image table.
    pub fn new(spec: ContainerSpec) -> Result<Self, FsError> {
        let fs = Fs::new(spec.clock.clone());
        spec.image.install(&fs)?;
        fs.write("/etc/hostname", format!("{}\n", spec.hostname).as_bytes())?;
        if let Some(dir) = &spec.working_dir {
            fs.create_dir_all(dir)?;
        }
        Ok(Self { inner: Arc::new(Inner { spec, fs, table: Mutex::default() }) })
    }

    /// The files, seen as root.
    #[must_use]
    pub fn fs(&self) -> &Fs {
        &self.inner.fs
    }

    /// What the container was made of.
    #[must_use]
    pub fn spec(&self) -> &ContainerSpec {
        &self.inner.spec
    }

    /// User and group that its processes run as.
    #[must_use]
    pub fn user(&self) -> (u32, u32) {
        self.spec().user.unwrap_or_else(|| self.spec().image.user())
    }

    /// A process that is ready to [`run`](Process::run): the container's command (the first one, which gets number 1) or
    /// one that is started by `exec`.
    #[must_use]
    pub fn process(&self, argv: Vec<String>, stdin: Fd, stdout: Fd, stderr: Fd) -> Process {
        let spec = self.spec();
        let (uid, gid) = self.user();
        let mut env: IndexMap<String, String> = spec.image.env().into_iter().collect();
        env.insert("HOSTNAME".to_owned(), spec.hostname.clone());
        env.extend(spec.env.iter().cloned());
        if stdout.is_terminal() {
            env.insert("TERM".to_owned(), "xterm".to_owned());
        }
        if !env.contains_key("HOME") {
            env.insert("HOME".to_owned(), spec.image.home(uid).to_owned());
        }
        Process {
            argv,
            env,
            cwd: spec.working_dir.clone().unwrap_or_else(|| spec.image.working_dir().to_owned()),
            fds: BTreeMap::from([(0, stdin), (1, stdout), (2, stderr)]),
            fs: self.inner.fs.as_user(uid, gid),
            net: if uid == SIDECAR || gid == SIDECAR { spec.net.clone().around_sidecar() } else { spec.net.clone() },
            clock: spec.clock.clone(),
            image: spec.image.clone(),
            pid: self.next_pid(),
            parent: 0,
            container: self.clone(),
        }
    }

    /// The running processes, in the order of their numbers.
    #[must_use]
    pub fn processes(&self) -> Vec<ProcessInfo> {
        self.table().processes.values().map(|entry| entry.info.clone()).collect()
    }

    /// Sends a signal. As in a PID namespace, process 1 ignores every signal but `SIGKILL` that it has no handler for.
    /// False when there is no such process.
    pub fn signal(&self, pid: u32, signal: u8) -> bool {
        let table = self.table();
        let Some(entry) = table.processes.get(&pid) else { return false };
        let ignored = matches!(signal, 0 | 17 | 18 | 23 | 28);
        if !ignored && (pid != 1 || signal == SIGKILL || entry.handles_signals) {
            entry.signals.send_replace(Some(signal));
        }
        true
    }

    /// Sends a signal to a process and all that it has started, as a terminal does to the programs on it.
    pub fn signal_family(&self, root: u32, signal: u8) {
        let parents: BTreeMap<u32, u32> =
            self.table().processes.iter().map(|(pid, entry)| (*pid, entry.info.parent)).collect();
        let belongs = |mut pid: u32| {
            while pid != root {
                // Numbers of parents are smaller, so this comes to an end.
                match parents.get(&pid) {
                    Some(parent) if *parent < pid => pid = *parent,
                    _ => return false,
                }
            }
            true
        };
        for pid in parents.keys().copied().filter(|pid| belongs(*pid)).collect::<Vec<_>>() {
            self.signal(pid, signal);
        }
    }

    /// Ends every process at once, as a runtime does with what is left of a container.
    pub fn kill_all(&self) {
        for entry in self.table().processes.values() {
            entry.signals.send_replace(Some(SIGKILL));
        }
    }

    pub(super) fn next_pid(&self) -> u32 {
        let mut table = self.table();
        table.last += 1;
        table.last
    }

    /// Enters a process into the table until the guard is dropped.
    pub(super) fn enter(&self, process: &Process) -> (TableGuard, watch::Receiver<Option<u8>>) {
        let (signals, receiver) = watch::channel(None);
        let info = ProcessInfo {
            pid: process.pid,
            parent: process.parent,
            argv: process.argv.clone(),
            uid: process.fs.user().0,
            started: process.clock.now(),
        };
        self.table().processes.insert(process.pid, Entry { info, signals, handles_signals: false });
        (TableGuard { container: self.clone(), pid: process.pid }, receiver)
    }

    /// Lets a process handle its signals itself; see [`Process::handle_signals`].
    pub(super) fn handle_signals(&self, pid: u32) -> Option<watch::Receiver<Option<u8>>> {
        let mut table = self.table();
        let entry = table.processes.get_mut(&pid)?;
        entry.handles_signals = true;
        Some(entry.signals.subscribe())
    }

    pub(super) fn handles_signals(&self, pid: u32) -> bool {
        self.table().processes.get(&pid).is_some_and(|entry| entry.handles_signals)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.inner.table.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Container({} in {})", self.spec().image, self.spec().hostname)
    }
}

/// Takes a process out of the table when it has ended or was dropped.
pub(super) struct TableGuard {
    container: Container,
    pid: u32,
}

impl Drop for TableGuard {
    fn drop(&mut self) {
        self.container.table().processes.remove(&self.pid);
    }
}
