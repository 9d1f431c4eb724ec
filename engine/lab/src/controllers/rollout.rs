//! The arithmetic of a roll-out: how large each ReplicaSet should be next.
//!
//! Invariant: never more than `replicas + maxSurge` pods wanted, never fewer than `replicas - maxUnavailable` available by our doing.

use serde_json::Value;

use super::replica_set::number;

/// How a Deployment goes from one template to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strategy {
    /// Pods wanted.
    pub(super) replicas: i64,
    surge: i64,
    unavailable: i64,
    recreate: bool,
}

/// The sizes of one ReplicaSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Revision {
    /// Pods that its specification asks for.
    pub(super) wanted: i64,
    /// Pods that are available.
    pub(super) available: i64,
    /// Pods that exist.
    pub(super) present: i64,
}

/// The next sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Of the ReplicaSet with the present template; none when it must not be made yet.
    pub(super) newest: Option<i64>,
    /// Of the others, in the order given.
    pub(super) old: Vec<i64>,
}

impl Strategy {
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = number(deployment, "/spec/replicas").unwrap_or(1);
        let recreate = deployment.pointer("/spec/strategy/type").and_then(Value::as_str) == Some("Recreate");
        let bound = |name: &str, round_up: bool| {
            let value = deployment.pointer("/spec/strategy/rollingUpdate").and_then(|rolling| rolling.get(name));
            share(value, replicas, round_up)
        };
        let (surge, mut unavailable) = (bound("maxSurge", true), bound("maxUnavailable", false));
        if surge == 0 && unavailable == 0 {
            // Otherwise nothing could ever move.
            unavailable = 1;
        }
        Self { replicas, surge, unavailable: unavailable.min(replicas), recreate }
    }

    /// The most pods that may be wanted at once.
    pub(super) fn maximum(&self) -> i64 {
        if self.recreate { self.replicas } else { self.replicas + self.surge }
    }

    /// The fewest pods that must be available.
    pub(super) fn minimum(&self) -> i64 {
        if self.recreate { self.replicas } else { self.replicas - self.unavailable }
    }
}

/// A number, or a percentage of `replicas`.
fn share(value: Option<&Value>, replicas: i64, round_up: bool) -> i64 {
    match value {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(0).max(0),
        Some(Value::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let product = percent.max(0).saturating_mul(replicas);
            if round_up { product.saturating_add(99) / 100 } else { product / 100 }
        }
        _ => 0,
    }
}

/// The next sizes of the ReplicaSets. `ending`: old pods are still on their way out.
pub(super) fn sizes(strategy: &Strategy, newest: Option<Revision>, old: &[Revision], ending: bool) -> Sizes {
    if strategy.recreate {
        let gone = !ending && old.iter().all(|set| set.present == 0);
        let size = if gone { Some(strategy.replicas) } else { newest.map(|set| set.wanted) };
        return Sizes { newest: size, old: vec![0; old.len()] };
    }
    let wanted_old: i64 = old.iter().map(|set| set.wanted).sum();
    let current = newest.map_or(0, |set| set.wanted);
    let room = strategy.maximum() - wanted_old - current;
    let grown = if current > strategy.replicas {
        strategy.replicas
    } else {
        current + room.clamp(0, strategy.replicas - current)
    };
    let mut next: Vec<i64> = old.iter().map(|set| set.wanted).collect();
    // What is not available cannot be missed.
    let new_unavailable = current - newest.map_or(0, |set| set.available);
    let mut spare = (wanted_old + current - strategy.minimum() - new_unavailable).max(0);
    for (size, set) in next.iter_mut().zip(old) {
        let unhealthy = (set.wanted - set.available).clamp(0, spare);
        *size -= unhealthy;
        spare -= unhealthy;
    }
    let available: i64 = old.iter().map(|set| set.available).sum::<i64>() + newest.map_or(0, |set| set.available);
    let mut spare = (available - strategy.minimum()).max(0);
    for size in &mut next {
        let fewer = (*size).min(spare);
        *size -= fewer;
        spare -= fewer;
    }
    Sizes { newest: Some(grown), old: next }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn strategy(replicas: i64, surge: &Value, unavailable: &Value) -> Strategy {
        let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
        Strategy::of(&json!({"spec": {"replicas": replicas, "strategy": {"rollingUpdate": rolling}}}))
    }

    fn revision(wanted: i64, available: i64) -> Revision {
        Revision { wanted, available, present: wanted }
    }

    #[test]
    fn percentages_round_for_safety() {
        let strategy = strategy(1, &json!("25%"), &json!("25%"));
        assert_eq!((strategy.maximum(), strategy.minimum()), (2, 1));
    }

    #[test]
    fn the_first_roll_out_is_at_once() {
        let sizes = sizes(&strategy(3, &json!("25%"), &json!("25%")), None, &[], false);
        assert_eq!(sizes, Sizes { newest: Some(3), old: vec![] });
    }

    #[test]
    fn a_single_pod_is_replaced_only_when_its_successor_is_there() {
        let strategy = strategy(1, &json!("25%"), &json!("25%"));
        assert_eq!(sizes(&strategy, None, &[revision(1, 1)], false), Sizes { newest: Some(1), old: vec![1] });
        let not_yet = sizes(&strategy, Some(revision(1, 0)), &[revision(1, 1)], false);
        assert_eq!(not_yet, Sizes { newest: Some(1), old: vec![1] });
        let ready = sizes(&strategy, Some(revision(1, 1)), &[revision(1, 1)], false);
        assert_eq!(ready, Sizes { newest: Some(1), old: vec![0] });
    }

    #[test]
    fn a_broken_old_pod_goes_at_once() {
        let strategy = strategy(1, &json!(1), &json!(0));
        let sizes = sizes(&strategy, Some(revision(1, 1)), &[revision(1, 0)], false);
        assert_eq!(sizes, Sizes { newest: Some(1), old: vec![0] });
    }

    #[test]
    fn recreate_waits_for_the_old_pods() {
        let strategy = Strategy::of(&json!({"spec": {"replicas": 2, "strategy": {"type": "Recreate"}}}));
        assert_eq!(sizes(&strategy, None, &[revision(2, 2)], false), Sizes { newest: None, old: vec![0] });
        assert_eq!(sizes(&strategy, None, &[Revision::default()], true), Sizes { newest: None, old: vec![0] });
        assert_eq!(sizes(&strategy, None, &[Revision::default()], false), Sizes { newest: Some(2), old: vec![0] });
    }

    #[test]
    fn every_step_of_a_roll_out_keeps_the_bounds_and_it_ends() {
        for replicas in 1..12 {
            for (surge, unavailable) in [(json!("25%"), json!("25%")), (json!(1), json!(0)), (json!(0), json!(1))] {
                let strategy = strategy(replicas, &surge, &unavailable);
                let (mut new, mut old) = (Revision::default(), revision(replicas, replicas));
                for _ in 0..50 {
                    let next = sizes(&strategy, Some(new), &[old], false);
                    let (wanted_new, wanted_old) = (next.newest.unwrap(), next.old[0]);
                    assert!(wanted_new + wanted_old <= strategy.maximum());
                    let available = new.available.min(wanted_new) + old.available.min(wanted_old);
                    assert!(available >= strategy.minimum());
                    new = Revision { wanted: wanted_new, available: wanted_new, present: wanted_new };
                    old = Revision { wanted: wanted_old, available: wanted_old, present: wanted_old };
                }
                assert_eq!((new.wanted, old.wanted), (replicas, 0));
            }
        }
    }
}
