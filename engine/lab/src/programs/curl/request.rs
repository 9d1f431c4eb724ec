//! The bytes of requests.
//!
//! Invariant: header lines stand in the order in which curl writes them.

use super::body::Body;
use super::options::Config;
use super::proxy::Proxy;
use super::release::Release;
use super::url::Url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a request is for.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) method: &'a str,
    pub(super) body: Option<&'a Body>,
    /// The proxy that is spoken to in plain HTTP, without a tunnel.
    pub(super) plain_proxy: Option<&'a Proxy>,
    /// Whether passwords may be sent to this host: it is the first one, or `--location-trusted` was given.
    pub(super) trusted: bool,
    pub(super) release: Release,
}

/// A line of `-H` or `--proxy-header`.
enum Line<'a> {
    /// Sent as it stands.
    Sent(&'a str, String),
    /// `Name:` takes curl's own line away.
    Removed(&'a str),
    /// Neither form; curl passes over it.
    Nothing,
}

fn line(text: &str) -> Line<'_> {
    match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) if value.trim().is_empty() => Line::Removed(name),
        (Some((name, _)), _) => Line::Sent(name, text.to_owned()),
        (None, Some(name)) => Line::Sent(name, format!("{name}:")),
        (None, None) => Line::Nothing,
    }
}

/// The value given for a header with `-H`; `Some(None)` when `-H Name:` removes it.
fn own<'a>(lines: &'a [String], name: &str) -> Option<Option<&'a str>> {
    lines.iter().find_map(|text| match line(text) {
        Line::Sent(key, _) if key.eq_ignore_ascii_case(name) => {
            Some(Some(text.split_once(':').map_or("", |(_, value)| value.trim())))
        }
        Line::Removed(key) if key.eq_ignore_ascii_case(name) => Some(None),
        _ => None,
    })
}

impl Config {
    fn agent(&self, version: &str) -> Option<String> {
        let agent = self.user_agent.clone().unwrap_or_else(|| format!("curl/{version}"));
        Some(agent).filter(|agent| !agent.is_empty())
    }

    /// The head of a request.
    pub(super) fn request(&self, request: &Request<'_>, version: &str) -> Vec<u8> {
        let url = request.url;
        let own_lines = self.headers.as_slice();
        let proxy_lines = if request.plain_proxy.is_some() { self.proxy_headers.as_slice() } else { &[] };
        let path = url.path.clone();
        let target = match &self.target {
            Some(target) => target.clone(),
            None if request.plain_proxy.is_some() => format!("http://{}{path}", url.host_header()),
            None => path,
        };
        let protocol = if self.http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut lines = vec![format!("{} {target} {protocol}", request.method)];
        match own(own_lines, "Host").filter(|_| request.trusted) {
            Some(Some(host)) => lines.push(format!("Host: {host}")),
            Some(None) => {}
            None => lines.push(format!("Host: {}", url.host_header())),
        }
        let mut push = |name: &str, value: Option<String>| {
            if own(own_lines, name).is_none() {
                lines.extend(value.map(|value| format!("{name}: {value}")));
            }
        };
        push("Proxy-Authorization", request.plain_proxy.and_then(|proxy| proxy.user.as_deref()).map(basic));
        push("Authorization", self.authorization(url).filter(|_| request.trusted));
        push("Range", self.range.as_ref().map(|range| format!("bytes={range}")));
        push("User-Agent", self.agent(version));
        push("Accept", Some("*/*".to_owned()));
        push("Accept-Encoding", self.compressed.then(|| "deflate, gzip, br, zstd".to_owned()));
        push("Referer", self.referer.clone());
        push("Proxy-Connection", request.plain_proxy.map(|_| "Keep-Alive".to_owned()));
        let chunked = request.body.is_some_and(|body| body.chunked);
        push("Transfer-Encoding", chunked.then(|| "chunked".to_owned()));
        let cookies = Some(self.cookies.join(";")).filter(|cookies| !cookies.is_empty() && request.trusted);
        push("Cookie", cookies);
        for text in own_lines.iter().chain(proxy_lines) {
            let Line::Sent(name, text) = line(text) else { continue };
            // Passwords do not follow a redirect to another host.
            let private =
                !request.trusted && (name.eq_ignore_ascii_case("Authorization") || name.eq_ignore_ascii_case("Cookie"));
            if !private && !name.eq_ignore_ascii_case("Host") && !name.eq_ignore_ascii_case("Content-Length") {
                lines.push(text);
            }
        }
        if let Some(body) = request.body {
            let mut push = |name: &str, value: Option<String>| {
                if own(own_lines, name).is_none() {
                    lines.extend(value.map(|value| format!("{name}: {value}")));
                }
            };
            let length = body.bytes.len().to_string();
            if !body.chunked && own(own_lines, "Transfer-Encoding").is_none() {
                push("Content-Length", Some(length));
            }
            push("Content-Type", body.kind.clone());
            push("Expect", body.expect.then(|| "100-continue".to_owned()));
        }
        if self.http2 && !url.https {
            let window = request.release.pick("AAMAAABkAAQCAAAAAAIAAAAA", "AAMAAABkAAQAAQAAAAIAAAAA");
            lines.push("Connection: Upgrade, HTTP2-Settings".to_owned());
            lines.push("Upgrade: h2c".to_owned());
            lines.push(format!("HTTP2-Settings: {window}"));
        }
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }

    fn authorization(&self, url: &Url) -> Option<String> {
        let user = self.user.as_deref().or(url.user.as_deref()).map(basic);
        self.bearer.as_ref().map(|token| format!("Bearer {token}")).or(user)
    }

    /// Whether `-H` asks for a body in chunks.
    pub(super) fn wants_chunks(&self) -> bool {
        own(&self.headers, "Transfer-Encoding").flatten().is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    /// The head of a CONNECT.
    pub(super) fn connect_request(&self, authority: &str, proxy: &Proxy, version: &str) -> Vec<u8> {
        let protocol = if self.proxy10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut lines = vec![format!("CONNECT {authority} {protocol}"), format!("Host: {authority}")];
        let mut push = |name: &str, value: Option<String>| {
            if own(&self.proxy_headers, name).is_none() {
                lines.extend(value.map(|value| format!("{name}: {value}")));
            }
        };
        push("Proxy-Authorization", proxy.user.as_deref().map(basic));
        push("User-Agent", self.agent(version));
        push("Proxy-Connection", Some("Keep-Alive".to_owned()));
        lines.extend(self.proxy_headers.iter().filter_map(|text| match line(text) {
            Line::Sent(_, text) => Some(text),
            Line::Removed(_) | Line::Nothing => None,
        }));
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }
}

fn basic(user: &str) -> String {
    let user = if user.contains(':') { user.to_owned() } else { format!("{user}:") };
    format!("Basic {}", STANDARD.encode(user))
}
