//! One client of the proxy: requests on a connection, tunnels, and a log line for each.
//!
//! Invariant: a transaction is logged once, when it has ended, with the bytes that the client was sent.

use super::acl::{Answer, Asked};
use super::auth::Credentials;
use super::conf::Conf;
use super::log::Line;
use super::reply::{Refusal, Refused, Replies, Version};
use crate::clock::Clock;
use crate::fs::Fs;
use crate::mesh::relay::relay_until_either_ends;
use crate::net::http1::{Http, HttpError, Request};
use crate::net::{NetNs, Socket, http_date, not_simulated};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

/// How long a connection to a server may take (`connect_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// The answer that opens a tunnel.
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// The proxy, shared by its connections.
pub(super) struct Proxy {
    pub(super) conf: Conf,
    pub(super) version: Version,
    pub(super) net: NetNs,
    pub(super) fs: Fs,
    pub(super) clock: Clock,
}

/// What ends a client's connection early.
pub(super) enum Abort {
    /// The client is gone.
    Closed,
    /// The lab cannot carry the request.
    NotSimulated(String),
}

impl From<HttpError> for Abort {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Io(error) => error.into(),
            HttpError::Truncated => Self::Closed,
            HttpError::Malformed => Self::NotSimulated("malformed http to squid".to_owned()),
            HttpError::TooLarge => Self::NotSimulated("an http head above 60 KiB to squid".to_owned()),
        }
    }
}

impl From<io::Error> for Abort {
    fn from(error: io::Error) -> Self {
        not_simulated(&error).map_or(Self::Closed, |reason| Self::NotSimulated(reason.to_owned()))
    }
}

/// One request under way.
pub(super) struct Transaction<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) request: &'a Request,
    pub(super) client: IpAddr,
    pub(super) port: u16,
    pub(super) began: Instant,
    /// Who the client says it is, once that was asked.
    pub(super) user: Option<String>,
}

/// A connection to a server, or why there is none.
pub(super) enum Dialled {
    Connected(Socket, IpAddr),
    Refused(Refusal, Option<IpAddr>),
}

impl Proxy {
    /// Serves one client until it or an answer ends the connection.
    pub(super) async fn serve(self: Arc<Self>, socket: Socket) {
        let (client, port) = (socket.peer_addr().ip(), socket.local_addr().port());
        let mut http = Http::new(socket);
        let mut first = true;
        loop {
            let began = Instant::now();
            let mut request = match http.request().await {
                Ok(Some(request)) => request,
                Ok(None) => {
                    if first {
                        self.nothing_asked(client, began);
                    }
                    return;
                }
                Err(HttpError::Malformed) if self.version == Version::V5 => {
                    return self.unreadable(http, client, port, began).await;
                }
                Err(error) => return end(http.into_parts().0, error.into()),
            };
            first = false;
            // A tunnel without a port leads to that of HTTPS.
            if request.method == "CONNECT" && !request.target.is_empty() && !request.target.contains(':') {
                request.target.push_str(":443");
            }
            let mut transaction = Transaction { proxy: &self, request: &request, client, port, began, user: None };
            if request.method == "CONNECT" {
                return transaction.tunnel(http).await;
            }
            match transaction.forward(&mut http).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(abort) => return end(http.into_parts().0, abort),
            }
        }
    }

    /// A client that connected and closed: only the newer version notes it.
    fn nothing_asked(&self, client: IpAddr, began: Instant) {
        if self.version == Version::V5 {
            self.log(&Line {
                end: self.clock.now(),
                elapsed: began.elapsed(),
                client,
                result: self.version.none(),
                status: 0,
                bytes: 0,
                method: "-",
                url: "error:transaction-end-before-headers",
                user: None,
                server: None,
                content_type: None,
            });
        }
    }

    /// Answers what is no request, such as a TLS handshake.
    async fn unreadable(&self, http: Http<Socket>, client: IpAddr, port: u16, began: Instant) {
        const TARGET: &str = "error:invalid-request";
        let (mut socket, seen) = http.into_parts();
        let word: String = seen.iter().map(|byte| char::from(*byte)).take_while(char::is_ascii_uppercase).collect();
        let refusal = Refusal::Unreadable;
        let refused = Refused { refusal, target: TARGET, host: "", server: None, tunnel: false, keep: false };
        let (status, message) = self.replies(port).refuse(&refused);
        self.log(&Line {
            end: self.clock.now(),
            elapsed: began.elapsed(),
            client,
            result: self.version.none(),
            status,
            bytes: message.len() as u64,
            method: if word.is_empty() { "-" } else { &word },
            url: TARGET,
            user: None,
            server: None,
            content_type: Some("text/html"),
        });
        // A client that is gone misses the page.
        if socket.write_all(&message).await.is_ok() {
            socket.shutdown().await.unwrap_or_default();
        }
    }

    /// What it calls itself.
    pub(super) fn name(&self) -> &'static str {
        if self.conf.hides_version { "squid" } else { self.version.name() }
    }

    fn replies(&self, port: u16) -> Replies<'_> {
        Replies {
            version: self.version,
            name: self.name(),
            via: self.conf.via,
            hostname: &self.conf.hostname,
            port,
            date: http_date(&self.clock),
            realm: &self.conf.basic.realm,
        }
    }

    pub(super) fn log(&self, line: &Line<'_>) {
        if let Some(path) = &self.conf.access_log {
            // The file was opened at the start; a log that cannot be written later stops nothing.
            let _ = self.fs.append(path, line.to_string().as_bytes());
        }
    }
}

