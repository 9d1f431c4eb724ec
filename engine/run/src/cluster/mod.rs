//! The cluster that a run acts on: the one place that knows `kube::Client`.
//!
//! It carries out what it is told, under a deadline, and says in types what came of it. It decides no policy: it never
//! repeats a request, and words no check.

mod access;
mod client;
mod connect;
mod discovery;
mod dry_run;
mod error;
mod exec;
mod exec_stream;
mod files;
mod identity;
mod kubeconfig;
mod lease;
mod lines;
mod log_window;
mod logs;
mod objects;
mod pick;
mod pods;
mod proxy;
mod request;
mod rollout;
mod subresource;
mod wait;
mod watch;
mod write;

pub use access::Access;
pub use client::Cluster;
pub use connect::{CONNECT_TIMEOUT, ConnectOptions, REQUEST_TIMEOUT};
pub use discovery::Resolved;
pub use dry_run::DryRun;
pub use error::{ClusterError, FieldError, FieldOwner};
pub use exec::{ExecOutcome, ExecRequest, Inconclusive, MAX_OUTPUT, Output};
pub use files::{FileError, FileLine, FileMark, FileSource, FileStream};
pub use identity::Identity;
pub use kubeconfig::{ContextChoice, contexts};
pub(crate) use lease::lease_name;
pub use lease::{Lease, LeaseError, LeaseSpec};
pub use log_window::{LogLine, LogMark};
pub use logs::{LogSource, LogStream};
pub use objects::{Listed, ObjectAddress, Selector};
pub use pick::{PodsOf, WorkloadKind};
pub use pods::{ChoiceError, PodState, Revision, Revisions, choose_container, choose_pod, revisions};
pub use proxy::{ProxyEnv, proxy_for};
pub use wait::{Verdict, WaitFor, Waited};
pub use write::{ApplyOptions, DeleteOptions, Deleted, FIELD_MANAGER, Patch, Propagation, Written};

#[cfg(test)]
mod tests;
