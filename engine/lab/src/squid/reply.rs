//! Answers that the proxy makes itself, and what the two versions call the same event.
//!
//! Invariant: status, `X-Squid-Error` and the result code come from one table, so that client and log agree.

use super::page::{Subject, shown_url};
use crate::net::http1::{Headers, Response, reason};
use std::net::IpAddr;

/// Which Squid it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V5,
}

impl Version {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::V3 => "squid/3.5.27",
            Self::V5 => "squid/5.7",
        }
    }

    /// The result code of a transaction that ended before anything was asked of the cache.
    pub(super) const fn none(self) -> &'static str {
        match self {
            Self::V3 => "TAG_NONE",
            Self::V5 => "NONE_NONE",
        }
    }
}

/// Why the proxy does not give what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The access lists say no.
    Denied,
    /// The access lists want to know who asks.
    Unauthenticated,
    /// The host has no address.
    UnknownHost,
    /// No connection to the server; the number is Linux's error number.
    Unreachable(u8),
    /// The server closed without an answer, or broke off.
    NoAnswer,
    /// The server ended the connection with a reset.
    Reset,
    /// What was sent is no request for a proxy.
    Invalid,
    /// What was sent is no request at all.
    Unreadable,
}

impl Refusal {
    /// The status, and the value of `X-Squid-Error`. `tunnel` says whether the request was `CONNECT`.
    pub(super) fn status(self, version: Version, tunnel: bool) -> (u16, String) {
        match (self, version) {
            (Self::Denied, _) => (403, "ERR_ACCESS_DENIED 0".to_owned()),
            (Self::Unauthenticated, _) => (407, "ERR_CACHE_ACCESS_DENIED 0".to_owned()),
            (Self::UnknownHost, Version::V3) => (503, "ERR_DNS_FAIL 0".to_owned()),
            (Self::UnknownHost, Version::V5) if tunnel => (500, "ERR_CANNOT_FORWARD 0".to_owned()),
            (Self::UnknownHost, Version::V5) => (502, "ERR_READ_ERROR 0".to_owned()),
            (Self::Unreachable(errno), _) => (503, format!("ERR_CONNECT_FAIL {errno}")),
            (Self::NoAnswer, _) => (502, "ERR_ZERO_SIZE_OBJECT 0".to_owned()),
            (Self::Reset, _) => (502, "ERR_READ_ERROR 104".to_owned()),
            (Self::Unreadable, _) => (400, "ERR_PROTOCOL_UNKNOWN 0".to_owned()),
            (Self::Invalid, _) => (400, "ERR_INVALID_URL 0".to_owned()),
        }
    }
}

/// What answers have in common.
pub(super) struct Replies<'a> {
    pub(super) version: Version,
    /// What the proxy calls itself.
    pub(super) name: &'static str,
    /// Whether it names itself in `Via`.
    pub(super) via: bool,
    pub(super) hostname: &'a str,
    pub(super) port: u16,
    pub(super) date: String,
    /// What clients are asked about when they have to say who they are.
    pub(super) realm: &'a str,
}

/// What was asked for and not given.
pub(super) struct Refused<'a> {
    pub(super) refusal: Refusal,
    /// The target of the request, without what the log leaves out.
    pub(super) target: &'a str,
    pub(super) host: &'a str,
    /// The server that was tried.
    pub(super) server: Option<IpAddr>,
    /// Whether the request was `CONNECT`.
    pub(super) tunnel: bool,
    /// Whether the client's connection stays open.
    pub(super) keep: bool,
}

impl Replies<'_> {
    /// An error page as a whole message. A failed tunnel has fewer headers, and always ends the connection.
    pub(super) fn refuse(&self, refused: &Refused<'_>) -> (u16, Vec<u8>) {
        let &Refused { refusal, target, host, server, tunnel, keep } = refused;
        let (status, error) = refusal.status(self.version, tunnel);
        let (version, hostname) = (self.version, self.hostname);
        let url = &shown_url(target, tunnel, version);
        let body = Subject {
            refusal,
            error: &error,
            url,
            host,
            server,
            tunnel,
            version,
            hostname,
            date: &self.date,
            name: self.name,
        }
        .page();
        let mut headers = Headers::default();
        headers.push("Server", self.name);
        headers.push("Mime-Version", "1.0");
        headers.push("Date", self.date.clone());
        headers.push("Content-Type", "text/html;charset=utf-8");
        headers.push("Content-Length", body.len().to_string());
        headers.push("X-Squid-Error", error);
        headers.push("Vary", "Accept-Language");
        headers.push("Content-Language", "en");
        if refusal == Refusal::Unauthenticated {
            headers.push("Proxy-Authenticate", format!("Basic realm=\"{}\"", self.realm));
        }
        let wrong = matches!(refusal, Refusal::Invalid | Refusal::Unreadable);
        let unasked = wrong || matches!(refusal, Refusal::Denied | Refusal::Unauthenticated);
        if !tunnel || unasked {
            self.stamp(&mut headers, if unasked { "NONE" } else { "MISS" }, keep && !wrong);
        }
        let head = Response { status, reason: reason(status).to_owned(), minor: 1, headers };
        let mut message = head.encode();
        message.extend_from_slice(body.as_bytes());
        (status, message)
    }

    /// The headers that the proxy adds to every answer that went through its cache.
    pub(super) fn stamp(&self, headers: &mut Headers, lookup: &str, keep: bool) {
        headers.push("X-Cache", format!("MISS from {}", self.hostname));
        headers.push("X-Cache-Lookup", format!("{lookup} from {}:{}", self.hostname, self.port));
        if self.via {
            headers.push("Via", format!("1.1 {} ({})", self.hostname, self.name));
        }
        headers.push("Connection", if keep { "keep-alive" } else { "close" });
    }
}
