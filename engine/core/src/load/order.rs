//! In which order steps run: what they name, as edges of the graph.
//!
//! A capture is used only downstream of its step. An edge from below that would close a circle is therefore not an
//! edge but a mistake.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Use;
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::graph::{Dag, Waits};
use crate::model::verb::Verb;
use crate::model::{Runbook, StepId};
use crate::source::Spanned;

/// The order of a runbook's steps, and who uses what.
#[derive(Clone, Debug)]
pub struct Order {
    /// The graph of the steps, by position in the file.
    pub dag: Dag,
    /// For each step the steps whose captures it uses, ascending.
    pub captures: Vec<Vec<usize>>,
}

/// Builds the graph; reports cycles and captures that are used before they are taken.
pub(super) fn check(runbook: &Runbook, uses: &[Use], problems: &mut Vec<Diagnostic>) -> Option<Order> {
    let positions: BTreeMap<&StepId, usize> =
        runbook.steps.iter().enumerate().rev().map(|(position, step)| (&step.id.value, position)).collect();
    let further: BTreeSet<&StepId> = runbook
        .cleanup
        .iter()
        .flat_map(|cleanup| &cleanup.steps)
        .chain(&runbook.on_failure)
        .map(|step| &step.id.value)
        .collect();
    let mut at = |id: &Spanned<StepId>| {
        let found = positions.get(&id.value).copied();
        if found.is_none() && further.contains(&id.value) {
            problems.push(Diagnostic::error(
                Code::WrongStep,
                id.span,
                format!("step `{}` runs only after all of these", id.value),
            ));
        }
        found
    };
    let mut waits: Vec<Waits> = Vec::with_capacity(runbook.steps.len());
    for step in &runbook.steps {
        let mut named = Vec::new();
        match &step.verb {
            Verb::ExpectOutput(expect) => named.extend(expect.of.as_ref().and_then(&mut at)),
            Verb::LogGrep(grep) => named.extend(grep.since.as_ref().and_then(&mut at)),
            _ => {}
        }
        let needs = step.needs.as_ref().map(|needs| needs.iter().filter_map(&mut at).collect());
        waits.push(Waits { needs, uses: named });
    }
    let captures = captures(runbook, &mut waits, uses, problems);
    match Dag::new(&waits) {
        Ok(dag) => {
            windows(runbook, &dag, &positions, uses, problems);
            Some(Order { dag, captures })
        }
        Err(cycles) => {
            for cycle in cycles {
                problems.push(told(runbook, &cycle.0));
            }
            None
        }
    }
}

/// Adds the edges of captures.
fn captures(runbook: &Runbook, waits: &mut [Waits], uses: &[Use], problems: &mut Vec<Diagnostic>) -> Vec<Vec<usize>> {
    let mut captures = vec![BTreeSet::new(); waits.len()];
    // A use of what a step below takes: right only if that step waits for nothing that waits for the user.
    let (below, above): (Vec<&Use>, Vec<&Use>) = uses.iter().partition(|used| used.taker >= used.user);
    for used in above {
        captures[used.user].insert(used.taker);
    }
    add(waits, &captures);
    let graph = if below.is_empty() { None } else { Dag::new(waits).ok() };
    let mut downstream: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut late = vec![BTreeSet::new(); waits.len()];
    for used in below {
        let early = used.taker == used.user
            || waits[used.taker].needs.is_none()
            || graph.as_ref().is_some_and(|graph| {
                downstream.entry(used.user).or_insert_with(|| graph.downstream(used.user)).contains(&used.taker)
            });
        if early {
            problems.push(too_early(runbook, used));
        } else {
            late[used.user].insert(used.taker);
        }
    }
    add(waits, &late);
    for (early, late) in captures.iter_mut().zip(late) {
        early.extend(late);
    }
    captures.into_iter().map(|takers| takers.into_iter().collect()).collect()
}

fn add(waits: &mut [Waits], captures: &[BTreeSet<usize>]) {
    for (wait, takers) in waits.iter_mut().zip(captures) {
        wait.uses.extend(takers);
    }
}

/// Marks are taken before the step that a window opens at: what says where the log is must be known by then.
fn windows(
    runbook: &Runbook,
    dag: &Dag,
    positions: &BTreeMap<&StepId, usize>,
    uses: &[Use],
    problems: &mut Vec<Diagnostic>,
) {
    let mut reported = BTreeSet::new();
    for used in uses.iter().filter(|used| used.in_log) {
        let Verb::LogGrep(grep) = &runbook.steps[used.user].verb else { continue };
        let Some(since) = &grep.since else { continue };
        let Some(&opens) = positions.get(&since.value) else { continue };
        if opens != used.taker && dag.is_upstream(used.taker, opens) {
            continue;
        }
        if reported.insert((used.user, used.taker)) {
            let taker = &runbook.steps[used.taker].id;
            problems.push(
                Diagnostic::error(
                    Code::CaptureUpstream,
                    used.span,
                    format!("{} is not known yet when the log is marked", used.name),
                )
                .label("says which log is read")
                .also(since.span, "the log is marked before this step")
                .help(format!("take {} in a step above `{}`: `{}` runs too late", used.name, since.value, taker.value)),
            );
        }
    }
}

fn too_early(runbook: &Runbook, used: &Use) -> Diagnostic {
    let taker = &runbook.steps[used.taker];
    let span = taker.capture.get(&used.name).map_or(taker.id.span, |capture| capture.span);
    let message = format!("{} is used before step `{}` has taken it", used.name, taker.id.value);
    let problem = Diagnostic::error(Code::CaptureUpstream, used.span, message).also(span, "taken here");
    if used.taker == used.user {
        problem.help("a step's own captures are taken at its end; use it in a step below")
    } else {
        problem.help(format!("move `{}` up, or give it `needs:` that do not wait for this step", taker.id.value))
    }
}

fn told(runbook: &Runbook, cycle: &[usize]) -> Diagnostic {
    let id = |position: &usize| &runbook.steps[*position].id;
    let mut path: Vec<&str> = cycle.iter().map(|position| id(position).value.as_str()).collect();
    path.extend(path.first().copied());
    let first = cycle.first().map(id);
    let span = first.map(|id| id.span).unwrap_or_default();
    // A circle of thousands is told by its ends.
    let shown = if path.len() > 12 {
        format!("{} → … → {}", path[..6].join(" → "), path[path.len() - 5..].join(" → "))
    } else {
        path.join(" → ")
    };
    let mut problem = Diagnostic::error(Code::Cycle, span, format!("steps wait for each other in a circle: {shown}"))
        .label("waits for the next")
        .help("take one of them out of `needs:`, or move a step");
    for position in cycle.iter().skip(1).take(4) {
        problem = problem.also(id(position).span, "and so on");
    }
    problem
}
