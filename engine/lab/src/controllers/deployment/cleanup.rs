//! Old ReplicaSets beyond the history limit.
//!
//! Invariant: one that has pods, or may have, stays.

use super::{Pass, UNLIMITED, revision};
use crate::controllers::object::{count, number};
use crate::controllers::plan::Action;
use crate::store::{GroupResource, meta};

impl Pass<'_> {
    /// Plans the deletion of the oldest revisions that are too many.
    pub(super) fn clean_up(&mut self) {
        let limit = number(self.stored, "/spec/revisionHistoryLimit").unwrap_or(UNLIMITED);
        if limit == UNLIMITED {
            return;
        }
        let mut sets: Vec<_> = self.old.iter().filter(|set| !meta::is_deleting(set)).collect();
        sets.sort_by_key(|set| revision::number_of(set));
        let surplus = sets.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        for set in sets.into_iter().take(surplus) {
            let is_idle = count(set, "/status/replicas") == 0
                && count(set, "/spec/replicas") == 0
                && count(set, "/metadata/generation") <= count(set, "/status/observedGeneration");
            if is_idle {
                self.plan.push(Action::delete(&GroupResource::REPLICA_SETS, set));
            }
        }
    }
}
