//! Which proxy a URL goes through: options first, then the environment.
//!
//! Invariant: `HTTP_PROXY` in capitals is never read, as curl refuses to.

use super::body::url_decode;
use super::error::{COULDNT_CONNECT, COULDNT_RESOLVE_PROXY, Failure};
use super::options::Config;
use super::release::Release;
use super::url::{Url, split_port};
use crate::process::Process;
use ipnet::IpNet;
use std::net::IpAddr;

/// A proxy that speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// User and password.
    pub(super) user: Option<String>,
    /// Whether the proxy itself is spoken to over TLS.
    pub(super) secure: bool,
}

impl Proxy {
    fn parse(text: &str, release: Release) -> Result<Self, Failure> {
        let bad = |why: &str| {
            let why = release.pick(String::new(), format!(": {why}"));
            Failure::new(COULDNT_RESOLVE_PROXY, format!("Unsupported proxy syntax in '{text}'{why}"))
        };
        let (secure, rest) = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" => (false, rest),
                "https" => (true, rest),
                "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => {
                    return Err(Failure::NotSimulated(format!("curl with a {scheme}:// proxy")));
                }
                _ => return Err(Failure::new(COULDNT_CONNECT, format!("Unsupported proxy scheme for '{text}'"))),
            },
            None => (false, text),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(url_decode(user)), address),
            None => (None, authority),
        };
        let (host, port) = split_port(address).ok_or_else(|| bad("Bad IPv6 address"))?;
        if host.is_empty() {
            return Err(bad("No host part in the URL"));
        }
        let bad_port = || bad("Port number was not a decimal number between 0 and 65535");
        // An IPv6 address without brackets: which colon is the port's cannot be known.
        if host.contains(':') && !address.starts_with('[') {
            return Err(bad_port());
        }
        let port = match port {
            None | Some("") if secure => 443,
            None | Some("") => 1080,
            Some(port) => port.parse().map_err(|_| bad_port())?,
        };
        Ok(Self { host: host.to_ascii_lowercase(), port, user, secure })
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
    if exceptions.is_some_and(|list| excepted(&list, &url.host)) {
        return Ok((None, notes));
    }
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
    let mut proxy = Proxy::parse(&text, Release::of(process.image.curl_version()))?;
    if let Some(user) = &config.proxy_user {
        proxy.user = Some(user.clone());
    }
    Ok((Some(proxy), notes))
}

/// Whether a host is in a list such as `localhost,.cluster.local,10.0.0.0/8`.
fn excepted(list: &str, host: &str) -> bool {
    if list == "*" {
        return true;
    }
    let address: Option<IpAddr> = host.parse().ok();
    list.split([',', ' ']).filter(|item| !item.is_empty()).any(|item| match address {
        Some(address) => {
            item.parse::<IpNet>().is_ok_and(|net| net.contains(&address))
                || item.parse().is_ok_and(|ip: IpAddr| ip == address)
        }
        None => {
            let item = item.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
            let host = host.trim_end_matches('.');
            host == item || host.strip_suffix(&item).is_some_and(|rest| rest.ends_with('.'))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Proxy, Release, excepted};

    #[test]
    fn proxies_come_with_and_without_a_scheme() {
        for text in ["10.0.0.1:3128", "http://10.0.0.1:3128", "http://10.0.0.1:3128/", "u:p@10.0.0.1:3128"] {
            let proxy = Proxy::parse(text, Release::V8).unwrap();
            assert_eq!((proxy.host.as_str(), proxy.port), ("10.0.0.1", 3128), "{text}");
        }
        assert_eq!(Proxy::parse("proxy", Release::V8).unwrap().port, 1080);
        assert!(Proxy::parse("http://:3128", Release::V8).is_err());
        assert!(Proxy::parse("socks5://a:1", Release::V8).is_err());
    }

    #[test]
    fn exceptions_are_names_suffixes_and_networks() {
        let cases = [
            ("*", "a", true),
            ("b,*", "a", false),
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
