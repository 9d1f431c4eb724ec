//! The server's side of SPDY/3.1, as far as Kubernetes clients use it: streams that carry bytes both ways.
//!
//! Invariant: a peer that breaks the rules loses its connection and nothing else; what it sends is held in bounded queues.

mod connection;
mod dictionary;
mod frame;
mod headers;

pub(super) use connection::{Connection, Stream, StreamWriter};
