//! From a URL to a connection: names, TCP, the proxy's tunnel, TLS.
//!
//! Invariant: each step fails with the code that curl gives for that step.

use super::error::{
    COULDNT_CONNECT, COULDNT_RESOLVE_HOST, COULDNT_RESOLVE_PROXY, Failure, OPERATION_TIMEDOUT, RECV_ERROR,
};
use super::options::{self, Config};
use super::proxy::Proxy;
use super::response::Reader;
use super::tls;
use super::transfer::Transfer;
use super::url::Url;
use crate::net::{self, Socket};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// What a request is written to.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Io for T {}

/// A connection that may be used again for the same place.
pub(super) struct Connection {
    pub(super) reader: Reader,
    pub(super) key: String,
}

impl Transfer<'_> {
    /// A connection for this URL: the last one if it leads to the same place, else a new one.
    pub(super) async fn connection(&mut self, url: &Url, proxy: Option<&Proxy>) -> Result<Connection, Failure> {
        let tunnel = proxy.is_some() && (url.https || self.config.proxy_tunnel);
        let key = match proxy {
            Some(proxy) if !tunnel => format!("proxy {}:{}", proxy.host, proxy.port),
            Some(proxy) => format!("{} via {}:{}", url.authority(), proxy.host, proxy.port),
            None => format!("{} {}", url.scheme(), url.authority()),
        };
        if let Some(connection) = self.pool.take().filter(|connection| connection.key == key) {
            self.note(&format!("Re-using existing {} connection with host {}", url.scheme(), url.host)).await;
            return Ok(connection);
        }
        match self.config.connect_timeout {
            None => self.establish(url, proxy, tunnel, key).await,
            Some(limit) => {
                let started = Instant::now();
                let host = proxy.map_or(&url.host, |proxy| &proxy.host).clone();
                let port = proxy.map_or(url.port, |proxy| proxy.port);
                match tokio::time::timeout(limit, self.establish(url, proxy, tunnel, key)).await {
                    Ok(connection) => connection,
                    Err(_) => {
                        let after = started.elapsed().as_millis();
                        let text =
                            format!("Failed to connect to {host} port {port} after {after} ms: Timeout was reached");
                        Err(Failure::new(OPERATION_TIMEDOUT, text))
                    }
                }
            }
        }
    }

    async fn establish(
        &mut self,
        url: &Url,
        proxy: Option<&Proxy>,
        tunnel: bool,
        key: String,
    ) -> Result<Connection, Failure> {
        let connected = self.dial(url, proxy, Instant::now()).await?;
        self.info.connects += 1;
        self.info.connect = Some(self.started.elapsed());
        let socket = match proxy {
            Some(proxy) if tunnel => self.tunnel(url, proxy, connected).await?,
            _ => connected,
        };
        let io: Box<dyn Io> = if url.https {
            self.note("ALPN: curl offers h2,http/1.1").await;
            let stream = tls::handshake(self.process, self.config, socket, &url.host, &url.authority()).await?;
            self.info.app_connect = Some(self.started.elapsed());
            Box::new(stream)
        } else {
            Box::new(socket)
        };
        Ok(Connection { reader: Reader::new(io), key })
    }

    async fn dial(&mut self, url: &Url, proxy: Option<&Proxy>, started: Instant) -> Result<Socket, Failure> {
        let (host, port) = match proxy {
            Some(proxy) => (proxy.host.clone(), proxy.port),
            None => self.redirected(url)?,
        };
        let addresses = self.addresses(&host, port, proxy.is_some()).await?;
        self.info.name_lookup = Some(self.started.elapsed());
        if host.parse::<IpAddr>().is_err() {
            let list = |want_v4: bool| {
                let some: Vec<String> =
                    addresses.iter().filter(|ip| ip.is_ipv4() == want_v4).map(ToString::to_string).collect();
                if some.is_empty() { "(none)".to_owned() } else { some.join(", ") }
            };
            self.note(&format!("Host {host}:{port} was resolved.")).await;
            self.note(&format!("IPv6: {}", list(false))).await;
            self.note(&format!("IPv4: {}", list(true))).await;
        }
        let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
        for ip in addresses {
            let address = SocketAddr::new(ip, port);
            self.note(&format!("  Trying {address}...")).await;
            match self.process.net.connect(address).await {
                Ok(socket) => {
                    self.info.remote = Some(socket.peer_addr());
                    self.info.local = Some(socket.local_addr());
                    if proxy.is_none() {
                        self.note(&format!("Connected to {host} ({ip}) port {port}")).await;
                    }
                    return Ok(socket);
                }
                Err(error) => {
                    if let Some(reason) = net::not_simulated(&error) {
                        return Err(Failure::NotSimulated(reason.to_owned()));
                    }
                    let text = format!("connect to {ip} port {port} failed: {}", super::error::strerror(error.kind()));
                    self.note(&text).await;
                    last = error;
                }
            }
        }
        let after = started.elapsed().as_millis();
        let why =
            if self.version.starts_with("7.") { "Couldn't connect to server" } else { "Could not connect to server" };
        let code = if last.kind() == io::ErrorKind::TimedOut { OPERATION_TIMEDOUT } else { COULDNT_CONNECT };
        Err(Failure::new(code, format!("Failed to connect to {host} port {port} after {after} ms: {why}")))
    }

    /// Where `--connect-to HOST1:PORT1:HOST2:PORT2` sends a connection.
    fn redirected(&self, url: &Url) -> Result<(String, u16), Failure> {
        for rule in &self.config.connect_to {
            let parts: Vec<&str> = rule.split(':').collect();
            let [from, from_port, to, to_port] = parts[..] else {
                return Err(options::malformed("--connect-to", rule));
            };
            let applies = (from.is_empty() || from.eq_ignore_ascii_case(&url.host))
                && (from_port.is_empty() || from_port == url.port.to_string());
            if applies {
                let host = if to.is_empty() { url.host.clone() } else { to.to_owned() };
                let port = if to_port.is_empty() { Ok(url.port) } else { to_port.parse() };
                return Ok((host, port.map_err(|_| options::malformed("--connect-to", rule))?));
            }
        }
        Ok((url.host.clone(), url.port))
    }

    async fn addresses(&self, host: &str, port: u16, is_proxy: bool) -> Result<Vec<IpAddr>, Failure> {
        if let Some(address) = self.config.resolved(host, port)? {
            return Ok(address);
        }
        let found = self.process.net.resolve(host).await.unwrap_or_default();
        let wanted: Vec<IpAddr> = found
            .into_iter()
            .filter(|ip| !(self.config.ipv4 && ip.is_ipv6() || self.config.ipv6 && ip.is_ipv4()))
            .collect();
        if !wanted.is_empty() {
            return Ok(wanted);
        }
        Err(if is_proxy {
            Failure::new(COULDNT_RESOLVE_PROXY, format!("Could not resolve proxy: {host}"))
        } else {
            Failure::new(COULDNT_RESOLVE_HOST, format!("Could not resolve host: {host}"))
        })
    }

    /// Asks the proxy for a tunnel.
    async fn tunnel(&mut self, url: &Url, proxy: &Proxy, socket: Socket) -> Result<Socket, Failure> {
        let authority = url.authority();
        for note in ["CONNECT tunnel: HTTP/1.1 negotiated", "allocate connect buffer"] {
            self.note(note).await;
        }
        self.note(&format!("Establish HTTP proxy tunnel to {authority}")).await;
        let request = self.config.connect_request(&authority, proxy, self.version);
        self.show('>', &request).await;
        self.info.request_bytes += request.len() as u64;
        let mut reader = TunnelReader { socket };
        let aborted = match reader.socket.write_all(&request).await {
            Ok(()) => Failure::new(RECV_ERROR, "Proxy CONNECT aborted"),
            Err(error) => Failure::after_write(&error),
        };
        let head = match reader.head().await {
            Ok(Some(head)) => head,
            Ok(None) => return Err(aborted),
            Err(error) => return Err(Failure::receiving(&error)),
        };
        let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0u16);
        self.info.connect_status = status;
        for line in head.split_inclusive('\n') {
            self.show('<', line.as_bytes()).await;
        }
        if self.config.include && !self.config.suppress_connect_headers {
            self.deliver_head(head.as_bytes()).await?;
        }
        if !(200..300).contains(&status) {
            return Err(Failure::new(RECV_ERROR, format!("CONNECT tunnel failed, response {status}")));
        }
        self.note("CONNECT phase completed").await;
        self.note(&format!("CONNECT tunnel established, response {status}")).await;
        Ok(reader.socket)
    }
}

