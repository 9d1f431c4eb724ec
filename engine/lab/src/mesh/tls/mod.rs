//! TLS that a proxy speaks itself: to servers outside, within the mesh, and to clients of a gateway.
//!
//! Invariant: handshakes are real; only their failures are told in the words of Envoy's own library.

mod client;
mod server;
mod verify;

pub(super) use client::{TlsFailure, connect_mesh, connect_outside};
pub(super) use server::{Refused, accept, client_certificate};

/// What proxies of the mesh offer to speak among themselves.
pub(super) const MESH_ALPN: &[u8] = b"istio";
