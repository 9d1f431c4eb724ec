//! The runbook as a whole.

use indexmap::IndexMap;

use super::{Duration, ObjectRef, Param, Step, StepId, Text};
use crate::source::{Span, Spanned};

/// A runbook: a procedure as a graph of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbook {
    /// `metadata.name`: lower-case letters, digits and dashes.
    pub name: Spanned<String>,
    /// `metadata.title`: what the page is called; the name where it is absent.
    pub title: Option<String>,
    /// One or two sentences on what the runbook achieves.
    pub summary: Option<String>,
    /// Namespace of everything that names none itself.
    pub namespace: Option<Text>,
    /// What the user supplies, in file order.
    pub params: IndexMap<String, Param>,
    /// What must hold before the first change.
    pub requires: Vec<Requirement>,
    /// The steps, in file order.
    pub steps: Vec<Step>,
    /// How the run is taken back when it ends; absent when its changes are to stay.
    pub cleanup: Option<Cleanup>,
    /// Steps that only look, run after a failure for the report.
    pub on_failure: Vec<Step>,
    /// Remarks for the reader.
    pub notes: Vec<String>,
    /// The longest the whole run may take.
    pub timeout: Option<Duration>,
}

impl Runbook {
    /// The title, else the name.
    #[must_use]
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name.value)
    }

    /// Position of a step in the file.
    #[must_use]
    pub fn position(&self, id: &StepId) -> Option<usize> {
        self.steps.iter().position(|step| step.id.value == *id)
    }
}

/// What must hold before the first change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// An object exists.
    Object(ObjectRef),
    /// The API server serves a kind.
    Serves {
        /// Such as `ServiceEntry`.
        kind: Text,
        /// Such as `networking.istio.io/v1beta1`.
        api_version: Text,
    },
    /// The pods of a selector have an Istio sidecar.
    Sidecar {
        /// Label selector.
        selector: Text,
        /// Namespace of the pods.
        namespace: Option<Text>,
        /// Where the requirement stands.
        span: Span,
    },
    /// The mesh writes an access log of this encoding: `text` or `json`.
    AccessLog(Spanned<String>),
    /// We may do something, by an access review.
    Can(Can),
}

/// An action that RBAC must allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Can {
    /// Such as `create`.
    pub verb: Text,
    /// Plural resource, with its subresource if any, such as `pods/exec`.
    pub resource: Text,
    /// API group; the core group where absent.
    pub group: Option<Text>,
    /// Namespace of the action; all namespaces where neither it nor the runbook names one.
    pub namespace: Option<Text>,
}

/// How a run is taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// Steps whose changes stay.
    pub keep: Vec<Spanned<StepId>>,
    /// Further steps, run after the changes were taken back.
    pub steps: Vec<Step>,
}
