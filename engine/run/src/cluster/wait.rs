//! Waits until an object is as wanted, by watching it.
//!
//! What "as wanted" means is a pure function of one state; the watch around it only brings the states. A wait that is
//! in vain ends at once.

use std::time::Duration;

use periplus_core::jsonpath::{self, JsonPath};
use serde_json::Value;
use tokio::time::Instant;

use super::client::Cluster;
use super::error::ClusterError;
use super::objects::ObjectAddress;
use super::pods::is_deleted;
use super::rollout::rollout;
use super::watch::ObjectWatch;

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
pub enum WaitFor {
    /// A Deployment, StatefulSet or DaemonSet has rolled out, as `kubectl rollout status` sees it.
    Rollout,
    /// A condition has a status, as `kubectl wait --for=condition=…` sees it: case is ignored, and a condition that
    /// speaks of an earlier generation does not count.
    Condition {
        /// Its type, such as `Ready`.
        kind: String,
        /// Its status, mostly `True`.
        status: String,
    },
    /// A path names a value.
    JsonPath {
        /// The path.
        path: JsonPath,
        /// The value as text; `None` for any.
        value: Option<String>,
    },
    /// The object is gone.
    Deletion {
        /// Its UID, where known: another object of the same name does not keep this one alive.
        uid: Option<String>,
    },
}

/// What one state of an object means for a wait. The text says where things stand, as a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as wanted.
    Held(String),
    /// It may become so.
    NotYet(String),
    /// It will not become so by itself.
    Never(String),
}

impl Verdict {
    /// The text, whatever the verdict.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Held(text) | Self::NotYet(text) | Self::Never(text) => text,
        }
    }
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Waited {
    /// The last verdict. [`Verdict::NotYet`] where the time was up.
    pub verdict: Verdict,
    /// The last state of the object. `None` where it was not there.
    pub object: Option<Value>,
}

impl Waited {
    /// Whether what was waited for came.
    #[must_use]
    pub const fn held(&self) -> bool {
        matches!(self.verdict, Verdict::Held(_))
    }
}

impl WaitFor {
    /// Judges one state of the object; `None` where it is not there.
    #[must_use]
    pub fn judge(&self, object: Option<&Value>) -> Verdict {
        if let Self::Deletion { uid } = self {
            return deletion(object, uid.as_deref());
        }
        let Some(object) = object else {
            return Verdict::NotYet("not there yet".to_owned());
        };
        match self {
            Self::Rollout => rollout(object),
            Self::Condition { kind, status } => condition(object, kind, status),
            Self::JsonPath { path, value } => path_value(object, path, value.as_deref()),
            Self::Deletion { uid } => deletion(Some(object), uid.as_deref()),
        }
    }
}

fn deletion(object: Option<&Value>, uid: Option<&str>) -> Verdict {
    match object {
        None => Verdict::Held("gone".to_owned()),
        Some(object) if uid.is_some() && object.pointer("/metadata/uid").and_then(Value::as_str) != uid => {
            Verdict::Held("gone; another of the same name is there".to_owned())
        }
        Some(object) if is_deleted(object) => {
            let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
            let names: Vec<&str> = finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
            Verdict::NotYet(if names.is_empty() {
                "being deleted".to_owned()
            } else {
                format!("being deleted, held by finalizer {}", names.join(", "))
            })
        }
        Some(_) => Verdict::NotYet("still there".to_owned()),
    }
}

fn condition(object: &Value, kind: &str, status: &str) -> Verdict {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let same = |value: &Value, text: &str| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text));
    let Some(condition) = conditions.into_iter().find(|condition| same(&condition["type"], kind)) else {
        return Verdict::NotYet(format!("no condition {kind} yet"));
    };
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
    let observed = condition["observedGeneration"].as_i64().or_else(|| object["status"]["observedGeneration"].as_i64());
    if observed.is_some_and(|observed| observed < generation) {
        return Verdict::NotYet(format!("condition {kind} speaks of an earlier generation"));
    }
    let found = condition["status"].as_str().unwrap_or_default();
    let mut text = format!("{kind} is {found}");
    if same(&condition["status"], status) {
        return Verdict::Held(text);
    }
    if let Some(words) = condition["message"].as_str().or_else(|| condition["reason"].as_str()) {
        text = format!("{text}: {words}");
    }
    Verdict::NotYet(text)
}

