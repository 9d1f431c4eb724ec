//! The service mesh: what Istio's control plane would configure, and what the sidecar then does with a connection.
//!
//! A lab joins the parts so: one [`Registry`], given to the network with [`crate::net::Net::set_control_plane`] and kept in step
//! with the store by [`Registry::follow`]; then the program [`agent`] in a pod's `istio-proxy` container asks it for a [`Sidecar`].
//!
//! Invariant: which way a connection goes is decided by one pure function; the sidecar only carries its verdict out.

pub mod agent;
mod config;
mod control;
mod decide;
mod envoy;
mod explain;
mod follow;
mod gateway;
mod health;
mod http;
mod log;
mod objects;
mod proxy;
mod registry;
pub(crate) mod relay;
mod sniff;
mod tls;
mod upstream;
mod wire;

pub use config::{MeshConfig, OutboundPolicy};
pub use control::Proxy;
pub use decide::{
    Answer, Connection, FirstBytes, Forwarding, Hop, Inspection, Outcome, RequestHead, RequestOutcome, RequestVerdict,
    Verdict, connection, inbound, inspection, request,
};
pub use envoy::{Cluster, Discovery, Endpoint, ProxyConfig};
pub use log::LogFormat;
pub use objects::MeshObjects;
pub use proxy::Sidecar;
pub use registry::{Propagation, Registry};

#[cfg(test)]
mod agent_tests;
#[cfg(test)]
mod inbound_tests;
#[cfg(test)]
mod proxy_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod verdict_tests;
