//! One URL from start to end: request, redirects, response, and what is shown meanwhile.
//!
//! Invariant: nothing of a body is printed that curl would not print.

use super::body::Body;
use super::connect::{Connection, Pool};
use super::error::{FILESIZE_EXCEEDED, Failure, HTTP_RETURNED_ERROR, TOO_MANY_REDIRECTS, UNSUPPORTED_PROTOCOL};
use super::meter::{Meter, Progress};
use super::options::{Config, Fail, Schemes};
use super::proxy;
use super::release::Release;
use super::request::Request;
use super::response::{self, Framing, Head, empty_reply};
use super::sink::Sink;
use super::trace::Trace;
use super::url::Url;
use crate::process::{Fd, Process};
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// What `-w` can tell about a transfer.
#[derive(Clone, Debug, Default)]
pub(super) struct Info {
    pub(super) status: u16,
    pub(super) connect_status: u16,
    pub(super) http_version: String,
    /// The last head's lines: name and value.
    pub(super) headers: Vec<(String, String)>,
    pub(super) redirect_url: Option<String>,
    pub(super) redirects: u32,
    pub(super) connects: u32,
    pub(super) method: String,
    pub(super) scheme: String,
    pub(super) url: String,
    pub(super) file: Option<String>,
    pub(super) proxy_used: bool,
    pub(super) ssl_verify_result: u32,
    pub(super) remote: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
    pub(super) header_bytes: u64,
    pub(super) request_bytes: u64,
    pub(super) name_lookup: Option<Duration>,
    pub(super) connect: Option<Duration>,
    pub(super) app_connect: Option<Duration>,
    pub(super) pre_transfer: Option<Duration>,
    pub(super) start_transfer: Option<Duration>,
    pub(super) redirect: Option<Duration>,
    pub(super) total: Duration,
}

impl Info {
    /// The value of the last head's first line of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A transfer under way.
pub(super) struct Transfer<'a> {
    pub(super) process: &'a Process,
    pub(super) config: &'a Config,
    pub(super) version: &'a str,
    pub(super) release: Release,
    pub(super) pool: &'a mut Pool,
    pub(super) sink: Sink<'a>,
    pub(super) dump: Option<Fd>,
    pub(super) trace: &'a Trace,
    pub(super) meter: &'a Meter,
    pub(super) started: Instant,
    pub(super) info: Info,
    pub(super) progress: &'a std::sync::Mutex<Progress>,
    /// The connection that is in use: its number, and whether it is over TLS.
    pub(super) open: Option<(u64, bool)>,
}

