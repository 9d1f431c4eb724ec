//! One URL from start to end: request, redirects, response, and what is shown meanwhile.
//!
//! Invariant: nothing of a body is printed that curl would not print.

use super::connect::Connection;
use super::error::{Failure, HTTP_RETURNED_ERROR, TOO_MANY_REDIRECTS, WRITE_ERROR};
use super::meter::{Meter, Progress};
use super::options::{Config, Fail};
use super::proxy;
use super::request::Request;
use super::response::{Body, Framing, Head, empty_reply};
use super::url::Url;
use crate::process::{Fd, Process};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// What `-w` can tell about a transfer.
#[derive(Clone, Debug, Default)]
pub(super) struct Info {
    pub(super) status: u16,
    pub(super) connect_status: u16,
    pub(super) http_version: String,
    pub(super) content_type: Option<String>,
    pub(super) redirect_url: Option<String>,
    pub(super) redirects: u32,
    pub(super) connects: u32,
    pub(super) method: String,
    pub(super) scheme: String,
    pub(super) url: String,
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

/// A transfer under way.
pub(super) struct Transfer<'a> {
    pub(super) process: &'a Process,
    pub(super) config: &'a Config,
    pub(super) version: &'a str,
    pub(super) pool: &'a mut Option<Connection>,
    pub(super) out: Fd,
    pub(super) dump: Option<Fd>,
    pub(super) started: Instant,
    pub(super) info: Info,
    pub(super) progress: &'a std::sync::Mutex<Progress>,
}

