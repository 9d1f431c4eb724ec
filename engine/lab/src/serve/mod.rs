//! How clients reach the API: through a pipe in memory, or over TLS on a loopback port.
//!
//! Invariant: both doors lead to the same service; only the loopback one asks for a token and sets limits, for only it can be reached
//! by others.

mod connection;
mod guarded;
mod loopback;
mod memory;
mod timed;

pub use loopback::{LoopbackOptions, ServeError, Served, serve_loopback};
pub use memory::{Connector, LocalService, Pipe};
