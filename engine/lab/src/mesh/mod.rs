//! The service mesh: what Istio's control plane would configure, and what the sidecar then does with a connection.
//!
//! A lab joins the parts so: one [`Registry`], given to the network with [`crate::net::Net::set_control_plane`] and kept in step
//! with the store by [`Registry::follow`]; then the program [`agent`] in a pod's `istio-proxy` container asks it for a [`Sidecar`].
//!
//! Invariant: which way a connection goes is decided by one pure function; the sidecar only carries its verdict out.

mod access_log;
pub mod agent;
mod config;
mod follow;
mod health;
mod http;
mod http_heads;
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
mod agent_tests;
#[cfg(test)]
mod sidecar_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod verdict_tests;
