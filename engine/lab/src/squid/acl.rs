//! Access lists: who may ask the proxy for what.
//!
//! Invariant: rules are tried in order, the first whose lists all match decides; without a match the opposite of the last
//! rule holds, and without rules nothing is allowed.

use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// What a request is, as far as access lists look at it.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) client: IpAddr,
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
}

/// One list: a request is on it if any value matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum List {
    Port(Vec<RangeInclusive<u16>>),
    Method(Vec<String>),
    Source(Vec<IpNet>),
    /// Literal addresses only; a name is not resolved for this.
    Destination(Vec<IpNet>),
    Domain(Vec<String>),
    /// Requests to the cache manager, which the lab does not serve.
    Manager,
}

impl List {
    fn matches(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Port(ranges) => ranges.iter().any(|range| range.contains(&asked.port)),
            Self::Method(methods) => methods.iter().any(|method| method == asked.method),
            Self::Source(ranges) => ranges.iter().any(|range| range.contains(&asked.client)),
            Self::Destination(ranges) => {
                asked.host.parse::<IpAddr>().is_ok_and(|ip| ranges.iter().any(|range| range.contains(&ip)))
            }
            Self::Domain(domains) => domains.iter().any(|domain| domain_matches(domain, asked.host)),
            Self::Manager => false,
        }
    }

    /// Adds further values of the same type; false if the types differ.
    pub(super) fn extend(&mut self, more: Self) -> bool {
        match (self, more) {
            (Self::Port(a), Self::Port(b)) => a.extend(b),
            (Self::Method(a), Self::Method(b)) | (Self::Domain(a), Self::Domain(b)) => a.extend(b),
            (Self::Source(a), Self::Source(b)) | (Self::Destination(a), Self::Destination(b)) => a.extend(b),
            _ => return false,
        }
        true
    }
}

/// `.example.org` is the domain and all below it; `example.org` is that name alone.
fn domain_matches(domain: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match domain.strip_prefix('.') {
        Some(base) => host == base || host.strip_suffix(base).is_some_and(|rest| rest.ends_with('.')),
        None => host == domain,
    }
}

/// One `http_access` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) allow: bool,
    /// Names of lists, each with whether it is negated.
    pub(super) lists: Vec<(bool, String)>,
}

/// All lists and rules.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) lists: BTreeMap<String, List>,
    pub(super) rules: Vec<Rule>,
}

impl Default for Access {
    fn default() -> Self {
        let range = |text: &str| text.parse::<IpNet>().expect("invariant: a literal range");
        let everything = vec![range("0.0.0.0/0"), range("::/0")];
        let own = vec![range("127.0.0.0/8"), range("::1/128")];
        let lists = [
            ("all", List::Source(everything)),
            ("localhost", List::Source(own.clone())),
            ("to_localhost", List::Destination(own)),
            ("manager", List::Manager),
        ];
        Self { lists: lists.map(|(name, list)| (name.to_owned(), list)).into(), rules: Vec::new() }
    }
}

impl Access {
    /// Whether the request is allowed.
    pub(super) fn allows(&self, asked: &Asked<'_>) -> bool {
        for rule in &self.rules {
            let holds = rule
                .lists
                .iter()
                .all(|(negated, name)| self.lists.get(name).is_some_and(|list| list.matches(asked)) != *negated);
            if holds {
                return rule.allow;
            }
        }
        self.rules.last().is_some_and(|last| !last.allow)
    }
}
