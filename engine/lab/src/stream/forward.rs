//! `pods/portforward`: connections to a pod's ports over WebSocket channels, SPDY, or SPDY through a WebSocket.
//!
//! Invariant: one connection that fails does not end the others.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::channel::{self, Codec};
use super::command::{Target, refusal};
use super::container::placed;
use super::host::{Dialled, PodHost};
use super::outlet::Outlet;
use super::session::{Gone, send_all, websocket};
use super::spdy::{Connection, Stream};
use super::tunnel;
use super::upgrade::{self, Offer, Refusal, TUNNEL};
use crate::api::{Body, text_response};
use crate::status::Status;

/// The protocol over SPDY.
const SPDY_PROTOCOL: &str = "portforward.k8s.io";

/// The second direction may take this much longer than the first.
const LINGER: Duration = Duration::from_millis(500);

/// Largest piece in one frame.
const PIECE: usize = 32 * 1024;

/// Halves of pairs that may wait for their other halves.
const HALVES: usize = 64;

/// Messages of one connection that may wait for a program that reads slowly.
const QUEUE: usize = 16;

/// Connects to ports of one pod.
type Dialler = Arc<dyn Fn(u16) -> Result<Dialled, Status> + Send + Sync>;

/// Answers a request for connections to a pod's ports.
pub(crate) fn forward<B>(
    target: &Target<'_>,
    pods: &Arc<dyn PodHost>,
    request: Request<B>,
) -> Result<Response<Body>, Status>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
{
    let (namespace, pod) = (target.namespace.to_owned(), target.pod.to_owned());
    placed(target.store, &namespace, &pod)?;
    let ports = asked_ports(&target.query.all("ports"))?;
    let offer = Offer::of(&request)?;
    let tunnelled: Vec<String> = match &offer {
        Offer::WebSocket(offered) => {
            offered.iter().filter_map(|offer| offer.strip_prefix(TUNNEL)).map(str::to_owned).collect()
        }
        Offer::Spdy(_) => Vec::new(),
    };
    let by_channels = matches!(offer, Offer::WebSocket(_)) && tunnelled.is_empty();
    let ports = if by_channels {
        match channel_ports(&ports) {
            Ok(ports) => ports,
            Err(text) => return Ok(text_response(StatusCode::BAD_REQUEST, text)),
        }
    } else {
        Vec::new()
    };
    // A connection that is made and dropped tells whether the pod runs; none is opened by that.
    if let Err(status) = pods.dial(&namespace, &pod, 1) {
        return Ok(refusal(&status));
    }
    let pods = Arc::clone(pods);
    let dialler: Dialler = Arc::new(move |port| pods.dial(&namespace, &pod, port));
    let answer = match offer {
        Offer::Spdy(offered) => over_spdy(request, &offered, dialler),
        Offer::WebSocket(offered) if by_channels => over_channels(request, &offered, ports, dialler),
        Offer::WebSocket(_) => over_tunnel(request, &tunnelled, dialler),
    };
    Ok(answer.unwrap_or_else(|refusal| *refusal))
}

/// The numbers in `ports`, which may be one list or several.
///
/// # Errors
/// 400 for what is no number.
fn asked_ports(values: &[String]) -> Result<Vec<String>, Status> {
    let ports: Vec<String> = values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect();
    match ports.iter().find(|port| port.parse::<i32>().is_err()) {
        Some(bad) => Err(Status::bad_request(format!("strconv.ParseInt: parsing {bad:?}: invalid syntax"))),
        None => Ok(ports),
    }
}

/// Ports for channels, or the kubelet's refusal.
fn channel_ports(asked: &[String]) -> Result<Vec<u16>, String> {
    if asked.is_empty() {
        return Err("query parameter \"port\" is required".to_owned());
    }
    let list = asked.join(",");
    let parse = |text: &String| match text.parse::<u16>() {
        Ok(0) => Err(format!("port {list:?} must be > 0")),
        Ok(port) => Ok(port),
        Err(_) => {
            let why = if text.starts_with('-') { "invalid syntax" } else { "value out of range" };
            Err(format!("unable to parse {list:?} as a port: strconv.ParseUint: parsing {text:?}: {why}"))
        }
    };
    asked.iter().map(parse).collect()
}

