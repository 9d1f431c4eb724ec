//! `exec`: run a program in a container.

use indexmap::IndexMap;

use super::super::{Duration, Effect, In, PodRef, StepId, Text};
use crate::source::{Span, Spanned};

/// Runs a program in a container of a ready pod, chosen anew at each attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// A step whose exec gives all that is not given here.
    pub like: Option<Spanned<StepId>>,
    /// Where it runs; required without `like`.
    pub target: Option<In>,
    /// Variables set for the program. Those of `like` stay unless set anew.
    pub env: IndexMap<String, Text>,
    /// What runs; required without `like`.
    pub program: Option<Program>,
    /// Whether the program changes something: it is then planned as a change and never repeated.
    pub effect: Effect,
    /// The longest one attempt may take. Default `30s`.
    pub timeout: Option<Duration>,
    /// Where it stands.
    pub span: Span,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A program and its arguments; no shell sees them.
    Command(Vec<Text>),
    /// A script for `sh -c`.
    Sh(Text),
}

impl Exec {
    pub(super) fn sentence(&self) -> String {
        let program = match &self.program {
            Some(Program::Command(argv)) => argv.first().map_or("a program", |word| word.raw.as_str()),
            Some(Program::Sh(_)) => "a script",
            None => match &self.like {
                Some(like) => return format!("Run again what {} runs", like.value),
                None => "a program",
            },
        };
        match self.target.as_ref().map(|target| &target.pod) {
            Some(PodRef::Workload(place) | PodRef::Pod(place) | PodRef::Selector(place)) => {
                format!("Run {program} in {}", place.raw)
            }
            None => format!("Run {program}"),
        }
    }
}
