//! The data plane's decision: a proxy's configuration and a connection or request in, a verdict out.
//!
//! Invariant: pure. The same configuration and connection give the same verdict; nothing is dialled, resolved, logged or waited
//! for. What is left to chance in life comes in as a draw.

mod connection;
mod inbound;
mod request;
mod verdict;

pub use connection::{connection, inspection};
pub use inbound::inbound;
pub use request::request;
pub use verdict::{
    Answer, Connection, FirstBytes, Forwarding, Hop, Inspection, Outcome, RequestHead, RequestOutcome, RequestVerdict,
    Verdict,
};

use super::envoy::{Cluster, Discovery};
use std::net::SocketAddr;

/// The hop to where a cluster leads.
fn endpoint(cluster: &Cluster, destination: SocketAddr) -> Option<Hop> {
    let name = match &cluster.discovery {
        Discovery::OriginalDestination(port) => {
            SocketAddr::new(destination.ip(), port.unwrap_or(destination.port())).to_string()
        }
        Discovery::Static(endpoints) => endpoints.first()?.address.to_string(),
        Discovery::Dns(names) => names.first().map(|(name, port)| format!("{name}:{port}"))?,
    };
    Some(Hop::Endpoint(name))
}

/// The name of a route as the access log shows it.
fn shown(name: &str) -> String {
    if name.is_empty() { "-".to_owned() } else { name.to_owned() }
}

/// Which of some weights a draw falls on.
fn weighted(weights: impl Iterator<Item = u32> + Clone, draw: u64) -> usize {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut left = if total == 0 { 0 } else { draw % total };
    for (at, weight) in weights.enumerate() {
        if left < u64::from(weight) {
            return at;
        }
        left -= u64::from(weight);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::weighted;

    #[test]
    fn a_draw_falls_on_weights_in_proportion() {
        let counted = |weights: &[u32]| {
            let mut counts = vec![0; weights.len()];
            (0..100).for_each(|draw| counts[weighted(weights.iter().copied(), draw)] += 1);
            counts
        };
        assert_eq!(counted(&[90, 10]), [90, 10]);
        assert_eq!(counted(&[0, 1]), [0, 100]);
        assert_eq!(counted(&[1]), [100]);
    }
}
