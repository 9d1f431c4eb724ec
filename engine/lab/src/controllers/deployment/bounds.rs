//! How a Deployment goes from one template to the next, as numbers.
//!
//! Invariant: surge and unavailability are never both 0 while pods are wanted, for then nothing could move.

use serde_json::Value;

use super::{DESIRED, MAXIMUM};
use crate::controllers::object::{number, share, text};
use crate::store::meta;

/// The bounds of a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Pods wanted.
    pub(super) replicas: i64,
    /// Pods that there may be beyond that.
    pub(super) surge: i64,
    /// Pods of these that may be unavailable.
    pub(super) unavailable: i64,
    /// Old pods go before new ones come.
    pub(super) recreate: bool,
}

impl Bounds {
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = number(deployment, "/spec/replicas").unwrap_or(1);
        if text(deployment, "/spec/strategy/type") == Some("Recreate") {
            return Self { replicas, surge: 0, unavailable: 0, recreate: true };
        }
        let bound = |name: &str, round_up: bool| {
            let rolling = deployment.pointer("/spec/strategy/rollingUpdate");
            share(rolling.and_then(|rolling| rolling.get(name)), replicas, round_up).unwrap_or(0)
        };
        let (surge, mut unavailable) = (bound("maxSurge", true), bound("maxUnavailable", false));
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self { replicas, surge, unavailable: unavailable.min(replicas), recreate: false }
    }

    /// Notes on a ReplicaSet what was asked for when it was scaled.
    pub(super) fn annotate(&self, set: &mut Value) {
        meta::metadata(set);
        let annotations = meta::child(&mut set["metadata"], "annotations");
        annotations.insert(DESIRED.to_owned(), self.replicas.to_string().into());
        annotations.insert(MAXIMUM.to_owned(), (self.replicas + self.surge).to_string().into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn percentages_round_in_favour_of_what_is_available() {
        // The examples of the API reference: 30 % of 10, and what is left of 25 % of few.
        for (replicas, surge, unavailable, expected) in [
            (10, json!("30%"), json!("30%"), (3, 3)),
            (3, json!("25%"), json!("25%"), (1, 0)),
            (1, json!("25%"), json!("25%"), (1, 0)),
            (4, json!(0), json!("10%"), (0, 1)),
            (2, json!(1), json!(5), (1, 2)),
            (0, json!("25%"), json!("25%"), (0, 0)),
        ] {
            let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
            let bounds = Bounds::of(&json!({"spec": {"replicas": replicas, "strategy": {"rollingUpdate": rolling}}}));
            assert_eq!((bounds.surge, bounds.unavailable), expected, "{replicas} {rolling}");
        }
    }
}
