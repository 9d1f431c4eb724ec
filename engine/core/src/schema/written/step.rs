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
    /// Names it, once in a runbook.
    id: Id,
    /// What it is called.
    title: Option<Prose>,
    /// Prose for the reader, in Markdown.
    doc: Option<Prose>,
    /// The steps it waits for; all above it where absent.
    needs: Option<Vec<Id>>,
    /// A CEL condition over parameters and captures; when false the step is skipped.
    when: Option<Text>,
    /// What it does to others, stated before it is done.
    impact: Option<Text>,
    /// Namespace of what it names, where that names none itself.
    namespace: Option<Text>,
    /// How a change that fails is repeated.
    retry: Option<Retry>,
    /// The longest it may take, all attempts included.
    timeout: Option<Period>,
    /// Values it takes from the world, by name.
    capture: Option<BTreeMap<Name, Capture>>,
    /// Apply manifests (server-side apply).
    apply: Option<Apply>,
    /// Run a program in a container.
    exec: Option<Exec>,
    /// Judge the output of an exec.
    expect_output: Option<ExpectOutput>,
    /// Find lines in a log.
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
    /// Time between attempts, doubled after each. Default: 1s, at most 30s.
    backoff: Option<Backoff>,
    /// Which failures are worth another attempt.
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
    /// The bound. Default: 30s.
    max: Option<Period>,
}

/// A value taken from the world: a JSONPath, or `path` or `find` with a default.
#[derive(JsonSchema)]
#[schemars(transform = super::super::shapes::path_or_find, deny_unknown_fields)]
pub(in crate::schema) struct Capture {
    /// JSONPath in the object.
    path: Option<Text>,
    /// Regular expression in standard output: its first group, else the whole match.
    find: Option<Text>,
    /// The value where there is none.
    default: Option<Text>,
}
