//! Whom a configuration is for.
//!
//! Invariant: two proxies that agree in all of this get the same configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// A proxy, as it tells the control plane about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Whether it is a gateway rather than the sidecar of a pod.
    pub gateway: bool,
    /// Its pod's namespace.
    pub namespace: String,
    /// Its pod's labels.
    pub labels: BTreeMap<String, String>,
    /// Its pod's address.
    pub ip: IpAddr,
    /// The revision of the control plane that it asks; `default` is the one without a name.
    pub revision: String,
}
