//! `squid.conf`, as far as a forward proxy without cache needs it.
//!
//! Invariant: a line is either honoured, known to change nothing here, or the reason why the program does not start.

use super::acl::{Access, List, Rule};
use super::auth::Basic;
use super::reply::Version;
use crate::programs::posix_regex::{self, Syntax};
use ipnet::{IpNet, Ipv4Subnets};
use regex::bytes::Regex;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

/// Where Squid looks for its configuration.
pub(super) const DEFAULT_PATH: &str = "/etc/squid/squid.conf";

/// Where the native access log goes.
const DEFAULT_LOG: &str = "/var/log/squid/access.log";

/// What the configuration says.
#[derive(Clone, Debug)]
pub(super) struct Conf {
    /// Ports to listen on.
    pub(super) ports: Vec<u16>,
    pub(super) access: Access,
    /// How clients say who they are.
    pub(super) basic: Basic,
    /// Whether the log and error pages leave out what follows a `?`. Default: yes.
    pub(super) strip_query: bool,
    /// The access log; none if it is switched off.
    pub(super) access_log: Option<String>,
    /// The name that the proxy gives itself.
    pub(super) hostname: String,
    /// Whether nothing is cached.
    pub(super) cache_off: bool,
    /// Whether the proxy names itself in `Via`. Default: yes.
    pub(super) via: bool,
    /// What the server is told of the client.
    pub(super) forwarded_for: ForwardedFor,
    /// Whether the proxy keeps its version to itself. Default: no.
    pub(super) hides_version: bool,
}

/// What becomes of `X-Forwarded-For` (`forwarded_for`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ForwardedFor {
    /// The client's address is added.
    #[default]
    On,
    /// `unknown` is added.
    Off,
    /// It is passed on as it came.
    Transparent,
    /// The client's address takes the place of all others.
    Truncate,
    /// It is taken out.
    Delete,
}

