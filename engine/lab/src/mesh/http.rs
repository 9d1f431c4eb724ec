//! The sidecar as an HTTP proxy: requests on a listener that speaks HTTP, each with its own verdict and log line.
//!
//! Invariant: what the client sees of an answer that the sidecar makes itself was recorded from a real Envoy: the headers,
//! their order and the text.

use super::access_log::{Record, RequestFields};
use super::sidecar::Captured;
use super::upstream::{ConnectFailure, connect};
use super::verdict::{FirstBytes, Outcome, verdict};
use super::view::{Cluster, MeshView};
use crate::net::http1::{Body, Headers, Http, HttpError, Request, Response, reason};
use crate::net::{Socket, http_date, not_simulated};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: &[&str] = &["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The first delay before a connection attempt is repeated; it triples.
const RETRY_BASE_MS: u64 = 25;

/// What ends a connection without an answer.
enum Abort {
    /// The client is gone or cannot be answered.
    Closed,
    /// The lab cannot carry the request.
    NotSimulated(String),
}

impl From<HttpError> for Abort {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Io(error) => not_simulated(&error).map_or(Self::Closed, |r| Self::NotSimulated(r.to_owned())),
            HttpError::Truncated => Self::Closed,
            HttpError::Malformed => Self::NotSimulated("malformed http through a sidecar".to_owned()),
            HttpError::TooLarge => Self::NotSimulated("an http head above 60 KiB through a sidecar".to_owned()),
        }
    }
}

impl From<std::io::Error> for Abort {
    fn from(error: std::io::Error) -> Self {
        HttpError::Io(error).into()
    }
}

/// Serves requests until the client or an answer ends the connection.
pub(super) async fn serve(captured: &Captured, app: Socket) {
    let mut down = Http::new(app);
    loop {
        match serve_one(captured, &mut down).await {
            Ok(true) => {}
            Ok(false) | Err(Abort::Closed) => return,
            Err(Abort::NotSimulated(reason)) => return down.into_parts().0.refuse_to_simulate(&reason),
        }
    }
}

/// One request under way.
struct Exchange<'a> {
    captured: &'a Captured,
    view: &'a MeshView,
    request: &'a Request,
    began: Instant,
    record: Record,
}

/// Serves one request; whether another may follow on the connection.
async fn serve_one(captured: &Captured, down: &mut Http<Socket>) -> Result<bool, Abort> {
    let Some(request) = down.request().await? else { return Ok(false) };
    let view = captured.sidecar.view();
    let (authority, path) = split_target(&request)?;
    let decided = verdict(
        &view,
        &captured.connection(FirstBytes::Http {
            minor: request.minor,
            method: request.method.clone(),
            authority: authority.clone(),
        }),
    );
    let mut record = Record::new(captured.netns.clock().now(), captured.source, captured.destination);
    let request_id = request.headers.get("x-request-id").map(str::to_owned);
    record.request = Some(RequestFields {
        method: request.method.clone(),
        path: (request.method != "CONNECT").then(|| path.clone()),
        user_agent: request.headers.get("user-agent").map(str::to_owned),
        request_id: request_id.unwrap_or_else(|| captured.sidecar.request_id(view.config().sampled)),
        authority,
    });
    let mut exchange = Exchange { captured, view: &view, request: &request, began: Instant::now(), record };
    match decided.outcome {
        Outcome::Forward { cluster, route, retries } => {
            exchange.record.route = route;
            exchange.record.cluster = Some(cluster.name.clone());
            exchange.forward(down, &cluster, &path, retries).await
        }
        Outcome::Answer { status, flags, details, route } => {
            exchange.record.route = route;
            exchange.record.flags = flags;
            details.clone_into(&mut exchange.record.details);
            exchange.answer(down, status, "").await
        }
        Outcome::NotSimulated(reason) => Err(Abort::NotSimulated(reason)),
        // The connection was opened for HTTP/1.1 and its listener has gone meanwhile.
        Outcome::Relay(_) | Outcome::Close { .. } => Ok(false),
    }
}

/// The authority and the path of a request, in whichever form its target is.
fn split_target(request: &Request) -> Result<(String, String), Abort> {
    if request.method == "CONNECT" {
        return Ok((request.target.clone(), request.target.clone()));
    }
    if request.headers.get("upgrade").is_some() {
        return Err(Abort::NotSimulated("an http upgrade through a sidecar".to_owned()));
    }
    if let Some(rest) = request.target.strip_prefix("http://") {
        let slash = rest.find('/').unwrap_or(rest.len());
        let path = if slash == rest.len() { "/" } else { &rest[slash..] };
        return Ok((rest[..slash].to_owned(), path.to_owned()));
    }
    match request.headers.get("host") {
        Some(host) if !host.is_empty() => Ok((host.to_owned(), request.target.clone())),
        _ => Err(Abort::NotSimulated("an http request without a host through a sidecar".to_owned())),
    }
}

