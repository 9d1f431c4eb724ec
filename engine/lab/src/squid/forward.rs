//! Plain requests: fetched from the server and passed on, never kept.
//!
//! Invariant: an answer that a real Squid would keep for the next client is not simulated, for the lab has no cache.

use super::conf::ForwardedFor;
use super::reply::Refusal;
use super::serve::{Abort, Dialled, Transaction, split_authority};
use crate::net::http1::{Body, Headers, Http, HttpError, Request, Response};
use crate::net::{Socket, http_date};
use std::io;
use std::net::IpAddr;

/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Schemes that a Squid speaks and the lab's does not.
const OTHER_SCHEMES: [&str; 6] = ["cache_object", "ftp", "gopher", "https", "wais", "whois"];

impl Transaction<'_> {
    /// Fetches what a plain request asks for; whether another request may follow.
    pub(super) async fn forward(&mut self, http: &mut Http<Socket>) -> Result<bool, Abort> {
        let target = &self.request.target;
        let Some(rest) = target.strip_prefix("http://") else {
            let scheme = target.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
            if scheme.as_deref() == Some("cache_object")
                && let Some(refusal) = self.judge("localhost", 80).await?
            {
                self.refuse(http, refusal, None).await?;
                return Ok(self.request.keep_alive());
            }
            if scheme.is_some_and(|scheme| OTHER_SCHEMES.contains(&scheme.as_str())) {
                return Err(Abort::NotSimulated(format!("squid: {target}")));
            }
            self.refuse(http, Refusal::Invalid, None).await?;
            return Ok(false);
        };
        let slash = rest.find('/').unwrap_or(rest.len());
        let path = if slash == rest.len() { "/" } else { &rest[slash..] };
        let Some((host, port)) = split_authority(&rest[..slash], Some(80)) else {
            self.refuse(http, Refusal::Invalid, None).await?;
            return Ok(false);
        };
        if let Some(refusal) = self.judge(host, port).await? {
            http.skip(self.request.body()?).await?;
            self.refuse(http, refusal, None).await?;
            return Ok(self.request.keep_alive());
        }
        if path.starts_with("/squid-internal-") {
            return Err(Abort::NotSimulated("squid's cache manager".to_owned()));
        }
        let dialled = match unless_gone(http, self.dial(host, port)).await {
            Some(dialled) => dialled?,
            None => return Ok(self.gone(None)),
        };
        let (server, ip) = match dialled {
            Dialled::Connected(server, ip) => (server, ip),
            Dialled::Refused(refusal, ip) => {
                http.skip(self.request.body()?).await?;
                self.refuse(http, refusal, ip).await?;
                return Ok(self.request.keep_alive());
            }
        };
        let mut up = Http::new(server);
        let body = self.request.body()?;
        let head = self.upstream_head(path, &rest[..slash], body).encode();
        let sent = up.send(&head).await;
        let mut passed = 0;
        if pass(http, &mut up, body, matches!(body, Body::Chunked(_)), &mut passed).await? == Passed::Cut {
            return Ok(self.gone(Some(ip)));
        }
        let answer = match sent {
            Ok(()) => match unless_gone(http, up.response()).await {
                Some(answer) => answer,
                None => return Ok(self.gone(Some(ip))),
            },
            Err(error) => Err(HttpError::Io(error)),
        };
        match answer {
            Ok(response) => {
                if !self.proxy.conf.cache_off && self.request.method == "GET" && cacheable(&response.headers) {
                    return Err(Abort::NotSimulated("squid: an answer that may be cached".to_owned()));
                }
                let body = response.body(&self.request.method)?;
                let chunked = matches!(body, Body::Chunked(_) | Body::UntilEnd);
                let keep = self.request.keep_alive();
                let head = self.downstream_head(&response, chunked, keep).encode();
                http.send(&head).await?;
                let mut bytes = head.len() as u64;
                let passed = pass(&mut up, http, body, chunked, &mut bytes).await?;
                let kind = response.headers.get("content-type").map(|kind| kind.split(';').next().unwrap_or(kind));
                let result = if passed == Passed::Gone { "TCP_MISS_ABORTED" } else { "TCP_MISS" };
                self.log(result, response.status, bytes, Some(ip), kind);
                Ok(keep && passed == Passed::Whole)
            }
            Err(HttpError::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.refuse(http, Refusal::Reset, Some(ip)).await?;
                Ok(self.request.keep_alive())
            }
            Err(error) => match Abort::from(error) {
                Abort::Closed => {
                    self.refuse(http, Refusal::NoAnswer, Some(ip)).await?;
                    Ok(self.request.keep_alive())
                }
                abort @ Abort::NotSimulated(_) => Err(abort),
            },
        }
    }

    /// Logs a client that went before its answer came; no other request can follow.
    fn gone(&self, server: Option<IpAddr>) -> bool {
        self.log("TCP_MISS_ABORTED", 0, 0, server, None);
        false
    }

    fn upstream_head(&self, path: &str, authority: &str, body: Body) -> Request {
        let conf = &self.proxy.conf;
        let mut headers = Headers::default();
        for (name, value) in &self.request.headers.0 {
            let lower = name.to_ascii_lowercase();
            if lower != "host" && !HOP_BY_HOP.contains(&lower.as_str()) {
                headers.push(name, value.clone());
            }
        }
        headers.push("Host", authority);
        if matches!(body, Body::Chunked(_)) {
            headers.push("Transfer-Encoding", "chunked");
        }
        if conf.via {
            headers.append("Via", &format!("1.1 {} ({})", conf.hostname, self.proxy.name()));
        }
        match conf.forwarded_for {
            ForwardedFor::On => headers.append("X-Forwarded-For", &self.client.to_string()),
            ForwardedFor::Off => headers.append("X-Forwarded-For", "unknown"),
            ForwardedFor::Transparent => {}
            ForwardedFor::Truncate => {
                headers.remove("X-Forwarded-For");
                headers.push("X-Forwarded-For", self.client.to_string());
            }
            ForwardedFor::Delete => headers.remove("X-Forwarded-For"),
        }
        if self.request.headers.get("cache-control").is_none() {
            headers.push("Cache-Control", "max-age=259200");
        }
        headers.push("Connection", "keep-alive");
        Request { method: self.request.method.clone(), target: path.to_owned(), minor: 1, headers }
    }

    fn downstream_head(&self, response: &Response, chunked: bool, keep: bool) -> Response {
        let mut headers = Headers::default();
        for (name, value) in &response.headers.0 {
            if !HOP_BY_HOP.contains(&name.to_ascii_lowercase().as_str()) {
                headers.push(name, value.clone());
            }
        }
        if headers.get("date").is_none() {
            headers.push("Date", http_date(&self.proxy.clock));
        }
        if chunked {
            headers.push("Transfer-Encoding", "chunked");
        }
        self.replies().stamp(&mut headers, "MISS", keep);
        Response { status: response.status, reason: response.reason.clone(), minor: 1, headers }
    }
}