fn over_channels<B>(
    request: Request<B>,
    offered: &[String],
    ports: Vec<u16>,
    dialler: Dialler,
) -> Result<Response<Body>, Refusal> {
    let known = [("v4.channel.k8s.io", Codec::Binary), ("v4.base64.channel.k8s.io", Codec::Base64)];
    let chosen = match offered {
        [] => Some(("", Codec::Binary)),
        offered => offered.iter().find_map(|offer| known.into_iter().find(|(name, _)| name == offer)),
    };
    let Some((name, codec)) = chosen else { return Err(Box::new(text_response(StatusCode::FORBIDDEN, ""))) };
    let (response, upgrade) = upgrade::websocket(request, name)?;
    tokio::spawn(async move {
        if let Ok(io) = upgrade.await {
            carry_channels(io, codec, ports, dialler).await;
        }
    });
    Ok(response)
}

fn over_spdy<B>(request: Request<B>, offered: &[String], dialler: Dialler) -> Result<Response<Body>, Refusal> {
    let (response, _, upgrade) = upgrade::spdy(request, offered, &[SPDY_PROTOCOL])?;
    tokio::spawn(async move {
        if let Ok(io) = upgrade.await {
            carry_streams(TokioIo::new(io), dialler).await;
        }
    });
    Ok(response)
}

fn over_tunnel<B>(request: Request<B>, offered: &[String], dialler: Dialler) -> Result<Response<Body>, Refusal> {
    let protocol = upgrade::spdy_protocol(offered, &[SPDY_PROTOCOL])?;
    let (response, upgrade) = upgrade::websocket(request, &format!("{TUNNEL}{protocol}"))?;
    tokio::spawn(async move {
        if let Ok(io) = upgrade.await {
            carry_streams(tunnel::bytes(websocket(io).await), dialler).await;
        }
    });
    Ok(response)
}

/// Two channels a port: its bytes and what went wrong. Each begins with the port's number.
async fn carry_channels(io: Upgraded, codec: Codec, ports: Vec<u16>, dialler: Dialler) {
    let (sink, mut source) = websocket(io).await.split();
    let (frames, outgoing) = mpsc::channel(2);
    let mut feeds = Vec::new();
    let mut pairs = Vec::new();
    for (port, number) in ports.into_iter().zip((0..=u8::MAX).step_by(2)) {
        let outlet = |number| Outlet::Channel { frames: frames.clone(), codec, number };
        let (feed, data) = mpsc::channel(QUEUE);
        feeds.push(feed);
        pairs.push((port, Pair { data, out: outlet(number), error: outlet(number + 1) }));
    }
    drop(frames);
    let work = async {
        let mut begun = Vec::new();
        for (port, pair) in pairs {
            pair.out.send(&port.to_le_bytes()).await;
            pair.error.send(&port.to_le_bytes()).await;
            begun.push(pair.connect(port, &dialler));
        }
        futures::future::join_all(begun).await;
        Ok::<(), Gone>(())
    };
    let input = async {
        while let Some(Ok(message)) = source.next().await {
            if message.is_close() {
                return;
            }
            let Some((channel, data)) = channel::payload(message).and_then(|bytes| codec.decode(&bytes)) else {
                continue;
            };
            if channel % 2 == 0
                && let Some(feed) = feeds.get(usize::from(channel / 2))
            {
                // A connection that is over takes no more.
                let _ = feed.send(data).await;
            }
        }
    };
    tokio::select! {
        biased;
        _ = async { tokio::try_join!(send_all(sink, outgoing), work) } => {}
        () = input => {}
    }
}

