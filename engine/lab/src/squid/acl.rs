//! Access lists: who may ask the proxy for what.
//!
//! Invariant: rules are tried in order, the first whose lists all match decides; without a match the opposite of the last
//! rule holds, and without rules nothing is allowed. A list of users that is reached without good credentials ends the search.

use super::auth::Credentials;
use ipnet::IpNet;
use regex::bytes::Regex;
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
    /// The whole address that was asked for, as Squid writes it.
    pub(super) url: &'a str,
    /// The addresses of the host; needed only if a list looks at them, see [`Access::looks_at_addresses`].
    pub(super) addresses: &'a [IpAddr],
    /// Who asks.
    pub(super) credentials: &'a Credentials,
}

/// What the rules say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) answer: Answer,
    /// The name that the client gave, if a rule asked for one: it stands in the log, good or not.
    pub(super) user: Option<String>,
}

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allowed,
    Denied,
    /// The client has to say who it is.
    Unauthenticated,
}

/// One list: a request is on it if any value matches.
#[derive(Clone, Debug)]
pub(super) enum List {
    Port(Vec<RangeInclusive<u16>>),
    Method(Vec<String>),
    Source(Vec<IpNet>),
    Destination(Vec<IpNet>),
    Domain(Vec<String>),
    DomainExpression(Vec<Regex>),
    Url(Vec<Regex>),
    /// What follows the host in the address.
    UrlPath(Vec<Regex>),
    /// Names; `REQUIRED` is anybody who is known.
    User(Vec<String>),
    /// Requests to the cache manager.
    Manager,
}

/// How one list of a rule came out.
enum Match {
    Yes,
    No,
    Unauthenticated,
}

impl From<bool> for Match {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

impl List {
    fn matches(&self, asked: &Asked<'_>) -> Match {
        let any = |expressions: &[Regex], text: &str| expressions.iter().any(|one| one.is_match(text.as_bytes()));
        match self {
            Self::Port(ranges) => ranges.iter().any(|range| range.contains(&asked.port)).into(),
            Self::Method(methods) => methods.iter().any(|method| method == asked.method).into(),
            Self::Source(ranges) => ranges.iter().any(|range| range.contains(&asked.client)).into(),
            Self::Destination(ranges) => {
                asked.addresses.iter().any(|ip| ranges.iter().any(|range| range.contains(ip))).into()
            }
            Self::Domain(domains) => domains.iter().any(|domain| domain_matches(domain, asked.host)).into(),
            Self::DomainExpression(expressions) => any(expressions, asked.host).into(),
            Self::Url(expressions) => any(expressions, asked.url).into(),
            Self::UrlPath(expressions) => any(expressions, path_of(asked.url)).into(),
            Self::User(names) => match asked.credentials {
                Credentials::Good { user } => names.iter().any(|name| name == "REQUIRED" || name == user).into(),
                Credentials::None | Credentials::Bad { .. } => Match::Unauthenticated,
            },
            Self::Manager => is_manager(asked.url).into(),
        }
    }

    /// Adds further values of the same type; false if the types differ.
    pub(super) fn extend(&mut self, more: Self) -> bool {
        match (self, more) {
            (Self::Port(a), Self::Port(b)) => a.extend(b),
            (Self::Method(a), Self::Method(b))
            | (Self::Domain(a), Self::Domain(b))
            | (Self::User(a), Self::User(b)) => {
                a.extend(b);
            }
            (Self::DomainExpression(a), Self::DomainExpression(b))
            | (Self::Url(a), Self::Url(b))
            | (Self::UrlPath(a), Self::UrlPath(b)) => a.extend(b),
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

/// Whether a URL is one of the cache manager's.
pub(super) fn is_manager(url: &str) -> bool {
    url.starts_with("cache_object://") || path_of(url).starts_with("/squid-internal-mgr/")
}

/// The part of an address that begins with the path; all of it if there is none.
fn path_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or(url, |at| &url[after_scheme + at..])
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
    /// Whether a request is allowed.
    pub(super) fn decide(&self, asked: &Asked<'_>) -> Decision {
        let mut user = None;
        for rule in &self.rules {
            match self.holds(rule, asked, &mut user) {
                Match::Yes => {
                    let answer = if rule.allow { Answer::Allowed } else { Answer::Denied };
                    return Decision { answer, user };
                }
                Match::No => {}
                Match::Unauthenticated => return Decision { answer: Answer::Unauthenticated, user },
            }
        }
        let allowed = self.rules.last().is_some_and(|last| !last.allow);
        Decision { answer: if allowed { Answer::Allowed } else { Answer::Denied }, user }
    }

    fn holds(&self, rule: &Rule, asked: &Asked<'_>, user: &mut Option<String>) -> Match {
        for (negated, name) in &rule.lists {
            let Some(list) = self.lists.get(name) else { return Match::No };
            if matches!(list, List::User(_)) {
                *user = asked.credentials.user().map(str::to_owned);
            }
            match (list.matches(asked), negated) {
                (Match::Yes, false) | (Match::No, true) => {}
                (Match::Yes, true) | (Match::No, false) => return Match::No,
                (Match::Unauthenticated, _) => return Match::Unauthenticated,
            }
        }
        Match::Yes
    }

    /// Whether a list that a rule names looks at the addresses of the host.
    pub(super) fn looks_at_addresses(&self) -> bool {
        self.rules
            .iter()
            .flat_map(|rule| &rule.lists)
            .any(|(_, name)| matches!(self.lists.get(name), Some(List::Destination(_))))
    }
}
