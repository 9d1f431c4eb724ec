//! `exec: {like: STEP}`: what an exec takes over from another.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::model::verb::{Exec, Program, Verb};
use crate::model::{In, Step, StepId, Text};

/// The execs of a runbook by the ids of their steps.
#[derive(Debug)]
pub(super) struct Like<'r> {
    execs: BTreeMap<&'r StepId, &'r Exec>,
}

/// An exec with what it takes over.
#[derive(Debug, Default)]
pub(super) struct Whole<'r> {
    pub target: Option<&'r In>,
    pub program: Option<&'r Program>,
    pub env: IndexMap<&'r str, &'r Text>,
}

/// How many steps may take over from each other in a row.
const LONGEST: usize = 64;

impl<'r> Like<'r> {
    /// Finds the execs, and reports those that take over from each other in a circle or too many in a row.
    pub(super) fn new(steps: impl Iterator<Item = &'r Step> + Clone, problems: &mut Vec<Diagnostic>) -> Self {
        let execs = steps
            .clone()
            .filter_map(|step| match &step.verb {
                Verb::Exec(exec) => Some((&step.id.value, exec)),
                _ => None,
            })
            .collect();
        let like = Self { execs };
        for step in steps {
            let Verb::Exec(exec) = &step.verb else { continue };
            let Some(named) = &exec.like else { continue };
            if like.chain(exec).count() > LONGEST {
                problems.push(
                    Diagnostic::error(
                        Code::Cycle,
                        named.span,
                        format!("`like` leads from step to step, more than {LONGEST} times or in a circle"),
                    )
                    .help("name the step that says what is run"),
                );
            }
        }
        like
    }

    /// The exec itself, then the one that it names, and so on; cut behind [`LONGEST`] names.
    fn chain<'a>(&'a self, exec: &'r Exec) -> impl Iterator<Item = &'r Exec> + use<'a, 'r> {
        std::iter::successors(Some(exec), |exec| self.execs.get(&exec.like.as_ref()?.value).copied()).take(LONGEST + 2)
    }

    /// An exec with what it takes over.
    pub(super) fn resolve(&self, exec: &'r Exec) -> Whole<'r> {
        let mut whole = Whole::default();
        for exec in self.chain(exec) {
            whole.target = whole.target.or(exec.target.as_ref());
            whole.program = whole.program.or(exec.program.as_ref());
            for (name, value) in &exec.env {
                whole.env.entry(name).or_insert(value);
            }
        }
        whole
    }
}
