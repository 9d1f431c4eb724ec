//! A proxy of the mesh as an HTTP proxy: requests on a listener that speaks HTTP, each with its own verdict and log line.
//!
//! Invariant: what the client sees of an answer that the proxy makes itself was recorded from a real Envoy: the headers,
//! their order and the text.

mod exchange;
mod heads;
mod retry;

use super::decide::{RequestHead, RequestOutcome, request};
use super::envoy::Edits;
use super::log::{Record, RequestFields};
use super::proxy::Taken;
use super::relay::Ends;
use super::wire::Wire;
use crate::net::http1::{Body, Http, HttpError};
use crate::net::not_simulated;
use exchange::Exchange;
use heads::split_target;
use std::io;
use tokio::time::Instant;

/// What a proxy sends before its requests if they go out as HTTP/2. Between the lab's proxies the messages behind it are framed as
/// HTTP/1.1 is, which nobody but they can see.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

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
            HttpError::Malformed => Self::NotSimulated("malformed http through a proxy of the mesh".to_owned()),
            HttpError::TooLarge => {
                Self::NotSimulated("an http head above 60 KiB through a proxy of the mesh".to_owned())
            }
        }
    }
}

impl From<io::Error> for Abort {
    fn from(error: io::Error) -> Self {
        HttpError::Io(error).into()
    }
}

/// Which of a proxy's sides a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// From the application of a sidecar.
    Outbound,
    /// To the application of a sidecar.
    Inbound,
    /// Through a gateway.
    Gateway,
}

impl Role {
    /// What answers say who made them.
    const fn server(self) -> &'static str {
        if matches!(self, Self::Outbound) { "envoy" } else { "istio-envoy" }
    }
}

/// How requests come in on a connection.
pub(super) struct Incoming {
    /// The route configuration.
    pub(super) routes: String,
    /// Whether the client speaks TLS, which ends here.
    pub(super) tls: bool,
    /// Whether the client's requests are HTTP/2.
    pub(super) http2: bool,
    /// The server name of the client's TLS.
    pub(super) server_name: Option<String>,
    /// Who the client is in the mesh.
    pub(super) certificate: Option<String>,
}

/// Serves requests until the client or an answer ends the connection.
pub(super) async fn serve(taken: &Taken, wire: Wire, mut incoming: Incoming) {
    let mut down = Http::new(wire);
    // A stream that fails here fails again when it is read.
    incoming.http2 = down.skip_prefix(PREFACE).await.unwrap_or(false);
    loop {
        match serve_one(taken, &mut down, &incoming).await {
            Ok(true) => {}
            Ok(false) | Err(Abort::Closed) => return,
            Err(Abort::NotSimulated(reason)) => return down.into_parts().0.refuse_to_simulate(&reason),
        }
    }
}

/// Serves one request; whether another may follow on the connection.
async fn serve_one(taken: &Taken, down: &mut Http<Wire>, incoming: &Incoming) -> Result<bool, Abort> {
    let Some(head) = down.request().await? else { return Ok(false) };
    let config = taken.proxy.config();
    let role = taken.role;
    if head.minor == 0 && role == Role::Outbound {
        return Err(Abort::NotSimulated("http/1.0 after http/1.1 on one connection".to_owned()));
    }
    let (authority, path) = split_target(&head).map_err(Abort::NotSimulated)?;
    let scheme = if incoming.tls { "https" } else { "http" };
    let draw = taken.proxy.draw();
    let asked = RequestHead {
        method: &head.method,
        authority: &authority,
        path: &path,
        scheme,
        headers: &head.headers.0,
        draw,
    };
    let decided = request(&config, &incoming.routes, taken.destination, &asked);
    if role == Role::Outbound {
        taken.proxy.lately.request(taken.source, &config, &asked);
    }
    let mut record = Record::new(taken.netns.clock().now(), taken.source, taken.destination);
    record.server_name.clone_from(&incoming.server_name);
    // A gateway takes its clients for strangers, and gives each request an id of its own.
    let request_id = head.headers.get("x-request-id").filter(|_| role != Role::Gateway).map(str::to_owned);
    let client = (role == Role::Gateway).then(|| taken.source.ip().to_string());
    let forwarded = |client: &String| match head.headers.get("x-forwarded-for") {
        Some(old) => format!("{old},{client}"),
        None => client.clone(),
    };
    record.request = Some(RequestFields {
        method: head.method.clone(),
        protocol: if incoming.http2 { "HTTP/2" } else { "HTTP/1.1" },
        path: (head.method != "CONNECT").then(|| path.clone()),
        forwarded_for: client.as_ref().map(forwarded),
        user_agent: head.headers.get("user-agent").map(str::to_owned),
        request_id: match request_id {
            _ if authority.is_empty() => String::new(),
            Some(own) => own,
            None => taken.proxy.request_id(config.settings().sampled),
        },
        authority: authority.clone(),
        scheme,
        headers: head.headers.0.clone(),
    });
    let body = if head.method == "CONNECT" { Body::Length(0) } else { head.body()? };
    let began = Instant::now();
    let nameless = authority.is_empty();
    let mut exchange =
        Exchange { taken, config: &config, incoming, request: &head, authority, body, client, began, record };
    if nameless {
        // What is wrong with the request itself is told before anything is done with it.
        "missing_host_header".clone_into(&mut exchange.record.details);
        return exchange.answer(down, 400, "", None, &Edits::default()).await;
    }
    match decided.outcome {
        RequestOutcome::Forward(forwarding) => exchange.forward(down, &forwarding).await,
        RequestOutcome::Answer(answer) => {
            exchange.record.route.clone_from(&answer.route);
            exchange.record.raise(answer.flags);
            answer.details.clone_into(&mut exchange.record.details);
            exchange.answer(down, answer.status, &answer.body, answer.location.as_deref(), &answer.response).await
        }
        RequestOutcome::NotSimulated(reason) => Err(Abort::NotSimulated(reason)),
    }
}
