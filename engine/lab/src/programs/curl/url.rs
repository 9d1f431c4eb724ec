//! URLs as curl reads them: a missing scheme is guessed, the path is left as it is written.
//!
//! Invariant: what curl rejects is rejected with code 3; schemes the lab does not speak are not simulated.

use super::body::url_decode;
use super::error::{Failure, UNSUPPORTED_PROTOCOL, URL_MALFORMAT};
use std::fmt;

/// Schemes that a curl of these images speaks and the lab does not.
const OTHER_SCHEMES: [&str; 18] = [
    "dict", "file", "ftp", "ftps", "gopher", "gophers", "imap", "imaps", "ldap", "ldaps", "mqtt", "pop3", "rtsp",
    "smtp", "telnet", "tftp", "ws", "wss",
];

/// A parsed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) https: bool,
    /// User and password.
    pub(super) user: Option<String>,
    /// Name or address, lower-case, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query, at least `/`.
    pub(super) path: String,
}

impl Url {
    /// Reads a URL that may lack its scheme.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        Self::parse_as(text, "http", false)
    }

    /// Reads a URL; one without a scheme has `default`. `as_is` keeps `.` and `..` in the path.
    pub(super) fn parse_as(text: &str, default: &str, as_is: bool) -> Result<Self, Failure> {
        let rejected = |why: &str| Failure::new(URL_MALFORMAT, format!("URL rejected: {why}"));
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(rejected("Malformed input to a URL function"));
        }
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (scheme, rest) = match text.split_once("://") {
            // Up to three slashes are taken for two.
            Some((scheme, rest)) if is_scheme(scheme) => {
                (scheme.to_ascii_lowercase(), rest.strip_prefix('/').unwrap_or(rest))
            }
            Some(("", _)) => return Err(rejected("Port number was not a decimal number between 0 and 65535")),
            _ => (default.to_owned(), text),
        };
        let https = match scheme.as_str() {
            "http" => false,
            "https" => true,
            other if OTHER_SCHEMES.contains(&other) => {
                return Err(Failure::NotSimulated(format!("curl with {other}://")));
            }
            other => {
                return Err(Failure::new(UNSUPPORTED_PROTOCOL, format!("Protocol \"{other}\" not supported")));
            }
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(url_decode(user)), address),
            None => (None, authority),
        };
        let (host, port) = split_port(address).ok_or_else(|| rejected("Bad IPv6 address"))?;
        if host.is_empty() {
            return Err(rejected("No host part in the URL"));
        }
        let port = match port {
            None | Some("") => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(port) => {
                port.parse().map_err(|_| rejected("Port number was not a decimal number between 0 and 65535"))?
            }
        };
        let path = escaped(&if path.starts_with('/') { path.to_owned() } else { format!("/{path}") });
        let path = if as_is { path } else { without_dots(&path) };
        Ok(Self { https, user, host: host.to_ascii_lowercase(), port, path })
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    fn is_default_port(&self) -> bool {
        self.port == if self.https { 443 } else { 80 }
    }

    /// The host as it stands in a URL: an IPv6 address in brackets.
    pub(super) fn host_in_url(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// The value of a `Host` header: the port only when it is not the scheme's own.
    pub(super) fn host_header(&self) -> String {
        if self.is_default_port() { self.host_in_url() } else { self.authority() }
    }

    /// Host and port, always both: what CONNECT names.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host_in_url(), self.port)
    }

    /// The URL that a `Location` header leads to.
    pub(super) fn join(&self, location: &str) -> Result<Self, Failure> {
        let location = location.trim();
        if location.contains("://") {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let without_query = self.path.split('?').next().unwrap_or("/");
            if location.starts_with('?') {
                format!("{without_query}{location}")
            } else {
                let dir = without_query.rfind('/').map_or("/", |at| &without_query[..=at]);
                format!("{dir}{location}")
            }
        };
        let path = without_dots(&escaped(path.split('#').next().unwrap_or_default()));
        Ok(Self { path, ..self.clone() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.host_header(), self.path)
    }
}

/// A path with its letters beyond ASCII written as `%xx`.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text
}

/// A path with `.` and `..` carried out (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut parts: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | "%2e" | "%2E" if last => parts.push(""),
            "." | "%2e" | "%2E" => {}
            ".." => {
                parts.pop();
                if last {
                    parts.push("");
                }
            }
            other => parts.push(other),
        }
    }
    let path = format!("/{}", parts.join("/"));
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

/// Splits `host:port`, with an IPv6 address in brackets. `None` for a bracket that does not close.
pub(super) fn split_port(address: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    Some(match address.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (address, None),
    })
}

#[cfg(test)]
mod tests {
    use super::{Failure, Url};

    #[test]
    fn urls_are_read_as_curl_reads_them() {
        let cases = [
            ("en.wikipedia.org/wiki/Main_Page", "http://en.wikipedia.org/wiki/Main_Page"),
            ("HTTPS://En.Wikipedia.Org", "https://en.wikipedia.org/"),
            ("http://a:8080?x=1#frag", "http://a:8080/?x=1"),
            ("https://u:p@a:443/b", "https://a/b"),
            ("http://[::1]:81/", "http://[::1]:81/"),
            ("http:///x", "http://x/"),
            ("http://a/b/../c/./d?e/../f", "http://a/c/d?e/../f"),
            ("http://a/b/..", "http://a/"),
            ("http://a/\u{e4}", "http://a/%c3%a4"),
        ];
        for (text, expected) in cases {
            assert_eq!(Url::parse(text).unwrap().to_string(), expected);
        }
        for (text, code) in [("http://", 3), ("http://a:99999/", 3), ("http://a b/", 3), ("foo://a/", 1)] {
            assert!(matches!(Url::parse(text), Err(Failure::Curl { code: found, .. }) if found == code), "{text}");
        }
        assert!(matches!(Url::parse("ftp://a/"), Err(Failure::NotSimulated(_))));
    }

    #[test]
    fn locations_are_joined() {
        let base = Url::parse("http://a/b/c?d").unwrap();
        for (location, expected) in
            [("https://x/y", "https://x/y"), ("//x/y", "http://x/y"), ("/e", "http://a/e"), ("e", "http://a/b/e")]
        {
            assert_eq!(base.join(location).unwrap().to_string(), expected);
        }
    }
}
