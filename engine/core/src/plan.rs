//! What will be done: the chosen steps of a runbook, their order, and which of them are carried out as one.
//!
//! A plan is made before anything is contacted, and holds no value that only a run can know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::graph::Dag;
use crate::model::verb::Verb;
use crate::model::{Effect, Runbook, Step, StepId};

/// Which steps are chosen. By default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// This step and all that wait for it.
    pub from: Option<StepId>,
    /// These steps alone.
    pub only: Vec<StepId>,
    /// This step and all that it waits for.
    pub until: Option<StepId>,
}

/// What will be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The runbook.
    pub runbook: Arc<Runbook>,
    /// The order of its steps, by position in the file.
    pub dag: Dag,
    /// Positions of the chosen steps.
    chosen: BTreeSet<usize>,
    /// For each `exec` the `expect-output` steps right below that judge it: together they are one observation.
    judged_by: BTreeMap<usize, Vec<usize>>,
    /// For each step the `log-grep` steps whose window opens before it.
    read_by: BTreeMap<usize, Vec<usize>>,
}

impl Plan {
    /// Chooses steps and finds what belongs together.
    ///
    /// `captures` says, for each step, which other steps' captures it uses. A chosen step that uses a capture of a step
    /// that only reads takes that step along, since a read does no harm.
    ///
    /// # Errors
    /// A diagnostic for each name that is no step, and for each capture that a chosen step uses and that comes from a
    /// change that was not chosen.
    pub fn new(
        runbook: Arc<Runbook>,
        dag: Dag,
        selection: &Selection,
        captures: &[Vec<usize>],
    ) -> Result<Self, Vec<Diagnostic>> {
        let chosen = choose(&runbook, &dag, selection, captures)?;
        let positions: BTreeMap<&StepId, usize> =
            runbook.steps.iter().enumerate().map(|(position, step)| (&step.id.value, position)).collect();
        let judged_by = observations(&runbook, &chosen, &positions);
        let mut read_by: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &reader in &chosen {
            if let Verb::LogGrep(grep) = &runbook.steps[reader].verb
                && let Some(since) = grep.since.as_ref().and_then(|since| positions.get(&since.value).copied())
            {
                read_by.entry(since).or_default().push(reader);
            }
        }
        Ok(Self { runbook, dag, chosen, judged_by, read_by })
    }

    /// Whether a step is chosen.
    #[must_use]
    pub fn is_chosen(&self, step: usize) -> bool {
        self.chosen.contains(&step)
    }

    /// Positions of the chosen steps, in file order.
    pub fn chosen(&self) -> impl Iterator<Item = usize> + '_ {
        self.chosen.iter().copied()
    }

    /// A step by its position.
    #[must_use]
    pub fn step(&self, position: usize) -> &Step {
        &self.runbook.steps[position]
    }

    /// The `expect-output` steps that judge an exec's every attempt.
    #[must_use]
    pub fn judged_by(&self, exec: usize) -> &[usize] {
        self.judged_by.get(&exec).map_or(&[], Vec::as_slice)
    }

    /// The exec that carries out a step together with itself, if there is one.
    #[must_use]
    pub fn carried_out_by(&self, step: usize) -> Option<usize> {
        self.judged_by.iter().find(|(_, judges)| judges.contains(&step)).map(|(exec, _)| *exec)
    }

    /// The `log-grep` steps that need a mark before each attempt of a step.
    #[must_use]
    pub fn read_by(&self, step: usize) -> &[usize] {
        self.read_by.get(&step).map_or(&[], Vec::as_slice)
    }

    /// Whether any chosen step writes.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.chosen().any(|step| self.step(step).effect() == Effect::Change)
    }
}

fn choose(
    runbook: &Runbook,
    dag: &Dag,
    selection: &Selection,
    captures: &[Vec<usize>],
) -> Result<BTreeSet<usize>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut position = |id: &StepId, option: &str| {
        let found = runbook.position(id);
        if found.is_none() {
            let problem = Diagnostic::argument(
                Code::BadArgument,
                format!("--{option} names step `{id}`, which the runbook does not have"),
            );
            problems.push(match nearest(id.as_str(), runbook.steps.iter().map(|step| step.id.value.as_str())) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
        found
    };
    let from = selection.from.as_ref().and_then(|id| position(id, "from"));
    let until = selection.until.as_ref().and_then(|id| position(id, "until"));
    let only: BTreeSet<usize> = selection.only.iter().filter_map(|id| position(id, "only")).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let with = |step: usize, mut others: BTreeSet<usize>| {
        others.insert(step);
        others
    };
    let mut chosen: BTreeSet<usize> = (0..runbook.steps.len()).collect();
    if let Some(from) = from {
        let below = with(from, dag.downstream(from));
        chosen.retain(|step| below.contains(step));
    }
    if let Some(until) = until {
        let above = with(until, dag.upstream(until));
        chosen.retain(|step| above.contains(step));
    }
    if !selection.only.is_empty() {
        chosen.retain(|step| only.contains(step));
    }
    let mut open: Vec<usize> = chosen.iter().copied().collect();
    while let Some(step) = open.pop() {
        for &source in captures.get(step).into_iter().flatten() {
            if chosen.contains(&source) {
                continue;
            }
            let (user, taken) = (&runbook.steps[step], &runbook.steps[source]);
            if taken.effect() == Effect::Change {
                let message = format!(
                    "step `{}` uses what step `{}` captures, which is not chosen and changes something",
                    user.id.value, taken.id.value
                );
                problems.push(Diagnostic::argument(Code::BadArgument, message).help("choose that step as well"));
                continue;
            }
            chosen.insert(source);
            open.push(source);
        }
    }
    if problems.is_empty() { Ok(chosen) } else { Err(problems) }
}

/// An `expect-output` right below its exec, or below others that judge the same one, belongs to the observation. One
/// with a condition or an order of its own is judged by itself, on the last attempt's output.
fn observations(
    runbook: &Runbook,
    chosen: &BTreeSet<usize>,
    positions: &BTreeMap<&StepId, usize>,
) -> BTreeMap<usize, Vec<usize>> {
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, step) in runbook.steps.iter().enumerate() {
        let Verb::ExpectOutput(expect) = &step.verb else { continue };
        let Some(exec) = expect.of.as_ref().and_then(|of| positions.get(&of.value).copied()) else { continue };
        let judges = found.get(&exec).map_or(0, Vec::len);
        let adjacent = exec + judges + 1 == position;
        let plain = step.when.is_none() && step.needs.is_none();
        if adjacent && plain && chosen.contains(&exec) && chosen.contains(&position) {
            found.entry(exec).or_default().push(position);
        }
    }
    found
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
