//! An embedded Kubernetes cluster in one process: API server, controllers, kubelet, network and service mesh.
//!
//! A lab starts from a [`world`] in milliseconds, needs no root, no network and no container image, and touches nothing of the
//! machine it runs on. Clients reach it as they reach any cluster, over HTTP: through an in-memory pipe or a loopback port.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use periplus_lab::{Lab, world::World};
//!
//! let world = World::parse("objects: [{apiVersion: v1, kind: Namespace, metadata: {name: corp}}]")?;
//! let lab = Lab::builder().world(world).build().await?;
//! let served = lab.serve(Default::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The rooms, from the outside in:
//!
//! - `lab` builds the whole from a `world`; `fault` is what the world lets go wrong; `serve` is how clients get in.
//! - `api` and `stream` speak Kubernetes' HTTP API, with exec and logs, on top of `store`, `schema` and `status`.
//! - `access` knows who asks and whether they may.
//! - `admission` fills in what an API server fills in, and injects sidecars.
//! - `controllers` turn Deployments into ReplicaSets into Pods, and tidy up.
//! - `kubelet` gives each Pod an address, volumes, programs and a status.
//! - `image`, `process`, `shell`, `programs`, `fs` and `log` are what a program in a container sees.
//! - `net`, `mesh` and `squid` carry its connections.
//!
//! Invariants: the same world, seed and requests give the same answers, time stamps included, when time is virtual; and what the
//! lab does not simulate is never an answer, but ends as `not simulated: …`.

pub mod access;
pub mod admission;
pub mod api;
pub mod clock;
pub mod controllers;
pub mod fault;
pub mod fs;
pub mod image;
pub mod kubelet;
mod lab;
pub mod log;
pub mod mesh;
pub mod net;
pub mod process;
pub mod programs;
pub mod schema;
pub mod serve;
mod shell;
pub mod squid;
pub mod status;
pub mod store;
pub mod stream;
pub mod world;

pub use lab::{Lab, LabBuilder, LabError};

/// The version of Kubernetes that the lab's API says it is, and whose recordings it is held against.
pub const KUBERNETES: &str = "v1.36.2";
