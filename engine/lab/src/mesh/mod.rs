//! The service mesh: what Istio's control plane would configure, and what the sidecar then does with a connection.
//!
//! Invariant: which way a connection goes is decided by one pure function; the sidecar only carries its verdict out.

mod access_log;
pub mod agent;
mod config;
mod follow;
mod http;
mod limits;
mod registry;
pub(crate) mod relay;
mod service;
mod sidecar;
mod sniff;
mod upstream;
mod verdict;
mod view;

pub use config::{MeshConfig, OutboundPolicy};
pub use registry::{Propagation, Registry};
pub use service::Discovery;
pub use sidecar::Sidecar;
pub use verdict::{Connection, FirstBytes, Hop, Outcome, Verdict, verdict};
pub use view::{Cluster, Inspection, MeshObjects, MeshView};

#[cfg(test)]
mod sidecar_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod verdict_tests;
