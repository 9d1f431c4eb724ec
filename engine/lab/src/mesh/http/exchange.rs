//! One request under way: attempts, time limits, and the answer's way back.
//!
//! Invariant: each request leaves one line, whoever ended it.

use super::heads::{Framing, Onward, own_answer, to_downstream, to_upstream};
use super::retry::{Ended, delay_bound, wants};
use super::{Abort, Incoming, PREFACE};
use crate::mesh::decide::Forwarding;
use crate::mesh::envoy::{Action, Edits, Forward, ProxyConfig, Retry};
use crate::mesh::log::Record;
use crate::mesh::proxy::Taken;
use crate::mesh::upstream::{ConnectFailure, connect};
use crate::mesh::wire::Wire;
use crate::net::http1::{Body, Http, HttpError, Request, Response};
use crate::net::{http_date, not_simulated};
use bytes::{Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The largest body that is kept to be sent again.
const KEPT_BODY: usize = 64 * 1024;

/// One request under way.
pub(super) struct Exchange<'a> {
    pub(super) taken: &'a Taken,
    pub(super) config: &'a ProxyConfig,
    pub(super) incoming: &'a Incoming,
    pub(super) request: &'a Request,
    /// The authority that the client named.
    pub(super) authority: String,
    /// What of the request's body was not read yet.
    pub(super) body: Body,
    /// The client's address, at a gateway.
    pub(super) client: Option<String>,
    pub(super) began: Instant,
    pub(super) record: Record,
}

/// Which connections stay open after an exchange.
struct Kept {
    client: bool,
    upstream: bool,
}

/// How one attempt came out.
enum Attempt {
    Answered(Http<Wire>, SocketAddr, Response, Instant),
    Failed(Ended, SocketAddr, String),
    NoEndpoint,
    /// The time for the whole answer is over.
    TimedOut,
    ClientGone,
}

