//! Marks and windows of container logs.
//!
//! A mark says where a log ended; following from it gives every later line once, in order, across cut connections and
//! restarts of the container. Lines come through a small channel, so a slow reader holds the log back instead of
//! filling the memory.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::client::{Cluster, cut};
use super::error::ClusterError;
use super::lines::{Line, Splitter};
use super::log_window::{LogLine, LogMark, Window, mark_at_end, stamped};
use super::request::{Call, segment};

/// Bytes kept of a line.
const MAX_LINE: usize = 64 << 10;

/// Lines that may wait for the reader.
const WAITING_LINES: usize = 256;

/// Last lines looked at for a mark, to begin with.
const TAIL: usize = 64;

/// Last lines looked at for a mark at most. More lines than that with one stamp to the nanosecond do not happen.
const MAX_TAIL: usize = 1 << 16;

/// Pause before a container is looked at again whose log came to an end.
const PAUSE: Duration = Duration::from_secs(1);

/// A container whose log is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// UID of the pod: a pod of the same name may be another one.
    pub uid: String,
    /// The container.
    pub container: String,
}

/// Lines of a container's log as they come. It ends when the pod is gone; dropping it stops the reading.
#[derive(Debug)]
pub struct LogStream {
    lines: mpsc::Receiver<Result<LogLine, ClusterError>>,
    _reader: AbortOnDropHandle<()>,
}

impl LogStream {
    /// The next line; `None` when the pod is gone.
    ///
    /// # Errors
    ///
    /// What keeps the log from being read. Nothing comes after it.
    pub async fn next_line(&mut self) -> Option<Result<LogLine, ClusterError>> {
        self.lines.recv().await
    }
}

impl Stream for LogStream {
    type Item = Result<LogLine, ClusterError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.lines.poll_recv(context)
    }
}

/// A container as its pod's status tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instance {
    restarts: i32,
    /// Whether there is a log: it runs, or has run.
    started: bool,
    running: bool,
}

impl Cluster {
    /// Marks the end of a container's log.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where the pod is gone; a container that has not started yet has an empty log.
    pub async fn log_mark(&self, source: &LogSource) -> Result<LogMark, ClusterError> {
        let Some(instance) = self.instance(source).await? else {
            return Err(ClusterError::NotFound(format!("pod {} is gone", source.pod)));
        };
        let mut mark = LogMark { restarts: instance.restarts, stamp: None, lines_with_stamp: 0 };
        if !instance.started {
            return Ok(mark);
        }
        let mut tail = TAIL;
        loop {
            let call = source.call()?.query("tailLines", tail.to_string());
            let stamps = match self.open(call).await {
                Ok(body) => self.stamps(body).await?,
                Err(error) if is_not_started(&error) => return Ok(mark),
                Err(error) => return Err(error),
            };
            let end = match mark_at_end(&stamps) {
                // The same stamp throughout: look further back, unless that is the whole log.
                None if stamps.len() >= tail && tail < MAX_TAIL => {
                    tail *= 4;
                    continue;
                }
                None => stamps.last().map(|last| (*last, stamps.len() as u64)),
                end => end,
            };
            if let Some((stamp, lines)) = end {
                (mark.stamp, mark.lines_with_stamp) = (Some(stamp), lines);
            }
            return Ok(mark);
        }
    }

    /// Follows a container's log from a mark, also over restarts of the container, whose logs count from their first
    /// line. Must be called within a runtime.
    #[must_use]
    pub fn follow_log(&self, source: &LogSource, from: &LogMark) -> LogStream {
        let (sender, lines) = mpsc::channel(WAITING_LINES);
        let follower = Follower {
            cluster: self.clone(),
            source: source.clone(),
            restarts: from.restarts,
            window: Window::at(from),
            reached: false,
            lines: sender,
        };
        LogStream { lines, _reader: AbortOnDropHandle::new(tokio::spawn(follower.run())) }
    }

    async fn stamps(&self, body: Body) -> Result<Vec<Timestamp>, ClusterError> {
        let mut stamps = Vec::new();
        let read = async {
            let mut reader = LineReader::new(body);
            while let Some(line) = reader.next().await? {
                stamps.extend(stamped(&line).map(|line| line.stamp));
            }
            Ok(())
        };
        match tokio::time::timeout(self.request_timeout(), read).await {
            Ok(Ok(())) => Ok(stamps),
            Ok(Err(cause)) => Err(ClusterError::StreamCut(cause)),
            Err(_) => Err(ClusterError::Timeout { what: "the end of a log".to_owned(), after: self.request_timeout() }),
        }
    }

