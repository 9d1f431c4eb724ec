//! One change to one object: read, announced, sent, told.
//!
//! Nothing is sent before the journal holds the object as it was.

use std::future::Future;

use periplus_core::change::{FieldChange, ObjectKey, field_changes};
use periplus_core::event::{Before, ChangeIntent, ChangeMade, ChangeResult, Operation};
use serde_json::Value;

use crate::bench::Bench;
use crate::broken::Broken;
use crate::cluster::{ClusterError, ObjectAddress, Written};
use crate::recorder::Recorder;

/// A change to one object that is about to be made.
pub(crate) struct Change<'a> {
    bench: &'a Bench,
    recorder: &'a Recorder,
    pub(crate) address: &'a ObjectAddress,
    /// The live object, where there is one.
    pub(crate) before: Option<Value>,
}

impl<'a> Change<'a> {
    /// Reads the object as it is.
    pub(crate) async fn begin(
        bench: &'a Bench,
        recorder: &'a Recorder,
        address: &'a ObjectAddress,
    ) -> Result<Self, Broken> {
        let before = bench.cluster.find(address).await?;
        Ok(Self { bench, recorder, address, before })
    }

    /// Announces the change, sends it and tells what came of it. `fields` replaces the comparison of the object before
    /// and after, where the verb knows better.
    pub(crate) async fn send<F>(
        self,
        operation: Operation,
        fields: Option<Vec<FieldChange>>,
        request: F,
    ) -> Result<(ChangeResult, Value), Broken>
    where
        F: Future<Output = Result<Written, ClusterError>>,
    {
        let key = self.address.key();
        let change = self.announce(operation).await?;
        let written = match request.await {
            Ok(written) => written,
            Err(error) => {
                self.recorder.change_failed(change, error.to_string(), error.perhaps_done());
                return Err(error.into());
            }
        };
        for text in written.warnings {
            self.recorder.warn(text);
        }
        let made = made(&key, self.before.as_ref(), &written.object, fields);
        let result = made.result;
        self.recorder.made(change, made);
        Ok((result, written.object))
    }

    /// Announces the deletion of the object, sends it, and waits until the object is gone.
    pub(crate) async fn delete<F, W>(self, request: F, gone: W) -> Result<(), Broken>
    where
        F: Future<Output = Result<(), ClusterError>>,
        W: Future<Output = Result<(), ClusterError>>,
    {
        let uid = text_at(self.before.as_ref(), "/metadata/uid");
        let change = self.announce(Operation::Delete).await?;
        let sent = match request.await {
            Ok(()) | Err(ClusterError::NotFound(_)) => gone.await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            self.recorder.change_failed(change, error.to_string(), true);
            return Err(error.into());
        }
        let made =
            ChangeMade { result: ChangeResult::Deleted, uid, resource_version: String::new(), fields: Vec::new() };
        self.recorder.made(change, made);
        Ok(())
    }

    async fn announce(&self, operation: Operation) -> Result<periplus_core::change::ChangeId, Broken> {
        let object = self.address.key();
        let before = before(&object, self.before.as_ref());
        let intent = self.recorder.intend(|change| ChangeIntent { change, object, operation, before }).await?;
        Ok(intent)
    }

    /// The cluster that the change goes to.
    pub(crate) fn bench(&self) -> &'a Bench {
        self.bench
    }
}

/// The object as the journal may hold it: without `managedFields`, and nothing at all of a Secret's data.
fn before(key: &ObjectKey, object: Option<&Value>) -> Before {
    match object {
        None => Before::Absent,
        Some(object) if is_secret(key) => Before::Withheld { uid: text_at(Some(object), "/metadata/uid") },
        Some(object) => {
            let mut object = object.clone();
            periplus_core::change::write(&mut object, "/metadata/managedFields", None);
            Before::Present { object }
        }
    }
}

fn made(key: &ObjectKey, before: Option<&Value>, after: &Value, fields: Option<Vec<FieldChange>>) -> ChangeMade {
    let version = |object: Option<&Value>| text_at(object, "/metadata/resourceVersion");
    let fields = match (before, fields) {
        (_, Some(fields)) => fields,
        (Some(before), None) if !is_secret(key) => field_changes(before, after),
        _ => Vec::new(),
    };
    let result = match before {
        None => ChangeResult::Created,
        Some(_) if version(before) == version(Some(after)) => ChangeResult::Unchanged,
        Some(_) => ChangeResult::Configured,
    };
    ChangeMade { result, uid: text_at(Some(after), "/metadata/uid"), resource_version: version(Some(after)), fields }
}

/// Whether an object's content must not be written down in the clear.
pub(crate) fn is_secret(key: &ObjectKey) -> bool {
    key.kind == "Secret" && key.api_version == "v1"
}

fn text_at(object: Option<&Value>, pointer: &str) -> String {
    object.and_then(|object| object.pointer(pointer)).and_then(Value::as_str).unwrap_or_default().to_owned()
}
