//! `squid.conf`, as far as a forward proxy without cache needs it.
//!
//! Invariant: a line is either honoured, known to change nothing here, or the reason why the program does not start.

use super::acl::{Access, List, Rule};
use ipnet::IpNet;
use std::net::IpAddr;
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
    /// The access log; none if it is switched off.
    pub(super) access_log: Option<String>,
    /// The name that the proxy gives itself.
    pub(super) hostname: String,
    /// Whether nothing is cached.
    pub(super) cache_off: bool,
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
    "cache_effective_group",
    "cache_effective_user",
    "cache_log",
    "cache_mem",
    "coredump_dir",
    "max_filedescriptors",
    "maximum_object_size",
    "pid_filename",
    "refresh_pattern",
    "shutdown_lifetime",
];

impl Conf {
    /// Reads a configuration; `path` is for messages.
    pub(super) fn parse(text: &str, path: &str) -> Result<Self, ConfError> {
        let mut conf = Self {
            ports: Vec::new(),
            access: Access::default(),
            access_log: Some(DEFAULT_LOG.to_owned()),
            hostname: "localhost".to_owned(),
            cache_off: false,
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A comment may follow a value, after white space.
            let content = line.find(" #").map_or(line, |at| &line[..at]);
            let words: Vec<&str> = content.split_whitespace().collect();
            let place = Place { path, line: index + 1, text: line };
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
            ("visible_hostname", [name]) => (*name).clone_into(&mut self.hostname),
            ("cache", ["deny", "all"]) => self.cache_off = true,
            _ if HARMLESS.contains(&name) => {}
            _ => return Err(place.not_simulated()),
        }
        Ok(())
    }

    fn list(&mut self, name: &str, kind: &str, values: &[&str], place: &Place<'_>) -> Result<(), ConfError> {
        let ranges = || -> Result<Vec<IpNet>, ConfError> {
            values.iter().map(|value| range(value).ok_or_else(|| place.not_simulated())).collect()
        };
        let words = || values.iter().map(|&value| value.to_owned()).collect::<Vec<String>>();
        // A value in quotes names a file, and an option changes how values are compared.
        if values.iter().any(|value| value.starts_with(['"', '-'])) {
            return Err(place.not_simulated());
        }
        let list = match kind {
            "port" => {
                let ports: Option<Vec<_>> = values.iter().map(|value| ports(value)).collect();
                List::Port(ports.ok_or_else(|| place.bungled())?)
            }
            "method" => List::Method(words()),
            "src" => List::Source(ranges()?),
            "dst" => return Err(place.not_simulated()),
            "dstdomain" => List::Domain(words().into_iter().map(|word| word.to_ascii_lowercase()).collect()),
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
}

impl Place<'_> {
    fn not_simulated(&self) -> ConfError {
        ConfError::NotSimulated { line: self.line, text: self.text.to_owned() }
    }

    fn bungled(&self) -> ConfError {
        ConfError::Bungled { path: self.path.to_owned(), line: self.line, text: self.text.to_owned() }
    }
}

fn range(value: &str) -> Option<IpNet> {
    if value == "all" {
        return "0.0.0.0/0".parse().ok();
    }
    value.parse::<IpNet>().ok().map(|net| net.trunc()).or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from))
}

fn ports(value: &str) -> Option<RangeInclusive<u16>> {
    match value.split_once('-') {
        Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
        None => value.parse().ok().map(|port| port..=port),
    }
}
