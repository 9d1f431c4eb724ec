//! `log-grep`: find lines in the log of a container, or in a file in it.

use super::super::{Duration, In, LogChecks, PodRef, StepId, Text};
use crate::source::Spanned;

/// Finds lines that were written since a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGrep {
    /// Whose log; a match in any selected pod counts.
    pub target: In,
    /// An absolute path in the container; the container's own log where absent.
    pub file: Option<Text>,
    /// The step before whose last attempt the window opens; this step itself where absent.
    pub since: Option<Spanned<StepId>>,
    /// What must hold.
    pub checks: LogChecks,
    /// How long it may take until the checks hold. Default `30s`.
    pub within: Duration,
    /// How long no new line may come before an upper bound is judged. Default `3s`.
    pub settle: Duration,
}

impl LogGrep {
    /// Default of `within`.
    pub const WITHIN: Duration = Duration::from_secs(30);
    /// Default of `settle`.
    pub const SETTLE: Duration = Duration::from_secs(3);

    pub(super) fn sentence(&self) -> String {
        let (PodRef::Workload(place) | PodRef::Pod(place) | PodRef::Selector(place)) = &self.target.pod;
        match &self.file {
            Some(file) => format!("Look into {} of {}", file.raw, place.raw),
            None => format!("Look into the log of {}", place.raw),
        }
    }
}
