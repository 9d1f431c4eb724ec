//! The bytes of requests.
//!
//! Invariant: header lines stand in the order in which curl writes them.

use super::options::Config;
use super::proxy::Proxy;
use super::url::Url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a request is for.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) method: &'a str,
    pub(super) body: Option<&'a str>,
    /// The proxy that is spoken to in plain HTTP, without a tunnel.
    pub(super) plain_proxy: Option<&'a Proxy>,
    /// Whether this host is the first one, to which passwords belong.
    pub(super) first_host: bool,
}

impl Config {
    fn agent(&self, version: &str) -> String {
        self.user_agent.clone().unwrap_or_else(|| format!("curl/{version}"))
    }

    /// A header given with `-H`, which takes the place of curl's own; `Some(None)` when `-H Name:` removes it.
    fn own(&self, name: &str) -> Option<Option<&str>> {
        self.headers.iter().find_map(|line| {
            if let Some(bare) = line.strip_suffix(';').filter(|bare| bare.eq_ignore_ascii_case(name)) {
                return Some(Some(&bare[..0]));
            }
            let (key, value) = line.split_once(':')?;
            let value = value.trim();
            key.eq_ignore_ascii_case(name).then_some((!value.is_empty()).then_some(value))
        })
    }

    /// The head of a request, and the body after it.
    pub(super) fn request(&self, request: &Request<'_>, version: &str) -> Vec<u8> {
        let url = request.url;
        let mut path = url.path.clone();
        if let (true, Some(data)) = (self.get, &self.data) {
            path = format!("{path}{}{data}", if path.contains('?') { '&' } else { '?' });
        }
        let target = if request.plain_proxy.is_some() { format!("http://{}{path}", url.host_header()) } else { path };
        let protocol = if self.http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut lines = vec![format!("{} {target} {protocol}", request.method)];
        match self.own("Host") {
            Some(Some(host)) => lines.push(format!("Host: {host}")),
            Some(None) => {}
            None => lines.push(format!("Host: {}", url.host_header())),
        }
        let mut push = |name: &str, value: Option<String>| {
            if self.own(name).is_none() {
                lines.extend(value.map(|value| format!("{name}: {value}")));
            }
        };
        push("Proxy-Authorization", request.plain_proxy.and_then(|proxy| proxy.user.as_deref()).map(basic));
        let user = self.user.as_deref().or(url.user.as_deref()).filter(|_| request.first_host);
        push("Authorization", user.map(basic));
        push("Range", self.range.as_ref().map(|range| format!("bytes={range}")));
        push("User-Agent", Some(self.agent(version)).filter(|agent| !agent.is_empty()));
        push("Accept", Some(if self.json { "application/json" } else { "*/*" }.to_owned()));
        push("Accept-Encoding", self.compressed.then(|| "deflate, gzip".to_owned()));
        push("Referer", self.referer.clone());
        push("Cookie", self.cookie.clone().filter(|_| request.first_host));
        push("Proxy-Connection", request.plain_proxy.map(|_| "Keep-Alive".to_owned()));
        for header in &self.headers {
            let (name, value) = match (header.split_once(':'), header.strip_suffix(';')) {
                (Some((name, value)), _) => (name, value.trim()),
                (None, Some(name)) => (name, ""),
                (None, None) => continue,
            };
            let removed = value.is_empty() && !header.ends_with(';');
            // Passwords do not follow a redirect to another host.
            let private = !request.first_host
                && (name.eq_ignore_ascii_case("Authorization") || name.eq_ignore_ascii_case("Cookie"));
            if !removed && !private && !name.eq_ignore_ascii_case("Host") {
                lines.push(format!("{name}: {value}").trim_end().to_owned());
            }
        }
        if let Some(body) = request.body {
            let mut push = |name: &str, value: String| {
                if self.own(name).is_none() {
                    lines.push(format!("{name}: {value}"));
                }
            };
            push("Content-Length", body.len().to_string());
            let kind = if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
            push("Content-Type", kind.to_owned());
        }
        let mut bytes = (lines.join("\r\n") + "\r\n\r\n").into_bytes();
        bytes.extend(request.body.unwrap_or_default().bytes());
        bytes
    }

    /// The head of a CONNECT.
    pub(super) fn connect_request(&self, authority: &str, proxy: &Proxy, version: &str) -> Vec<u8> {
        let protocol = if self.http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut lines = vec![format!("CONNECT {authority} {protocol}"), format!("Host: {authority}")];
        lines.extend(proxy.user.as_deref().map(|user| format!("Proxy-Authorization: {}", basic(user))));
        lines.extend(
            Some(self.agent(version)).filter(|agent| !agent.is_empty()).map(|agent| format!("User-Agent: {agent}")),
        );
        lines.push("Proxy-Connection: Keep-Alive".to_owned());
        lines.extend(self.proxy_headers.iter().cloned());
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }
}

fn basic(user: &str) -> String {
    let user = if user.contains(':') { user.to_owned() } else { format!("{user}:") };
    format!("Basic {}", STANDARD.encode(user))
}
