//! From a URL to a connection: names, TCP, the proxy's tunnel, TLS.
//!
//! Invariant: each step fails with the code that curl gives for that step.

use super::error::{
    COULDNT_CONNECT, COULDNT_RESOLVE_HOST, COULDNT_RESOLVE_PROXY, Failure, OPERATION_TIMEDOUT, OPTION_SYNTAX,
    RECV_ERROR,
};
use super::options;
use super::proxy::Proxy;
use super::release::Release;
use super::response::Reader;
use super::transfer::Transfer;
use super::url::Url;
use crate::net;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// What a request is written to.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Io for T {}

/// A connection that may be used again for the same place.
pub(super) struct Connection {
    pub(super) reader: Reader,
    pub(super) key: String,
    /// Counted from 0.
    pub(super) number: u64,
    /// The host that was connected to, as `-v` names it.
    pub(super) host: String,
    pub(super) secure: bool,
    /// Whether TLS 1.3's tickets are still to come.
    pub(super) tickets: bool,
}

/// The connections of a program that are open, and how many there were.
#[derive(Default)]
pub(super) struct Pool {
    open: Vec<Connection>,
    made: u64,
}

impl Pool {
    fn take(&mut self, key: &str) -> Option<Connection> {
        let at = self.open.iter().position(|connection| connection.key == key)?;
        Some(self.open.remove(at))
    }

    /// Keeps a connection for the next transfer.
    pub(super) fn keep(&mut self, connection: Connection) {
        self.open.push(connection);
    }

    /// The number of the connection that is made next, or of the last one if it failed.
    pub(super) fn number(&self) -> u64 {
        self.made
    }
}

/// Where a connection leads.
struct Place<'a> {
    url: &'a Url,
    proxy: Option<&'a Proxy>,
    tunnel: bool,
    /// The host and port that are connected to, which an option may have changed.
    host: String,
    port: u16,
    /// Whether an option named the host.
    redirected: bool,
}