/// Reads a proxy's answer byte by byte: what follows it belongs to the tunnel.
struct TunnelReader {
    socket: Socket,
}

impl TunnelReader {
    /// The head, or `None` when the proxy closes before it is complete.
    async fn head(&mut self) -> io::Result<Option<String>> {
        use tokio::io::AsyncReadExt;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
            let mut byte = [0];
            if self.socket.read(&mut byte).await? == 0 || head.len() > 64 << 10 {
                return Ok(None);
            }
            head.push(byte[0]);
        }
        Ok(Some(String::from_utf8_lossy(&head).into_owned()))
    }
}

impl Config {
    /// The addresses that `--resolve HOST:PORT:ADDRESS[,ADDRESS]` gives.
    fn resolved(&self, host: &str, port: u16) -> Result<Option<Vec<IpAddr>>, Failure> {
        for entry in &self.resolve {
            let malformed = || options::malformed("--resolve", entry);
            let mut parts = entry.trim_start_matches(['+', '-']).splitn(3, ':');
            let (Some(name), Some(number), Some(list)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(malformed());
            };
            if (name == "*" || name.eq_ignore_ascii_case(host)) && number == port.to_string() {
                let parsed: Result<Vec<IpAddr>, _> =
                    list.split(',').map(|ip| ip.trim_matches(['[', ']']).parse()).collect();
                return parsed.map(Some).map_err(|_| malformed());
            }
        }
        Ok(None)
    }
}
