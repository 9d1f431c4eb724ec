//! Leaving HTTP for a stream protocol: what a client offers, and the answer that takes it.
//!
//! Invariant: a refusal has the status and the words of the server that would refuse in life.

use http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::api::{Body, text_response};
use crate::status::Status;

/// Header in which SPDY clients name the protocols that they speak over it.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const ACCEPTED_PROTOCOLS: HeaderName = HeaderName::from_static("x-accepted-stream-protocol-versions");

/// What comes before the protocol's name where SPDY goes through a WebSocket.
pub(super) const TUNNEL: &str = "SPDY/3.1+";

/// An answer that is not what the client hoped for.
pub(super) type Refusal = Box<Response<Body>>;

/// A request to leave HTTP.
pub(super) enum Offer {
    /// For a WebSocket that speaks one of these; none are named by clients that know of one only.
    WebSocket(Vec<String>),
    /// For SPDY that carries one of these.
    Spdy(Vec<String>),
}

impl Offer {
    /// What the client offers.
    ///
    /// # Errors
    /// 400 for a plain request.
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, Status> {
        let headers = request.headers();
        let upgrades = text(headers, &CONNECTION).to_ascii_lowercase().contains("upgrade");
        match text(headers, &UPGRADE).to_ascii_lowercase().as_str() {
            "websocket" if upgrades => Ok(Self::WebSocket(list(headers, &SEC_WEBSOCKET_PROTOCOL))),
            "spdy/3.1" if upgrades => Ok(Self::Spdy(list(headers, &STREAM_PROTOCOL))),
            _ => Err(Status::bad_request("Upgrade request required")),
        }
    }
}

/// Whether the client is `kubectl` or another program that is made with Kubernetes' library for Go, as it says by default.
pub(super) fn is_of_go<B>(request: &Request<B>) -> bool {
    text(request.headers(), &USER_AGENT).contains(" kubernetes/")
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The members of a header that may be given as one list or several times.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let members = values.flat_map(|value| value.split(',')).map(str::trim);
    members.filter(|member| !member.is_empty()).map(str::to_owned).collect()
}

/// The answer that takes up WebSocket with this protocol, and the connection to come. The answer is a refusal when the
/// request is no good one.
pub(super) fn websocket<B>(request: Request<B>, protocol: &str) -> Result<(Response<Body>, OnUpgrade), Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Box::new(text_response(StatusCode::METHOD_NOT_ALLOWED, "bad method")));
    }
    if text(headers, &SEC_WEBSOCKET_VERSION) != "13" {
        return Err(Box::new(text_response(StatusCode::BAD_REQUEST, "missing or bad WebSocket Version")));
    }
    let key = text(headers, &SEC_WEBSOCKET_KEY);
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    let (false, Ok(accept), Ok(protocol)) = (key.is_empty(), accept, HeaderValue::from_str(protocol)) else {
        return Err(Box::new(text_response(StatusCode::BAD_REQUEST, "mismatch challenge/response")));
    };
    let mut response = switching("websocket");
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    Ok((response, hyper::upgrade::on(request)))
}

/// The answer that takes up SPDY, the protocol chosen, and the connection to come; or the refusal.
pub(super) fn spdy<B>(
    request: Request<B>,
    offered: &[String],
    known: &[&'static str],
) -> Result<(Response<Body>, &'static str, OnUpgrade), Refusal> {
    let protocol = spdy_protocol(offered, known)?;
    let mut response = switching("SPDY/3.1");
    response.headers_mut().insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    Ok((response, protocol, hyper::upgrade::on(request)))
}

/// The first protocol of the client's that is known.
pub(super) fn spdy_protocol(offered: &[String], known: &[&'static str]) -> Result<&'static str, Refusal> {
    if offered.is_empty() {
        let text = "unable to upgrade: X-Stream-Protocol-Version is required";
        return Err(Box::new(text_response(StatusCode::BAD_REQUEST, text)));
    }
    let chosen = offered.iter().find_map(|offer| known.iter().find(|known| *known == offer));
    chosen.copied().ok_or_else(|| {
        let text = format!(
            "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]\n",
            offered.join(" "),
            known.join(" ")
        );
        let mut response = text_response(StatusCode::FORBIDDEN, text);
        for name in known {
            response.headers_mut().append(ACCEPTED_PROTOCOLS, HeaderValue::from_static(name));
        }
        Box::new(response)
    })
}

/// `101 Switching Protocols` without a body.
fn switching(to: &'static str) -> Response<Body> {
    let mut response = text_response(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.clear();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(to));
    response
}
