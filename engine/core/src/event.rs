//! What happened in a run, as facts in the past tense: the only language between the engine and everything that tells
//! of a run (terminal, JSON Lines, JUnit, journal, documents).
//!
//! An event knows nothing of how it will look. Facts are numbered once, by the scheduler, and are never lost;
//! [`EventKind::Waiting`] is the one kind that is progress, not fact, and may be dropped by a slow sink.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::change::{ChangeId, FieldChange, ObjectKey};
use crate::expect::{Excerpt, Mismatch};
use crate::model::{Effect, StepId};
use crate::outcome::{Requirement, RunResult, StepOutcome};

/// One numbered fact of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Position in the run, from 0, without gaps among facts.
    pub seq: u64,
    /// When it happened, by the clock of the target: the wall clock in a run, lab time in a rehearsal.
    pub at: Timestamp,
    /// Milliseconds since the run started, by the same clock.
    pub elapsed_ms: u64,
    /// What happened.
    pub kind: EventKind,
}

/// An event as `--output json` writes it, a line each: with what tells where it belongs should it get lost from the rest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventLine<'a> {
    /// The run; absent before it has an id.
    pub run: Option<&'a RunId>,
    /// `lab`, or the context of the cluster.
    pub target: &'a str,
    /// As [`Event::seq`].
    pub seq: u64,
    /// As [`Event::at`].
    pub at: Timestamp,
    /// As [`Event::elapsed_ms`].
    pub elapsed_ms: u64,
    /// As [`Event::kind`].
    pub kind: &'a EventKind,
}

/// What happened.
///
/// `RunStarted` is always first and `RunFinished` always last. A step's events lie between its `StepStarted` and its
/// `StepFinished`; a step that never starts has only a `StepFinished`. Undo is a run of its own kind of events after
/// `UndoStarted`, and may follow `RunFinished` in the same journal when `periplus undo` adds to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum EventKind {
    /// The run exists: its folder and journal were made and the target answered.
    RunStarted(RunStarted),
    /// A `requires:` item was looked at, before the first change.
    RequirementChecked {
        /// What was required and whether it was there.
        requirement: Requirement,
    },
    /// A step began.
    StepStarted {
        /// The step.
        step: StepId,
    },
    /// A step's attempt began; for an observation each repetition is one.
    AttemptStarted {
        /// The step.
        step: StepId,
        /// From 1.
        attempt: u32,
    },
    /// A step's attempt ended.
    AttemptFinished {
        /// The step.
        step: StepId,
        /// From 1.
        attempt: u32,
        /// How it ended.
        result: AttemptResult,
        /// What was run in a container and what came back, where the attempt was an exec. Absent where it equals the
        /// attempt before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exec: Option<ExecReport>,
    },
    /// Progress, not a fact: what a step waits for now. May be dropped, and is never journaled.
    Waiting {
        /// The step.
        step: StepId,
        /// A fragment that completes "waiting for …".
        what: String,
    },
    /// The API server answered a request with a `Warning` header.
    Warned {
        /// The step.
        step: StepId,
        /// The server's text.
        text: String,
    },
    /// A change is about to go out. Flushed to disk before it does.
    ChangeIntended {
        /// The step.
        step: StepId,
        /// The change.
        intent: ChangeIntent,
    },
    /// A change was answered by the server.
    ChangeMade {
        /// The step.
        step: StepId,
        /// The change that [`EventKind::ChangeIntended`] announced.
        change: ChangeId,
        /// What it did.
        made: ChangeMade,
    },
    /// A change was refused, or its answer never came.
    ChangeFailed {
        /// The step.
        step: StepId,
        /// The change that [`EventKind::ChangeIntended`] announced.
        change: ChangeId,
        /// The cause, for people.
        error: String,
        /// Whether the server may have carried it out all the same: the answer was lost.
        perhaps_made: bool,
    },
    /// A mark was set at the end of a log that a later step reads.
    LogMarked {
        /// The step before whose attempt the mark was set.
        step: StepId,
        /// The `log-grep` step that reads from it.
        reader: StepId,
        /// Where the window opens.
        mark: LogMark,
    },
    /// Why the calls of an exec that failed went where they went. Only a lab can tell.
    CallsExplained {
        /// The step.
        step: StepId,
        /// The calls of its last attempt, oldest first.
        calls: Vec<Call>,
    },
    /// A value was taken from the world.
    Captured {
        /// The step.
        step: StepId,
        /// The capture's name.
        name: String,
        /// Its value, masked where it came from a Secret.
        value: String,
    },
    /// A step ended, or will never start.
    StepFinished {
        /// The step.
        step: StepId,
        /// How.
        outcome: StepOutcome,
        /// The equivalent `kubectl` line, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kubectl: Option<String>,
    },
    /// At the end of the run a change was found reverted: someone else, such as an operator or Argo CD, wrote over it.
    ChangeReverted {
        /// The change.
        change: ChangeId,
        /// What was found, naming the field and its manager where known.
        detail: String,
    },
    /// Output of an `on-failure` step, for the report.
    Diagnosed {
        /// What was looked at, such as `events in namespace default`.
        title: String,
        /// What was seen.
        text: Excerpt,
    },
    /// The operator interrupted the run.
    Interrupted {
        /// 1: nothing new starts. 2: what runs is cancelled.
        times: u8,
    },
    /// Changes are being taken back, newest first.
    UndoStarted {
        /// How many there are to take back.
        changes: u32,
    },
    /// One change is about to be taken back.
    UndoIntended {
        /// The change.
        change: ChangeId,
        /// Its object.
        object: ObjectKey,
    },
    /// One change was taken back, or could not be.
    UndoFinished {
        /// The change.
        change: ChangeId,
        /// How it went.
        result: UndoResult,
    },
    /// The run is over.
    RunFinished {
        /// How.
        result: RunResult,
    },
}

