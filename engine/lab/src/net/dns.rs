//! Names: the cluster's own zone, the hosts of the world, and nothing else.
//!
//! Invariant: a name that neither the cluster nor the world declares does not exist; no name server is ever asked.

use super::error::ResolveError;
use super::services::ServiceTable;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// The domain of the cluster's own names.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// The address of the cluster's name server, as it stands in every pod's `/etc/resolv.conf`.
pub const DNS_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// Names with fewer dots than this are tried in the search domains first, as a pod's `ndots:5` says.
const NDOTS: usize = 5;

/// How deep a chain of external names may be, as resolvers limit it.
const MAX_CHAIN: usize = 8;

/// What the name server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The full name that had the addresses, without a trailing dot.
    pub name: String,
    /// Its addresses, in a fixed order; never empty.
    pub addresses: Vec<IpAddr>,
}

/// All names that exist.
pub(super) struct Zone<'a> {
    pub(super) services: &'a ServiceTable,
    pub(super) hosts: &'a BTreeMap<String, IpAddr>,
}

enum Found {
    Addresses(Vec<IpAddr>),
    Alias(String),
    Empty,
    Nothing,
}

impl Zone<'_> {
    /// Looks a name up as the C library of a pod in `namespace` does: literal addresses, `localhost`, then the search list.
    pub(super) fn resolve(&self, namespace: &str, name: &str) -> Result<Answer, ResolveError> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(Answer { name: name.to_owned(), addresses: vec![address] });
        }
        let absolute = name.strip_suffix('.');
        let plain = absolute.unwrap_or(name).to_ascii_lowercase();
        if !is_host_name(&plain) {
            return Err(ResolveError::Invalid(name.to_owned()));
        }
        if plain == "localhost" {
            return Ok(Answer { name: plain, addresses: vec![Ipv4Addr::LOCALHOST.into()] });
        }
        let mut candidates = Vec::new();
        if absolute.is_none() {
            let search = [
                format!("{plain}.{namespace}.svc.{CLUSTER_DOMAIN}"),
                format!("{plain}.svc.{CLUSTER_DOMAIN}"),
                format!("{plain}.{CLUSTER_DOMAIN}"),
            ];
            candidates.extend(search);
        }
        if plain.matches('.').count() >= NDOTS {
            candidates.insert(0, plain);
        } else {
            candidates.push(plain);
        }
        let mut empty = false;
        for candidate in &candidates {
            match self.lookup(candidate) {
                Ok(answer) => return Ok(answer),
                Err(ResolveError::NoAddress(_)) => empty = true,
                Err(_) => {}
            }
        }
        Err(if empty { ResolveError::NoAddress(name.to_owned()) } else { ResolveError::NotFound(name.to_owned()) })
    }

    /// Looks up one full name, following external names.
    fn lookup(&self, name: &str) -> Result<Answer, ResolveError> {
        let mut current = name.to_owned();
        for _ in 0..MAX_CHAIN {
            match self.find(&current) {
                Found::Addresses(addresses) => return Ok(Answer { name: current, addresses }),
                Found::Alias(next) => current = next.trim_end_matches('.').to_ascii_lowercase(),
                Found::Empty => return Err(ResolveError::NoAddress(name.to_owned())),
                Found::Nothing => return Err(ResolveError::NotFound(name.to_owned())),
            }
        }
        Err(ResolveError::NotFound(name.to_owned()))
    }

    fn find(&self, name: &str) -> Found {
        let Some(inner) = name.strip_suffix(CLUSTER_DOMAIN).and_then(|n| n.strip_suffix('.')) else {
            return self.hosts.get(name).map_or(Found::Nothing, |address| Found::Addresses(vec![*address]));
        };
        let labels: Vec<&str> = inner.split('.').collect();
        match labels[..] {
            [service, namespace, "svc"] => self.services.by_name(namespace, service).map_or(Found::Nothing, |record| {
                if let Some(alias) = &record.external_name {
                    Found::Alias(alias.clone())
                } else if let Some(address) = record.cluster_ip {
                    Found::Addresses(vec![address])
                } else if record.endpoints.is_empty() {
                    Found::Empty
                } else {
                    Found::Addresses(record.endpoints.clone())
                }
            }),
            // A pod's name is its address with dashes; the server computes it and does not ask whether the pod exists.
            [dashed, _namespace, "pod"] => dashed
                .replace('-', ".")
                .parse::<Ipv4Addr>()
                .map_or(Found::Nothing, |address| Found::Addresses(vec![address.into()])),
            _ => Found::Nothing,
        }
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}
