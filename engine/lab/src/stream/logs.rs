//! `pods/log`: a container's lines, from the beginning or a part of it, once or as they come.
//!
//! Invariant: at most one page of lines is held in memory per reader.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::{Response, StatusCode};
use jiff::Timestamp;

use super::container::{choose, placed};
use super::host::{ContainerLog, LogEntry, PodHost};
use crate::api::{Body, Query, streamed_text, text_response};
use crate::status::{Cause, Status};
use crate::store::Store;

/// Lines read at once.
const PAGE: usize = 256;

/// Which lines, in what form.
struct Options {
    follow: bool,
    timestamps: bool,
    since: Option<Timestamp>,
    tail: Option<u64>,
    limit: Option<u64>,
}

/// Answers a request for a log. Its options are judged before anything is looked for.
pub(crate) fn logs(
    store: &Store,
    pods: &dyn PodHost,
    namespace: &str,
    pod: &str,
    query: &Query,
) -> Result<Response<Body>, Status> {
    let options = options(query, pod, store.clock().now())?;
    let container = choose(store, namespace, pod, query.get("container"))?;
    if placed(store, namespace, pod).is_err() {
        // Without a node there is nowhere to ask, which is no error.
        return Ok(text_response(StatusCode::NO_CONTENT, ""));
    }
    let log = pods.logs(namespace, pod, &container, query.flag("previous"))?;
    Ok(streamed_text(StatusCode::OK, Reader::new(log, options).into_stream()))
}

fn options(query: &Query, pod: &str, now: Timestamp) -> Result<Options, Status> {
    let mut causes = Vec::new();
    let (tail, limit, seconds) =
        (query.integer("tailLines")?, query.integer("limitBytes")?, query.integer("sinceSeconds")?);
    let since_time = match query.get("sinceTime") {
        Some(text) => Some(text.parse::<Timestamp>().map_err(|_| Status::bad_request(unlike_a_time(text)))?),
        None => None,
    };
    if let Some(tail) = tail.filter(|tail| *tail < 0) {
        causes.push(Cause::invalid("tailLines", &tail.into(), "must be greater than or equal to 0"));
    }
    if let Some(limit) = limit.filter(|limit| *limit < 1) {
        causes.push(Cause::invalid("limitBytes", &limit.into(), "must be greater than 0"));
    }
    if seconds.is_some() && since_time.is_some() {
        causes.push(Cause::forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    } else if let Some(seconds) = seconds.filter(|seconds| *seconds < 1) {
        causes.push(Cause::invalid("sinceSeconds", &seconds.into(), "must be greater than 0"));
    }
    if query.get("stream").is_some() {
        // The gate PodLogsQuerySplitStreams is closed by default.
        causes.push(Cause::forbidden("stream", "may not be specified"));
    }
    if !causes.is_empty() {
        return Err(Status::invalid("", "PodLogOptions", pod, causes));
    }
    // The API server keeps whole seconds of both forms.
    let whole = |second: i64| Timestamp::from_second(second).ok();
    let since = match (seconds, since_time) {
        (Some(seconds), _) => whole(now.as_second().saturating_sub(seconds)),
        (None, Some(at)) => whole(at.as_second()),
        (None, None) => None,
    };
    let unsigned = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let (follow, timestamps) = (query.flag("follow"), query.flag("timestamps"));
    Ok(Options { follow, timestamps, since, tail: unsigned(tail), limit: unsigned(limit) })
}

/// What Go says of a text that is no time at all.
fn unlike_a_time(text: &str) -> String {
    format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\"")
}

/// A reader's place in a log.
struct Reader {
    log: ContainerLog,
    options: Options,
    next: u64,
    left: u64,
    over: bool,
    /// The next entry begins a line, and is no further piece of a long one.
    at_start: bool,
}

impl Reader {
    fn new(log: ContainerLog, options: Options) -> Self {
        let left = options.limit.unwrap_or(u64::MAX);
        let mut reader = Self { log, options, next: 0, left, over: left == 0, at_start: true };
        if let Some(tail) = reader.options.tail {
            reader.next = reader.tail_start(tail);
        }
        reader
    }

    /// The number of the first of the last `tail` lines that are not too old.
    fn tail_start(&self, tail: u64) -> u64 {
        let keep = usize::try_from(tail).unwrap_or(usize::MAX);
        let mut starts: VecDeque<u64> = VecDeque::new();
        let mut next = 0;
        loop {
            let page = self.log.read(next, PAGE);
            if page.entries.is_empty() {
                return if keep == 0 { page.next } else { starts.front().copied().unwrap_or(page.next) };
            }
            // Numbers within a page are consecutive up to its end.
            let first = page.next - u64::try_from(page.entries.len()).unwrap_or(0);
            for (number, entry) in (first..).zip(&page.entries) {
                if self.is_wanted(entry) && keep > 0 {
                    if starts.len() == keep {
                        starts.pop_front();
                    }
                    starts.push_back(number);
                }
            }
            next = page.next;
        }
    }

    fn is_wanted(&self, entry: &LogEntry) -> bool {
        self.options.since.is_none_or(|since| entry.stamp >= since)
    }

    fn into_stream(self) -> impl Stream<Item = Bytes> + Send + 'static {
        futures::stream::unfold(self, |mut reader| async move { reader.piece().await.map(|piece| (piece, reader)) })
    }

    async fn piece(&mut self) -> Option<Bytes> {
        while !self.over {
            let page = self.log.read(self.next, PAGE);
            self.next = page.next;
            if page.entries.is_empty() {
                if page.ended || !self.options.follow {
                    return None;
                }
                self.log.wait(self.next).await;
                continue;
            }
            let piece = self.text(&page.entries);
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }

    fn text(&mut self, entries: &[LogEntry]) -> Bytes {
        let mut out = BytesMut::new();
        let mut at_start = self.at_start;
        for entry in entries.iter().filter(|entry| self.is_wanted(entry)) {
            if self.options.timestamps && std::mem::replace(&mut at_start, entry.line.ends_with(b"\n")) {
                out.extend_from_slice(rfc3339_nanos(entry.stamp).as_bytes());
                out.extend_from_slice(b" ");
            }
            out.extend_from_slice(&entry.line);
        }
        self.at_start = at_start;
        let size = u64::try_from(out.len()).unwrap_or(u64::MAX);
        if size >= self.left {
            out.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.over = true;
        }
        self.left = self.left.saturating_sub(size);
        out.freeze()
    }
}

/// Go's `RFC3339Nano` as the container runtime writes it: nine digits.
fn rfc3339_nanos(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}
