//! What can only be seen on the runbook as a whole: ids and references.
//!
//! What templates and conditions refer to is checked in [`super::names`].

use std::collections::{BTreeMap, BTreeSet};

use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::model::verb::Verb;
use crate::model::{Runbook, Step, StepId};
use crate::source::{Span, Spanned};

/// `lost` are steps that are there but could not be read: whoever names them made no mistake.
pub(super) fn check(runbook: &Runbook, lost: &BTreeSet<StepId>, problems: &mut Vec<Diagnostic>) {
    let ids = Ids { known: ids(runbook, problems), lost };
    for step in all_steps(runbook) {
        for needed in step.needs.iter().flatten() {
            known(&ids, needed, problems);
        }
        if let Some((id, wanted)) = named_exec(step) {
            match known(&ids, id, problems) {
                Some(found) if !matches!(found.verb, Verb::Exec(_)) => problems.push(
                    Diagnostic::error(Code::WrongStep, id.span, format!("step `{}` runs no program", id.value))
                        .label(wanted)
                        .also(found.id.span, format!("its verb is `{}`", found.verb.key())),
                ),
                Some(found) if found.id.span == step.id.span => problems.push(Diagnostic::error(
                    Code::WrongStep,
                    id.span,
                    format!("step `{}` names itself", id.value),
                )),
                _ => {}
            }
        }
        if let Verb::LogGrep(grep) = &step.verb
            && let Some(since) = &grep.since
        {
            known(&ids, since, problems);
        }
    }
    for kept in runbook.cleanup.iter().flat_map(|cleanup| &cleanup.keep) {
        known(&ids, kept, problems);
    }
}

/// The steps of all three lists.
pub(super) fn all_steps(runbook: &Runbook) -> impl Iterator<Item = &Step> + Clone {
    runbook.steps.iter().chain(runbook.cleanup.iter().flat_map(|cleanup| &cleanup.steps)).chain(&runbook.on_failure)
}

/// The exec that a step names by `like` or `of`.
fn named_exec(step: &Step) -> Option<(&Spanned<StepId>, &'static str)> {
    match &step.verb {
        Verb::Exec(exec) => exec.like.as_ref().map(|id| (id, "`like` takes over an `exec`")),
        Verb::ExpectOutput(expect) => expect.of.as_ref().map(|id| (id, "`of` judges the output of an `exec`")),
        _ => None,
    }
}

fn ids<'r>(runbook: &'r Runbook, problems: &mut Vec<Diagnostic>) -> BTreeMap<&'r StepId, &'r Step> {
    let mut ids: BTreeMap<&StepId, &Step> = BTreeMap::new();
    for step in all_steps(runbook) {
        if let Some(first) = ids.get(&step.id.value) {
            problems.push(
                Diagnostic::error(
                    Code::DuplicateStep,
                    step.id.span,
                    format!("two steps are called `{}`", step.id.value),
                )
                .label("here again")
                .also(first.id.span, "first here"),
            );
        } else {
            ids.insert(&step.id.value, step);
        }
    }
    ids
}

/// The steps by their ids.
struct Ids<'r> {
    known: BTreeMap<&'r StepId, &'r Step>,
    lost: &'r BTreeSet<StepId>,
}

/// The step of an id; if there is none, that is reported.
fn known<'r>(ids: &Ids<'r>, id: &Spanned<StepId>, problems: &mut Vec<Diagnostic>) -> Option<&'r Step> {
    let found = ids.known.get(&id.value).copied();
    if found.is_none() && !ids.lost.contains(&id.value) {
        problems.push(unknown_step(&id.value, id.span, ids.known.keys().map(|id| id.as_str())));
    }
    found
}

fn unknown_step<'a>(id: &StepId, span: Span, ids: impl Iterator<Item = &'a str>) -> Diagnostic {
    let problem = Diagnostic::error(Code::UnknownStep, span, format!("there is no step `{id}`"));
    match nearest(id.as_str(), ids) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}
