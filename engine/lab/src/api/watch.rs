//! Watches: the changes of a resource as a stream of JSON lines.
//!
//! Invariant: a client sees each object enter, change and leave its selection exactly once, in the store's order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::body::{Body, encode, response, streamed};
use super::options::ListOptions;
use super::selector::Selector;
use super::service::Call;
use super::table::Representation;
use super::verbs::in_version;
use crate::schema::{Resource, Shown};
use crate::status::Status;
use crate::store::{Change, ChangeKind, Expired, Store, Subscription};

/// Between two bookmarks.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// From the last bookmark to the end of a watch.
const BEFORE_END: Duration = Duration::from_secs(2);

/// How long a watch lasts when the client does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Watches of a lab at once.
pub(super) const WATCHES: usize = 10_000;

/// A watch under way.
struct Watch {
    store: Store,
    resource: Arc<Resource>,
    namespace: String,
    selector: Selector,
    representation: Representation,
    subscription: Subscription,
    ready: VecDeque<Ready>,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    headers_sent: bool,
    over: bool,
    /// Events until a fault of the world ends the watch.
    events_left: Option<u32>,
    _place: OwnedSemaphorePermit,
}

/// An event that waits for the client: as its object, so that a thousand watches of one list share it, or as it goes out.
enum Ready {
    Object(&'static str, Arc<Value>),
    Whole(Vec<u8>),
}

/// An event as it goes out.
#[derive(Serialize)]
struct Event<'e> {
    #[serde(rename = "type")]
    kind: &'e str,
    object: Shown<'e>,
}

impl Call<'_> {
    pub(super) fn watch(&self) -> Result<Response<Body>, Status> {
        let place = Arc::clone(self.watches).try_acquire_owned().map_err(|_| too_many())?;
        let selector = self.selector()?;
        let at = self.resource.group_resource();
        let options = ListOptions::parse(self.query, true)?;
        let (initial, bookmarks) = (options.send_initial_events, options.bookmarks);
        let timeout = options.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        let revision = options.revision.unwrap_or(0);
        let send_state = initial.unwrap_or(revision == 0);
        let mut ready = VecDeque::new();
        let from = if send_state || revision == 0 {
            let listing = self.store.list(&at, self.namespace());
            if send_state {
                for object in listing.items.iter().filter(|object| selector.matches(object)) {
                    ready.push_back(Ready::Object("ADDED", Arc::clone(object)));
                }
            }
            listing.revision
        } else {
            revision
        };
        let subscription = self.store.subscribe_after(&at, from);
        let expired = subscription.as_ref().err().copied();
        let subscription = match subscription {
            Ok(subscription) => subscription,
            Err(_) => self.store.subscribe_after(&at, self.store.revision()).map_err(|error| gone(&error))?,
        };
        let now = Instant::now();
        let mut watch = Watch {
            store: self.store.clone(),
            resource: Arc::clone(self.resource),
            namespace: self.namespace().to_owned(),
            selector,
            representation: self.representation,
            subscription,
            ready,
            bookmarks,
            // One comes shortly before the end, so that the next watch starts where this one stopped.
            next_bookmark: now + BOOKMARK_EVERY.min(timeout.checked_sub(BEFORE_END).unwrap_or(BOOKMARK_EVERY)),
            deadline: now + timeout,
            headers_sent: false,
            over: false,
            events_left: self.faults.watch_drop(&self.resource.plural),
            _place: place,
        };
        if let Some(error) = expired {
            watch.fail(&error);
        } else if initial == Some(true) && bookmarks {
            let bookmark = watch.bookmark(from, true);
            watch.ready.push_back(Ready::Whole(bookmark));
        }
        Ok(response(StatusCode::OK, "application/json", streamed(watch.into_stream())))
    }
}

/// The refusal of a watch beyond those that a lab holds.
fn too_many() -> Status {
    Status::too_many_requests(format!("the lab holds {WATCHES} watches and takes no more; end some"), 1)
}

fn gone(error: &Expired) -> Status {
    Status::expired(error.to_string())
}

impl Watch {
    fn into_stream(self) -> impl Stream<Item = Bytes> + Send + 'static {
        futures::stream::unfold(self, |mut watch| async move {
            let mut line = watch.next().await?;
            line.push(b'\n');
            Some((Bytes::from(line), watch))
        })
    }

    /// The next event as JSON.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.events_left == Some(0) {
                return None;
            }
            if let Some(ready) = self.ready.pop_front() {
                self.events_left = self.events_left.map(|left| left - 1);
                return Some(match ready {
                    Ready::Object(kind, object) => self.event(kind, &object),
                    Ready::Whole(event) => event,
                });
            }
            if self.over {
                return None;
            }
            tokio::select! {
                biased;
                change = self.subscription.next() => match change {
                    Ok(change) => self.take(&change),
                    Err(error) => self.fail(&error),
                },
                () = sleep_until(self.deadline) => return None,
                () = sleep_until(self.next_bookmark), if self.bookmarks => {
                    self.next_bookmark += BOOKMARK_EVERY;
                    // Everything up to the store's revision was seen, or there would have been a change to take.
                    let revision = self.store.revision();
                    return Some(self.bookmark(revision, false));
                }
            }
        }
    }

    fn take(&mut self, change: &Change) {
        let here = |object: &Value| {
            (self.namespace.is_empty() || crate::store::meta::namespace(object) == self.namespace)
                && self.selector.matches(object)
        };
        let was = change.old.as_deref().is_some_and(here);
        let is = change.kind != ChangeKind::Deleted && here(&change.object);
        let kind = match (was, is) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return,
        };
        self.ready.push_back(Ready::Object(kind, Arc::clone(&change.object)));
    }

    fn event(&mut self, kind: &str, object: &Value) -> Vec<u8> {
        let object = in_version(&self.resource, object);
        let mut shown = self.representation.single(&self.resource, object, &self.store);
        if matches!(self.representation, Representation::Table(_)) {
            if self.headers_sent
                && let Some(table) = shown.to_mut().as_object_mut()
            {
                table.insert("columnDefinitions".into(), Value::Null);
            }
            self.headers_sent = true;
        }
        encode(&Event { kind, object: Shown(&shown) })
    }

    fn bookmark(&mut self, revision: u64, initial: bool) -> Vec<u8> {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial && let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("annotations".into(), json!({"k8s.io/initial-events-end": "true"}));
        }
        let (kind, version) = (&self.resource.kind, self.resource.api_version());
        self.event("BOOKMARK", &json!({"kind": kind, "apiVersion": version, "metadata": metadata}))
    }

    fn fail(&mut self, error: &Expired) {
        self.ready.push_back(Ready::Whole(encode(&json!({"type": "ERROR", "object": gone(error).to_json()}))));
        self.over = true;
    }
}
