//! The redirect rules of a pod's packets, as `istio-iptables` sets them: which connections go to the sidecar.
//!
//! Invariant: rules are asked in the order in which they stand in the chains: excluded ports, excluded ranges, included ports,
//! included ranges.

use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Some of all things, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Included<T> {
    /// All of them.
    All,
    /// These alone.
    These(T),
}

/// Which connections of a pod go to its sidecar. Default: all of them, in both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Destinations that are redirected (`-i`).
    pub ranges: Included<Vec<IpNet>>,
    /// Destinations that are not (`-x`).
    pub excluded_ranges: Vec<IpNet>,
    /// Ports whose connections are redirected wherever they go (`-q`).
    pub ports: BTreeSet<u16>,
    /// Ports whose connections are not (`-o`).
    pub excluded_ports: BTreeSet<u16>,
    /// Ports of the pod whose connections from outside are redirected (`-b`).
    pub inbound: Included<BTreeSet<u16>>,
    /// Ports of the pod whose connections are not (`-d`).
    pub excluded_inbound: BTreeSet<u16>,
}

impl Default for Redirect {
    fn default() -> Self {
        Self {
            ranges: Included::All,
            excluded_ranges: Vec::new(),
            ports: BTreeSet::new(),
            excluded_ports: BTreeSet::new(),
            inbound: Included::All,
            excluded_inbound: BTreeSet::from([15_090, 15_021, 15_020]),
        }
    }
}

impl Redirect {
    /// Whether a connection that the application opens to this address goes to the sidecar.
    #[must_use]
    pub fn captures(&self, destination: SocketAddr) -> bool {
        let within = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&destination.ip()));
        if self.excluded_ports.contains(&destination.port()) || within(&self.excluded_ranges) {
            return false;
        }
        self.ports.contains(&destination.port())
            || match &self.ranges {
                Included::All => true,
                Included::These(ranges) => within(ranges),
            }
    }

    /// Whether a connection that comes to this port of the pod goes to the sidecar.
    #[must_use]
    pub fn takes_in(&self, port: u16) -> bool {
        match &self.inbound {
            Included::All => !self.excluded_inbound.contains(&port),
            Included::These(ports) => ports.contains(&port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_go_before_inclusions() {
        let range = |text: &str| text.parse::<IpNet>().unwrap();
        let rules = Redirect {
            ranges: Included::These(vec![range("10.0.0.0/8")]),
            excluded_ranges: vec![range("10.96.0.0/16")],
            ports: [8080].into(),
            excluded_ports: [3128].into(),
            ..Redirect::default()
        };
        let cases = [
            ("10.1.2.3:80", true),
            ("10.96.0.1:80", false),
            ("10.96.0.1:8080", false),
            ("10.1.2.3:3128", false),
            ("192.0.2.1:80", false),
            ("192.0.2.1:8080", true),
        ];
        for (to, captured) in cases {
            assert_eq!(rules.captures(to.parse().unwrap()), captured, "{to}");
            assert!(Redirect::default().captures(to.parse().unwrap()), "{to}");
        }
    }

    #[test]
    fn ports_of_the_pod_are_all_but_some_or_only_some() {
        let some = Redirect { inbound: Included::These([80].into()), ..Redirect::default() };
        assert_eq!([80, 81, 15_021].map(|port| some.takes_in(port)), [true, false, false]);
        assert_eq!([80, 81, 15_021].map(|port| Redirect::default().takes_in(port)), [true, true, false]);
    }
}
