//! The service mesh: what Istio's control plane would configure, and what the sidecar then does with a connection.
//!
//! Invariant: which way a connection goes is decided by one pure function; the sidecar only carries its verdict out.
