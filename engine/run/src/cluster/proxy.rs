//! Which HTTP proxy a request to the API server goes through, decided exactly as Go's clients decide it.
//!
//! kubectl is written in Go, and an environment that works for kubectl must work here. The rules are those of
//! `golang.org/x/net/http/httpproxy`: upper case before lower case, loopback always spared, `NO_PROXY` with addresses,
//! CIDR ranges, suffixes and ports. Pure: the environment comes in as a value.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

/// What the environment says about proxies. The default is an environment that says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyEnv {
    /// `HTTPS_PROXY`, else `https_proxy`; empty where neither is set.
    pub https: String,
    /// `HTTP_PROXY`, else `http_proxy`; empty where neither is set.
    pub http: String,
    /// `NO_PROXY`, else `no_proxy`; empty where neither is set.
    pub no_proxy: String,
}

impl ProxyEnv {
    /// Takes the variables from `var`, which answers `None` for one that is not set. A variable that is set but empty
    /// counts as not set.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let any = |upper: &str, lower: &str| {
            [upper, lower].into_iter().filter_map(&var).find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self {
            https: any("HTTPS_PROXY", "https_proxy"),
            http: any("HTTP_PROXY", "http_proxy"),
            no_proxy: any("NO_PROXY", "no_proxy"),
        }
    }
}

/// The proxy for requests to `target`, or `None` where they go straight.
///
/// A proxy address that cannot be parsed is as good as none, as in Go.
#[must_use]
pub fn proxy_for(target: &Uri, env: &ProxyEnv) -> Option<Uri> {
    let (configured, default_port) = match target.scheme_str() {
        Some("https") => (&env.https, 443),
        Some("http") => (&env.http, 80),
        _ => return None,
    };
    let proxy = parse_proxy(configured)?;
    let host = target.host()?.trim_matches(['[', ']']).trim().to_ascii_lowercase();
    let port = target.port_u16().unwrap_or(default_port);
    (!spared(&host, port, &env.no_proxy)).then_some(proxy)
}

/// Reads a proxy's address. One without a scheme, such as `proxy.example:3128`, is an HTTP proxy.
#[must_use]
pub(super) fn parse_proxy(text: &str) -> Option<Uri> {
    if text.is_empty() {
        return None;
    }
    let complete = |text: &str| text.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some() && uri.host().is_some());
    complete(text).or_else(|| complete(&format!("http://{text}")))
}

/// Whether a host is reached without the proxy.
fn spared(host: &str, port: u16, no_proxy: &str) -> bool {
    if host == "localhost" {
        return true;
    }
    let ip: Option<IpAddr> = host.parse().ok();
    if ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| entry_matches(&entry, host, ip, port))
}

