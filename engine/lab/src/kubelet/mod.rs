//! The kubelet of the lab's one node: turns Pod objects into running programs and tells how they fare.
//!
//! Invariant: what a pod is doing stands in one `PodState`; the status in the store is computed from it.

mod container;
mod create;
mod env;
mod etc;
mod host;
mod ipam;
mod node;
mod pod;
mod probe;
mod resources;
mod service;
mod state;
mod status;
mod streams;
mod supervise;
mod termination;
mod volume;

pub(crate) use ipam::Ipam;
pub use node::{NODE_ADDRESS, NODE_NAME, node};
pub use service::{Census, Kubelet, Setup};
