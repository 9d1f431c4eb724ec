//! Watches one object: its state now, and then each state that it takes.
//!
//! A watch ends all the time, by its own time-out, by a compacted history (410), by a cut. [`ObjectWatch`] goes on by
//! itself, where it was or with a fresh look, and never without a pause, so that a server that closes at once is not
//! asked in a busy loop.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Status;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Cluster, cut};
use super::error::ClusterError;
use super::lines::Splitter;
use super::objects::{ObjectAddress, Selector};
use super::request::Call;

/// How long the server is asked to keep a watch open, in seconds. Just below what proxies on the way tolerate.
const OPEN_SECONDS: &str = "290";

/// Pause before a watch is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes of one event at most. The server itself takes objects of 1.5 MB at most.
const MAX_EVENT: usize = 16 << 20;

/// States of one object, one after the other.
pub(super) struct ObjectWatch<'a> {
    cluster: &'a Cluster,
    at: &'a ObjectAddress,
    stage: Stage,
}

enum Stage {
    /// Nothing is known, or no longer: the object has to be looked at.
    Look { again: bool },
    /// The state at this version is known, and no watch is open.
    Known { version: String, again: bool },
    /// A watch is open.
    Open { version: String, events: Events },
}

struct Events {
    body: Body,
    lines: Splitter,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Value,
}

impl<'a> ObjectWatch<'a> {
    pub(super) const fn new(cluster: &'a Cluster, at: &'a ObjectAddress) -> Self {
        Self { cluster, at, stage: Stage::Look { again: false } }
    }

    /// The object's state now, and from the second call on, its next state. `None` where it is not there.
    ///
    /// # Errors
    ///
    /// The first look's failure, whatever it is; later only one that does not pass by itself.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, ClusterError> {
        loop {
            match &mut self.stage {
                Stage::Look { again } => {
                    let again = *again;
                    if again {
                        tokio::time::sleep(PAUSE).await;
                    }
                    match self.look().await {
                        Ok(state) => return Ok(state),
                        Err(error) if again && error.transient() => {}
                        Err(error) => return Err(error),
                    }
                }
                Stage::Known { version, again } => {
                    let version = version.clone();
                    if *again {
                        tokio::time::sleep(PAUSE).await;
                    }
                    match Self::open(self.cluster, self.at, &version).await {
                        Ok(events) => self.stage = Stage::Open { version, events },
                        Err(error) if error.transient() || is_expired(&error) => {
                            self.stage = Stage::Look { again: true };
                        }
                        Err(error) => return Err(error),
                    }
                }
                Stage::Open { version, events } => match events.next().await {
                    Ok(Some(event)) => {
                        if let Some(at) = event.object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
                            at.clone_into(version);
                        }
                        match event.kind.as_str() {
                            "ADDED" | "MODIFIED" => return Ok(Some(event.object)),
                            "DELETED" => return Ok(None),
                            // An error on an open watch is a history that is too old; a fresh look tells the rest.
                            "ERROR" => self.stage = Stage::Look { again: true },
                            _ => {}
                        }
                    }
                    Ok(None) => self.stage = Stage::Known { version: std::mem::take(version), again: true },
                    Err(_cut) => self.stage = Stage::Look { again: true },
                },
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Value>, ClusterError> {
        let namespace = self.at.namespace.as_deref();
        let listed = self.cluster.list(&self.at.resource, namespace, &only(self.at)).await?;
        self.stage = Stage::Known { version: listed.resource_version, again: false };
        Ok(listed.items.into_iter().next())
    }

    /// Not a method: an open body cannot be shared between threads, so neither can what holds one.
    async fn open(cluster: &Cluster, at: &ObjectAddress, version: &str) -> Result<Events, ClusterError> {
        let namespace = at.namespace.as_deref();
        let call = Call::new(Method::GET, "watch", at.resource.path(namespace)?)
            .about(at.resource.full_plural(), namespace)
            .query("watch", "true")
            .query("allowWatchBookmarks", "true")
            .query("resourceVersion", version)
            .query("timeoutSeconds", OPEN_SECONDS);
        let body = cluster.open(only(at).add_to(call)).await?;
        Ok(Events { body, lines: Splitter::new(MAX_EVENT) })
    }
}

/// Selects the one object.
fn only(at: &ObjectAddress) -> Selector {
    Selector { labels: String::new(), fields: format!("metadata.name={}", at.name) }
}

impl Events {
    /// The next event, `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<Event>, String> {
        loop {
            if let Some(line) = self.lines.next() {
                return serde_json::from_slice(&line.bytes).map(Some).map_err(|error| error.to_string());
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.lines.push(data);
                    }
                }
                Some(Err(error)) => return Err(cut(&error)),
                None => return Ok(None),
            }
        }
    }
}

/// Whether the server says that the version to start from is too old.
fn is_expired(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Api(status) if is_gone(status))
}

fn is_gone(status: &Status) -> bool {
    status.code == 410 || status.reason == "Expired" || status.reason == "Gone"
}
