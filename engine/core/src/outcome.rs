//! How steps and runs end, and the exit code of each end.
//!
//! An outcome carries what is needed to explain it and nothing of how it is shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::expect::Mismatch;
use crate::model::StepId;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepOutcome {
    /// Done, and all its checks held.
    Passed {
        /// What came of it in a few words, such as `namespace/external created`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
        /// Text that the checks saw, for documents: the narrowed output, or the log lines that matched.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seen: Vec<String>,
    },
    /// It was carried out, and a check did not hold or the action was refused.
    Failed {
        /// What went wrong.
        failure: Failure,
    },
    /// It could not be found out: the target did not answer, a stream was cut, something is not simulated.
    Inconclusive {
        /// What stood in the way.
        failure: Failure,
    },
    /// It was not meant to run.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// It never started, since something it waits for did not pass.
    Blocked {
        /// The steps that it waited for and that did not pass.
        by: Vec<StepId>,
    },
    /// It never started, or was stopped in the middle, since the run ended: an interrupt, a failure elsewhere, the
    /// run's time-out.
    Cancelled {
        /// Why the run ended, as a fragment such as `interrupted`.
        why: String,
    },
}

impl StepOutcome {
    /// Whether steps that wait for this one along file order may start.
    #[must_use]
    pub const fn lets_go_on(&self) -> bool {
        matches!(self, Self::Passed { .. } | Self::Skipped { .. })
    }
}

/// Why a step was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SkipReason {
    /// Its `when` was false.
    When {
        /// The condition as written.
        condition: String,
    },
    /// A step that it needs was skipped.
    Needs {
        /// That step.
        step: StepId,
    },
}

/// What went wrong, and what to try next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// One sentence fragment that names the thing and the reason.
    pub summary: String,
    /// What differed, for a check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<Mismatch>,
    /// What to try next, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A check did not hold.
    Check,
    /// The program returned a code that was not expected.
    Exit,
    /// The API server refused the request for what it says: invalid, conflicting.
    Refused,
    /// The step's or the run's time was up.
    Timeout,
    /// A change was reverted by someone else before the run ended.
    Reverted,
    /// The target could not be reached, or does not let us.
    Target,
    /// The lab does not simulate something.
    NotSimulated,
    /// The step's text could not be rendered with the values of this run.
    Render,
}

/// A `requires:` item that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// What is required, such as `ConfigMap istio-system/istio exists`.
    pub what: String,
    /// What is missing and what to do about it. Absent where the requirement is met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// Every step that was meant to run passed.
    Passed,
    /// A check or step failed.
    Failed,
    /// The target could not be reached or refused, a requirement is unmet, or a check stayed inconclusive.
    Inconclusive,
    /// Clean-up or undo was incomplete: someone must act.
    CleanupIncomplete,
    /// Interrupted.
    Interrupted,
}

impl RunResult {
    /// The exit code of this end.
    #[must_use]
    pub const fn exit(self) -> ExitCode {
        match self {
            Self::Passed => ExitCode::Passed,
            Self::Failed => ExitCode::Failed,
            Self::Inconclusive => ExitCode::Target,
            Self::CleanupIncomplete => ExitCode::CleanupIncomplete,
            Self::Interrupted => ExitCode::Interrupted,
        }
    }
}

/// Every exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// All held.
    Passed = 0,
    /// A check or step failed.
    Failed = 1,
    /// The runbook or the arguments are wrong, or a confirmation was declined or could not be asked.
    Invalid = 2,
    /// The target could not be reached or refused, a requirement is unmet, or a check stayed inconclusive to the end.
    Target = 3,
    /// Clean-up or undo was incomplete. Wins over [`Self::Failed`] and [`Self::Target`], since someone must act.
    CleanupIncomplete = 4,
    /// Interrupted.
    Interrupted = 130,
}

impl ExitCode {
    /// All codes with their meaning, in ascending order.
    pub const TABLE: [(Self, &'static str); 6] = [
        (Self::Passed, "all held"),
        (Self::Failed, "a check or step failed"),
        (Self::Invalid, "the runbook or the arguments are wrong, or a confirmation was declined or could not be asked"),
        (
            Self::Target,
            "the target could not be reached or refused, a requirement is unmet, or a check stayed inconclusive to the end",
        ),
        (Self::CleanupIncomplete, "clean-up or undo was incomplete: someone must act"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The number the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}
