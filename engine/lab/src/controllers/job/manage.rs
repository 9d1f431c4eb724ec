//! Making and deleting the pods of a Job that goes on.
//!
//! Invariant: no more pods run than `parallelism` allows and than completions are missing.

use std::sync::Arc;

use serde_json::Value;

use super::{COMPONENT, Pass, failure, index_of, new_pod, untracked};
use crate::controllers::object::{count, number};
use crate::controllers::plan::Action;
use crate::controllers::{pods, ranking};
use crate::store::{GroupResource, meta};

/// Pods made in one look, as the real controller has it.
const BURST: usize = 500;

impl Pass<'_> {
    /// Brings the number of running pods to what is wanted.
    pub(super) fn manage(&mut self) {
        let active = self.active.len();
        if self.is_suspended() {
            return self.remove(active);
        }
        let parallelism = count(self.job, "/spec/parallelism");
        let wanted = match number(self.job, "/spec/completions") {
            None if self.succeeded > 0 => i64::try_from(active).unwrap_or(i64::MAX),
            None => parallelism,
            Some(completions) => (completions - self.succeeded).clamp(0, parallelism),
        };
        let wanted = usize::try_from(wanted).unwrap_or(0);
        if active > wanted {
            return self.remove(active - wanted);
        }
        let ending = if failure::replaces_only_failed(self.job) { self.terminating } else { 0 };
        let missing = (wanted - active).saturating_sub(usize::try_from(ending).unwrap_or(0)).min(BURST);
        if missing > 0 {
            self.make(missing);
        }
    }

    fn make(&mut self, missing: usize) {
        let per_index = number(self.job, "/spec/backoffLimitPerIndex").is_some();
        let due = failure::next_attempt(self.job, self.pods.iter()).filter(|due| *due > self.view.now());
        if let Some(due) = due.filter(|_| !per_index) {
            return self.plan.look_again(due);
        }
        let indexes: Vec<Option<usize>> =
            if self.is_indexed() { self.pending(missing, per_index) } else { vec![None; missing] };
        let failures = failure::failures_by_index(self.job, &self.pods);
        for index in indexes {
            let failures = index.filter(|_| per_index).map(|index| failures.get(&index).copied().unwrap_or(0));
            let pod = new_pod::new_pod(self.job, index, failures);
            self.active.push(Arc::new(pod.clone()));
            self.plan.push(Action::create_pod(pod, self.job, COMPONENT));
        }
    }

    /// The first indexes that are neither done nor given up nor being worked on.
    fn pending(&mut self, missing: usize, per_index: bool) -> Vec<Option<usize>> {
        let completions = usize::try_from(count(self.job, "/spec/completions")).unwrap_or(0);
        let only_failed = failure::replaces_only_failed(self.job);
        let taken: Vec<usize> = self
            .pods
            .iter()
            .filter(|pod| pods::is_active(pod) || (only_failed && meta::is_deleting(pod) && !pods::is_finished(pod)))
            .filter_map(|pod| index_of(pod))
            .collect();
        let mut pending = Vec::new();
        for index in (0..completions).filter(|index| !taken.contains(index) && !self.completed.contains(*index)) {
            if pending.len() == missing {
                break;
            }
            if self.failed_indexes.as_ref().is_some_and(|failed| failed.contains(index)) {
                continue;
            }
            if per_index {
                let own = self.pods.iter().filter(|pod| index_of(pod) == Some(index));
                if let Some(due) = failure::next_attempt(self.job, own).filter(|due| *due > self.view.now()) {
                    self.plan.look_again(due);
                    continue;
                }
            }
            pending.push(Some(index));
        }
        pending
    }

    /// Deletes pods that are too many; they count for nothing.
    fn remove(&mut self, surplus: usize) {
        let going = ranking::first_to_go(self.view, self.job, &self.active, surplus);
        let going: Vec<&Arc<Value>> = going.iter().collect();
        self.active.retain(|pod| !going.iter().any(|other| meta::uid(other) == meta::uid(pod)));
        for pod in going {
            let freed = untracked(pod);
            if freed != **pod {
                self.plan.push(Action::Update(GroupResource::PODS, freed));
            }
            self.plan.delete_pod(pod, self.job, COMPONENT);
            self.terminating += 1;
            self.pods.retain(|other| meta::uid(other) != meta::uid(pod));
        }
    }
}
