//! Replacing the pods of a DaemonSet that have another template.
//!
//! Invariant: without surge no more nodes than `maxUnavailable` are without an available pod by our doing; with surge an old pod goes
//! only when its successor is available.

use std::sync::Arc;

use serde_json::Value;

use super::{COMPONENT, Pass};
use crate::store::meta;

/// The index of a node's place, its pod with the present template, and its pod with another one.
type Pair = (usize, Option<Arc<Value>>, Option<Arc<Value>>);

impl Pass<'_> {
    /// One step of an update.
    pub(super) fn update(&mut self) {
        let (surge, unavailable) = self.bounds();
        if surge == 0 { self.replace(unavailable) } else { self.surge(surge) }
    }

    /// The new and the old pod of each node that has pods, in the order of the nodes.
    fn pairs(&self) -> Vec<Pair> {
        let places = self.nodes.iter().enumerate().filter(|(_, place)| !place.pods.is_empty());
        places
            .map(|(index, place)| {
                let present = || place.pods.iter().filter(|pod| !meta::is_deleting(pod));
                let find = |updated: bool| present().find(|pod| self.is_updated(pod) == updated).cloned();
                (index, find(true), find(false))
            })
            .collect()
    }

    fn replace(&mut self, most: i64) {
        let (mut unavailable, mut now, mut candidates) = (0, Vec::new(), Vec::new());
        for (_, new, old) in self.pairs() {
            match (new, old) {
                (Some(pod), None) => unavailable += i64::from(!self.is_available(&pod)),
                // What is missing or too much was seen to before.
                (None, None) | (Some(_), Some(_)) => unavailable += 1,
                (None, Some(pod)) if !self.is_available(&pod) => {
                    now.push(pod);
                    unavailable += 1;
                }
                (None, Some(pod)) => candidates.push(pod),
            }
        }
        let more = usize::try_from(most - unavailable).unwrap_or(0);
        now.extend(candidates.into_iter().take(more));
        for pod in now {
            self.plan.delete_pod(&pod, self.set, COMPONENT);
        }
    }

    fn surge(&mut self, most: i64) {
        let (mut surging, mut now, mut candidates, mut outdated) = (0, Vec::new(), Vec::new(), Vec::new());
        for (index, new, old) in self.pairs() {
            let Some(old) = old else { continue };
            match new {
                Some(new) if self.is_available(&new) => outdated.push(old),
                Some(_) => surging += 1,
                None if !self.nodes[index].wanted => outdated.push(old),
                None if self.is_available(&old) => candidates.push(index),
                None => now.push(index),
            }
        }
        for pod in outdated {
            self.plan.delete_pod(&pod, self.set, COMPONENT);
        }
        let more = usize::try_from(most - surging).unwrap_or(0);
        now.extend(candidates.into_iter().take(more));
        for index in now {
            let node = meta::name(&self.nodes[index].node).to_owned();
            self.create(&node);
        }
    }
}