/// Whether a cache may keep an answer with these headers: it says how long it is good, or when it last changed.
fn cacheable(headers: &Headers) -> bool {
    let forbidden = ["no-store", "private", "no-cache"].iter().any(|token| headers.has_token("cache-control", token));
    let dated = headers.get("expires").is_some() || headers.get("last-modified").is_some();
    let aged = headers.get("cache-control").is_some_and(|control| control.contains("max-age"));
    !forbidden && (dated || aged)
}

/// How the passing on of a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    Whole,
    /// Who sends it broke off.
    Cut,
    /// Who gets it is gone.
    Gone,
}

/// Passes a body on, and adds to `written` how many bytes were written.
async fn pass(
    from: &mut Http<Socket>,
    to: &mut Http<Socket>,
    mut body: Body,
    chunked: bool,
    written: &mut u64,
) -> Result<Passed, Abort> {
    loop {
        let piece = match unless_gone(to, from.piece(&mut body)).await {
            Some(Ok(Some(piece))) => piece,
            Some(Ok(None)) => break,
            None => return Ok(Passed::Gone),
            Some(Err(error)) => {
                return match Abort::from(error) {
                    Abort::Closed => Ok(Passed::Cut),
                    abort @ Abort::NotSimulated(_) => Err(abort),
                };
            }
        };
        let bytes = if chunked {
            [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat()
        } else {
            piece.to_vec()
        };
        if to.send(&bytes).await.is_err() {
            return Ok(Passed::Gone);
        }
        *written += bytes.len() as u64;
    }
    if chunked {
        if to.send(b"0\r\n\r\n").await.is_err() {
            return Ok(Passed::Gone);
        }
        *written += 5;
    }
    Ok(Passed::Whole)
}

/// What `work` gives, unless the client goes first.
async fn unless_gone<T>(http: &Http<Socket>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = http.get_ref().peek(|_, open| (!open).then_some(())) => None,
    }
}
