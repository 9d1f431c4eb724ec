//! Route configurations: virtual hosts, routes, and what a route does.
//!
//! Invariant: routes of a virtual host are tried in order; a virtual host is found by its most specific domain.

use regex::Regex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How a text is compared.
#[derive(Clone, Debug)]
pub(crate) enum TextMatch {
    Exact(String),
    Prefix(String),
    /// The whole text must match.
    Regex(Regex),
    /// It must be there.
    Present,
}

impl TextMatch {
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == exact,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Regex(regex) => regex.is_match(text),
            Self::Present => true,
        }
    }
}

/// What a route asks of one header, query parameter or pseudo header (`:method`, `:authority`, `:scheme`).
#[derive(Clone, Debug)]
pub(crate) struct HeaderMatch {
    pub(crate) name: String,
    pub(crate) value: TextMatch,
    pub(crate) invert: bool,
}

/// What a route asks of the path.
#[derive(Clone, Debug)]
pub(crate) enum PathMatch {
    Prefix(String),
    Exact(String),
    Regex(Regex),
}

/// What a route asks of a request.
#[derive(Clone, Debug)]
pub(crate) struct RouteMatch {
    pub(crate) path: PathMatch,
    pub(crate) ignore_case: bool,
    pub(crate) headers: Vec<HeaderMatch>,
    pub(crate) query: Vec<HeaderMatch>,
    /// A condition that the lab does not understand: nothing can be said about requests that fulfil the others.
    pub(crate) limit: Option<String>,
}

impl RouteMatch {
    /// Takes every request.
    pub(crate) fn any() -> Self {
        Self {
            path: PathMatch::Prefix("/".to_owned()),
            ignore_case: false,
            headers: Vec::new(),
            query: Vec::new(),
            limit: None,
        }
    }

    /// Whether it takes every request, as the control plane judges it.
    pub(crate) fn is_any(&self) -> bool {
        let path = match &self.path {
            PathMatch::Prefix(prefix) => prefix == "/",
            PathMatch::Regex(regex) => regex.as_str() == "^(?:.*)$",
            PathMatch::Exact(_) => false,
        };
        path && self.headers.is_empty() && self.query.is_empty() && self.limit.is_none()
    }
}

/// Changes of a message's headers, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    /// Name, value, and whether the value joins those that are there.
    pub(crate) add: Vec<(String, String, bool)>,
    pub(crate) remove: Vec<String>,
}

impl Edits {
    /// Makes these changes, too, after its own.
    pub(crate) fn append(&mut self, more: Self) {
        self.add.extend(more.add);
        self.remove.extend(more.remove);
    }
}

/// One of the clusters that a route goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Weighted {
    pub(crate) cluster: String,
    pub(crate) weight: u32,
    pub(crate) request: Edits,
    pub(crate) response: Edits,
    pub(crate) authority: Option<String>,
}

/// When and how often a request is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) attempts: u32,
    /// Conditions by name, such as `connect-failure` or `5xx`.
    pub(crate) on: Vec<String>,
    pub(crate) codes: Vec<u16>,
    pub(crate) per_try: Option<Duration>,
    pub(crate) backoff: Duration,
}

/// Sends a request on.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub(crate) clusters: Vec<Weighted>,
    pub(crate) rewrite_prefix: Option<String>,
    pub(crate) rewrite_regex: Option<(Regex, String)>,
    pub(crate) authority: Option<String>,
    /// How long the whole answer may take; none means for ever.
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<Retry>,
}

/// Sends the client elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) code: u16,
    pub(crate) scheme: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<String>,
    pub(crate) prefix: Option<String>,
}

/// What a route does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Forward(Forward),
    Redirect(Redirect),
    /// Answers by itself.
    Direct {
        status: u16,
        body: String,
    },
}

/// Failures that a route makes on purpose; a share is in parts of a million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) delay: Option<(Duration, u32)>,
    pub(crate) abort: Option<(u16, u32)>,
}

/// A route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// As the access log shows it; often empty.
    pub(crate) name: String,
    pub(crate) matches: RouteMatch,
    pub(crate) action: Action,
    pub(crate) request: Edits,
    pub(crate) response: Edits,
    pub(crate) fault: Fault,
    pub(crate) limits: Vec<String>,
}

/// Routes for some host names.
#[derive(Clone, Debug)]
pub(crate) struct VirtualHost {
    pub(crate) name: String,
    pub(crate) domains: Vec<String>,
    pub(crate) routes: Vec<Arc<Route>>,
    /// Whether requests without TLS are sent to HTTPS.
    pub(crate) require_tls: bool,
}

/// The route configuration of one listener or chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteConfig {
    hosts: Vec<VirtualHost>,
    exact: BTreeMap<String, usize>,
    below: BTreeMap<String, usize>,
    any: Option<usize>,
}

impl RouteConfig {
    /// A configuration; the first virtual host that has a domain keeps it.
    pub(crate) fn new(hosts: Vec<VirtualHost>) -> Self {
        let mut config = Self::default();
        for (at, host) in hosts.iter().enumerate() {
            for domain in &host.domains {
                match domain.strip_prefix('*') {
                    Some("") => {
                        config.any.get_or_insert(at);
                    }
                    Some(suffix) => {
                        config.below.entry(suffix.to_ascii_lowercase()).or_insert(at);
                    }
                    None => {
                        config.exact.entry(domain.to_ascii_lowercase()).or_insert(at);
                    }
                }
            }
        }
        config.hosts = hosts;
        config
    }

    /// The virtual host for a host name without its port.
    pub(crate) fn find(&self, host: &str) -> Option<&VirtualHost> {
        let host = host.to_ascii_lowercase();
        let suffix = || {
            let starts = host.char_indices().skip(1).map(|(at, _)| at);
            starts.into_iter().find_map(|at| self.below.get(&host[at..]))
        };
        self.exact.get(&host).or_else(suffix).or(self.any.as_ref()).and_then(|at| self.hosts.get(*at))
    }
}
