//! Listeners and their filter chains, with the order in which a chain is chosen.
//!
//! Invariant: the choice is Envoy's: the most specific destination range, then the most specific server name, then what the first
//! bytes are; a step once taken is never taken back, even if nothing fits below it.

use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a chain asks of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChainMatch {
    /// Server names of TLS, `*.` for any name below; none means every connection.
    pub(crate) server_names: Vec<String>,
    /// Destinations; none means every address.
    pub(crate) ranges: Vec<IpNet>,
    /// Whether only HTTP without TLS is taken.
    pub(crate) plain_http: bool,
}

impl ChainMatch {
    /// Whether it takes every connection.
    pub(crate) fn is_any(&self) -> bool {
        (self.server_names.is_empty() || self.server_names.iter().any(|name| name == "*"))
            && self.ranges.is_empty()
            && !self.plain_http
    }

    /// What Envoy tells chains of one listener apart by: it refuses two for which this is the same.
    pub(crate) fn identity(&self) -> ChainIdentity {
        let mut names: Vec<String> = self.server_names.iter().filter(|name| *name != "*").cloned().collect();
        names.sort();
        let mut ranges: Vec<IpNet> = self.ranges.iter().map(IpNet::trunc).collect();
        ranges.sort();
        ChainIdentity { plain_http: self.plain_http, names, ranges }
    }
}

/// What tells a chain from the others of its listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChainIdentity {
    plain_http: bool,
    names: Vec<String>,
    ranges: Vec<IpNet>,
}

/// How a gateway ends TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerTls {
    /// With the identity of the mesh, which clients must have, too.
    Mesh,
    /// With a certificate from a secret.
    Secret {
        /// Certificate chain and key, as PEM; none if the secret is not there.
        identity: Option<super::Identity>,
        /// Whom clients' certificates must come from; none if they need none.
        clients: Option<String>,
    },
}

/// What a chain does with its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Relays bytes to one of these clusters, by weight.
    Tcp(Vec<(String, u32)>),
    /// Reads requests and looks into the route configuration of this name.
    Http(String),
}

/// A filter chain.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) name: String,
    pub(crate) matches: ChainMatch,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) filter: Filter,
    pub(crate) limits: Vec<String>,
}

/// What the first bytes of a connection showed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Whether it is a TLS handshake; known only to a listener that looks for one.
    pub(crate) tls: bool,
    pub(crate) server_name: Option<&'a str>,
    /// Whether it is HTTP/1.1 or HTTP/2 without TLS.
    pub(crate) plain_http: bool,
}

/// Chains by range, then by server name; an empty name is any connection.
type Index = BTreeMap<Option<IpNet>, BTreeMap<String, Vec<usize>>>;

/// A listener.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) name: String,
    chains: Vec<Chain>,
    default: Option<usize>,
    index: Index,
    inspects_tls: bool,
    inspects_http: bool,
}

impl Listener {
    /// A listener with these chains. The first chain that takes everything is the one for what no other takes.
    pub(crate) fn new(name: String, chains: Vec<Chain>) -> Self {
        let default = chains.iter().position(|chain| chain.matches.is_any());
        let mut index = Index::new();
        for (at, chain) in chains.iter().enumerate().filter(|(_, chain)| !chain.matches.is_any()) {
            let any = [None];
            let ranges: Vec<Option<IpNet>> = chain.matches.ranges.iter().map(|range| Some(range.trunc())).collect();
            for range in if ranges.is_empty() { any.as_slice() } else { &ranges } {
                let names = index.entry(*range).or_default();
                let any = [String::new()];
                let wanted = &chain.matches.server_names;
                for name in if wanted.is_empty() { any.as_slice() } else { wanted } {
                    let name = if name == "*" { "" } else { name };
                    names.entry(name.to_ascii_lowercase()).or_default().push(at);
                }
            }
        }
        let inspects_tls = chains.iter().any(|chain| !chain.matches.server_names.is_empty());
        let inspects_http = chains.iter().any(|chain| chain.matches.plain_http);
        Self { name, chains, default, index, inspects_tls, inspects_http }
    }

    /// All chains.
    pub(crate) fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// Whether it waits for a TLS handshake to see its server name.
    pub(crate) fn inspects_tls(&self) -> bool {
        self.inspects_tls
    }

    /// Whether it waits for the first bytes to see whether they are HTTP.
    pub(crate) fn inspects_http(&self) -> bool {
        self.inspects_http
    }

    /// The chain for a connection.
    pub(crate) fn choose(&self, destination: IpAddr, facts: &Facts<'_>) -> Option<&Chain> {
        let found = self.range(destination).and_then(|names| self.by_name(names, facts));
        found.or(self.default).and_then(|at| self.chains.get(at))
    }

    fn range(&self, destination: IpAddr) -> Option<&BTreeMap<String, Vec<usize>>> {
        let longest = if destination.is_ipv4() { 32 } else { 128 };
        let found = (0..=longest).rev().find_map(|bits| {
            let net = IpNet::new(destination, bits).ok()?.trunc();
            self.index.get(&Some(net))
        });
        found.or_else(|| self.index.get(&None))
    }

    fn by_name(&self, names: &BTreeMap<String, Vec<usize>>, facts: &Facts<'_>) -> Option<usize> {
        let wanted = facts.server_name.map(str::to_ascii_lowercase).unwrap_or_default();
        let of = |chains: &Vec<usize>| self.by_protocol(chains, facts);
        if !wanted.is_empty() {
            if let Some(chains) = names.get(&wanted) {
                return of(chains);
            }
            let mut rest = wanted.as_str();
            while let Some((_, below)) = rest.split_once('.') {
                if let Some(chains) = names.get(&format!("*.{below}")) {
                    return of(chains);
                }
                rest = below;
            }
        }
        names.get("").and_then(of)
    }

    fn by_protocol(&self, chains: &[usize], facts: &Facts<'_>) -> Option<usize> {
        let chain_is = |http: bool| chains.iter().copied().find(|at| self.chains[*at].matches.plain_http == http);
        // A chain for plain HTTP stands below the transport `raw_buffer`, from which there is no way back.
        match chain_is(true) {
            Some(http) if !facts.tls => facts.plain_http.then_some(http),
            _ => chain_is(false),
        }
    }
}