impl EventKind {
    /// Whether this is progress that a slow sink may lose and the journal leaves out.
    #[must_use]
    pub const fn is_progress(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    /// Whether the journal must be on disk before the engine goes on: what is needed to take a change back, and the
    /// end of a run.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        matches!(
            self,
            Self::ChangeIntended { .. }
                | Self::UndoIntended { .. }
                | Self::UndoFinished { .. }
                | Self::RunFinished { .. }
        )
    }

    /// The step this event tells of, if it tells of one.
    #[must_use]
    pub const fn step(&self) -> Option<&StepId> {
        match self {
            Self::StepStarted { step }
            | Self::AttemptStarted { step, .. }
            | Self::AttemptFinished { step, .. }
            | Self::Waiting { step, .. }
            | Self::Warned { step, .. }
            | Self::ChangeIntended { step, .. }
            | Self::ChangeMade { step, .. }
            | Self::ChangeFailed { step, .. }
            | Self::LogMarked { step, .. }
            | Self::CallsExplained { step, .. }
            | Self::Captured { step, .. }
            | Self::StepFinished { step, .. } => Some(step),
            Self::RunStarted(_)
            | Self::RequirementChecked { .. }
            | Self::ChangeReverted { .. }
            | Self::Diagnosed { .. }
            | Self::Interrupted { .. }
            | Self::UndoStarted { .. }
            | Self::UndoIntended { .. }
            | Self::UndoFinished { .. }
            | Self::RunFinished { .. } => None,
        }
    }
}

/// The first fact: who runs what, where, with which values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStarted {
    /// The run's id, unique in the state directory.
    pub run: RunId,
    /// Version of the engine.
    pub engine: String,
    /// Version of Kubernetes that the target said it is, such as `v1.36.2`. Absent in journals of older engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// What was run.
    pub runbook: RunbookRef,
    /// Where.
    pub target: Target,
    /// The parameters with their sources, in the runbook's order. Secret values are masked.
    pub params: Vec<ParamShown>,
    /// The steps that were chosen, in file order.
    pub steps: Vec<StepSummary>,
    /// Steps whose changes an undo leaves, as the runbook's `cleanup: {keep}` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<StepId>,
}

/// Identifies a run: `<runbook>-<UTC stamp>-<4 hex digits>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(pub String);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which text was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunbookRef {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.title`, else the name.
    pub title: String,
    /// Where it was read from, as the user wrote it.
    pub path: String,
    /// SHA-256 over the runbook and the files it names, in hex.
    pub hash: String,
}

/// Where the steps happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// The embedded lab; no cluster is contacted.
    Lab {
        /// Seed of everything that varies.
        seed: u64,
    },
    /// A real cluster.
    Cluster {
        /// The kubeconfig context, or `in-cluster`.
        context: String,
        /// URL of the API server.
        server: String,
        /// UID of namespace `kube-system`, which stands for the cluster's identity. Absent where it may not be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<String>,
        /// The user, as the server sees them. Absent where the server does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
}

impl Target {
    /// Whether this is a rehearsal.
    #[must_use]
    pub const fn is_lab(&self) -> bool {
        matches!(self, Self::Lab { .. })
    }
}

