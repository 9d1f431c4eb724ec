//! Plain requests: fetched from the server and passed on, never kept.
//!
//! Invariant: an answer that a real Squid would keep for the next client is not simulated, for the lab has no cache.

use super::reply::Refusal;
use super::serve::{Abort, Dialled, Transaction, split_authority};
use crate::net::Socket;
use crate::net::http1::{Body, Headers, Http, Request, Response};

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

impl Transaction<'_> {
    /// Fetches what a plain request asks for; whether another request may follow.
    pub(super) async fn forward(&mut self, http: &mut Http<Socket>) -> Result<bool, Abort> {
        let target = &self.request.target;
        let Some(rest) = target.strip_prefix("http://") else {
            if target.contains("://") {
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
        if path.starts_with("/squid-internal-") {
            return Err(Abort::NotSimulated("squid's cache manager".to_owned()));
        }
        if let Some(refusal) = self.judge(host, port).await? {
            http.skip(self.request.body()?).await?;
            self.refuse(http, refusal, None).await?;
            return Ok(self.request.keep_alive());
        }
        let (server, ip) = match self.dial(host, port).await? {
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
        pass(http, &mut up, body, matches!(body, Body::Chunked(_))).await?;
        let answer = match sent {
            Ok(()) => up.response().await.map_err(Abort::from),
            Err(error) => Err(error.into()),
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
                let length = pass(&mut up, http, body, chunked).await?;
                let kind = response.headers.get("content-type").map(|kind| kind.split(';').next().unwrap_or(kind));
                self.log("TCP_MISS", response.status, head.len() as u64 + length, Some(ip), kind);
                Ok(keep)
            }
            Err(Abort::Closed) => {
                self.refuse(http, Refusal::NoAnswer, Some(ip)).await?;
                Ok(self.request.keep_alive())
            }
            Err(abort) => Err(abort),
        }
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
        headers.push("Via", format!("1.1 {} ({})", conf.hostname, self.proxy.version.name()));
        headers.push("X-Forwarded-For", self.client.to_string());
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

/// Passes a body on; how many bytes were written.
async fn pass(from: &mut Http<Socket>, to: &mut Http<Socket>, mut body: Body, chunked: bool) -> Result<u64, Abort> {
    let mut written = 0;
    while let Some(piece) = from.piece(&mut body).await? {
        if chunked {
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(&piece);
            chunk.extend_from_slice(b"\r\n");
            to.send(&chunk).await?;
            written += chunk.len() as u64;
        } else {
            to.send(&piece).await?;
            written += piece.len() as u64;
        }
    }
    if chunked {
        to.send(b"0\r\n\r\n").await?;
        written += 5;
    }
    Ok(written)
}
