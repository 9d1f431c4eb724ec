//! Addresses of pods.
//!
//! Invariant: an address is given to one pod at a time, and which one depends on the order of requests alone.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::world::PodSelector;

/// The node's share of the pod network; its first address is the bridge.
const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 0);

/// Addresses in the share: a /16, so that a long rehearsal does not run out.
const SIZE: u32 = 1 << 16;

/// Gives out addresses.
#[derive(Debug, Default)]
pub(crate) struct Ipam {
    used: BTreeSet<IpAddr>,
    pins: Vec<(PodSelector, IpAddr)>,
    last: u32,
}

impl Ipam {
    /// An address that nobody else will get, for a pod that is yet to come.
    pub(crate) fn reserve(&mut self) -> IpAddr {
        let address = self.next();
        self.used.insert(address);
        address
    }

    /// Keeps these addresses for the pods that they are meant for.
    pub(crate) fn pin(&mut self, pins: Vec<(PodSelector, IpAddr)>) {
        self.used.extend(pins.iter().map(|(_, address)| *address));
        self.pins = pins;
    }

    /// An address for a pod: the one that is kept for it if that is free. `taken` tells whether a kept address has a pod now.
    pub(crate) fn allocate(&mut self, pod: &Value, taken: impl Fn(IpAddr) -> bool) -> IpAddr {
        let kept = self.pins.iter().find(|(selector, address)| selector.matches(pod) && !taken(*address));
        match kept {
            Some((_, address)) => *address,
            None => self.reserve(),
        }
    }

    /// How many addresses are given or kept.
    pub(crate) fn given(&self) -> usize {
        self.used.len()
    }

    /// Takes an address back. One that is kept for a pod stays kept.
    pub(crate) fn release(&mut self, address: IpAddr) {
        if self.pins.iter().all(|(_, pinned)| *pinned != address) {
            self.used.remove(&address);
        }
    }

    /// The next free address, going round so that an address is not given again at once.
    fn next(&mut self) -> IpAddr {
        for _ in 0..SIZE {
            self.last = (self.last + 1) % SIZE;
            let address = IpAddr::from(Ipv4Addr::from(u32::from(NETWORK) + self.last));
            // 0 is the network, 1 the bridge, the last one the broadcast address.
            if self.last > 1 && self.last < SIZE - 1 && !self.used.contains(&address) {
                return address;
            }
        }
        // With 65,533 pods at once there are other worries.
        IpAddr::from(NETWORK)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_go_upward_and_pins_are_kept() {
        let mut ipam = Ipam::default();
        let pinned = ipam.reserve();
        assert_eq!(pinned.to_string(), "10.244.0.2");
        ipam.pin(vec![(PodSelector::parse("corp/app=squid").unwrap(), pinned)]);
        let squid = json!({"metadata": {"namespace": "corp", "labels": {"app": "squid"}}});
        let other = json!({"metadata": {"namespace": "corp"}});
        assert_eq!(ipam.allocate(&other, |_| false).to_string(), "10.244.0.3");
        assert_eq!(ipam.allocate(&squid, |_| false), pinned);
        assert_eq!(ipam.allocate(&squid, |address| address == pinned).to_string(), "10.244.0.4");
        ipam.release(pinned);
        ipam.release("10.244.0.3".parse().unwrap());
        assert_eq!(ipam.allocate(&other, |_| false).to_string(), "10.244.0.5");
        assert_eq!(ipam.allocate(&squid, |_| false), pinned);
    }
}