/// Why the program does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConfError {
    /// A directive or value that the lab does not simulate.
    #[error("squid.conf line {line}: {text}")]
    NotSimulated {
        /// Counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A list of users, although nobody can say who they are.
    #[error("ERROR: Invalid ACL: {text}")]
    NoAuthentication {
        /// The line.
        text: String,
    },
    /// What a real Squid refuses.
    #[error("Bungled {path} line {line}: {text}")]
    Bungled {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
}

/// Directives that change nothing for a client or a log line of this lab.
const HARMLESS: &[&str] = &[
    "buffered_logs",
    "cache_dir",
    "cache_effective_group",
    "cache_effective_user",
    "cache_log",
    "cache_mem",
    "cache_mgr",
    "cache_store_log",
    "coredump_dir",
    "debug_options",
    "dns_v4_first",
    "ftp_user",
    "half_closed_clients",
    "icp_access",
    "icp_port",
    "logfile_rotate",
    "max_filedescriptors",
    "maximum_object_size",
    "maximum_object_size_in_memory",
    "memory_pools",
    "minimum_object_size",
    "netdb_filename",
    "pid_filename",
    "refresh_pattern",
    "shutdown_lifetime",
    "snmp_port",
    "workers",
];

impl Conf {
    /// Reads a configuration; `path` is for messages, and `files` gives the text of another file that it names, if there is one.
    pub(super) fn parse(
        text: &str,
        path: &str,
        version: Version,
        files: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfError> {
        let mut conf = Self {
            ports: Vec::new(),
            access: Access::default(),
            basic: Basic::default(),
            strip_query: true,
            access_log: Some(DEFAULT_LOG.to_owned()),
            hostname: "localhost".to_owned(),
            cache_off: false,
            via: true,
            forwarded_for: ForwardedFor::default(),
            hides_version: false,
        };
        if version == Version::V5 {
            // Known without a line of its own since then.
            conf.access.lists.insert("CONNECT".to_owned(), List::Method(vec!["CONNECT".to_owned()]));
        }
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A comment may follow a value, after white space.
            let content = line.find(" #").map_or(line, |at| &line[..at]);
            let words: Vec<&str> = content.split_whitespace().collect();
            let place = Place { path, line: index + 1, text: line, files };
            conf.directive(words[0], &words[1..], &place)?;
        }
        if conf.ports.is_empty() {
            conf.ports.push(3128);
        }
        Ok(conf)
    }

    fn directive(&mut self, name: &str, args: &[&str], place: &Place<'_>) -> Result<(), ConfError> {
        match (name, args) {
            ("http_port", [port]) => {
                let number = port.rsplit(':').next().and_then(|number| number.parse().ok());
                // A port bound to one address would be closed on the pod's other addresses.
                let number = number.filter(|_| !port.contains(':')).ok_or_else(|| place.not_simulated())?;
                self.ports.push(number);
            }
            ("acl", [list, kind, values @ ..]) => self.list(list, kind, values, place)?,
            ("auth_param", ["basic", "program", program, file]) if program.ends_with("/basic_ncsa_auth") => {
                self.basic.passwords = Some((*file).to_owned());
            }
            ("auth_param", ["basic", "realm", ..]) => {
                let (_, realm) = place.text.split_once("realm").unwrap_or_default();
                realm.trim().clone_into(&mut self.basic.realm);
            }
            ("auth_param", ["basic", "children" | "credentialsttl" | "utf8", ..]) => {}
            ("strip_query_terms", [switch @ ("on" | "off")]) => self.strip_query = *switch == "on",
            ("http_access", [action @ ("allow" | "deny"), lists @ ..]) => {
                let lists: Vec<(bool, String)> = lists
                    .iter()
                    .map(|list| match list.strip_prefix('!') {
                        Some(list) => (true, list.to_owned()),
                        None => (false, (*list).to_owned()),
                    })
                    .collect();
                if lists.is_empty() || lists.iter().any(|(_, list)| !self.access.lists.contains_key(list)) {
                    return Err(place.bungled());
                }
                self.access.rules.push(Rule { allow: *action == "allow", lists });
            }
            ("access_log", ["none", ..]) => self.access_log = None,
            ("access_log", [target] | [target, "squid"]) => {
                let path = target.strip_prefix("stdio:").or_else(|| target.strip_prefix("daemon:")).unwrap_or(target);
                if !path.starts_with('/') {
                    return Err(place.not_simulated());
                }
                self.access_log = Some(path.to_owned());
            }
            ("via", [switch @ ("on" | "off")]) => self.via = *switch == "on",
            ("httpd_suppress_version_string", [switch @ ("on" | "off")]) => self.hides_version = *switch == "on",
            ("forwarded_for", [what]) => {
                self.forwarded_for = match *what {
                    "on" => ForwardedFor::On,
                    "off" => ForwardedFor::Off,
                    "transparent" => ForwardedFor::Transparent,
                    "truncate" => ForwardedFor::Truncate,
                    "delete" => ForwardedFor::Delete,
                    _ => return Err(place.not_simulated()),
                }
            }
            ("visible_hostname", [name]) => (*name).clone_into(&mut self.hostname),
            ("cache", ["deny", "all"]) => self.cache_off = true,
            _ if HARMLESS.contains(&name) => {}
            _ => return Err(place.not_simulated()),
        }
        Ok(())
    }

    fn list(&mut self, name: &str, kind: &str, values: &[&str], place: &Place<'_>) -> Result<(), ConfError> {
        let values = place.values(values)?;
        let ranges = || -> Result<Vec<IpNet>, ConfError> {
            let mut nets = Vec::new();
            for value in &values {
                nets.extend(range(value).ok_or_else(|| place.not_simulated())?);
            }
            Ok(nets)
        };
        // An option changes how the values after it are compared; only expressions know one here.
        if !kind.ends_with("_regex") && values.iter().any(|value| value.starts_with('-')) {
            return Err(place.not_simulated());
        }
        let list = match kind {
            "port" => {
                let ports: Option<Vec<_>> = values.iter().map(|value| ports(value)).collect();
                List::Port(ports.ok_or_else(|| place.bungled())?)
            }
            "method" => List::Method(values),
            "src" => List::Source(ranges()?),
            "dst" => List::Destination(ranges()?),
            "dstdomain" => List::Domain(values.into_iter().map(|word| word.to_ascii_lowercase()).collect()),
            "dstdom_regex" => List::DomainExpression(place.expressions(&values)?),
            "url_regex" => List::Url(place.expressions(&values)?),
            "urlpath_regex" => List::UrlPath(place.expressions(&values)?),
            "proxy_auth" if self.basic.passwords.is_none() => {
                return Err(ConfError::NoAuthentication { text: place.text.to_owned() });
            }
            "proxy_auth" => List::User(values),
            _ => return Err(place.not_simulated()),
        };
        match self.access.lists.get_mut(name) {
            Some(known) => known.extend(list).then_some(()).ok_or_else(|| place.bungled()),
            None => {
                self.access.lists.insert(name.to_owned(), list);
                Ok(())
            }
        }
    }
}

/// A line, for messages.
struct Place<'a> {
    path: &'a str,
    line: usize,
    text: &'a str,
    files: &'a dyn Fn(&str) -> Option<String>,
}

