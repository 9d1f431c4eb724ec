//! A step: what is common to all.
//!
//! That a step has exactly one verb is a rule of its own, [`one_verb`](super::super::shapes::one_verb).

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::super::shapes::{Count, Id, Name, OneOrMany, Period, Prose, Text};
use super::{Apply, Exec, ExpectObject, ExpectOutput, Get, LogGrep, ObjectRef, Patch, Wait};

/// One step: an id, prose, and exactly one verb, with what may stand beside it.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, transform = super::super::shapes::one_verb)]
pub(in crate::schema) struct Step {
    /// Names the step, once in a runbook: lower-case letters, digits and dashes, at most 63.
    id: Id,
    /// What the step is called. Default: a sentence made from its verb.
    title: Option<Prose>,
    /// Prose for the reader, in Markdown.
    doc: Option<Prose>,
    /// The steps it waits for; `[]` for none. Default: all steps above it.
    needs: Option<Vec<Id>>,
    /// A CEL condition over parameters and captures by bare name. When it is false, the step is skipped.
    when: Option<Text>,
    /// What it does to others. Stands in the plan, in the question before the first change, and on the page.
    impact: Option<Text>,
    /// Namespace of what the step names, where that names none itself; else the runbook's.
    namespace: Option<Text>,
    /// How a change that fails is repeated. Default: one attempt, no other.
    retry: Option<Retry>,
    /// The longest the step may take, all attempts included. Default: no limit of its own.
    timeout: Option<Period>,
    /// Values that the step takes from the world, by name, for steps below: a path beside `get`, `apply` or `patch`, a
    /// `find` beside `exec`.
    capture: Option<BTreeMap<Name, Capture>>,
    /// Apply manifests (server-side apply).
    apply: Option<Apply>,
    /// Run a program in a container.
    exec: Option<Exec>,
    /// Judge the output of an exec: beside one, or of another step by `of`.
    expect_output: Option<ExpectOutput>,
    /// Find lines in a log that were written since a step.
    log_grep: Option<LogGrep>,
    /// Delete objects.
    delete: Option<ObjectRef>,
    /// Change fields of an object.
    patch: Option<Patch>,
    /// Wait for objects: `rollout` and the like beside a verb, with an object by itself.
    wait: Option<Wait>,
    /// Read an object, to capture from it.
    get: Option<Get>,
    /// Judge an object.
    expect_object: Option<ExpectObject>,
}

/// How a change that fails is repeated.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Retry {
    /// Attempts in all. Default: 3.
    attempts: Option<Count>,
    /// Time before the second attempt, doubled after each. Default: 1s, up to 30s.
    backoff: Option<Backoff>,
    /// Which failures are worth another attempt; there is no other word yet. Default: `transient`.
    #[schemars(rename = "for")]
    on: Option<OneOrMany<Cause>>,
}

/// A failure that is worth another attempt.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(in crate::schema) enum Cause {
    /// One that may pass by itself: 429, 5xx, a connection that was lost.
    Transient,
}

/// Time between attempts.
#[derive(JsonSchema)]
#[schemars(transform = super::super::shapes::or_period, deny_unknown_fields)]
pub(in crate::schema) struct Backoff {
    /// Before the second attempt. Default: 1s.
    initial: Option<Period>,
    /// The longest time between two attempts. Default: 30s.
    max: Option<Period>,
}

/// A value taken from the world: a JSONPath, or `path` or `find` with a default.
#[derive(JsonSchema)]
#[schemars(transform = super::super::shapes::path_or_find, deny_unknown_fields)]
pub(in crate::schema) struct Capture {
    /// JSONPath in the object, in kubectl's notation: `{.status.podIP}`.
    path: Option<Text>,
    /// Regular expression in standard output: its first group, else the whole match.
    find: Option<Text>,
    /// The value where nothing is found. Without it that is an error.
    default: Option<Text>,
}
