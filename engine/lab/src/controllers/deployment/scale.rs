//! Scaling ReplicaSets, one by one and in proportion.
//!
//! Invariant: a change of size is told, a change of annotations alone is not.

use std::cmp::Reverse;

use serde_json::Value;

use super::{COMPONENT, DESIRED, MAXIMUM, Pass, age};
use crate::controllers::event::Note;
use crate::controllers::object::count;
use crate::controllers::plan::Action;
use crate::store::{GroupResource, meta};

impl Pass<'_> {
    /// Scales the newest ReplicaSet. With `always`, its annotations are brought up to date even if its size stays.
    pub(super) fn scale_newest(&mut self, size: i64, always: bool) -> bool {
        let Some(set) = self.newest.take() else { return false };
        let (set, scaled) = self.scale(set, size, always);
        self.newest = Some(set);
        scaled
    }

    /// Scales an old ReplicaSet.
    pub(super) fn scale_old(&mut self, index: usize, size: i64, always: bool) -> bool {
        let (set, scaled) = self.scale(self.old[index].clone(), size, always);
        self.old[index] = set;
        scaled
    }

    fn scale(&mut self, set: Value, size: i64, always: bool) -> (Value, bool) {
        let now = count(&set, "/spec/replicas");
        if now == size && !always {
            return (set, false);
        }
        let mut wanted = set.clone();
        self.bounds.annotate(&mut wanted);
        if now != size {
            wanted["spec"]["replicas"] = size.into();
        }
        if wanted == set {
            return (set, false);
        }
        self.plan.push(Action::Update(GroupResource::REPLICA_SETS, wanted.clone()));
        if now != size {
            let way = if size > now { "up" } else { "down" };
            let message = format!("Scaled {way} replica set {} from {now} to {size}", meta::name(&set));
            self.plan.push(Action::Tell(Note::normal(self.stored, COMPONENT, "ScalingReplicaSet", message)));
        }
        (wanted, now != size)
    }

    /// Spreads a new size over the ReplicaSets that have pods, in proportion to theirs.
    pub(super) fn scale_in_proportion(&mut self) {
        let replicas = self.bounds.replicas;
        let mut active: Vec<usize> =
            (0..self.old.len()).filter(|index| count(&self.old[*index], "/spec/replicas") > 0).collect();
        let newest_is_active = self.newest.as_ref().is_some_and(|set| count(set, "/spec/replicas") > 0);
        match (active.len(), newest_is_active) {
            (0, _) if self.newest.is_some() => {
                self.scale_newest(replicas, false);
            }
            // Nothing has pods: the latest gets them.
            (0, _) => {
                if let Some(last) = self.old.len().checked_sub(1) {
                    self.scale_old(last, replicas, false);
                }
            }
            (1, false) => {
                self.scale_old(active[0], replicas, false);
            }
            _ if self.is_saturated() => {
                for index in active {
                    self.scale_old(index, 0, false);
                }
            }
            _ if !self.bounds.recreate => {
                if newest_is_active {
                    active.push(self.old.len());
                }
                self.spread(active);
            }
            _ => {}
        }
    }

    /// Whether the newest ReplicaSet has all pods that are wanted, and all available.
    fn is_saturated(&self) -> bool {
        let replicas = self.bounds.replicas;
        self.newest.as_ref().is_some_and(|set| {
            meta::annotation(set, DESIRED) == Some(&replicas.to_string())
                && count(set, "/spec/replicas") == replicas
                && count(set, "/status/availableReplicas") == replicas
        })
    }

    /// By its index: an old ReplicaSet, or the newest one behind them.
    fn set_at(&self, index: usize) -> &Value {
        self.old.get(index).or(self.newest.as_ref()).unwrap_or(&Value::Null)
    }

    fn spread(&mut self, mut active: Vec<usize>) {
        let size = |pass: &Self, index: usize| count(pass.set_at(index), "/spec/replicas");
        let allowed = if self.bounds.replicas > 0 { self.bounds.replicas + self.bounds.surge } else { 0 };
        let missing = allowed - active.iter().map(|index| size(self, *index)).sum::<i64>();
        // The largest first; among equals the newest is the first to grow and the oldest the first to shrink.
        active.sort_by_key(|index| age(self.set_at(*index)));
        if missing > 0 {
            active.reverse();
        }
        if missing != 0 {
            active.sort_by_key(|index| Reverse(size(self, *index)));
        }
        let mut added = 0;
        let mut sizes = Vec::new();
        for index in &active {
            let share = self.share(self.set_at(*index), missing, added);
            added += share;
            sizes.push(size(self, *index) + share);
        }
        if let Some(first) = sizes.first_mut() {
            *first = (*first + missing - added).max(0);
        }
        for (index, size) in active.into_iter().zip(sizes) {
            if index < self.old.len() {
                self.scale_old(index, size, true)
            } else {
                self.scale_newest(size, true)
            };
        }
    }

    /// How many of the `missing` pods, of which `added` are given out, a ReplicaSet gets.
    fn share(&self, set: &Value, missing: i64, added: i64) -> i64 {
        let size = count(set, "/spec/replicas");
        if size == 0 || missing == added {
            return 0;
        }
        let fraction = if self.bounds.replicas == 0 {
            -size
        } else {
            let noted = meta::annotation(set, MAXIMUM).and_then(|text| text.parse::<i64>().ok());
            let before = noted.filter(|noted| *noted > 0).unwrap_or(count(self.stored, "/status/replicas"));
            if before == 0 { 0 } else { rounded(size * (self.bounds.replicas + self.bounds.surge), before) - size }
        };
        if missing > 0 { fraction.min(missing - added) } else { fraction.max(missing - added) }
    }
}

/// A quotient, rounded half away from zero. Both are positive.
fn rounded(dividend: i64, divisor: i64) -> i64 {
    (2 * dividend + divisor) / (2 * divisor)
}
