//! Why a lab could not be built.
//!
//! Invariant: every message says which part of the world is to blame.

use crate::status::Status;
use crate::world::WorldError;

/// A lab that could not be built.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The world is wrong.
    #[error(transparent)]
    World(#[from] WorldError),
    /// An object of the world was refused by the lab's API server.
    #[error("{object}: {status}")]
    Refused {
        /// The object, such as `Deployment corp/squid`.
        object: String,
        /// What the API server said.
        status: Box<Status>,
    },
    /// A pod of the world needs something that the lab lacks.
    #[error("pod {pod}: {message}")]
    NotSimulated {
        /// Namespace and name.
        pod: String,
        /// What is lacking, beginning with `not simulated: `.
        message: String,
    },
    /// A lab with virtual time has no way out to real hosts, which do not wait.
    #[error("real hosts cannot be reached in virtual time")]
    UplinkInVirtualTime,
    /// A parameter points at a pod that the world does not have.
    #[error("params.{param}: no object of the world makes a pod {selector}")]
    NoSuchPod {
        /// The parameter.
        param: String,
        /// What it points at.
        selector: String,
    },
}