fn entry_matches(entry: &str, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    // A range is compared with addresses that stand in the URL; names are not looked up.
    if let Ok(range) = entry.parse::<IpNet>() {
        return ip.is_some_and(|ip| range.contains(&ip));
    }
    let (name, wanted_port) = split_port(entry);
    if name.is_empty() || wanted_port.is_some_and(|wanted| wanted != port.to_string()) {
        return false;
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        return ip == Some(address);
    }
    // `example.com` stands for itself and what is below it; `.example.com` and `*.example.com` only for the latter.
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(name),
        None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// Splits `host:port`, `[v6]:port`, a bare host or a bare address.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':').filter(|port| !port.is_empty()));
    }
    match entry.rsplit_once(':') {
        // More than one colon is an address of version 6 without a port.
        Some((host, port)) if !host.contains(':') => (host, Some(port).filter(|port| !port.is_empty())),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(https: &str, no_proxy: &str) -> ProxyEnv {
        ProxyEnv { https: https.to_owned(), http: String::new(), no_proxy: no_proxy.to_owned() }
    }

    fn chosen(target: &str, env: &ProxyEnv) -> Option<String> {
        proxy_for(&target.parse().unwrap(), env).map(|uri| uri.to_string())
    }

    #[test]
    fn upper_case_wins_and_empty_counts_as_unset() {
        let vars = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://upper:1".to_owned()),
            "https_proxy" => Some("http://lower:1".to_owned()),
            "NO_PROXY" => Some(String::new()),
            "no_proxy" => Some("x".to_owned()),
            _ => None,
        };
        let expected = ProxyEnv { https: "http://upper:1".into(), http: String::new(), no_proxy: "x".into() };
        assert_eq!(ProxyEnv::from_vars(vars), expected);
    }

    #[test]
    fn the_proxy_follows_the_scheme_of_the_server() {
        let both = ProxyEnv { https: "http://s:1".into(), http: "http://p:2".into(), no_proxy: String::new() };
        assert_eq!(chosen("https://api.example", &both).unwrap(), "http://s:1/");
        assert_eq!(chosen("http://api.example", &both).unwrap(), "http://p:2/");
        assert_eq!(chosen("https://api.example", &ProxyEnv { http: "http://p:2".into(), ..ProxyEnv::default() }), None);
    }

    #[test]
    fn proxy_addresses_are_read_with_and_without_scheme() {
        for (text, expected) in [
            ("http://p:3128", Some("http://p:3128/")),
            ("p:3128", Some("http://p:3128/")),
            ("p", Some("http://p/")),
            ("10.0.0.1:3128", Some("http://10.0.0.1:3128/")),
            ("user:word@p:3128", Some("http://user:word@p:3128/")),
            ("https://p", Some("https://p/")),
            ("socks5://p:1080", Some("socks5://p:1080/")),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(parse_proxy(text).map(|uri| uri.to_string()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn loopback_is_always_spared() {
        let all = env("http://p:3128", "");
        for server in ["https://localhost:6443", "https://127.0.0.1", "https://127.8.8.8:1", "https://[::1]:6443"] {
            assert_eq!(chosen(server, &all), None, "{server}");
        }
        assert!(chosen("https://localhost.example", &all).is_some());
    }

    #[test]
    fn no_proxy_spares_what_it_names() {
        // Server, NO_PROXY, whether the proxy is used. The cases follow the documentation of httpproxy.
        for (server, no_proxy, used) in [
            ("https://api.example.com", "", true),
            ("https://api.example.com", "*", false),
            ("https://api.example.com", "x, * ,y", false),
            ("https://api.example.com", "example.com", false),
            ("https://example.com", "example.com", false),
            ("https://badexample.com", "example.com", true),
            ("https://api.example.com", ".example.com", false),
            ("https://example.com", ".example.com", true),
            ("https://api.example.com", "*.example.com", false),
            ("https://example.com", "*.example.com", true),
            ("https://API.Example.Com", "api.EXAMPLE.com", false),
            ("https://api.example.com:6443", "example.com:6443", false),
            ("https://api.example.com:6443", "example.com:443", true),
            ("https://api.example.com", "example.com:443", false),
            ("https://api.example.com", "a,,example.com,", false),
            ("https://api.example.com", ",:443,", true),
            ("https://10.1.2.3:6443", "10.0.0.0/8", false),
            ("https://11.1.2.3:6443", "10.0.0.0/8", true),
            ("https://10.1.2.3:6443", "10.1.2.3", false),
            ("https://10.1.2.3:6443", "10.1.2.3:6443", false),
            ("https://10.1.2.3:6443", "10.1.2.3:443", true),
            ("https://10.1.2.3:6443", "10.1.2", true),
            ("https://[fd00::1]:6443", "fd00::/8", false),
            ("https://[fd00::1]:6443", "fd00::1", false),
            ("https://[fd00::1]:6443", "[fd00::1]:6443", false),
            ("https://[fd00::1]:6443", "[fd00::1]:1", true),
            ("https://api.example.com", "10.0.0.0/8", true),
            ("https://api.example.com", "10.0.0.0/99", true),
        ] {
            assert_eq!(chosen(server, &env("http://p:3128", no_proxy)).is_some(), used, "{server} {no_proxy:?}");
        }
    }
}