    /// The container as it is now, or `None` where the pod is gone or another has taken its name.
    async fn instance(&self, source: &LogSource) -> Result<Option<Instance>, ClusterError> {
        let call = Call::get(source.pod_path()?).about("pods", Some(&source.namespace));
        match self.ask::<Value>(call).await {
            Ok(pod) => Ok(instance_of(&pod, source)),
            Err(ClusterError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl LogSource {
    fn pod_path(&self) -> Result<String, ClusterError> {
        Ok(format!("/api/v1/namespaces/{}/pods/{}", segment(&self.namespace)?, segment(&self.pod)?))
    }

    fn call(&self) -> Result<Call, ClusterError> {
        let call = Call::get(format!("{}/log", self.pod_path()?)).about("pods/log", Some(&self.namespace));
        Ok(call.accept("*/*").query("container", self.container.clone()).query("timestamps", "true"))
    }
}

fn instance_of(pod: &Value, source: &LogSource) -> Option<Instance> {
    if pod.pointer("/metadata/uid").and_then(Value::as_str) != Some(&source.uid) {
        return None;
    }
    // A sidecar may be an init container that goes on running.
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let mut statuses = lists.iter().filter_map(|list| pod["status"][*list].as_array()).flatten();
    let status = statuses.find(|status| status["name"] == source.container.as_str());
    Some(status.map_or(Instance { restarts: 0, started: false, running: false }, |status| {
        let running = status["state"]["running"].is_object();
        let ended = status["state"]["terminated"].is_object() || status["lastState"]["terminated"].is_object();
        let restarts = status["restartCount"].as_i64().and_then(|count| i32::try_from(count).ok()).unwrap_or(0);
        Instance { restarts, started: running || ended, running }
    }))
}

/// Whether a log is refused because there is none yet.
fn is_not_started(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Api(status) if status.code == 400 && status.message.contains("is waiting to start"))
}

/// Whether the log of the instance before is refused because there is none, or no longer.
fn is_no_previous(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Api(status) if status.code == 400 && status.message.starts_with("previous terminated"))
}

/// Reads a log and hands its lines on.
struct Follower {
    cluster: Cluster,
    source: LogSource,
    /// The instance that is read.
    restarts: i32,
    window: Window,
    /// Whether the log could be read at all: only then is a failure taken for one that passes.
    reached: bool,
    lines: mpsc::Sender<Result<LogLine, ClusterError>>,
}

/// The reader has gone: nobody wants more lines.
struct Unwanted;

impl Follower {
    async fn run(mut self) {
        // Whether the log of an instance that ended was read to its end.
        let mut drained = false;
        loop {
            match self.pass(&mut drained).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false) | Err(Unwanted)) => return,
                Err(error) if self.reached && error.transient() => {}
                Err(error) => {
                    // A reader that has gone needs no error either.
                    let _ = self.lines.send(Err(error)).await;
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
            self.window = self.window.reopened();
        }
    }

    /// Looks at the container and reads its log until the stream ends. Gives `false` when the pod is gone.
    async fn pass(&mut self, drained: &mut bool) -> Result<Result<bool, Unwanted>, ClusterError> {
        let Some(now) = self.cluster.instance(&self.source).await? else {
            return Ok(Ok(false));
        };
        if now.restarts > self.restarts {
            // What the instance before still said. Of instances before that, nothing is kept anywhere.
            if now.restarts > self.restarts + 1 {
                self.window = Window::default();
            }
            match self.read("previous").await {
                Ok(Ok(())) => {}
                Ok(Err(unwanted)) => return Ok(Err(unwanted)),
                Err(error) if is_no_previous(&error) => {}
                Err(error) => return Err(error),
            }
            (self.restarts, self.window, *drained) = (now.restarts, Window::default(), false);
        }
        if !now.started || (*drained && !now.running) {
            return Ok(Ok(true));
        }
        match self.read("follow").await {
            Ok(Ok(())) => *drained = !now.running,
            Ok(Err(unwanted)) => return Ok(Err(unwanted)),
            Err(error) if is_not_started(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(Ok(true))
    }

    async fn read(&mut self, how: &'static str) -> Result<Result<(), Unwanted>, ClusterError> {
        let call = self.source.call()?.query(how, "true").query_opt("sinceTime", self.window.since());
        let mut reader = LineReader::new(self.cluster.open(call).await?);
        self.reached = true;
        while let Some(line) = reader.next().await.map_err(ClusterError::StreamCut)? {
            let Some(line) = stamped(&line).filter(|line| self.window.admits(line.stamp)) else {
                continue;
            };
            if self.lines.send(Ok(line)).await.is_err() {
                return Ok(Err(Unwanted));
            }
        }
        Ok(Ok(()))
    }
}

/// The lines of a body.
struct LineReader {
    body: Body,
    lines: Splitter,
    ended: bool,
}

impl LineReader {
    fn new(body: Body) -> Self {
        Self { body, lines: Splitter::new(MAX_LINE), ended: false }
    }

    async fn next(&mut self) -> Result<Option<Line>, String> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(self.lines.rest());
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.lines.push(data);
                    }
                }
                Some(Err(error)) => return Err(cut(&error)),
                None => self.ended = true,
            }
        }
    }
}