fn path_value(object: &Value, path: &JsonPath, wanted: Option<&str>) -> Verdict {
    let found = path.find(object);
    match (found.as_slice(), wanted) {
        ([], _) => Verdict::NotYet(format!("nothing at {path} yet")),
        (_, None) => Verdict::Held(format!("{path} is there")),
        ([value], Some(wanted)) => {
            let text = jsonpath::text(value);
            let held = text == wanted;
            let text = format!("{path} is {text}");
            if held { Verdict::Held(text) } else { Verdict::NotYet(text) }
        }
        (several, Some(_)) => Verdict::NotYet(format!("{path} names {} values", several.len())),
    }
}

impl Cluster {
    /// Waits until an object is as wanted, for at most `within`. `progress` is told where things stand, each time that
    /// changes.
    ///
    /// # Errors
    ///
    /// Where the object cannot be looked at. That the time was up is no error: see [`Waited::verdict`].
    pub async fn wait(
        &self,
        at: &ObjectAddress,
        what: &WaitFor,
        within: Duration,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Waited, ClusterError> {
        let deadline = Instant::now() + within;
        let mut watch = ObjectWatch::new(self, at);
        let mut last: Option<Waited> = None;
        loop {
            let object = match tokio::time::timeout_at(deadline, watch.next()).await {
                Ok(state) => state?,
                Err(_) => {
                    return last.ok_or_else(|| ClusterError::Timeout { what: format!("watching {at}"), after: within });
                }
            };
            let verdict = what.judge(object.as_ref());
            if last.as_ref().is_none_or(|last| last.verdict != verdict) {
                progress(verdict.text());
            }
            let waited = Waited { verdict, object };
            if !matches!(waited.verdict, Verdict::NotYet(_)) {
                return Ok(waited);
            }
            last = Some(waited);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ready(object: &Value) -> Verdict {
        WaitFor::Condition { kind: "Ready".into(), status: "True".into() }.judge(Some(object))
    }

    #[test]
    fn a_condition_counts_for_its_generation_only() {
        let object = |status: &str, observed: Value| {
            json!({"metadata": {"generation": 2}, "status": {"conditions": [
                {"type": "ready", "status": status, "message": "probe failed", "observedGeneration": observed}
            ]}})
        };
        assert_eq!(ready(&object("true", json!(2))), Verdict::Held("Ready is true".into()));
        assert_eq!(ready(&object("True", Value::Null)), Verdict::Held("Ready is True".into()));
        assert_eq!(ready(&object("False", json!(2))), Verdict::NotYet("Ready is False: probe failed".into()));
        let stale = Verdict::NotYet("condition Ready speaks of an earlier generation".into());
        assert_eq!(ready(&object("True", json!(1))), stale);
        assert_eq!(ready(&json!({"status": {}})), Verdict::NotYet("no condition Ready yet".into()));
        let mut by_status = object("True", Value::Null);
        by_status["status"]["observedGeneration"] = json!(1);
        assert_eq!(ready(&by_status), stale);
    }

    #[test]
    fn a_path_is_compared_as_text() {
        let wait = |value: Option<&str>| WaitFor::JsonPath {
            path: JsonPath::parse("{.status.n}").unwrap(),
            value: value.map(str::to_owned),
        };
        let object = json!({"status": {"n": 3}});
        assert_eq!(wait(Some("3")).judge(Some(&object)), Verdict::Held("{.status.n} is 3".into()));
        assert_eq!(wait(Some("4")).judge(Some(&object)), Verdict::NotYet("{.status.n} is 3".into()));
        assert_eq!(wait(None).judge(Some(&object)), Verdict::Held("{.status.n} is there".into()));
        assert_eq!(wait(None).judge(Some(&json!({}))), Verdict::NotYet("nothing at {.status.n} yet".into()));
        assert_eq!(wait(None).judge(None), Verdict::NotYet("not there yet".into()));
    }

    #[test]
    fn deletion_is_of_the_very_object() {
        let wait = WaitFor::Deletion { uid: Some("1".into()) };
        let object = json!({"metadata": {"uid": "1"}});
        let going =
            json!({"metadata": {"uid": "1", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}});
        assert_eq!(wait.judge(None), Verdict::Held("gone".into()));
        assert_eq!(wait.judge(Some(&object)), Verdict::NotYet("still there".into()));
        assert_eq!(wait.judge(Some(&going)), Verdict::NotYet("being deleted, held by finalizer a/b".into()));
        assert!(matches!(wait.judge(Some(&json!({"metadata": {"uid": "2"}}))), Verdict::Held(_)));
        assert!(matches!(WaitFor::Deletion { uid: None }.judge(Some(&object)), Verdict::NotYet(_)));
    }
}
