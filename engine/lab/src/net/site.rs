//! A web site of an outside host: HTTP/1.1, plain or over TLS.
//!
//! Invariant: an answer depends on the request, the site's pages and the lab's clock alone.

use super::fabric::Net;
use super::host::{Echo, HostSpec, PageSpec, PortSpec, SiteSpec};
use super::http1::{Headers, Http, HttpError, Request, Response, reason};
use super::socket::Socket;
use crate::clock::Clock;
use jiff::tz::TimeZone;
use rustls::ServerConfig;
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// One site, as it answers on one port.
pub(super) struct Site {
    net: Net,
    host: HostSpec,
    spec: SiteSpec,
    secure: bool,
    tls: OnceLock<Option<Arc<ServerConfig>>>,
}

/// What the page of a request is answered with.
struct Answer {
    response: Response,
    body: Vec<u8>,
    cut_after: Option<usize>,
}

impl Site {
    /// The site of a port, if there is one.
    pub(super) fn new(net: &Net, host: &HostSpec, port: &PortSpec) -> Option<Self> {
        let (spec, secure) = match port {
            PortSpec::Http(spec) => (spec.clone(), false),
            PortSpec::Https(spec) => (spec.clone(), true),
            PortSpec::Closed | PortSpec::Reset | PortSpec::Blackhole | PortSpec::Silent => return None,
        };
        Some(Self { net: net.clone(), host: host.clone(), spec, secure, tls: OnceLock::new() })
    }

    /// Answers requests on one connection until either side ends it.
    pub(super) async fn serve(self: Arc<Self>, socket: Socket) {
        if !self.secure {
            return self.answer_all(socket).await;
        }
        // A server with OpenSSL closes with what is no handshake unread, which resets the connection.
        if !socket.peek(|data, open| data.first().map(|byte| *byte == HANDSHAKE).or((!open).then_some(true))).await {
            return socket.reset();
        }
        let Some(config) = self.tls.get_or_init(|| self.net.tls().server(&self.host, &self.spec)) else {
            return socket.refuse_to_simulate("a site whose own certificate cannot be used");
        };
        // A client that does not finish the handshake has its own message; the site has nobody to tell.
        if let Ok(stream) = TlsAcceptor::from(Arc::clone(config)).accept(socket).await {
            self.answer_all(stream).await;
        }
    }

    async fn answer_all<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        let mut http = Http::new(stream);
        while let Ok(true) = self.answer_one(&mut http).await {}
        // The connection may be gone already, which is what closing it wants.
        let _ = http.finish().await;
    }

    /// Answers one request; whether another may follow.
    async fn answer_one<S: AsyncRead + AsyncWrite + Unpin>(&self, http: &mut Http<S>) -> Result<bool, HttpError> {
        let request = match http.request().await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(false),
            Err(HttpError::Malformed | HttpError::TooLarge) => {
                let answer = self.page(400, "text/html", b"<html><title>400 Bad Request</title></html>\n".to_vec());
                http.send(&answer.response.encode()).await?;
                http.send(&answer.body).await?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        http.skip(request.body()?).await?;
        let page = self.find(&request);
        if let Some(delay) = page.map(|p| p.delay_ms).filter(|ms| *ms > 0) {
            sleep(Duration::from_millis(delay)).await;
        }
        let mut answer = self.answer(&request, page);
        let keep = request.keep_alive();
        if !keep {
            answer.response.headers.push("Connection", "close");
        }
        let mut message = answer.response.encode();
        if request.method != "HEAD" {
            message.extend_from_slice(
                &answer.body[..answer.cut_after.unwrap_or(answer.body.len()).min(answer.body.len())],
            );
        }
        http.send(&message).await?;
        Ok(keep && answer.cut_after.is_none())
    }

    fn find(&self, request: &Request) -> Option<&PageSpec> {
        let target = request
            .target
            .strip_prefix("http://")
            .map_or(request.target.as_str(), |rest| rest.find('/').map_or("/", |slash| &rest[slash..]));
        self.spec.pages.get(target.split(['?', '#']).next().unwrap_or(target))
    }

    fn answer(&self, request: &Request, page: Option<&PageSpec>) -> Answer {
        if !matches!(request.method.as_str(), "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") {
            return self.page(405, "text/html", html("405 Method Not Allowed", None));
        }
        let default = PageSpec::default();
        let page = match page {
            Some(page) => page,
            None if self.spec.pages.is_empty() => &default,
            None => return self.page(404, "text/html", html("404 Not Found", None)),
        };
        let status = page.status.unwrap_or(200);
        let mut answer = if page.echo == Some(Echo::Headers) {
            self.page(status, "application/json", echo_headers(&request.headers))
        } else if let Some(body) = &page.body {
            let mut body = body.clone().into_bytes();
            if let Some(size) = page.size {
                body.resize(size, b'\n');
            }
            self.page(status, "text/html; charset=utf-8", body)
        } else if matches!(status, 204 | 304) {
            self.page(status, "text/html; charset=utf-8", Vec::new())
        } else {
            let title = page.title.as_deref().unwrap_or(&self.host.name);
            self.page(status, "text/html; charset=utf-8", html(title, page.size))
        };
        for (name, value) in &page.headers {
            answer.response.headers.remove(name);
            answer.response.headers.push(name, value.clone());
        }
        answer.cut_after = page.cut_after;
        answer
    }

    fn page(&self, status: u16, kind: &str, body: Vec<u8>) -> Answer {
        let mut headers = Headers::default();
        headers.push("Server", "site");
        headers.push("Date", http_date(self.net.clock()));
        headers.push("Content-Type", kind);
        if !matches!(status, 204 | 304) {
            headers.push("Content-Length", body.len().to_string());
        }
        let response = Response { status, reason: reason(status).to_owned(), minor: 1, headers };
        Answer { response, body, cut_after: None }
    }
}

/// The lab's time as HTTP writes it: `Mon, 23 Nov 2026 01:08:01 GMT`.
pub(crate) fn http_date(clock: &Clock) -> String {
    clock.now().to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A page with this title, filled up with comments to `size` bytes if it is given.
fn html(title: &str, size: Option<usize>) -> Vec<u8> {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let head = format!("<!DOCTYPE html>\n<html>\n<head>\n<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n");
    let tail = "</body>\n</html>\n";
    let mut page = head.into_bytes();
    let size = size.unwrap_or(0);
    let filler = b"<p>This page stands in for a site outside of the cluster.</p>\n";
    while page.len() + filler.len() + tail.len() <= size {
        page.extend_from_slice(filler);
    }
    page.resize(page.len().max(size.saturating_sub(tail.len())), b'\n');
    page.extend_from_slice(tail.as_bytes());
    page
}

fn echo_headers(headers: &Headers) -> Vec<u8> {
    let mut seen = Map::new();
    for (name, value) in &headers.0 {
        seen.insert(title_case(name), Value::String(value.clone()));
    }
    let mut body = serde_json::to_vec_pretty(&json!({ "headers": seen })).unwrap_or_default();
    body.push(b'\n');
    body
}

/// `x-request-id` as `X-Request-Id`.
fn title_case(name: &str) -> String {
    let parts: Vec<String> = name
        .split('-')
        .map(|part| {
            let mut letters = part.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_ascii_uppercase().to_string() + &letters.as_str().to_ascii_lowercase()
            })
        })
        .collect();
    parts.join("-")
}
