//! `pods/exec` and `pods/attach`.
//!
//! Invariant: the client gets all output before the status, and the status before the end of the connection.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::channel::{Protocol, Version};
use super::container::choose;
use super::host::{ExecRequest, ExecSession, PodHost};
use super::session::{Ends, SETTLING, Session};
use super::upgrade::{self, Offer, Refusal};
use crate::api::{Body, Query, status_response, text_response};
use crate::status::Status;
use crate::store::Store;

/// Protocols over SPDY, newest first. A client takes the first of its own that is among them.
const SPDY_PROTOCOLS: [&str; 4] = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

/// What the client wants of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A new command.
    Exec,
    /// The streams of the container's own command.
    Attach,
}

/// The container that a request is about.
pub(crate) struct Target<'a> {
    pub(crate) store: &'a Store,
    pub(crate) pods: &'a dyn PodHost,
    pub(crate) namespace: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) query: &'a Query,
}

/// Answers a request for a container's streams. With `cut`, the connection breaks after so many bytes of output.
pub(crate) fn command<B>(
    target: &Target<'_>,
    wish: Wish,
    request: Request<B>,
    cut: Option<u64>,
) -> Result<Response<Body>, Status>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
{
    let Target { query, namespace, pod, .. } = *target;
    let container = choose(target.store, namespace, pod, query.get("container"))?;
    let tty = query.flag("tty");
    let wanted = ExecRequest {
        argv: query.all("command"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr") && !tty,
        tty,
    };
    let offer = Offer::of(&request)?;
    if !(wanted.stdin || wanted.stdout || wanted.stderr) {
        return Ok(text_response(StatusCode::BAD_REQUEST, "you must specify at least 1 of stdin, stdout, stderr"));
    }
    let start = || match wish {
        Wish::Exec => target.pods.exec(namespace, pod, &container, wanted.clone()),
        Wish::Attach => target.pods.attach(namespace, pod, &container, wanted.clone()),
    };
    let ends = Ends { wish, version: Version::V4, argv: wanted.argv.clone(), cut };
    let answer = match offer {
        Offer::WebSocket(offered) => {
            let Some(protocol) = Protocol::choose(&offered) else {
                return Ok(text_response(StatusCode::FORBIDDEN, ""));
            };
            let ends = Ends { version: protocol.version, ..ends };
            let settling = if upgrade::is_of_go(&request) { SETTLING } else { Duration::ZERO };
            upgraded(start(), |streams| {
                let (response, upgrade) = upgrade::websocket(request, protocol.name)?;
                let session = Session { wanted: wanted.clone(), streams, ends };
                tokio::spawn(async move {
                    if let Ok(io) = upgrade.await {
                        session.over_websocket(io, protocol, settling).await;
                    }
                });
                Ok(response)
            })
        }
        Offer::Spdy(offered) => upgraded(start(), |streams| {
            let (response, protocol, upgrade) = upgrade::spdy(request, &offered, &SPDY_PROTOCOLS)?;
            let version = if protocol == SPDY_PROTOCOLS[0] { Version::V4 } else { Version::V1 };
            let session = Session { wanted: wanted.clone(), streams, ends: Ends { version, ..ends } };
            tokio::spawn(async move {
                if let Ok(io) = upgrade.await {
                    session.over_spdy(io).await;
                }
            });
            Ok(response)
        }),
    };
    Ok(answer)
}

/// The answer to a request whose streams there are, or not.
fn upgraded(
    streams: Result<ExecSession, Status>,
    take: impl FnOnce(ExecSession) -> Result<Response<Body>, Refusal>,
) -> Response<Body> {
    match streams {
        Ok(streams) => take(streams).unwrap_or_else(|refusal| *refusal),
        Err(status) => refusal(&status),
    }
}

/// What a kubelet refuses is passed on as its plain text.
pub(super) fn refusal(status: &Status) -> Response<Body> {
    if !status.reason.is_empty() {
        return status_response(status);
    }
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    text_response(code, status.message.clone())
}
