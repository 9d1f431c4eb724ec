//! What an access log can say of one connection or request.
//!
//! Invariant: a record is plain data; how it is shown is the format's.

use jiff::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;

/// What a record says about a request; a connection without HTTP has none.
#[derive(Clone, Debug)]
pub(crate) struct RequestFields {
    pub(crate) method: String,
    /// `HTTP/1.1` or `HTTP/2`.
    pub(crate) protocol: &'static str,
    /// Path with query as the client sent it; none for `CONNECT`.
    pub(crate) path: Option<String>,
    /// Where a gateway's client came from; sidecars have none.
    pub(crate) forwarded_for: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// Empty if the request was refused before it got one.
    pub(crate) request_id: String,
    /// Empty if the request names none.
    pub(crate) authority: String,
    /// `http` or `https`, as the client spoke.
    pub(crate) scheme: &'static str,
    /// All header lines, as they were sent on.
    pub(crate) headers: Vec<(String, String)>,
}

/// One connection or request.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) start: Timestamp,
    pub(crate) request: Option<RequestFields>,
    /// 0 for a connection without HTTP.
    pub(crate) code: u16,
    /// In the order in which they were raised; none when there is nothing to report.
    pub(crate) flags: Vec<&'static str>,
    pub(crate) details: String,
    pub(crate) transport_failure: String,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) duration: Duration,
    pub(crate) service_time: Option<Duration>,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) cluster: Option<String>,
    pub(crate) upstream_local: Option<SocketAddr>,
    pub(crate) destination: SocketAddr,
    pub(crate) source: SocketAddr,
    pub(crate) server_name: Option<String>,
    pub(crate) route: String,
    /// Header lines of the answer, as the client got them.
    pub(crate) answer: Vec<(String, String)>,
    /// How often an endpoint was tried.
    pub(crate) attempts: u32,
}

impl Record {
    /// A record of a connection on which nothing has happened yet.
    pub(crate) fn new(start: Timestamp, source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            start,
            request: None,
            code: 0,
            flags: Vec::new(),
            details: "-".to_owned(),
            transport_failure: "-".to_owned(),
            received: 0,
            sent: 0,
            duration: Duration::ZERO,
            service_time: None,
            upstream: None,
            cluster: None,
            upstream_local: None,
            destination,
            source,
            server_name: None,
            route: "-".to_owned(),
            answer: Vec::new(),
            attempts: 0,
        }
    }

    /// Raises a flag; a dash is none.
    pub(crate) fn raise(&mut self, flag: &'static str) {
        if flag != "-" {
            self.flags.push(flag);
        }
    }

    /// The flags as a log shows them.
    pub(crate) fn shown_flags(&self) -> String {
        if self.flags.is_empty() { "-".to_owned() } else { self.flags.join(",") }
    }

    /// A header of the request, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let request = self.request.as_ref()?;
        match name {
            ":method" => Some(request.method.clone()),
            ":authority" | "host" => Some(request.authority.clone()).filter(|authority| !authority.is_empty()),
            // The log's formats ask for the path that the client sent, under either name.
            ":path" | "x-envoy-original-path" => request.path.clone(),
            ":scheme" => Some(request.scheme.to_owned()),
            "x-forwarded-proto" => find(&request.headers, name).or_else(|| Some(request.scheme.to_owned())),
            "user-agent" => request.user_agent.clone(),
            "x-request-id" => Some(request.request_id.clone()).filter(|id| !id.is_empty()),
            "x-forwarded-for" => request.forwarded_for.clone(),
            name => find(&request.headers, name),
        }
    }

    /// A header of the answer, by its name in small letters.
    pub(crate) fn answer_header(&self, name: &str) -> Option<String> {
        match name {
            "x-envoy-upstream-service-time" => self.service_time.map(|time| time.as_millis().to_string()),
            name => find(&self.answer, name),
        }
    }
}

fn find(headers: &[(String, String)], name: &str) -> Option<String> {
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}
