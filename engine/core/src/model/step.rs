//! One step.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verb::{ExpectObject, Verb, WaitFor};
use super::{Duration, ExpectOutput, Text};
use crate::source::{Span, Spanned};

/// A step's id: lower-case letters, digits and dashes, unique in its runbook.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StepId(pub String);

impl StepId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step: an id, prose, and exactly one verb, with what may stand beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Names it.
    pub id: Spanned<StepId>,
    /// What it is called; a sentence made from the verb where absent.
    pub title: Option<String>,
    /// Prose for the reader, in Markdown.
    pub doc: Option<String>,
    /// The steps it waits for; all above it where absent.
    pub needs: Option<Vec<Spanned<StepId>>>,
    /// A CEL condition over parameters and captures; when false the step is skipped.
    pub when: Option<Text>,
    /// What it does to others, stated before it is done.
    pub impact: Option<Text>,
    /// Namespace of what it names, where that names none itself.
    pub namespace: Option<Text>,
    /// What it does.
    pub verb: Verb,
    /// What it waits for after the verb.
    pub wait: Option<WaitFor>,
    /// What the output of its `exec` must be.
    pub expect_output: Option<ExpectOutput>,
    /// What an object must look like after the verb.
    pub expect_object: Option<ExpectObject>,
    /// Values it takes from the world.
    pub capture: IndexMap<String, Capture>,
    /// How a change that fails is repeated.
    pub retry: Option<Retry>,
    /// The longest it may take, all attempts included.
    pub timeout: Option<Duration>,
    /// Where it stands.
    pub span: Span,
}

impl Step {
    /// What it does to the target.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match &self.verb {
            Verb::Apply(_) | Verb::Delete(_) | Verb::Patch(_) => Effect::Change,
            Verb::Exec(exec) => exec.effect,
            Verb::ExpectOutput(_) | Verb::LogGrep(_) | Verb::Wait(_) | Verb::Get(_) | Verb::ExpectObject(_) => {
                Effect::Read
            }
        }
    }

    /// The title, else a sentence made from the verb.
    #[must_use]
    pub fn title(&self) -> String {
        self.title.clone().unwrap_or_else(|| self.verb.sentence())
    }
}

/// What a step does to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It only looks.
    Read,
    /// It writes.
    Change,
}

/// A value taken from the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Where in what the verb gave back.
    pub from: CaptureFrom,
    /// The value where there is none; without it a missing value is an error.
    pub default: Option<Text>,
    /// Where it is declared.
    pub span: Span,
}

/// Where a captured value is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureFrom {
    /// By JSONPath in the object.
    Path(Text),
    /// By regular expression in standard output: its first group, else the whole match.
    Find(Text),
}

/// How a change that fails is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all. Default 3.
    pub attempts: u32,
    /// Time between attempts.
    pub backoff: Backoff,
}

/// Time between the attempts of a retry: doubled after each, up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second attempt. Default `1s`.
    pub initial: Duration,
    /// The bound. Default `30s`.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3, backoff: Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(30) } }
    }
}
