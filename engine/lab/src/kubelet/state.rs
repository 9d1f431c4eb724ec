//! What a pod on the node is doing.
//!
//! Invariant: plain data; nothing in here waits or writes to the store.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;

use crate::log::ContainerLog;
use crate::process::{Console, Container, Fd, Terminal};

/// The reason for which a container waits that the lab cannot run.
pub(super) const NOT_SIMULATED: &str = "NotSimulated";

/// A pod from the kubelet's side.
#[derive(Debug)]
pub(super) struct PodState {
    /// When the kubelet took it on.
    pub(super) started: Timestamp,
    /// Its address, once it has a network.
    pub(super) address: Option<IpAddr>,
    /// Its containers, init containers first, in the order of the specification.
    pub(super) containers: IndexMap<String, ContainerState>,
    /// All init containers have done their part.
    pub(super) initialized: bool,
    /// It is being deleted: nothing starts any more.
    pub(super) stopping: bool,
    /// What the lab lacks for it, in a sentence.
    pub(super) not_simulated: Option<String>,
}

/// One container.
#[derive(Debug)]
pub(super) struct ContainerState {
    /// The image as the specification names it.
    pub(super) image: String,
    /// It stands among the init containers.
    pub(super) init: bool,
    /// An init container that goes on running beside the others.
    pub(super) sidecar: bool,
    /// What it does now.
    pub(super) phase: Phase,
    /// How it ended the time before.
    pub(super) last: Option<Ended>,
    /// It has passed its startup probe, or has none and runs.
    pub(super) started: bool,
    /// It passes its readiness probe, or has none and has started.
    pub(super) ready: bool,
    /// How often it was started again.
    pub(super) restarts: u32,
    /// Its present or last instance.
    pub(super) instance: Option<Instance>,
    /// The log of the instance before that.
    pub(super) previous_log: Option<ContainerLog>,
}

/// One start of a container.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    /// Sixty-four hexadecimal digits.
    pub(super) id: String,
    /// Its processes and files.
    pub(super) container: Container,
    /// Its output.
    pub(super) console: Console,
    /// Its standard input.
    pub(super) input: Input,
    /// Its standard streams are a terminal.
    pub(super) tty: bool,
}

/// Where the standard input of a container's command comes from.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Nowhere.
    None,
    /// Clients that attach; with `once`, the first one's end of input is the command's.
    Pipe {
        /// The end to write to, while there is one.
        write: Arc<Mutex<Option<Fd>>>,
        /// Only one client may be attached.
        once: bool,
    },
    /// Clients that attach, at a terminal.
    Keyboard(Terminal),
}

impl Instance {
    /// Its log.
    pub(super) fn log(&self) -> &ContainerLog {
        self.console.log()
    }
}

impl Input {
    /// The input that a container's specification asks for, and the descriptor to read it from.
    pub(super) fn of(spec: &Value) -> (Self, Fd) {
        let flag = |key: &str| spec.get(key).and_then(Value::as_bool) == Some(true);
        match (flag("stdin"), flag("tty")) {
            (false, false) => (Self::None, Fd::null()),
            (false, true) => (Self::None, Fd::typed_at(Terminal::default())),
            (true, true) => {
                let terminal = Terminal::default();
                (Self::Keyboard(terminal.clone()), Fd::typed_at(terminal))
            }
            (true, false) => {
                let (read, write) = Fd::pipe();
                (Self::Pipe { write: Arc::new(Mutex::new(Some(write))), once: flag("stdinOnce") }, read)
            }
        }
    }
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is not running yet, or not again.
    Waiting {
        /// A word such as `ContainerCreating`.
        reason: String,
        /// A sentence; may be empty.
        message: String,
    },
    /// It runs.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// It has ended and is not started again, or not yet.
    Ended(Ended),
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Exit code; 128 plus the signal for a signal.
    pub(super) code: u8,
    /// `Completed`, `Error` or `StartError`.
    pub(super) reason: &'static str,
    /// What the runtime says; may be empty.
    pub(super) message: String,
    /// When the instance was started.
    pub(super) started: Timestamp,
    /// When it ended.
    pub(super) finished: Timestamp,
    /// The instance.
    pub(super) id: String,
}

impl Phase {
    /// A container that waits.
    pub(super) fn waiting(reason: &str, message: impl Into<String>) -> Self {
        Self::Waiting { reason: reason.to_owned(), message: message.into() }
    }
}

impl ContainerState {
    fn new(spec: &Value, init: bool) -> (String, Self) {
        let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let state = Self {
            image: text("image"),
            init,
            sidecar: init && spec.get("restartPolicy").and_then(Value::as_str) == Some("Always"),
            phase: Phase::waiting("PodInitializing", ""),
            last: None,
            started: false,
            ready: false,
            restarts: 0,
            instance: None,
            previous_log: None,
        };
        (text("name"), state)
    }

    /// Whether it runs now.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }
}

impl PodState {
    /// The state of a pod of which nothing has started.
    pub(super) fn new(pod: &Value, started: Timestamp) -> Self {
        let mut containers = IndexMap::new();
        for (list, init) in [("initContainers", true), ("containers", false)] {
            let specs = pod.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
            containers.extend(specs.into_iter().flatten().map(|spec| ContainerState::new(spec, init)));
        }
        let initialized = containers.values().all(|container| !container.init);
        if initialized {
            for container in containers.values_mut() {
                container.phase = Phase::waiting("ContainerCreating", "");
            }
        }
        Self { started, address: None, containers, initialized, stopping: false, not_simulated: None }
    }
}
