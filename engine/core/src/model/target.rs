//! How objects, pods and containers are named.

use super::Text;
use crate::source::Span;

/// Names one object, or several by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Such as `ConfigMap`.
    pub kind: Text,
    /// Such as `networking.istio.io/v1`; the server's preferred version of the kind where absent.
    pub api_version: Option<Text>,
    /// By name or by labels.
    pub which: Which,
    /// The object's namespace; else the step's, else the runbook's.
    pub namespace: Option<Text>,
    /// Where it is named.
    pub span: Span,
}

/// By name or by labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// `metadata.name`.
    Name(Text),
    /// A label selector in `kubectl`'s notation.
    Selector(Text),
}

/// Names a container: `in: {workload: deploy/x | pod | selector, namespace, container}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct In {
    /// Which pod.
    pub pod: PodRef,
    /// The pod's namespace; else the step's, else the runbook's.
    pub namespace: Option<Text>,
    /// The container; else the pod's default container, else its only one.
    pub container: Option<Text>,
    /// What to do when several pods would do.
    pub pick: Pick,
    /// Where it is named.
    pub span: Span,
}

/// Which pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodRef {
    /// A pod of this workload, such as `deploy/sleep`.
    Workload(Text),
    /// The pod of this name.
    Pod(Text),
    /// A pod with these labels.
    Selector(Text),
}

/// What to do when several would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// It is an error that lists them.
    #[default]
    One,
    /// The first by name is taken.
    Any,
}
