//! The world: what a lab starts with, read from `world.yaml`.
//!
//! Invariant: an unknown key is an error, and so is a fault that the lab could not cause.

mod duration;
mod error;
mod file;
mod params;
mod template;
mod yaml;

pub use duration::DurationText;
pub use error::WorldError;
pub use file::{MeshSpec, Propagation, World};
pub(crate) use params::resolve;
pub use params::{ParamSpec, Params, PodSelector};
pub use template::{Renderer, substitute};