impl Place<'_> {
    /// The values of a list; one in quotes is a file with a value on each line. A file that is not there holds none, as for a real
    /// Squid, which goes on with a warning.
    fn values(&self, words: &[&str]) -> Result<Vec<String>, ConfError> {
        let mut values = Vec::new();
        for word in words {
            match word.strip_prefix('"').map(|rest| rest.strip_suffix('"')) {
                None => values.push((*word).to_owned()),
                Some(None) => return Err(self.not_simulated()),
                Some(Some(path)) => {
                    let text = (self.files)(path).unwrap_or_default();
                    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(line).trim());
                    values.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
                }
            }
        }
        Ok(values)
    }

    /// Extended expressions; `-i` and `+i` say of those behind whether case matters.
    fn expressions(&self, values: &[String]) -> Result<Vec<Regex>, ConfError> {
        let mut syntax = Syntax { extended: true, ignore_case: false };
        let mut expressions = Vec::new();
        for value in values {
            match value.as_str() {
                "-i" => syntax.ignore_case = true,
                "+i" => syntax.ignore_case = false,
                pattern => {
                    expressions.push(posix_regex::compile(pattern, syntax).map_err(|_| self.not_simulated())?);
                }
            }
        }
        Ok(expressions)
    }

    fn not_simulated(&self) -> ConfError {
        ConfError::NotSimulated { line: self.line, text: self.text.to_owned() }
    }

    fn bungled(&self) -> ConfError {
        ConfError::Bungled { path: self.path.to_owned(), line: self.line, text: self.text.to_owned() }
    }
}

/// The networks of an address, a network or a range such as `10.0.0.1-10.0.0.9`.
fn range(value: &str) -> Option<Vec<IpNet>> {
    if value == "all" {
        return Some(vec!["0.0.0.0/0".parse().ok()?]);
    }
    if let Some((first, last)) = value.split_once('-') {
        let (first, last): (Ipv4Addr, Ipv4Addr) = (first.parse().ok()?, last.parse().ok()?);
        return (first <= last).then(|| Ipv4Subnets::new(first, last, 0).map(IpNet::from).collect());
    }
    let net = value.parse::<IpNet>().ok().map(|net| net.trunc());
    net.or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from)).map(|net| vec![net])
}

fn ports(value: &str) -> Option<RangeInclusive<u16>> {
    match value.split_once('-') {
        Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
        None => value.parse().ok().map(|port| port..=port),
    }
}
