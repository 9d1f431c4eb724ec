//! The lab's network: pods, Services, names and hosts outside, joined by virtual TCP.
//!
//! A lab makes one [`Net`], adds the world's hosts and each pod, keeps it in step with the store by [`Net::follow_services`], and gives
//! each pod's programs the [`NetNs`] that [`Net::add_pod`] returned.
//!
//! Invariant: nothing in here opens a socket, reads a file or asks a name server of the machine it runs on.

mod call;
mod dns;
mod error;
mod fabric;
mod follow;
mod host;
pub(crate) mod http1;
mod link;
mod namespace;
mod policy;
mod redirect;
mod services;
mod site;
mod socket;
mod tls;
mod uplink;

pub use call::{Explanation, Stage};
pub use dns::{Answer, CLUSTER_DOMAIN, DNS_ADDRESS};
pub use error::{NotSimulated, ResolveError, not_simulated, not_simulated_error};
pub use fabric::{Net, PodNet};
pub use host::{Certificate, Echo, HostSpec, PageSpec, PortSpec, SiteIdentity, SiteSpec};
pub use namespace::{ControlPlane, Interceptor, LineSink, NetNs};
pub use policy::PolicyTable;
pub use redirect::{Included, Redirect};
pub use services::{ServiceRecord, ServiceTable};
pub(crate) use site::http_date;
pub use socket::{Listener, Socket};
pub use uplink::{Uplink, UplinkStream};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
