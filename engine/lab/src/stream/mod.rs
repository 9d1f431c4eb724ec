//! Streams of a pod: commands run in its containers and the output that they left.
//!
//! Invariant: this room knows pods only through [`PodHost`]; it neither starts programs nor keeps logs.

mod channel;
mod container;
mod exec;
mod host;
mod logs;

pub(crate) use exec::exec;
pub use host::{
    ContainerLog, ExecOutcome, ExecRequest, ExecSession, LogEntry, LogPage, LogSource, LogStream, PodHost, TerminalSize,
};
pub(crate) use logs::logs;
