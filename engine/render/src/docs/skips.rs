//! Which steps are skipped with which: a skip passes on along what a step names, and never along file order.

use periplus_core::graph::{Dag, EdgeKind};
use periplus_core::model::Runbook;

/// For each step, by position, the steps that it names and that may be skipped.
pub(super) struct Skips(Vec<Vec<usize>>);

impl Skips {
    pub(super) fn of(runbook: &Runbook, dag: &Dag) -> Self {
        let mut with: Vec<Vec<usize>> = vec![Vec::new(); runbook.steps.len()];
        for &step in dag.order() {
            let named = dag.waits_for(step).filter(|(_, kind)| *kind == EdgeKind::Use).map(|(before, _)| before);
            let may_skip = |before: &usize| runbook.steps[*before].when.is_some() || !with[*before].is_empty();
            let mut found: Vec<usize> = named.filter(may_skip).collect();
            found.sort_unstable();
            found.dedup();
            with[step] = found;
        }
        Self(with)
    }

    /// The steps with which a step is skipped.
    pub(super) fn with(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        self.0.get(step).into_iter().flatten().copied()
    }
}
