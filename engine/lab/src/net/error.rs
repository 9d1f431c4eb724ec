//! What can go wrong on the virtual network beside the errors of ordinary sockets.
//!
//! Invariant: what the lab cannot simulate is told apart from every failure that a real network could show.

use std::io;
use std::sync::Arc;

/// A connection or name that the lab cannot carry truthfully. It travels inside an [`io::Error`] of kind `Other`; use
/// [`not_simulated`] to find it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not simulated: {0}")]
pub struct NotSimulated(pub Arc<str>);

/// The reason, if this error means that the lab does not simulate what was asked for. A program must then end as not
/// simulated instead of printing a failure of its own.
#[must_use]
pub fn not_simulated(error: &io::Error) -> Option<&str> {
    error.get_ref()?.downcast_ref::<NotSimulated>().map(|NotSimulated(reason)| reason.as_ref())
}

/// The [`io::Error`] that carries `reason` to a program.
#[must_use]
pub fn not_simulated_error(reason: &str) -> io::Error {
    io::Error::other(NotSimulated(reason.into()))
}

/// Why a name has no address.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResolveError {
    /// No name server knows the name (`NXDOMAIN`).
    #[error("no such name: {0}")]
    NotFound(String),
    /// The name exists but has no address, such as a headless Service without endpoints (`NODATA`).
    #[error("no address for {0}")]
    NoAddress(String),
    /// What was asked for is not a host name.
    #[error("not a host name: {0:?}")]
    Invalid(String),
}
