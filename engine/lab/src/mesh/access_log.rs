//! The sidecar's access log: one line for each connection or request, in Istio's default text format.
//!
//! Invariant: a line is written when its connection or request has ended, and becomes visible at the next full second
//! after the sidecar's start, as the one-second flush timer of the real sidecar has it.

use crate::net::LineSink;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often buffered lines are written out (`--file-flush-interval-msec`).
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// How many bytes are buffered before they are written without waiting.
const FLUSH_SIZE: usize = 64 * 1024;

/// What a line says about a request; a connection without HTTP has none.
#[derive(Clone, Debug)]
pub(super) struct RequestFields {
    pub(super) method: String,
    /// Path with query; none for `CONNECT`.
    pub(super) path: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: String,
    pub(super) authority: String,
}

/// The fields of one line.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) start: Timestamp,
    pub(super) request: Option<RequestFields>,
    /// 0 for a connection without HTTP.
    pub(super) code: u16,
    /// Comma-separated; `-` when there is nothing to report.
    pub(super) flags: &'static str,
    pub(super) details: String,
    pub(super) transport_failure: &'static str,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) duration: Duration,
    pub(super) service_time: Option<Duration>,
    pub(super) upstream: Option<SocketAddr>,
    pub(super) cluster: Option<String>,
    pub(super) upstream_local: Option<SocketAddr>,
    pub(super) destination: SocketAddr,
    pub(super) source: SocketAddr,
    pub(super) server_name: Option<String>,
    pub(super) route: &'static str,
}

impl Record {
    /// A line about a connection on which nothing has happened yet.
    pub(super) fn new(start: Timestamp, source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            start,
            request: None,
            code: 0,
            flags: "-",
            details: "-".to_owned(),
            transport_failure: "-",
            received: 0,
            sent: 0,
            duration: Duration::ZERO,
            service_time: None,
            upstream: None,
            cluster: None,
            upstream_local: None,
            destination,
            source,
            server_name: None,
            route: "-",
        }
    }
}

/// A value, or the dash that stands for none.
struct OrDash<'a, T>(&'a Option<T>);

impl<T: fmt::Display> fmt::Display for OrDash<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.start.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let request = self.request.as_ref();
        write!(f, "[{start}] ")?;
        match request {
            Some(request) => write!(f, "\"{} {} HTTP/1.1\"", request.method, OrDash(&request.path))?,
            None => f.write_str("\"- - -\"")?,
        }
        let service_time = self.service_time.map(|time| time.as_millis());
        write!(
            f,
            " {} {} {} - \"{}\" {} {} {} {} \"-\" \"{}\" \"{}\" \"{}\" \"{}\" {} {} {} {} {} {}",
            self.code,
            self.flags,
            self.details,
            self.transport_failure,
            self.received,
            self.sent,
            self.duration.as_millis(),
            OrDash(&service_time),
            OrDash(&request.and_then(|r| r.user_agent.as_ref())),
            OrDash(&request.map(|r| &r.request_id)),
            OrDash(&request.map(|r| &r.authority)),
            OrDash(&self.upstream),
            OrDash(&self.cluster),
            OrDash(&self.upstream_local),
            self.destination,
            self.source,
            OrDash(&self.server_name),
            self.route,
        )
    }
}

#[derive(Default)]
struct Buffer {
    lines: String,
    flushing: bool,
}

struct Inner {
    sink: LineSink,
    start: Instant,
    buffer: Mutex<Buffer>,
}

/// Collects lines and writes them out once a second; cheap to clone. What is left is written when the last clone goes.
#[derive(Clone)]
pub(super) struct AccessLog {
    inner: Arc<Inner>,
}

impl AccessLog {
    pub(super) fn new(sink: LineSink) -> Self {
        Self { inner: Arc::new(Inner { sink, start: Instant::now(), buffer: Mutex::default() }) }
    }

    /// Writes out what is buffered, without waiting for the timer.
    pub(super) fn flush(&self) {
        self.inner.flush();
    }

    /// Buffers one line.
    pub(super) fn write(&self, record: &Record) {
        let mut buffer = self.inner.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.lines.push_str(&record.to_string());
        buffer.lines.push('\n');
        if buffer.lines.len() >= FLUSH_SIZE {
            drop(buffer);
            self.inner.flush();
        } else if !std::mem::replace(&mut buffer.flushing, true) {
            tokio::spawn(flush_at_tick(Arc::downgrade(&self.inner), self.inner.next_tick()));
        }
    }
}

impl Inner {
    /// The next moment at which the flush timer fires.
    fn next_tick(&self) -> Instant {
        let elapsed = self.start.elapsed();
        let ticks = u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        self.start + FLUSH_INTERVAL * ticks
    }

    fn flush(&self) {
        let lines = {
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            buffer.flushing = false;
            std::mem::take(&mut buffer.lines)
        };
        for line in lines.split_inclusive('\n') {
            (self.sink)(line);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.flush();
    }
}

async fn flush_at_tick(inner: Weak<Inner>, tick: Instant) {
    sleep_until(tick).await;
    if let Some(inner) = inner.upgrade() {
        inner.flush();
    }
}
