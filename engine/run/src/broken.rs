//! Why a step did not pass, while it is still being carried out.

use periplus_core::expect::Mismatch;
use periplus_core::outcome::{Failure, FailureKind, StepOutcome};

use crate::cluster::{ClusterError, FileError, Inconclusive};
use crate::recorder::RunEnded;

/// Why a step, or one attempt of it, did not pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Broken {
    /// Whether nothing was found out, as opposed to something being wrong.
    pub(crate) inconclusive: bool,
    /// Whether the same may well succeed a little later.
    pub(crate) transient: bool,
    pub(crate) failure: Failure,
    /// The equivalent `kubectl` line, where it is known by then.
    pub(crate) kubectl: Option<String>,
}

impl Broken {
    pub(crate) fn failed(kind: FailureKind, summary: impl Into<String>) -> Self {
        let failure = Failure { kind, summary: summary.into(), mismatches: Vec::new(), advice: Vec::new() };
        Self { inconclusive: false, transient: false, failure, kubectl: None }
    }

    pub(crate) fn inconclusive(kind: FailureKind, summary: impl Into<String>) -> Self {
        Self { inconclusive: true, ..Self::failed(kind, summary) }
    }

    /// A check that did not hold.
    pub(crate) fn check(summary: impl Into<String>, mismatches: Vec<Mismatch>) -> Self {
        let mut broken = Self::failed(FailureKind::Check, summary);
        broken.failure.mismatches = mismatches;
        broken
    }

    /// The same, and worth another attempt.
    pub(crate) fn worth_another(mut self) -> Self {
        self.transient = true;
        self
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.failure.advice.push(advice.into());
        self
    }

    /// The same, with the line to try by hand. A line that is there already is the closer one, and stays.
    pub(crate) fn by_hand(mut self, kubectl: &str) -> Self {
        self.kubectl.get_or_insert_with(|| kubectl.to_owned());
        self
    }

    /// How the step comes out.
    pub(crate) fn into_outcome(self) -> StepOutcome {
        let failure = self.failure;
        if self.inconclusive { StepOutcome::Inconclusive { failure } } else { StepOutcome::Failed { failure } }
    }
}

impl From<ClusterError> for Broken {
    fn from(error: ClusterError) -> Self {
        let (kind, inconclusive) = match &error {
            ClusterError::Conflict { .. }
            | ClusterError::Invalid { .. }
            | ClusterError::AlreadyExists(_)
            | ClusterError::NotFound(_) => (FailureKind::Refused, false),
            ClusterError::Choice(choice) => (FailureKind::Refused, choice.transient()),
            ClusterError::Timeout { .. } => (FailureKind::Timeout, true),
            ClusterError::NotSimulated(_) => (FailureKind::NotSimulated, true),
            _ => (FailureKind::Target, true),
        };
        let broken = if inconclusive {
            Self::inconclusive(kind, error.to_string())
        } else {
            Self::failed(kind, error.to_string())
        };
        let broken = Self { transient: error.transient(), ..broken };
        match error.hint() {
            Some(hint) => broken.advise(hint),
            None => broken,
        }
    }
}

impl From<FileError> for Broken {
    fn from(error: FileError) -> Self {
        let kind = match &error {
            FileError::Exec { reason: Inconclusive::NotSimulated(_), .. } => FailureKind::NotSimulated,
            _ => FailureKind::Target,
        };
        Self::inconclusive(kind, error.to_string())
    }
}

impl From<RunEnded> for Broken {
    fn from(ended: RunEnded) -> Self {
        Self::inconclusive(FailureKind::Target, ended.to_string())
    }
}