impl Exchange<'_> {
    /// Answers the request without an upstream.
    async fn answer(mut self, down: &mut Http<Socket>, status: u16, text: &str) -> Result<bool, Abort> {
        let connect = self.request.method == "CONNECT";
        let keep = self.request.keep_alive() && !connect;
        if !connect {
            self.record.received += down.skip(self.request.body()?).await?;
        }
        let mut headers = Headers::default();
        let length = text.len().to_string();
        if !text.is_empty() {
            headers.push("content-length", length.clone());
            headers.push("content-type", "text/plain");
        }
        headers.push("date", http_date(self.captured.netns.clock()));
        headers.push("server", "envoy");
        if !keep {
            headers.push("connection", "close");
        }
        if text.is_empty() {
            headers.push("content-length", length);
        }
        let response = Response { status, reason: reason(status).to_owned(), minor: 1, headers };
        let mut message = response.encode();
        if self.request.method != "HEAD" {
            message.extend_from_slice(text.as_bytes());
            self.record.sent = text.len() as u64;
        }
        self.record.code = status;
        self.log();
        down.send(&message).await?;
        if !keep {
            down.finish().await?;
        }
        Ok(keep)
    }

    /// Forwards the request to an endpoint of the cluster and its answer back.
    async fn forward(
        mut self,
        down: &mut Http<Socket>,
        cluster: &Cluster,
        path: &str,
        retries: u32,
    ) -> Result<bool, Abort> {
        let mut attempt = 0;
        let (mut up, endpoint) = loop {
            attempt += 1;
            match self.reach(cluster).await {
                Ok(up) => break up,
                Err(ConnectFailure::NotSimulated(reason)) => return Err(Abort::NotSimulated(reason)),
                Err(ConnectFailure::NoEndpoint) => {
                    self.record.flags = "UH";
                    "no_healthy_upstream".clone_into(&mut self.record.details);
                    return self.answer(down, 503, "no healthy upstream").await;
                }
                Err(ConnectFailure::Failed { .. }) if attempt <= retries => {
                    let bound = RETRY_BASE_MS * (2_u64.pow(attempt) - 1);
                    sleep(Duration::from_millis(self.captured.sidecar.random_below(bound))).await;
                }
                Err(ConnectFailure::Failed { endpoint, transport_failure }) => {
                    return self.refused(down, endpoint, transport_failure, attempt > 1).await;
                }
            }
        };
        self.record.upstream = Some(endpoint);
        self.record.upstream_local = Some(up.get_ref().local_addr());
        let sent_at = Instant::now();
        up.send(&self.upstream_head(path, attempt).encode()).await?;
        self.send_body(down, &mut up).await?;
        let answered = tokio::select! {
            biased;
            answer = up.response() => Some(answer),
            () = gone(down.get_ref()) => None,
        };
        match answered {
            Some(Ok(response)) => self.pass_back(down, up, response, cluster, endpoint, sent_at).await,
            Some(Err(HttpError::Io(error))) if not_simulated(&error).is_some() => Err(error.into()),
            Some(Err(_)) => {
                self.record.flags = "UC";
                "upstream_reset_before_response_started{connection_termination}".clone_into(&mut self.record.details);
                let text =
                    "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
                self.answer(down, 503, text).await
            }
            None => {
                self.record.flags = "DC";
                "downstream_remote_disconnect".clone_into(&mut self.record.details);
                self.log();
                Ok(false)
            }
        }
    }

    /// A connection to an endpoint: an idle one, or a new one.
    async fn reach(&self, cluster: &Cluster) -> Result<(Http<Socket>, SocketAddr), ConnectFailure> {
        let captured = self.captured;
        let upstreams = &captured.sidecar.upstreams;
        let endpoint = upstreams.choose(&captured.netns, cluster, captured.destination).await?;
        if let Some(idle) = upstreams.take_idle(cluster, endpoint) {
            return Ok((idle, endpoint));
        }
        let up = connect(&captured.netns, endpoint, self.view.config().connect_timeout).await?;
        Ok((Http::new(up.socket), up.endpoint))
    }

    /// The answer when no connection attempt succeeded.
    async fn refused(
        mut self,
        down: &mut Http<Socket>,
        endpoint: SocketAddr,
        transport_failure: &'static str,
        retried: bool,
    ) -> Result<bool, Abort> {
        self.record.upstream = Some(endpoint);
        self.record.transport_failure = transport_failure;
        self.record.flags = if retried { "URX,UF" } else { "UF" };
        let (code, text) = match transport_failure {
            "-" => ("connection_timeout".to_owned(), "connection timeout"),
            failure => (format!("remote_connection_failure|{failure}"), "remote connection failure"),
        };
        self.record.details = format!("upstream_reset_before_response_started{{{code}}}");
        let latest = if retried { "retried and the latest reset reason" } else { "reset reason" };
        let text = format!("upstream connect error or disconnect/reset before headers. {latest}: {text}");
        self.answer(down, 503, &text).await
    }

    fn upstream_head(&self, path: &str, attempt: u32) -> Request {
        let fields = self.record.request.as_ref();
        let mut headers = Headers::default();
        headers.push("host", fields.map(|r| r.authority.clone()).unwrap_or_default());
        let skipped = ["host", "expect", "x-request-id"];
        for (name, value) in &self.request.headers.0 {
            let name = name.to_ascii_lowercase();
            if !HOP_BY_HOP.contains(&name.as_str()) && !skipped.contains(&name.as_str()) {
                headers.push(&name, value.clone());
            }
        }
        if self.request.headers.has_token("transfer-encoding", "chunked") {
            headers.push("transfer-encoding", "chunked");
        }
        headers.push("x-forwarded-proto", "http");
        headers.push("x-request-id", fields.map(|r| r.request_id.clone()).unwrap_or_default());
        headers.push("x-envoy-attempt-count", attempt.to_string());
        Request { method: self.request.method.clone(), target: path.to_owned(), minor: 1, headers }
    }

    async fn send_body(&mut self, down: &mut Http<Socket>, up: &mut Http<Socket>) -> Result<(), Abort> {
        let mut body = self.request.body()?;
        let chunked = matches!(body, Body::Chunked(_));
        if body != Body::Length(0) && self.request.headers.has_token("expect", "100-continue") {
            down.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        while let Some(piece) = down.piece(&mut body).await? {
            self.record.received += piece.len() as u64;
            send_piece(up, &piece, chunked).await?;
        }
        if chunked {
            up.send(b"0\r\n\r\n").await?;
        }
        Ok(())
    }

    /// Passes the upstream's answer to the client.
    async fn pass_back(
        mut self,
        down: &mut Http<Socket>,
        mut up: Http<Socket>,
        response: Response,
        cluster: &Cluster,
        endpoint: SocketAddr,
        sent_at: Instant,
    ) -> Result<bool, Abort> {
        let service_time = sent_at.elapsed();
        let mut body = response.body(&self.request.method)?;
        let chunked = matches!(body, Body::Chunked(_) | Body::UntilEnd);
        let keep = self.request.keep_alive();
        let headers = self.downstream_headers(&response, service_time, chunked, keep);
        let head = Response { status: response.status, reason: reason(response.status).to_owned(), minor: 1, headers };
        self.record.code = response.status;
        self.record.service_time = Some(service_time);
        "via_upstream".clone_into(&mut self.record.details);
        down.send(&head.encode()).await?;
        loop {
            match up.piece(&mut body).await {
                Ok(Some(piece)) => {
                    self.record.sent += piece.len() as u64;
                    send_piece(down, &piece, chunked).await?;
                }
                Ok(None) => break,
                Err(_) => {
                    self.record.flags = "UC";
                    "upstream_reset_after_response_started{connection_termination}"
                        .clone_into(&mut self.record.details);
                    self.log();
                    return Ok(false);
                }
            }
        }
        if chunked {
            down.send(b"0\r\n\r\n").await?;
        }
        if response.keep_alive() && body != Body::UntilEnd {
            self.captured.sidecar.upstreams.keep_idle(cluster, endpoint, up);
        }
        self.log();
        if !keep {
            down.finish().await?;
        }
        Ok(keep)
    }

    fn downstream_headers(&self, response: &Response, service_time: Duration, chunked: bool, keep: bool) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in &response.headers.0 {
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "server" => headers.push("server", "envoy"),
                hop if HOP_BY_HOP.contains(&hop) => {}
                _ => headers.push(&name, value.clone()),
            }
        }
        if headers.get("date").is_none() {
            headers.push("date", http_date(self.captured.netns.clock()));
        }
        headers.push("x-envoy-upstream-service-time", service_time.as_millis().to_string());
        if headers.get("server").is_none() {
            headers.push("server", "envoy");
        }
        if chunked {
            headers.push("transfer-encoding", "chunked");
        }
        if !keep {
            headers.push("connection", "close");
        }
        headers
    }

    fn log(&mut self) {
        self.record.duration = self.began.elapsed();
        self.captured.sidecar.log(self.view, &self.record);
    }
}

/// Waits until the client has closed the connection.
async fn gone(app: &Socket) {
    app.peek(|_, open| (!open).then_some(())).await;
}

async fn send_piece(to: &mut Http<Socket>, piece: &[u8], chunked: bool) -> Result<(), Abort> {
    if chunked {
        to.send(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        to.send(piece).await?;
        to.send(b"\r\n").await?;
    } else {
        to.send(piece).await?;
    }
    Ok(())
}
