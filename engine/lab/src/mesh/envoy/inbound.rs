//! The inbound half of a sidecar: what it asks of connections to each port of its pod.
//!
//! Invariant: a port without an entry is held to what holds for all others.

use std::collections::BTreeMap;

/// Which mutual TLS is asked of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MtlsMode {
    /// None.
    Disable,
    /// Either.
    #[default]
    Permissive,
    /// Nothing else.
    Strict,
}

/// What a port carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PortProtocol {
    Http,
    Http2,
    Tcp,
    /// What its first bytes say.
    #[default]
    Auto,
}

/// One port of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InboundPort {
    pub(crate) cluster: String,
    pub(crate) protocol: PortProtocol,
    pub(crate) mtls: MtlsMode,
}

/// All ports of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inbound {
    pub(crate) ports: BTreeMap<u16, InboundPort>,
    /// Every other port.
    pub(crate) other: InboundPort,
}

impl Inbound {
    pub(crate) fn port(&self, number: u16) -> &InboundPort {
        self.ports.get(&number).unwrap_or(&self.other)
    }
}
