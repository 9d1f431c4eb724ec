//! `exec`: run a program in a container.

use indexmap::IndexMap;

use super::super::{Duration, Effect, In, PodRef, Step, StepId, Text};
use super::Verb;
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

/// An exec with what it takes over by `like`: whatever a step does not give comes from the step that it is like.
#[derive(Clone, Debug, Default)]
pub struct WholeExec<'r> {
    /// Where it runs, with the step that says so: its namespace counts.
    pub target: Option<(&'r Step, &'r In)>,
    /// The variables, those of the step that is taken over first.
    pub env: Vec<(&'r str, &'r Text)>,
    /// What runs.
    pub program: Option<&'r Program>,
    /// The longest one attempt may take.
    pub timeout: Option<Duration>,
}

impl<'r> WholeExec<'r> {
    /// Follows `like` through the steps of a runbook; a circle, which no loaded runbook has, is cut.
    #[must_use]
    pub fn of(steps: &'r [Step], step: &'r Step, exec: &'r Exec) -> Self {
        let mut chain = vec![(step, exec)];
        while let Some(like) =
            chain.last().and_then(|(_, exec)| exec.like.as_ref()).filter(|_| chain.len() <= steps.len())
            && let Some(model) = steps.iter().find(|step| step.id.value == like.value)
            && let Verb::Exec(exec) = &model.verb
        {
            chain.push((model, exec));
        }
        let mut whole = Self::default();
        for (step, exec) in chain.into_iter().rev() {
            whole.target = exec.target.as_ref().map(|target| (step, target)).or(whole.target);
            whole.program = exec.program.as_ref().or(whole.program);
            whole.timeout = exec.timeout.or(whole.timeout);
            for (name, value) in &exec.env {
                match whole.env.iter_mut().find(|(known, _)| known == name) {
                    Some(known) => known.1 = value,
                    None => whole.env.push((name, value)),
                }
            }
        }
        whole
    }
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