impl Exchange<'_> {
    /// Answers the request without an upstream.
    pub(super) async fn answer(
        &mut self,
        down: &mut Http<Wire>,
        status: u16,
        text: &str,
        location: Option<&str>,
        edits: &Edits,
    ) -> Result<bool, Abort> {
        // Envoy closes connections of HTTP/1.1 whose request it calls bad.
        let bad = status == 400;
        let keep = self.incoming.http2 || self.request.keep_alive() && self.request.method != "CONNECT" && !bad;
        self.record.received += down.skip(self.body).await?;
        let date = http_date(self.taken.netns.clock());
        let server = self.taken.role.server();
        let response = own_answer(status, location, edits, text.len(), (date, server), keep);
        let mut message = response.encode();
        if self.request.method != "HEAD" {
            message.extend_from_slice(text.as_bytes());
            self.record.sent = text.len() as u64;
        }
        self.record.code = status;
        self.record.answer.clone_from(&response.headers.0);
        self.log();
        down.send(&message).await?;
        if !keep {
            down.finish().await?;
        }
        Ok(keep)
    }

    async fn fail(&mut self, down: &mut Http<Wire>, status: u16, text: &str) -> Result<bool, Abort> {
        self.answer(down, status, text, None, &Edits::default()).await
    }

    /// Forwards the request to an endpoint of the cluster and its answer back.
    pub(super) async fn forward(&mut self, down: &mut Http<Wire>, to: &Forwarding) -> Result<bool, Abort> {
        let Action::Forward(forward) = &to.route.action else { return Ok(false) };
        if !to.route.name.is_empty() {
            self.record.route.clone_from(&to.route.name);
        }
        self.record.cluster = Some(to.cluster.name.clone());
        if let Some(delay) = to.delay {
            self.record.raise("DI");
            tokio::select! {
                biased;
                () = gone(down.get_ref()) => return self.left(),
                () = sleep(delay) => {}
            }
        }
        if let Some(status) = to.abort {
            self.record.raise("FI");
            "fault_filter_abort".clone_into(&mut self.record.details);
            return self.fail(down, status, "fault filter abort").await;
        }
        let repeated = forward.retry.as_ref().is_some_and(|retry| retry.attempts > 0);
        let kept = self.keep_body(down, repeated).await?;
        let deadline = forward.timeout.map(|timeout| Instant::now() + timeout);
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.record.attempts = attempt;
            let outcome = self.attempt(down, to, forward, attempt, deadline, kept.as_ref()).await?;
            let ended = match &outcome {
                Attempt::Failed(ended, ..) => Some(*ended),
                Attempt::Answered(_, _, response, _) => Some(Ended::Status(response.status)),
                _ => None,
            };
            let policy = forward.retry.as_ref().filter(|retry| ended.is_some_and(|ended| wants(retry, ended)));
            if let Some(retry) = policy {
                if attempt <= retry.attempts && (kept.is_some() || ended == Some(Ended::Connect)) {
                    self.wait(retry, attempt).await;
                    continue;
                }
                self.record.raise("URX");
            }
            return self.conclude(down, to, forward, outcome, attempt > 1).await;
        }
    }

    async fn wait(&self, retry: &Retry, attempt: u32) {
        let bound = u64::try_from(delay_bound(retry, attempt).as_millis()).unwrap_or(u64::MAX);
        sleep(Duration::from_millis(self.taken.proxy.random_below(bound))).await;
    }

    /// Reads the body of a request that may be sent again, if it is small enough to be kept.
    async fn keep_body(&mut self, down: &mut Http<Wire>, repeated: bool) -> Result<Option<Bytes>, Abort> {
        let small = matches!(self.body, Body::Length(length) if length <= KEPT_BODY as u64);
        if !repeated || !small {
            return Ok(None);
        }
        if self.body != Body::Length(0) {
            self.go_on(down).await?;
        }
        let mut all = BytesMut::new();
        while let Some(piece) = down.piece(&mut self.body).await? {
            all.extend_from_slice(&piece);
        }
        self.record.received = all.len() as u64;
        Ok(Some(all.freeze()))
    }

    /// Tells a client that waits to be told that its body is wanted.
    async fn go_on(&self, down: &mut Http<Wire>) -> Result<(), Abort> {
        if self.request.headers.has_token("expect", "100-continue") {
            down.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        Ok(())
    }

    async fn attempt(
        &mut self,
        down: &mut Http<Wire>,
        to: &Forwarding,
        forward: &Forward,
        attempt: u32,
        deadline: Option<Instant>,
        kept: Option<&Bytes>,
    ) -> Result<Attempt, Abort> {
        let per_try = forward.retry.as_ref().and_then(|retry| retry.per_try).map(|per_try| Instant::now() + per_try);
        let reached = tokio::select! {
            biased;
            reached = self.reach(to) => reached,
            () = until(deadline) => return Ok(Attempt::TimedOut),
        };
        let (mut up, endpoint) = match reached {
            Ok(reached) => reached,
            Err(ConnectFailure::NotSimulated(reason)) => return Err(Abort::NotSimulated(reason)),
            Err(ConnectFailure::NoEndpoint) => return Ok(Attempt::NoEndpoint),
            Err(ConnectFailure::Failed { endpoint, transport_failure }) => {
                return Ok(Attempt::Failed(Ended::Connect, endpoint, transport_failure));
            }
        };
        self.record.upstream = Some(endpoint);
        self.record.upstream_local = Some(up.get_ref().socket().local_addr());
        let sent_at = Instant::now();
        self.send_request(down, &mut up, to, forward, attempt, kept).await?;
        let answered = tokio::select! {
            biased;
            answer = up.response() => answer,
            () = gone(down.get_ref()) => return Ok(Attempt::ClientGone),
            () = until(deadline) => return Ok(Attempt::TimedOut),
            () = until(per_try) => return Ok(Attempt::Failed(Ended::PerTry, endpoint, String::new())),
        };
        match answered {
            Ok(response) => Ok(Attempt::Answered(up, endpoint, response, sent_at)),
            Err(HttpError::Io(error)) if not_simulated(&error).is_some() => Err(error.into()),
            Err(HttpError::Malformed) => Ok(Attempt::Failed(Ended::Malformed, endpoint, String::new())),
            Err(_) => Ok(Attempt::Failed(Ended::Reset, endpoint, String::new())),
        }
    }

    async fn conclude(
        &mut self,
        down: &mut Http<Wire>,
        to: &Forwarding,
        forward: &Forward,
        outcome: Attempt,
        retried: bool,
    ) -> Result<bool, Abort> {
        let latest = if retried { "retried and the latest reset reason" } else { "reset reason" };
        let text = |what: &str| format!("upstream connect error or disconnect/reset before headers. {latest}: {what}");
        match outcome {
            Attempt::Answered(mut up, endpoint, response, sent_at) => {
                let edits = [forward.clusters.get(to.chosen).map(|one| &one.response), Some(&to.route.response)];
                let none = Edits::default();
                let edits = edits.map(|edits| edits.unwrap_or(&none));
                match self.pass_back(down, &mut up, (response, to.cluster.http2), sent_at, edits).await {
                    Ok(Kept { client, upstream }) => {
                        if upstream {
                            self.taken.proxy.upstreams.keep_idle(&to.cluster, endpoint, up);
                        }
                        Ok(client)
                    }
                    Err(Abort::Closed) => self.left(),
                    Err(abort) => Err(abort),
                }
            }
            Attempt::NoEndpoint => {
                self.record.raise("UH");
                "no_healthy_upstream".clone_into(&mut self.record.details);
                self.fail(down, 503, "no healthy upstream").await
            }
            Attempt::TimedOut => {
                self.record.raise("UT");
                "response_timeout".clone_into(&mut self.record.details);
                self.fail(down, 504, "upstream request timeout").await
            }
            Attempt::Failed(Ended::PerTry, ..) => {
                self.record.raise("UT");
                "upstream_per_try_timeout".clone_into(&mut self.record.details);
                self.fail(down, 504, "upstream request timeout").await
            }
            Attempt::Failed(Ended::Connect, endpoint, transport_failure) => {
                self.record.upstream = Some(endpoint);
                self.record.raise("UF");
                let (code, what) = match transport_failure.as_str() {
                    "-" => ("connection_timeout".to_owned(), "connection timeout"),
                    failure => (format!("remote_connection_failure|{failure}"), "remote connection failure"),
                };
                self.record.transport_failure = transport_failure;
                self.record.details = format!("upstream_reset_before_response_started{{{code}}}");
                self.fail(down, 503, &text(what)).await
            }
            Attempt::Failed(Ended::Malformed, ..) => {
                self.record.raise("UPE");
                "upstream_reset_before_response_started{protocol_error}".clone_into(&mut self.record.details);
                self.fail(down, 502, &text("protocol error")).await
            }
            Attempt::Failed(..) => {
                self.record.raise("UC");
                "upstream_reset_before_response_started{connection_termination}".clone_into(&mut self.record.details);
                self.fail(down, 503, &text("connection termination")).await
            }
            Attempt::ClientGone => self.left(),
        }
    }

    /// Notes that the client went before it had the whole answer.
    fn left(&mut self) -> Result<bool, Abort> {
        self.record.raise("DC");
        "downstream_remote_disconnect".clone_into(&mut self.record.details);
        self.log();
        Ok(false)
    }

    /// A connection to an endpoint: an idle one, or a new one.
    async fn reach(&self, to: &Forwarding) -> Result<(Http<Wire>, SocketAddr), ConnectFailure> {
        let taken = self.taken;
        let upstreams = &taken.proxy.upstreams;
        let endpoint = upstreams.choose(&taken.netns, &to.cluster, taken.destination).await?;
        if to.cluster.http2 && !taken.netns.is_proxy(endpoint.address.ip()) {
            return Err(ConnectFailure::NotSimulated(format!("http/2 to {}", endpoint.address)));
        }
        if let Some(idle) = upstreams.take_idle(&to.cluster, endpoint.address) {
            return Ok((idle, endpoint.address));
        }
        let authority = to.authority.rsplit_once(':').map_or(to.authority.as_str(), |(host, _)| host);
        let up = connect(&taken.netns, &endpoint, &to.cluster, Some(authority)).await?;
        let mut http = Http::new(up.wire);
        if to.cluster.http2 && http.send(PREFACE).await.is_err() {
            return Err(ConnectFailure::NotSimulated("a proxy that went at once".to_owned()));
        }
        Ok((http, up.endpoint))
    }

    /// Sends the request with its body. An upstream that does not take it shows when its answer is read.
    async fn send_request(
        &mut self,
        down: &mut Http<Wire>,
        up: &mut Http<Wire>,
        to: &Forwarding,
        forward: &Forward,
        attempt: u32,
        kept: Option<&Bytes>,
    ) -> Result<(), Abort> {
        let Some(fields) = &mut self.record.request else { return Ok(()) };
        let none = Edits::default();
        let own = forward.clusters.get(to.chosen).map_or(&none, |one| &one.request);
        let onward = Onward {
            path: &to.path,
            authority: &to.authority,
            asked: &self.authority,
            attempt,
            role: self.taken.role,
            scheme: if self.incoming.tls { "https" } else { "http" },
            timeout: forward.timeout,
            client: self.client.clone(),
            certificate: self.incoming.certificate.clone(),
            edits: [own, &to.route.request],
        };
        let head = to_upstream(self.request, fields, &onward);
        // The log shows headers as they were sent on, but for the path.
        fields.authority.clone_from(&to.authority);
        fields.user_agent = head.headers.get("user-agent").map(str::to_owned);
        fields.headers.clone_from(&head.headers.0);
        let mut open = went(up.send(&head.encode()).await)?;
        if let Some(body) = kept {
            if open && !body.is_empty() {
                went(up.send(body).await)?;
            }
            return Ok(());
        }
        let chunked = matches!(self.body, Body::Chunked(_));
        if self.body != Body::Length(0) {
            self.go_on(down).await?;
        }
        while let Some(piece) = down.piece(&mut self.body).await? {
            self.record.received += piece.len() as u64;
            if open {
                open = went(send_piece(up, &piece, chunked).await)?;
            }
        }
        if chunked && open {
            went(up.send(b"0\r\n\r\n").await)?;
        }
        Ok(())
    }

    /// Passes the upstream's answer to the client.
    async fn pass_back(
        &mut self,
        down: &mut Http<Wire>,
        up: &mut Http<Wire>,
        (response, http2): (Response, bool),
        sent_at: Instant,
        edits: [&Edits; 2],
    ) -> Result<Kept, Abort> {
        let took = sent_at.elapsed();
        let mut body = response.body(&self.request.method)?;
        let upstream = response.keep_alive() && body != Body::UntilEnd;
        let chunked = matches!(body, Body::Chunked(_) | Body::UntilEnd);
        let client = self.incoming.http2 || self.request.keep_alive();
        let date = http_date(self.taken.netns.clock());
        let framing = Framing { chunked, keep: client, http2 };
        let head = to_downstream(&response, took, (date, self.taken.role.server()), &framing, edits);
        self.record.code = response.status;
        self.record.answer.clone_from(&head.headers.0);
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
                // Whatever ended the body too soon: to Envoy's parser it is a message that breaks off.
                Err(_) => {
                    self.record.raise("UPE");
                    "upstream_reset_after_response_started{protocol_error}".clone_into(&mut self.record.details);
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
        self.taken.proxy.log(self.config, self.taken.role, &self.record);
    }
}

/// Waits for a moment; for ever, if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until the client has closed the connection.
async fn gone(client: &Wire) {
    client.socket().peek(|_, open| (!open).then_some(())).await;
}

/// Whether an upstream took what it was sent; a failure that the lab has to report passes on.
fn went(sent: io::Result<()>) -> Result<bool, Abort> {
    match sent {
        Ok(()) => Ok(true),
        Err(error) if not_simulated(&error).is_some() => Err(error.into()),
        Err(_) => Ok(false),
    }
}

async fn send_piece(to: &mut Http<Wire>, piece: &[u8], chunked: bool) -> io::Result<()> {
    if chunked {
        to.send(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        to.send(piece).await?;
        to.send(b"\r\n").await
    } else {
        to.send(piece).await
    }
}
