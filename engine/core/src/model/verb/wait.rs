//! `wait`: wait for objects.

use super::super::{Duration, ObjectRef, Text};
use crate::source::Span;

/// Waits until objects are as wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitFor {
    /// Which; beside another verb, what that verb wrote.
    pub object: Option<ObjectRef>,
    /// For what.
    pub condition: WaitCondition,
    /// The longest it may take. Default `5m`.
    pub timeout: Duration,
    /// Where it stands.
    pub span: Span,
}

/// For what to wait, in the notation of `kubectl wait --for`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitCondition {
    /// `rollout`: as `kubectl rollout status`; of several objects only the workloads count.
    Rollout,
    /// `condition=TYPE` or `condition=TYPE=STATUS`.
    Condition {
        /// Such as `Available`.
        kind: Text,
        /// Such as `True`.
        status: String,
    },
    /// `jsonpath={.path}=VALUE`, or without a value: the path is there.
    JsonPath {
        /// The path.
        path: Text,
        /// The value.
        value: Option<Text>,
    },
    /// `deletion`.
    Deletion,
}

impl WaitFor {
    /// Default of `timeout`.
    pub const TIMEOUT: Duration = Duration::from_secs(300);

    pub(super) fn sentence(&self) -> String {
        let object = self.object.as_ref().map_or_else(String::new, |object| format!(" of {}", object.sentence()));
        match &self.condition {
            WaitCondition::Rollout => format!("Wait for the rollout{object}"),
            WaitCondition::Condition { kind, .. } => format!("Wait for condition {}{object}", kind.raw),
            WaitCondition::JsonPath { path, .. } => format!("Wait for {}{object}", path.raw),
            WaitCondition::Deletion => format!("Wait for the deletion{object}"),
        }
    }
}