impl Transfer<'_> {
    /// Fetches the URL, following redirects when asked to.
    pub(super) async fn perform(&mut self, url: Url, method: String, body: Option<Body>) -> Result<(), Failure> {
        let (mut url, mut method, mut body) = (url, method, body);
        let first = (url.host.clone(), url.port, url.https);
        let mut schemes = self.config.schemes;
        loop {
            self.info.method.clone_from(&method);
            url.scheme().clone_into(&mut self.info.scheme);
            self.info.url = url.to_string();
            self.allow(&url, schemes)?;
            let (proxy, notes) = proxy::choose(self.process, self.config, &url)?;
            for note in notes {
                self.trace.note(&note).await;
            }
            self.info.proxy_used |= proxy.is_some();
            let mut connection = self.connection(&url, proxy.as_ref()).await?;
            self.open = Some((connection.number, connection.secure));
            self.info.pre_transfer = Some(self.started.elapsed());
            let plain_proxy = proxy.as_ref().filter(|_| !url.https && !self.config.proxy_tunnel);
            let request = Request {
                url: &url,
                method: &method,
                body: body.as_ref(),
                plain_proxy,
                trusted: self.config.location_trusted || (url.host.clone(), url.port, url.https) == first,
                release: self.release,
            };
            let head = self.config.request(&request, self.version);
            let aborted = self.send(&mut connection, &head, body.as_ref()).await?;
            let posting = body.is_some();
            let (head, next) = self.response_head(&mut connection, &url, posting, aborted).await?;
            // A HEAD that `-X` asks for is waited for like any other request.
            let framing = head.framing(if self.config.head { "HEAD" } else { "GET" });
            self.body(&mut connection, framing, next.is_some()).await?;
            self.finish(connection, &head, framing).await;
            let Some(next) = next else {
                if head.status >= 400 && self.config.fail == Fail::WithBody {
                    return Err(refused(&head));
                }
                return Ok(());
            };
            let next = next?;
            self.info.redirects += 1;
            self.info.redirect = Some(self.started.elapsed());
            if let Some(max) = self.config.max_redirects.0.filter(|max| self.info.redirects > *max) {
                return Err(Failure::new(TOO_MANY_REDIRECTS, format!("Maximum ({max}) redirects followed")));
            }
            self.count(|progress| *progress = Progress::default());
            self.trace.note(&format!("Issue another request to this URL: '{next}'")).await;
            if self.becomes_get(head.status, &method) {
                body = None;
                if self.config.method.is_none() {
                    let note = if head.status == 303 { "Switch to GET" } else { "Switch from POST to GET" };
                    if self.release == Release::V7 {
                        self.trace.note(note).await;
                    }
                    "GET".clone_into(&mut method);
                }
            }
            url = next;
            schemes = Schemes {
                http: self.config.schemes.http && self.config.redirect_schemes.http,
                https: self.config.schemes.https && self.config.redirect_schemes.https,
            };
        }
    }

    /// Whether `--proto`, or `--proto-redir` after a redirect, lets this scheme pass.
    fn allow(&self, url: &Url, schemes: Schemes) -> Result<(), Failure> {
        if if url.https { schemes.https } else { schemes.http } {
            return Ok(());
        }
        let after = if self.info.redirects > 0 { " (in redirect)" } else { "" };
        let text = format!("Protocol \"{}\" disabled{after}", url.scheme());
        Err(Failure::new(UNSUPPORTED_PROTOCOL, text))
    }

    /// As browsers do, a POST becomes a GET, unless an option says that it stays one.
    fn becomes_get(&self, status: u16, method: &str) -> bool {
        let [keep_301, keep_302, keep_303] = self.config.keep_post;
        match status {
            301 => method == "POST" && !keep_301,
            302 => method == "POST" && !keep_302,
            303 => method != "HEAD" && !keep_303,
            _ => false,
        }
    }

    /// Sends a request; gives what to fail with if nothing comes back.
    async fn send(
        &mut self,
        connection: &mut Connection,
        head: &[u8],
        body: Option<&Body>,
    ) -> Result<Failure, Failure> {
        if connection.secure {
            self.trace.data('}', 5).await;
        }
        self.trace.lines('>', head).await;
        let payload = body.map(|body| self.payload(body)).unwrap_or_default();
        self.info.request_bytes += (head.len() + payload.len()) as u64;
        self.count(|progress| {
            progress.to_send = body.map_or(0, |body| body.bytes.len() as u64);
            progress.sent = progress.to_send;
        });
        let bytes = [head, &payload].concat();
        let aborted = match connection.reader.io.write_all(&bytes).await {
            Ok(()) => empty_reply(),
            Err(error) => Failure::after_write(&error),
        };
        connection.reader.io.flush().await.unwrap_or_default();
        if !payload.is_empty() {
            self.trace.data('}', payload.len()).await;
        }
        match (self.release, body) {
            (Release::V8, Some(_)) if !payload.is_empty() => {
                self.trace.note(&format!("upload completely sent off: {} bytes", payload.len())).await;
            }
            (Release::V8, _) => self.trace.note("Request completely sent off").await,
            (Release::V7, Some(body)) if body.kind.as_deref() != Some(FORM) => {
                self.trace.note("We are completely uploaded and fine").await;
            }
            (Release::V7, _) => {}
        }
        if std::mem::take(&mut connection.tickets) {
            self.trace.data('{', 5).await;
            for _ in 0..2 {
                self.trace.note("TLSv1.3 (IN), TLS handshake, Newsession Ticket (4):").await;
                self.trace.data('{', 249).await;
            }
            if self.release == Release::V7 {
                self.trace.note("old SSL session ID is stale, removing").await;
            }
        }
        Ok(aborted)
    }

    /// A body as it goes over the wire.
    fn payload(&self, body: &Body) -> Vec<u8> {
        if !body.chunked && !self.config.wants_chunks() {
            return body.bytes.clone();
        }
        let mut chunks = Vec::new();
        for chunk in body.bytes.chunks(64 << 10) {
            chunks.extend(format!("{:x}\r\n", chunk.len()).bytes());
            chunks.extend(chunk);
            chunks.extend(b"\r\n");
        }
        chunks.extend(b"0\r\n\r\n");
        chunks
    }

    async fn response_head(
        &mut self,
        connection: &mut Connection,
        url: &Url,
        posting: bool,
        aborted: Failure,
    ) -> Result<(Head, Option<Result<Url, Failure>>), Failure> {
        loop {
            let head = connection.reader.head(aborted.clone()).await?;
            self.info.start_transfer.get_or_insert_with(|| self.started.elapsed());
            self.info.header_bytes += head.bytes();
            self.info.status = head.status;
            self.info.http_version = head.version.trim_start_matches("HTTP/").to_owned();
            self.info.headers = head.fields();
            if connection.secure {
                self.trace.data('{', 5).await;
            }
            let final_head = head.status / 100 != 1;
            if head.status == 101 {
                return Err(Failure::NotSimulated("a server that switches protocols".to_owned()));
            }
            let next = redirect(&head, url).filter(|_| final_head);
            let followed = next.is_some() && self.config.location;
            let fails = final_head && !followed && head.status >= 400 && self.config.fail == Fail::WithoutBody;
            self.show_head(&head, followed, followed && posting, fails).await;
            self.deliver_head(&head.lines.concat()).await?;
            if !final_head {
                continue;
            }
            let length = head.length();
            if !(fails && self.release == Release::V8) {
                self.count(|progress| progress.expected = length);
            }
            if fails {
                return Err(refused(&head));
            }
            if let (Some(max), Some(length)) = (self.config.max_file_size, length)
                && length > max
                && !self.config.head
            {
                return Err(Failure::new(FILESIZE_EXCEEDED, "Maximum file size exceeded"));
            }
            if self.config.remote_header_name && head.header("content-disposition").is_some() {
                return Err(Failure::NotSimulated("curl -J with a name that comes with the answer".to_owned()));
            }
            if !followed {
                self.info.redirect_url = next.and_then(Result::ok).map(|url| url.to_string());
                return Ok((head, None));
            }
            return Ok((head, next));
        }
    }

    /// A head as `-v` shows it, with the remarks that curl makes on the way.
    async fn show_head(&self, head: &Head, followed: bool, rewinds: bool, fails: bool) {
        let end = head.lines.len().saturating_sub(1);
        for line in &head.lines[..end] {
            let is_location = line.len() >= 9 && line[..9].eq_ignore_ascii_case(b"location:");
            if rewinds && is_location {
                let note = self
                    .release
                    .pick("Please rewind output before next send", "Need to rewind upload for next request");
                self.trace.note(note).await;
            }
            self.trace.lines('<', line).await;
        }
        if fails {
            self.trace.note(&refused_text(head.status)).await;
        }
        if followed && self.release == Release::V8 {
            self.trace.note("Ignoring the response-body").await;
            self.trace.note("setting size while ignoring").await;
        }
        if !(fails && self.release == Release::V7) {
            self.trace.lines('<', &head.lines[end..].concat()).await;
        }
        if followed && self.release == Release::V7 && head.length() != Some(0) {
            self.trace.note("Ignoring the response-body").await;
        }
    }

    /// Hands header lines to `-D`, and to where the body goes if they are asked for there.
    pub(super) async fn deliver_head(&mut self, lines: &[u8]) -> Result<(), Failure> {
        if let Some(dump) = &self.dump {
            // A file that cannot be written any more stops nothing.
            dump.write_all(lines).await.ok();
        }
        if self.config.include || self.config.head {
            self.sink.write(lines).await?;
        }
        Ok(())
    }

    async fn body(&mut self, connection: &mut Connection, framing: Framing, ignore: bool) -> Result<(), Failure> {
        let mut left = response::Body::from(framing);
        let compressed = self.config.compressed;
        while let Some(piece) = connection.reader.piece(&mut left, self.release).await? {
            self.count(|progress| progress.received += piece.len() as u64);
            if !(ignore && self.release == Release::V8) {
                self.trace.data('{', piece.len()).await;
            }
            if ignore {
                continue;
            }
            if compressed && self.info.header("content-encoding").is_some() {
                return Err(Failure::NotSimulated("a compressed body".to_owned()));
            }
            self.sink.write(&piece).await?;
        }
        Ok(())
    }

    /// Ends the meter's line and keeps the connection, or lets go of it.
    async fn finish(&mut self, connection: Connection, head: &Head, framing: Framing) {
        self.open = None;
        let now = *self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.meter.finish(now, self.started.elapsed()).await;
        let number = connection.number;
        if head.keeps_alive() && framing != Framing::UntilClose && connection.reader.is_clean() {
            self.trace.note(&format!("Connection #{number} to host {} left intact", connection.host)).await;
            self.pool.keep(connection);
        } else {
            self.trace.note(&self.release.closing(number, false)).await;
            if connection.secure && self.release == Release::V7 {
                self.trace.data('{', 5).await;
                self.trace.note("TLSv1.3 (IN), TLS alert, close notify (256):").await;
                self.trace.data('{', 2).await;
                self.goodbye().await;
            }
        }
    }

    /// TLS's own end of a connection, which only the older release tells.
    pub(super) async fn goodbye(&self) {
        self.trace.data('}', 5).await;
        self.trace.note("TLSv1.3 (OUT), TLS alert, close notify (256):").await;
        self.trace.data('}', 2).await;
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The media type of `-d`.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

fn refused_text(status: u16) -> String {
    format!("The requested URL returned error: {status}")
}

fn refused(head: &Head) -> Failure {
    Failure::new(HTTP_RETURNED_ERROR, refused_text(head.status))
}

/// Where a response sends the client.
fn redirect(head: &Head, url: &Url) -> Option<Result<Url, Failure>> {
    if !matches!(head.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    head.header("location").map(|location| url.join(&location))
}

/// Draws the meter once a second until the transfer ends.
pub(super) async fn watch(meter: &Meter, progress: &std::sync::Mutex<Progress>, started: Instant) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = *progress.lock().unwrap_or_else(PoisonError::into_inner);
        meter.line(now, started.elapsed()).await;
    }
}
