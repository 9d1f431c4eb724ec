//! Which proxy a URL goes through: options first, then the environment.
//!
//! Invariant: `HTTP_PROXY` in capitals is never read, as curl refuses to.

use super::error::{COULDNT_RESOLVE_PROXY, Failure};
use super::options::Config;
use super::url::{Url, split_port};
use crate::process::Process;
use ipnet::IpNet;
use std::net::IpAddr;

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, Failure> {
        let bad = || Failure::new(COULDNT_RESOLVE_PROXY, format!("Unsupported proxy syntax in '{text}'"));
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => return Err(Failure::NotSimulated(format!("curl with a {scheme}:// proxy"))),
            None => text,
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user.to_owned()), address),
            None => (None, authority),
        };
        let (host, port) = split_port(address).ok_or_else(bad)?;
        // An IPv6 address without brackets: which colon is the port's cannot be known.
        if host.is_empty() || (host.contains(':') && !address.starts_with('[')) {
            return Err(bad());
        }
        let port = match port {
            None | Some("") => 1080,
            Some(port) => port.parse().map_err(|_| bad())?,
        };
        Ok(Self { host: host.to_ascii_lowercase(), port, user })
    }
}

/// The proxy for a URL, and what `-v` says about how it was found.
pub(super) fn choose(process: &Process, config: &Config, url: &Url) -> Result<(Option<Proxy>, Vec<String>), Failure> {
    let mut notes = Vec::new();
    let set = |name: &str| {
        process.var(name).filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value.to_owned()))
    };
    let exceptions = match &config.noproxy {
        Some(list) => Some(list.clone()),
        None => set("no_proxy").or_else(|| set("NO_PROXY")).map(|(name, value)| {
            notes.push(format!("Uses proxy env variable {name} == '{value}'"));
            value
        }),
    };
    let text = match &config.proxy {
        Some(proxy) => Some(proxy.clone()).filter(|proxy| !proxy.is_empty()),
        None => {
            let own = if url.https { set("https_proxy").or_else(|| set("HTTPS_PROXY")) } else { set("http_proxy") };
            own.or_else(|| set("all_proxy")).or_else(|| set("ALL_PROXY")).map(|(name, value)| {
                notes.push(format!("Uses proxy env variable {name} == '{value}'"));
                value
            })
        }
    };
    let Some(text) = text else { return Ok((None, notes)) };
    if exceptions.is_some_and(|list| excepted(&list, &url.host)) {
        return Ok((None, notes));
    }
    let mut proxy = Proxy::parse(&text)?;
    if let Some(user) = &config.proxy_user {
        proxy.user = Some(user.clone());
    }
    Ok((Some(proxy), notes))
}

/// Whether a host is in a list such as `localhost,.cluster.local,10.0.0.0/8`.
fn excepted(list: &str, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    list.split([',', ' ']).filter(|item| !item.is_empty()).any(|item| {
        if item == "*" {
            return true;
        }
        match address {
            Some(address) => {
                item.parse::<IpNet>().is_ok_and(|net| net.contains(&address))
                    || item.parse().is_ok_and(|ip: IpAddr| ip == address)
            }
            None => {
                let item = item.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
                let host = host.trim_end_matches('.');
                host == item || host.strip_suffix(&item).is_some_and(|rest| rest.ends_with('.'))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Proxy, excepted};

    #[test]
    fn proxies_come_with_and_without_a_scheme() {
        for text in ["10.0.0.1:3128", "http://10.0.0.1:3128", "http://10.0.0.1:3128/", "u:p@10.0.0.1:3128"] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!((proxy.host.as_str(), proxy.port), ("10.0.0.1", 3128), "{text}");
        }
        assert_eq!(Proxy::parse("proxy").unwrap().port, 1080);
        assert!(Proxy::parse("http://:3128").is_err());
        assert!(Proxy::parse("socks5://a:1").is_err());
    }

    #[test]
    fn exceptions_are_names_suffixes_and_networks() {
        let cases = [
            ("*", "a", true),
            ("example.com", "example.com", true),
            ("example.com", "www.example.com", true),
            (".example.com", "www.example.com", true),
            ("example.com", "badexample.com", false),
            ("10.0.0.0/8, 192.168.0.1", "10.1.2.3", true),
            ("10.0.0.0/8,192.168.0.1", "192.168.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
        ];
        for (list, host, expected) in cases {
            assert_eq!(excepted(list, host), expected, "{list} {host}");
        }
    }
}