/// A parameter as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamShown {
    /// The parameter's name.
    pub name: String,
    /// Its value; `***` for a secret; empty for an optional one that was not given.
    pub value: String,
    /// Where the value came from, such as `--set` or `default`.
    pub source: String,
}

/// A step as reports list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSummary {
    /// The step's id.
    pub id: StepId,
    /// Its title, else a sentence made from the verb.
    pub title: String,
    /// The verb's key, such as `apply`.
    pub verb: String,
    /// What the step does to the target.
    pub effect: Effect,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AttemptResult {
    /// The action was done, or all checks held.
    Held,
    /// The attempt was made and a check did not hold.
    NotHeld {
        /// What differed. Empty where it equals the attempt before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mismatches: Vec<Mismatch>,
    },
    /// The attempt was not made or not finished, so that it says nothing about any check.
    Inconclusive {
        /// The cause, for people.
        cause: String,
    },
    /// The action was refused or went wrong.
    Failed {
        /// The cause, for people.
        cause: String,
    },
}

/// A program that was run in a container, and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecReport {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The program's exit code, where it returned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Standard output.
    pub stdout: Excerpt,
    /// Standard error.
    pub stderr: Excerpt,
}

/// A change that is about to go out: all that is needed to take it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeIntent {
    /// Numbered within the run, from 1.
    pub change: ChangeId,
    /// The object.
    pub object: ObjectKey,
    /// What is done to it.
    pub operation: Operation,
    /// The object as it was.
    pub before: Before,
}

/// What a change does to its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// A patch of the object's fields.
    Patch,
    /// A patch of the YAML that a string field holds.
    PatchYaml {
        /// JSON Pointer to the string field.
        pointer: String,
    },
    /// Deletion.
    Delete,
    /// A program run in a container that says it changes something. It cannot be taken back.
    Exec {
        /// The command line, for people.
        command: String,
    },
}

/// An object before it was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Before {
    /// It was not there.
    Absent,
    /// It was there, like this. `managedFields` are left out.
    Present {
        /// The live object.
        object: serde_json::Value,
    },
    /// It was there, but its content must not be written down in the clear: a Secret. Its changes cannot be taken back.
    Withheld {
        /// UID of the object.
        uid: String,
    },
    /// There is no object: the change is an exec.
    NotAnObject,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMade {
    /// The word `kubectl` would print.
    pub result: ChangeResult,
    /// UID of the object afterwards. Empty after an exec.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// `resourceVersion` afterwards.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Field by field what became different, for an object that was there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// What a change did, in `kubectl`'s words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeResult {
    /// The object is new.
    Created,
    /// The object was altered.
    Configured,
    /// The object already was as wished.
    Unchanged,
    /// The object is gone.
    Deleted,
    /// There was nothing to delete.
    NotFound,
    /// The program ran.
    Executed,
}

impl std::fmt::Display for ChangeResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::NotFound => "not found",
            Self::Executed => "executed",
        })
    }
}

/// How taking back a change went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum UndoResult {
    /// What was created is gone, and was waited for.
    Deleted,
    /// Our fields are back to what they were.
    Restored,
    /// What was deleted is there again.
    Recreated,
    /// It already was as before.
    AlreadyUndone,
    /// The runbook's `cleanup: keep` names the step.
    Kept,
    /// Not touched, and why: someone else changed it since, or its former content is not known.
    Refused {
        /// The reason, naming who and what.
        reason: String,
    },
    /// Tried and failed.
    Failed {
        /// The cause.
        error: String,
    },
}

impl UndoResult {
    /// Whether the object is now as it should be after an undo.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Failed { .. })
    }
}

/// A place in a log: what lies before it was there before the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LogMark {
    /// The log of a container.
    Container {
        /// Namespace of the pod.
        namespace: String,
        /// The pod.
        pod: String,
        /// UID of the pod: a pod of the same name may be another one.
        uid: String,
        /// The container.
        container: String,
        /// Restarts of the container so far: each has a log of its own.
        restarts: i32,
        /// The kubelet's stamp of the last line. Absent where there was no line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stamp: Option<Timestamp>,
        /// How many lines carry that stamp.
        lines_with_stamp: u64,
    },
    /// A file in a container.
    File {
        /// Namespace of the pod.
        namespace: String,
        /// The pod.
        pod: String,
        /// UID of the pod.
        uid: String,
        /// The container.
        container: String,
        /// Absolute path of the file.
        path: String,
        /// Inode of the file. Absent where it did not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inode: Option<u64>,
        /// Bytes in it.
        length: u64,
    },
}
