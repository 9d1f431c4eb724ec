//! Streams of a pod: commands run in its containers, their output, and connections to its ports.
//!
//! Invariant: this room knows pods only through [`PodHost`]; it neither starts programs nor keeps logs.

mod channel;
mod command;
mod container;
mod forward;
mod host;
mod logs;
mod outlet;
mod session;
mod spdy;
mod tunnel;
mod upgrade;

pub(crate) use command::{Target, Wish, command};
pub(crate) use forward::forward;
pub use host::{
    ContainerLog, Dialled, ExecOutcome, ExecRequest, ExecSession, ForwardError, LogEntry, LogPage, LogSource,
    LogStream, PodHost, Port, TerminalSize,
};
pub(crate) use logs::logs;