impl Place<'_> {
    fn is_elsewhere(&self) -> bool {
        self.redirected || self.port != self.url.port
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

impl Transfer<'_> {
    /// A connection for this URL: one that leads to the same place, else a new one.
    pub(super) async fn connection(&mut self, url: &Url, proxy: Option<&Proxy>) -> Result<Connection, Failure> {
        let (host, port, redirected) = self.redirected(url).await?;
        let place = Place { url, proxy, tunnel: false, host, port, redirected };
        // A proxy is asked for a tunnel to a place that an option names.
        let tunnel = proxy.is_some() && (url.https || self.config.proxy_tunnel || place.is_elsewhere());
        let key = match proxy {
            Some(proxy) if !tunnel => format!("proxy {}:{}", proxy.host, proxy.port),
            Some(proxy) => format!("{} via {}:{}", place.authority(), proxy.host, proxy.port),
            None => format!("{} {} at {}", url.scheme(), url.authority(), place.authority()),
        };
        if let Some(connection) = self.pool.take(&key) {
            self.reused(&connection, url).await;
            return Ok(connection);
        }
        self.meter.start().await;
        let place = Place { tunnel, ..place };
        let connection = match self.config.connect_timeout {
            None => self.establish(&place, key).await,
            Some(limit) => {
                let started = Instant::now();
                match tokio::time::timeout(limit, self.establish(&place, key)).await {
                    Ok(connection) => connection,
                    Err(_) => Err(self.timed_out(&place, started, limit).await),
                }
            }
        }?;
        self.pool.made += 1;
        Ok(connection)
    }

    async fn reused(&mut self, connection: &Connection, url: &Url) {
        let number = connection.number;
        match self.release {
            Release::V7 => {
                // The address in memory is one that was recorded.
                self.trace.note("Found bundle for host: 0x5634d990fe90 [serially]").await;
                self.trace.note("Can not multiplex, even if we wanted to").await;
                let host = &connection.host;
                self.trace.note(&format!("Re-using existing connection #{number} with host {host}")).await;
            }
            Release::V8 => {
                let (scheme, host) = (url.scheme(), &connection.host);
                self.trace.note(&format!("Re-using existing {scheme}: connection with host {host}")).await;
            }
        }
        self.meter.start().await;
    }

    /// The failure of `--connect-timeout`, which the older release words by the step that took too long.
    async fn timed_out(&self, place: &Place<'_>, started: Instant, limit: Duration) -> Failure {
        if self.release == Release::V7 && self.info.connect.is_none() {
            self.trace.note(&format!("ipv4 connect timeout after {}ms, move on!", limit.as_millis())).await;
        }
        let after = started.elapsed().as_millis();
        let host = place.proxy.map_or(&place.url.host, |proxy| &proxy.host);
        let port = place.proxy.map_or(place.url.port, |proxy| proxy.port);
        let text = match self.release {
            Release::V7 if self.info.connect.is_none() => {
                format!("Failed to connect to {host} port {port} after {after} ms: Timeout was reached")
            }
            Release::V7 if place.url.https && self.info.connect_status != 0 || place.proxy.is_none() => {
                "SSL connection timeout".to_owned()
            }
            Release::V7 => "Proxy CONNECT aborted due to timeout".to_owned(),
            Release::V8 => format!("Connection timed out after {after} milliseconds"),
        };
        Failure::new(OPERATION_TIMEDOUT, text)
    }

    async fn establish(&mut self, place: &Place<'_>, key: String) -> Result<Connection, Failure> {
        let &Place { url, proxy, tunnel, .. } = place;
        let number = self.pool.made;
        let (mut io, host, address) = self.dial(place, Instant::now()).await?;
        self.info.connects += 1;
        self.info.connect = Some(self.started.elapsed());
        let mut tickets = false;
        if let Some(proxy) = proxy.filter(|proxy| proxy.secure) {
            // The proxy's certificate is judged like any other, unless `--proxy-insecure` lets it pass.
            if self.config.proxy_insecure {
                return Err(Failure::NotSimulated("curl --proxy-insecure with a proxy over TLS".to_owned()));
            }
            io = self.handshake(io, &proxy.host, &format!("{}:{}", proxy.host, proxy.port)).await?.0;
        }
        if let (Some(proxy), true) = (proxy, tunnel) {
            io = self.tunnel(&place.authority(), proxy, io).await?;
        }
        if url.https {
            (io, tickets) = self.handshake(io, &url.host, &url.authority()).await?;
            self.info.app_connect = Some(self.started.elapsed());
        }
        if self.release == Release::V8 {
            self.trace.note(&format!("Connected to {host} ({}) port {}", address.ip(), address.port())).await;
        }
        let secure = url.https;
        self.protocol(secure).await;
        Ok(Connection { reader: Reader::new(io), key, number, host, secure, tickets })
    }

    /// Says which protocol is spoken, where the release says it.
    async fn protocol(&self, secure: bool) {
        match self.release {
            Release::V7 if !secure => {}
            Release::V7 if !self.config.http10 => self.trace.note("using HTTP/1.1").await,
            Release::V7 | Release::V8 => self.trace.note("using HTTP/1.x").await,
        }
    }

    async fn dial(
        &mut self,
        place: &Place<'_>,
        started: Instant,
    ) -> Result<(Box<dyn Io>, String, SocketAddr), Failure> {
        let (host, port, redirected) = match place.proxy {
            Some(proxy) => (proxy.host.clone(), proxy.port, false),
            None => (place.host.clone(), place.port, place.redirected),
        };
        let asked = redirected.then_some(&place.url.host);
        let addresses = self.addresses(&host, port, place.proxy.is_some(), asked).await?;
        self.info.name_lookup = Some(self.started.elapsed());
        // Older releases lose the name of a host that an option names.
        let shown = if redirected && self.release == Release::V7 { "(nil)".to_owned() } else { host.clone() };
        let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
        for ip in addresses {
            let address = SocketAddr::new(ip, port);
            self.trace.note(&format!("  Trying {address}...")).await;
            match self.process.net.connect(address).await {
                Ok(socket) => {
                    self.info.remote = Some(socket.peer_addr());
                    self.info.local = Some(socket.local_addr());
                    if self.release == Release::V7 {
                        let number = self.pool.made;
                        self.trace.note(&format!("Connected to {shown} ({ip}) port {port} (#{number})")).await;
                    }
                    return Ok((Box::new(socket), shown, address));
                }
                Err(error) => {
                    if let Some(reason) = net::not_simulated(&error) {
                        return Err(Failure::NotSimulated(reason.to_owned()));
                    }
                    let why = super::error::strerror(error.kind());
                    // The port that the kernel had given the attempt is not known any more; it is one of the ephemeral ones.
                    let from = format!(" from {} port 32768", self.process.net.ip());
                    let from = self.release.pick("", from.as_str());
                    self.trace.note(&format!("connect to {ip} port {port}{from} failed: {why}")).await;
                    last = error;
                }
            }
        }
        let after = started.elapsed().as_millis();
        let why = self.release.pick("Couldn't connect to server", "Could not connect to server");
        let code = if last.kind() == io::ErrorKind::TimedOut { OPERATION_TIMEDOUT } else { COULDNT_CONNECT };
        Err(Failure::new(code, format!("Failed to connect to {host} port {port} after {after} ms: {why}")))
    }

    /// Where `--connect-to HOST1:PORT1:HOST2:PORT2` sends a connection, and whether it does.
    async fn redirected(&self, url: &Url) -> Result<(String, u16, bool), Failure> {
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
                let port = port.map_err(|_| options::malformed("--connect-to", rule))?;
                if !to.is_empty() {
                    self.trace.note(&format!("Connecting to hostname: {host}")).await;
                }
                if !to_port.is_empty() {
                    self.trace.note(&format!("Connecting to port: {port}")).await;
                }
                return Ok((host, port, !to.is_empty()));
            }
        }
        Ok((url.host.clone(), url.port, false))
    }

    /// The addresses of a host. `asked` is the URL's own host, where an option names another.
    async fn addresses(
        &self,
        host: &str,
        port: u16,
        is_proxy: bool,
        asked: Option<&String>,
    ) -> Result<Vec<IpAddr>, Failure> {
        if let Some(addresses) = self.resolved(host, port).await? {
            return Ok(addresses);
        }
        let found = self.process.net.resolve(host).await.unwrap_or_default();
        let wanted: Vec<IpAddr> = found
            .into_iter()
            .filter(|ip| !(self.config.ipv4 && ip.is_ipv6() || self.config.ipv6 && ip.is_ipv4()))
            .collect();
        if !wanted.is_empty() {
            if host.parse::<IpAddr>().is_err() && self.release == Release::V8 {
                self.found(host, port, &wanted).await;
            }
            return Ok(wanted);
        }
        Err(if is_proxy {
            Failure::new(COULDNT_RESOLVE_PROXY, format!("Could not resolve proxy: {host}"))
        } else {
            let named = asked.filter(|_| self.release == Release::V8).map_or(host, String::as_str);
            Failure::new(COULDNT_RESOLVE_HOST, format!("Could not resolve host: {named}"))
        })
    }

    async fn found(&self, host: &str, port: u16, addresses: &[IpAddr]) {
        let list = |want_v4: bool| {
            let some: Vec<String> =
                addresses.iter().filter(|ip| ip.is_ipv4() == want_v4).map(ToString::to_string).collect();
            if some.is_empty() { "(none)".to_owned() } else { some.join(", ") }
        };
        self.trace.note(&format!("Host {host}:{port} was resolved.")).await;
        self.trace.note(&format!("IPv6: {}", list(false))).await;
        self.trace.note(&format!("IPv4: {}", list(true))).await;
    }

    /// The addresses that `--resolve HOST:PORT:ADDRESS[,ADDRESS]` gives.
    async fn resolved(&self, host: &str, port: u16) -> Result<Option<Vec<IpAddr>>, Failure> {
        let mut chosen = None;
        for entry in &self.config.resolve {
            let malformed = || Failure::new(OPTION_SYNTAX, format!("Couldn't parse CURLOPT_RESOLVE entry '{entry}'"));
            let mut parts = entry.trim_start_matches('+').splitn(3, ':');
            let (Some(name), Some(number), Some(list)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(malformed());
            };
            if entry.starts_with('-')
                || !list.split(',').all(|ip| ip.trim_matches(['[', ']']).parse::<IpAddr>().is_ok())
            {
                return Err(malformed());
            }
            self.trace.note(&format!("Added {name}:{number}:{list} to DNS cache")).await;
            if name == "*" {
                let text = self.release.pick("is wildcard, enabling wildcard checks", "using wildcard");
                self.trace.note(&format!("RESOLVE *:{number} {text}")).await;
            }
            if chosen.is_none() && (name == "*" || name.eq_ignore_ascii_case(host)) && number == port.to_string() {
                chosen = Some(list.split(',').filter_map(|ip| ip.trim_matches(['[', ']']).parse().ok()).collect());
            }
        }
        if chosen.is_some() {
            self.trace.note(&format!("Hostname {host} was found in DNS cache")).await;
        }
        Ok(chosen)
    }

    /// Asks the proxy for a tunnel.
    async fn tunnel(&mut self, authority: &str, proxy: &Proxy, io: Box<dyn Io>) -> Result<Box<dyn Io>, Failure> {
        let establish = format!("Establish HTTP proxy tunnel to {authority}");
        let user = proxy.user.as_deref().map(|user| user.split(':').next().unwrap_or_default());
        let auth = user.map(|user| format!("Proxy auth using Basic with user '{user}'"));
        let mut notes = vec!["allocate connect buffer".to_owned()];
        match self.release {
            Release::V7 => notes.extend(std::iter::once(establish).chain(auth)),
            Release::V8 => {
                notes.insert(0, "CONNECT tunnel: HTTP/1.1 negotiated".to_owned());
                notes.extend(auth.into_iter().chain([establish]));
            }
        }
        for note in notes {
            self.trace.note(&note).await;
        }
        let request = self.config.connect_request(authority, proxy, self.version);
        self.trace.lines('>', &request).await;
        self.info.request_bytes += request.len() as u64;
        let mut reader = TunnelReader { io };
        let aborted = match reader.io.write_all(&request).await {
            Ok(()) => Failure::new(RECV_ERROR, "Proxy CONNECT aborted"),
            Err(error) => Failure::after_write(&error),
        };
        reader.io.flush().await.unwrap_or_default();
        let head = match reader.head().await {
            Ok(Some(head)) => head,
            Ok(None) => return Err(aborted),
            Err(error) => return Err(Failure::receiving(&error)),
        };
        let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0u16);
        self.info.connect_status = status;
        self.info.header_bytes += head.len() as u64;
        for line in head.split_inclusive('\n') {
            self.trace.lines('<', line.as_bytes()).await;
        }
        if !self.config.suppress_connect_headers {
            self.deliver_head(head.as_bytes()).await?;
        }
        if !(200..300).contains(&status) {
            return Err(Failure::new(RECV_ERROR, format!("CONNECT tunnel failed, response {status}")));
        }
        self.trace.note("CONNECT phase completed").await;
        self.trace.note(&format!("CONNECT tunnel established, response {status}")).await;
        Ok(reader.io)
    }
}

/// Reads a proxy's answer byte by byte: what follows it belongs to the tunnel.
struct TunnelReader {
    io: Box<dyn Io>,
}

impl TunnelReader {
    /// The head, or `None` when the proxy closes before it is complete.
    async fn head(&mut self) -> io::Result<Option<String>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
            let mut byte = [0];
            if self.io.read(&mut byte).await? == 0 || head.len() > 64 << 10 {
                return Ok(None);
            }
            head.push(byte[0]);
        }
        Ok(Some(String::from_utf8_lossy(&head).into_owned()))
    }
}
