//! The steps of a rolling update: more new pods, fewer old ones.
//!
//! Invariant: never more than `replicas + maxSurge` pods wanted, never fewer than `replicas - maxUnavailable` available by our doing.

use super::Pass;
use crate::controllers::object::count;

impl Pass<'_> {
    /// The size that the ReplicaSet of a new template begins with.
    pub(super) fn first_size(&self) -> i64 {
        if self.bounds.recreate { self.bounds.replicas } else { self.room(0) }
    }

    /// How large the newest ReplicaSet may be, if it is `size` large now.
    fn room(&self, size: i64) -> i64 {
        let maximum = self.bounds.replicas + self.bounds.surge;
        let present = self.sum("/spec/replicas");
        if present >= maximum {
            return size;
        }
        size + (maximum - present).min(self.bounds.replicas - size)
    }

    /// Brings the newest ReplicaSet nearer to its full size. Whether it was scaled.
    pub(super) fn grow(&mut self) -> bool {
        let Some(set) = &self.newest else { return false };
        let size = count(set, "/spec/replicas");
        let wanted = if size > self.bounds.replicas { self.bounds.replicas } else { self.room(size) };
        self.scale_newest(wanted, false)
    }

    /// Takes old pods away as far as enough stay available. Whether a ReplicaSet was scaled.
    pub(super) fn shrink(&mut self) -> bool {
        let old: i64 = self.old.iter().map(|set| count(set, "/spec/replicas")).sum();
        let Some(set) = self.newest.as_ref().filter(|_| old > 0) else { return false };
        let minimum = self.bounds.replicas - self.bounds.unavailable;
        let unavailable = count(set, "/spec/replicas") - count(set, "/status/availableReplicas");
        let spare = self.sum("/spec/replicas") - minimum - unavailable;
        if spare <= 0 {
            return false;
        }
        // Pods that are not available are missed by nobody.
        let mut scaled = self.shrink_old(spare, |size, available| size - available);
        let spare = self.sum("/status/availableReplicas") - minimum;
        if spare > 0 {
            scaled |= self.shrink_old(spare, |size, _| size);
        }
        scaled
    }

    /// Takes up to `most` pods from the old ReplicaSets, the oldest first; of each up to what `share` makes of its size and its
    /// available pods.
    fn shrink_old(&mut self, most: i64, share: fn(i64, i64) -> i64) -> bool {
        let mut left = most;
        let mut scaled = false;
        for index in 0..self.old.len() {
            let set = &self.old[index];
            let size = count(set, "/spec/replicas");
            let fewer = share(size, count(set, "/status/availableReplicas")).min(left).max(0);
            if size > 0 && fewer > 0 {
                left -= fewer;
                scaled |= self.scale_old(index, size - fewer, false);
            }
        }
        scaled
    }
}
