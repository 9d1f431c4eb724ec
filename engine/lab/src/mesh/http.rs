//! The sidecar as an HTTP proxy: requests on a listener that speaks HTTP, each with its own verdict and log line.
//!
//! Invariant: what the client sees of an answer that the sidecar makes itself was recorded from a real Envoy: the headers,
//! their order and the text.

use super::access_log::{Record, RequestFields};
use super::http_heads::{own_answer, split_target, to_downstream, to_upstream};
use super::sidecar::Captured;
use super::upstream::{ConnectFailure, connect};
use super::verdict::{FirstBytes, Outcome, verdict};
use super::view::{Cluster, MeshView};
use crate::net::http1::{Body, Http, HttpError, Request, Response};
use crate::net::{Socket, http_date, not_simulated};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

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

impl From<io::Error> for Abort {
    fn from(error: io::Error) -> Self {
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
    /// What of the request's body was not read yet.
    body: Body,
    began: Instant,
    record: Record,
}

/// Which connections stay open after an exchange.
struct Kept {
    client: bool,
    upstream: bool,
}

/// Serves one request; whether another may follow on the connection.
async fn serve_one(captured: &Captured, down: &mut Http<Socket>) -> Result<bool, Abort> {
    let Some(request) = down.request().await? else { return Ok(false) };
    let view = captured.sidecar.view();
    let (authority, path) = split_target(&request).map_err(Abort::NotSimulated)?;
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
    let body = if request.method == "CONNECT" { Body::Length(0) } else { request.body()? };
    let mut exchange = Exchange { captured, view: &view, request: &request, body, began: Instant::now(), record };
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

impl Exchange<'_> {
    /// Answers the request without an upstream.
    async fn answer(&mut self, down: &mut Http<Socket>, status: u16, text: &str) -> Result<bool, Abort> {
        let keep = self.request.keep_alive() && self.request.method != "CONNECT";
        self.record.received += down.skip(self.body).await?;
        let date = http_date(self.captured.netns.clock());
        let response = own_answer(status, text.len(), date, keep);
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
        &mut self,
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
        self.send_request(down, &mut up, path, attempt).await?;
        let answered = tokio::select! {
            biased;
            answer = up.response() => Some(answer),
            () = gone(down.get_ref()) => None,
        };
        match answered {
            Some(Ok(response)) => match self.pass_back(down, &mut up, response, sent_at).await {
                Ok(Kept { client, upstream }) => {
                    if upstream {
                        self.captured.sidecar.upstreams.keep_idle(cluster, endpoint, up);
                    }
                    Ok(client)
                }
                Err(Abort::Closed) => self.left(),
                Err(abort) => Err(abort),
            },
            Some(Err(HttpError::Io(error))) if not_simulated(&error).is_some() => Err(error.into()),
            Some(Err(_)) => {
                self.record.flags = "UC";
                "upstream_reset_before_response_started{connection_termination}".clone_into(&mut self.record.details);
                let text =
                    "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
                self.answer(down, 503, text).await
            }
            None => self.left(),
        }
    }

    /// Notes that the client went before it had the whole answer.
    fn left(&mut self) -> Result<bool, Abort> {
        self.record.flags = "DC";
        "downstream_remote_disconnect".clone_into(&mut self.record.details);
        self.log();
        Ok(false)
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
        &mut self,
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

    /// Sends the request with its body. An upstream that does not take it shows when its answer is read.
    async fn send_request(
        &mut self,
        down: &mut Http<Socket>,
        up: &mut Http<Socket>,
        path: &str,
        attempt: u32,
    ) -> Result<(), Abort> {
        let Some(fields) = &self.record.request else { return Ok(()) };
        let head = to_upstream(self.request, fields, path, attempt).encode();
        let chunked = matches!(self.body, Body::Chunked(_));
        if self.body != Body::Length(0) && self.request.headers.has_token("expect", "100-continue") {
            down.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut open = taken(up.send(&head).await)?;
        while let Some(piece) = down.piece(&mut self.body).await? {
            self.record.received += piece.len() as u64;
            if open {
                open = taken(send_piece(up, &piece, chunked).await)?;
            }
        }
        if chunked && open {
            taken(up.send(b"0\r\n\r\n").await)?;
        }
        Ok(())
    }

    /// Passes the upstream's answer to the client.
    async fn pass_back(
        &mut self,
        down: &mut Http<Socket>,
        up: &mut Http<Socket>,
        response: Response,
        sent_at: Instant,
    ) -> Result<Kept, Abort> {
        let took = sent_at.elapsed();
        let mut body = response.body(&self.request.method)?;
        let upstream = response.keep_alive() && body != Body::UntilEnd;
        let chunked = matches!(body, Body::Chunked(_) | Body::UntilEnd);
        let client = self.request.keep_alive();
        let date = http_date(self.captured.netns.clock());
        let head = to_downstream(&response, took, date, chunked, client);
        self.record.code = response.status;
        self.record.service_time = Some(took);
        "via_upstream".clone_into(&mut self.record.details);
        down.send(&head.encode()).await?;
        loop {
            match up.piece(&mut body).await {
                Ok(Some(piece)) => {
                    self.record.sent += piece.len() as u64;
                    send_piece(down, &piece, chunked).await?;
                }
                Ok(None) => break,
                Err(HttpError::Io(error)) if not_simulated(&error).is_some() => return Err(error.into()),
                Err(_) => {
                    self.record.flags = "UC";
                    "upstream_reset_after_response_started{connection_termination}"
                        .clone_into(&mut self.record.details);
                    self.log();
                    return Ok(Kept { client: false, upstream: false });
                }
            }
        }
        if chunked {
            down.send(b"0\r\n\r\n").await?;
        }
        self.log();
        if !client {
            down.finish().await?;
        }
        Ok(Kept { client, upstream })
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

/// Whether an upstream took what it was sent; a failure that the lab has to report passes on.
fn taken(sent: io::Result<()>) -> Result<bool, Abort> {
    match sent {
        Ok(()) => Ok(true),
        Err(error) if not_simulated(&error).is_some() => Err(error.into()),
        Err(_) => Ok(false),
    }
}

async fn send_piece(to: &mut Http<Socket>, piece: &[u8], chunked: bool) -> io::Result<()> {
    if chunked {
        to.send(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        to.send(piece).await?;
        to.send(b"\r\n").await
    } else {
        to.send(piece).await
    }
}