/// Two streams a connection, which belong together by the client's number for it.
async fn carry_streams<S>(io: S, dialler: Dialler)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut connection, reading) = Connection::new(io);
    let work = async {
        let mut halves: BTreeMap<String, (bool, Stream)> = BTreeMap::new();
        let mut running = JoinSet::new();
        while let Some(stream) = connection.opened.recv().await {
            while running.try_join_next().is_some() {}
            let Some((port, is_data)) = purpose(&stream) else {
                stream.writer.reset().await;
                continue;
            };
            let request = request_id(&stream, is_data);
            let (data, error) = match halves.remove(&request) {
                Some((false, error)) if is_data => (stream, error),
                Some((true, data)) if !is_data => (data, stream),
                _ if halves.len() >= HALVES => {
                    stream.writer.reset().await;
                    continue;
                }
                _ => {
                    halves.insert(request, (is_data, stream));
                    continue;
                }
            };
            let dialler = Arc::clone(&dialler);
            running.spawn(async move {
                let (data_writer, error_writer) = (data.writer.clone(), error.writer.clone());
                let pair =
                    Pair { data: data.data, out: Outlet::Stream(data.writer), error: Outlet::Stream(error.writer) };
                if !pair.connect(port, &dialler).await {
                    data_writer.reset().await;
                    error_writer.reset().await;
                }
            });
        }
        while running.join_next().await.is_some() {}
    };
    let reading = pin!(reading);
    tokio::select! {
        biased;
        () = reading => {}
        () = work => {}
    }
    connection.close().await;
}

/// The port that a stream is for, and whether it carries the bytes.
fn purpose(stream: &Stream) -> Option<(u16, bool)> {
    let port = stream.headers.get("port")?.parse().ok().filter(|port| *port > 0)?;
    match stream.headers.get("streamtype")?.as_str() {
        "data" => Some((port, true)),
        "error" => Some((port, false)),
        _ => None,
    }
}

/// The client's number for a connection. Older clients give none, and open the stream for errors right before the other.
fn request_id(stream: &Stream, is_data: bool) -> String {
    let own = || stream.writer.id().saturating_sub(if is_data { 2 } else { 0 }).to_string();
    stream.headers.get("requestid").cloned().unwrap_or_else(own)
}

/// One connection as its client sees it.
struct Pair {
    data: mpsc::Receiver<Bytes>,
    out: Outlet,
    error: Outlet,
}

impl Pair {
    /// Connects to the port and carries bytes until one side is done. False when there was no connection.
    async fn connect(self, port: u16, dialler: &Dialler) -> bool {
        let connected = match dialler(port) {
            Ok(dialled) => dialled
                .await
                .map_err(|error| format!("error forwarding port {port} to pod {}, uid : {}", error.sandbox, error.why)),
            Err(status) => Err(status.message),
        };
        let Self { mut data, out, error } = self;
        let port = match connected {
            Ok(port) => port,
            Err(text) => {
                error.send(text.as_bytes()).await;
                return false;
            }
        };
        let (mut read, mut write) = tokio::io::split(port);
        let there = async {
            while let Some(bytes) = data.recv().await {
                if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
                    return;
                }
            }
        };
        let back = async {
            let mut buffer = vec![0; PIECE];
            while let Ok(count @ 1..) = read.read(&mut buffer).await {
                if !out.send(&buffer[..count]).await {
                    return;
                }
            }
        };
        let (mut there, mut back) = (pin!(there), pin!(back));
        tokio::select! {
            biased;
            () = &mut back => {
                let _ = tokio::time::timeout(LINGER, there).await;
            }
            () = &mut there => {
                let _ = tokio::time::timeout(LINGER, back).await;
            }
        }
        out.finish().await;
        error.finish().await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the kubelet of 1.36 (`pkg/kubelet` and its streaming library).
    #[test]
    fn ports_are_judged_in_the_kubelets_words() {
        let ports = |text: &str| channel_ports(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(ports("80,8080"), Ok(vec![80, 8080]));
        assert_eq!(ports("0"), Err("port \"0\" must be > 0".to_owned()));
        let range = "unable to parse \"80,70000\" as a port: strconv.ParseUint: parsing \"70000\": value out of range";
        assert_eq!(ports("80,70000"), Err(range.to_owned()));
        assert_eq!(channel_ports(&[]), Err("query parameter \"port\" is required".to_owned()));
        assert_eq!(asked_ports(&["8a".to_owned()]).unwrap_err().code, 400);
    }
}
