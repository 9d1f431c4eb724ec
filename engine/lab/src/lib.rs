//! Placeholder while the house is being raised.

pub mod clock;
pub mod mesh;
pub mod net;
pub mod squid;