fn end(socket: Socket, abort: Abort) {
    if let Abort::NotSimulated(reason) = abort {
        socket.refuse_to_simulate(&reason);
    }
}

impl Transaction<'_> {
    /// Whether the rules let the request pass; if not, why.
    pub(super) async fn judge(&mut self, host: &str, port: u16) -> Result<Option<Refusal>, Abort> {
        let Proxy { conf, net, fs, .. } = self.proxy;
        let addresses =
            if conf.access.looks_at_addresses() { net.resolve(host).await.unwrap_or_default() } else { Vec::new() };
        let credentials = match &conf.basic.passwords {
            None => Credentials::None,
            Some(path) => {
                let passwords = fs.read(path).unwrap_or_default();
                let header = self.request.headers.get("proxy-authorization");
                Credentials::judge(header, &String::from_utf8_lossy(&passwords))
                    .map_err(|what| Abort::NotSimulated(format!("squid: {what}")))?
            }
        };
        let decision = conf.access.decide(&Asked {
            client: self.client,
            method: &self.request.method,
            host,
            port,
            url: &self.request.target,
            addresses: &addresses,
            credentials: &credentials,
        });
        self.user = decision.user;
        Ok(match decision.answer {
            Answer::Allowed => None,
            Answer::Denied => Some(Refusal::Denied),
            Answer::Unauthenticated => Some(Refusal::Unauthenticated),
        })
    }

    /// The target as the log and error pages show it.
    fn shown_target(&self) -> &str {
        let target = self.request.target.as_str();
        match target.find('?') {
            Some(at) if self.proxy.conf.strip_query => &target[..=at],
            _ => target,
        }
    }

    pub(super) fn replies(&self) -> Replies<'_> {
        self.proxy.replies(self.port)
    }

    pub(super) fn log(&self, result: &str, status: u16, bytes: u64, server: Option<IpAddr>, kind: Option<&str>) {
        self.proxy.log(&Line {
            end: self.proxy.clock.now(),
            elapsed: self.began.elapsed(),
            client: self.client,
            result,
            status,
            bytes,
            method: &self.request.method,
            url: self.shown_target(),
            user: self.user.as_deref(),
            server,
            content_type: kind,
        });
    }

    /// Resolves and dials a server.
    pub(super) async fn dial(&self, host: &str, port: u16) -> Result<Dialled, Abort> {
        let Ok(addresses) = self.proxy.net.resolve(host).await else {
            return Ok(Dialled::Refused(Refusal::UnknownHost, None));
        };
        let mut last = Dialled::Refused(Refusal::UnknownHost, None);
        for ip in addresses {
            match timeout(CONNECT_TIMEOUT, self.proxy.net.connect(SocketAddr::new(ip, port))).await {
                Ok(Ok(socket)) => return Ok(Dialled::Connected(socket, ip)),
                Ok(Err(error)) => {
                    let errno = match error.kind() {
                        io::ErrorKind::ConnectionRefused => 111,
                        io::ErrorKind::HostUnreachable => 113,
                        io::ErrorKind::TimedOut => 110,
                        _ => match Abort::from(error) {
                            Abort::Closed => 104,
                            abort @ Abort::NotSimulated(_) => return Err(abort),
                        },
                    };
                    last = Dialled::Refused(Refusal::Unreachable(errno), Some(ip));
                }
                Err(_) => last = Dialled::Refused(Refusal::Unreachable(110), Some(ip)),
            }
        }
        Ok(last)
    }

    /// Opens a tunnel and relays until either side closes.
    async fn tunnel(&mut self, mut http: Http<Socket>) {
        match self.open_tunnel(&mut http).await {
            Ok(Some((server, ip))) => {
                let (mut client, early) = http.into_parts();
                // Bytes that came with the request belong to the server.
                let mut server = server;
                if !early.is_empty() && server.write_all(&early).await.is_err() {
                    client.shutdown().await.unwrap_or_default();
                }
                let sent = relay_until_either_ends(client, server).await;
                self.log("TCP_TUNNEL", 200, ESTABLISHED.len() as u64 + sent, Some(ip), None);
            }
            Ok(None) => {}
            Err(abort) => end(http.into_parts().0, abort),
        }
    }

    async fn open_tunnel(&mut self, http: &mut Http<Socket>) -> Result<Option<(Socket, IpAddr)>, Abort> {
        let Some((host, port)) = split_authority(&self.request.target, None) else {
            self.refuse(http, Refusal::Invalid, None).await?;
            return Ok(None);
        };
        if let Some(refusal) = self.judge(host, port).await? {
            self.refuse(http, refusal, None).await?;
            // The connection stays open for another request, which a client that wanted a tunnel does not send.
            http.get_ref().peek(|data, open| (!data.is_empty() || !open).then_some(())).await;
            return Ok(None);
        }
        match self.dial(host, port).await? {
            Dialled::Connected(server, ip) => {
                http.send(ESTABLISHED).await?;
                Ok(Some((server, ip)))
            }
            Dialled::Refused(refusal, ip) => {
                self.refuse(http, refusal, ip).await?;
                Ok(None)
            }
        }
    }

    /// Answers with an error page and logs it.
    pub(super) async fn refuse(
        &self,
        http: &mut Http<Socket>,
        refusal: Refusal,
        ip: Option<IpAddr>,
    ) -> Result<(), Abort> {
        let tunnel = self.request.method == "CONNECT";
        let target = self.shown_target();
        let authority = target.split_once("://").map_or(target, |(_, rest)| rest.split('/').next().unwrap_or(rest));
        let host = split_authority(authority, Some(0)).map_or(authority, |(host, _)| host);
        let (status, message) = self.replies().refuse(&Refused {
            refusal,
            target,
            host,
            server: ip,
            tunnel,
            keep: self.request.keep_alive(),
        });
        let bytes = message.len() as u64;
        let version = self.proxy.version;
        match refusal {
            Refusal::Denied | Refusal::Unauthenticated => {
                self.log("TCP_DENIED", status, bytes, None, Some("text/html"));
            }
            Refusal::Invalid => self.log(version.none(), status, bytes, None, Some("text/html")),
            // A failed tunnel is logged without bytes, and only the newer version notes where it was to go.
            _ if tunnel => self.log(version.none(), status, 0, ip.filter(|_| version == Version::V5), None),
            _ => self.log("TCP_MISS", status, bytes, ip, Some("text/html")),
        }
        http.send(&message).await?;
        Ok(())
    }
}

/// Host and port of `host:port`; the port may be missing if there is a default.
pub(super) fn split_authority(authority: &str, default: Option<u16>) -> Option<(&str, u16)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !host.contains(':') => Some((host, port.parse().ok()?)),
        Some(_) => None,
        None if authority.is_empty() => None,
        None => Some((authority, default?)),
    }
}