impl Transfer<'_> {
    /// Fetches the URL, following redirects when asked to.
    pub(super) async fn perform(&mut self, url: Url) -> Result<(), Failure> {
        let mut url = url;
        let first_host = url.host.clone();
        let mut method = self.config.first_method();
        let mut body = self.config.data.clone().filter(|_| !self.config.get);
        loop {
            self.info.method.clone_from(&method);
            url.scheme().clone_into(&mut self.info.scheme);
            self.info.url = url.to_string();
            let (proxy, notes) = proxy::choose(self.process, self.config, &url)?;
            for note in notes {
                self.note(&note).await;
            }
            let mut connection = self.connection(&url, proxy.as_ref()).await?;
            self.info.pre_transfer = Some(self.started.elapsed());
            let plain_proxy = proxy.as_ref().filter(|_| !url.https && !self.config.proxy_tunnel);
            let request = self.config.request(
                &Request {
                    url: &url,
                    method: &method,
                    body: body.as_deref(),
                    plain_proxy,
                    first_host: url.host == first_host,
                },
                self.version,
            );
            let head_end = request.len() - body.as_ref().map_or(0, String::len);
            self.show('>', &request[..head_end]).await;
            self.info.request_bytes += request.len() as u64;
            self.count(|progress| {
                progress.to_send = body.as_ref().map_or(0, |body| body.len() as u64);
                progress.sent = progress.to_send;
            });
            let aborted = match connection.reader.io.write_all(&request).await {
                Ok(()) => empty_reply(),
                Err(error) => Failure::after_write(&error),
            };
            connection.reader.io.flush().await.unwrap_or_default();
            let head = self.response_head(&mut connection, &method, aborted).await?;
            let next = match (self.config.location, redirect(&head, &url)) {
                (true, Some(next)) => Some(next?),
                (_, next) => {
                    self.info.redirect_url = next.and_then(Result::ok).map(|url| url.to_string());
                    None
                }
            };
            let framing = head.framing(&method);
            if next.is_none() && head.status >= 400 && self.config.fail == Fail::WithoutBody {
                return Err(self.refused(&head));
            }
            self.body(&mut connection, framing, next.is_some()).await?;
            if head.keeps_alive() && framing != Framing::UntilClose && connection.reader.is_clean() {
                self.note(&format!("Connection #0 to host {} left intact", url.host)).await;
                *self.pool = Some(connection);
            } else {
                self.note("closing connection #0").await;
            }
            let Some(next) = next else {
                if head.status >= 400 && self.config.fail == Fail::WithBody {
                    return Err(self.refused(&head));
                }
                return Ok(());
            };
            self.info.redirects += 1;
            self.info.redirect = Some(self.started.elapsed());
            if self.config.max_redirects.is_some_and(|max| self.info.redirects > max) {
                let max = self.config.max_redirects.unwrap_or_default();
                return Err(Failure::new(TOO_MANY_REDIRECTS, format!("Maximum ({max}) redirects followed")));
            }
            // As browsers do, a POST becomes a GET, unless the method was named.
            let to_get = matches!(head.status, 301 | 302) && method == "POST" || head.status == 303 && method != "HEAD";
            if to_get {
                body = None;
                if self.config.method.is_none() {
                    "GET".clone_into(&mut method);
                }
            }
            url = next;
        }
    }

    fn refused(&self, head: &Head) -> Failure {
        let status = head.status;
        Failure::new(HTTP_RETURNED_ERROR, format!("The requested URL returned error: {status}"))
    }

    async fn response_head(
        &mut self,
        connection: &mut Connection,
        method: &str,
        aborted: Failure,
    ) -> Result<Head, Failure> {
        loop {
            let head = connection.reader.head(aborted.clone()).await?;
            self.info.start_transfer.get_or_insert_with(|| self.started.elapsed());
            self.info.header_bytes += head.bytes();
            self.info.status = head.status;
            self.info.http_version = head.version.trim_start_matches("HTTP/").to_owned();
            if self.info.http_version.ends_with(".0") {
                self.info.http_version.truncate(1);
                self.info.http_version.push_str(".0");
            }
            for line in &head.lines {
                self.show('<', line).await;
            }
            let all = head.lines.concat();
            if self.config.include || self.config.head {
                self.deliver_head(&all).await?;
            }
            if let Some(dump) = &self.dump {
                dump.write_all(&all).await.map_err(|_| written(all.len(), self.version))?;
            }
            if head.status / 100 != 1 {
                self.info.content_type = head.header("content-type");
                let expected = match head.framing(method) {
                    Framing::Length(length) => Some(length),
                    _ => None,
                };
                self.count(|progress| progress.expected = expected);
                return Ok(head);
            }
        }
    }

    /// Prints header lines where the body goes.
    pub(super) async fn deliver_head(&self, lines: &[u8]) -> Result<(), Failure> {
        self.out.write_all(lines).await.map_err(|_| written(lines.len(), self.version))
    }

    async fn body(&mut self, connection: &mut Connection, framing: Framing, ignore: bool) -> Result<(), Failure> {
        let mut left = Body::from(framing);
        let compressed = self.config.compressed;
        while let Some(piece) = connection.reader.piece(&mut left, self.version).await? {
            self.count(|progress| progress.received += piece.len() as u64);
            if ignore {
                continue;
            }
            if compressed && self.info.content_type.is_none() && piece.starts_with(&[0x1f, 0x8b]) {
                return Err(Failure::NotSimulated("a compressed body".to_owned()));
            }
            self.out.write_all(&piece).await.map_err(|_| written(piece.len(), self.version))?;
        }
        if ignore {
            self.count(|progress| *progress = Progress::default());
        }
        Ok(())
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// A remark of `-v`.
    pub(super) async fn note(&self, text: &str) {
        if self.config.verbose {
            self.process.warn(format!("* {text}\n")).await;
        }
    }

    /// Header lines as `-v` shows them.
    pub(super) async fn show(&self, mark: char, lines: &[u8]) {
        if self.config.verbose {
            for line in lines.split_inclusive(|&byte| byte == b'\n') {
                let mut text = format!("{mark} ").into_bytes();
                text.extend(line);
                self.process.warn(text).await;
            }
        }
    }
}

fn written(length: usize, version: &str) -> Failure {
    let text = if version.starts_with("7.") {
        "Failed writing body".to_owned()
    } else {
        format!("Failure writing output to destination, passed {length} returned 0")
    };
    Failure::new(WRITE_ERROR, text)
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
        let now = *progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        meter.line(now, started.elapsed()).await;
    }
}
