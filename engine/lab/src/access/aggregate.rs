//! ClusterRoles that are made of others: what `clusterrole-aggregation-controller` does.
//!
//! Invariant: the rules of the parts stand in the order of the parts' names, each rule once.

use serde_json::{Value, json};

use super::rbac::CLUSTER_ROLES;
use crate::store::{ObjectKey, Store, WriteOptions, meta};

const MANAGER: &str = "clusterrole-aggregation-controller";

/// Brings every ClusterRole with an aggregation rule up to date.
pub(super) fn refresh(store: &Store) {
    let roles = store.list(&CLUSTER_ROLES, "").items;
    for role in &roles {
        let Some(selectors) = role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array) else {
            continue;
        };
        let mut rules: Vec<&Value> = Vec::new();
        let parts = roles
            .iter()
            .filter(|part| meta::name(part) != meta::name(role) && selectors.iter().any(|one| selects(one, part)));
        for rule in parts.flat_map(|part| part["rules"].as_array().into_iter().flatten()) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        let now: Vec<&Value> = role["rules"].as_array().into_iter().flatten().collect();
        if now != rules {
            write(store, meta::name(role), &rules);
        }
    }
}

fn write(store: &Store, name: &str, rules: &[&Value]) {
    let config = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules,
    });
    let Some(resource) = store.catalog().find("rbac.authorization.k8s.io", "v1", "clusterroles") else { return };
    // Whatever stands in the way now, the next change of a role brings this back.
    let _ = store.apply_as(&WriteOptions::by(MANAGER), &resource, &ObjectKey::new("", name), &config, true);
}

/// Whether a `LabelSelector` selects an object.
fn selects(selector: &Value, object: &Value) -> bool {
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    labels.into_iter().all(|(key, value)| meta::label(object, key) == value.as_str())
        && expressions.into_iter().all(|one| {
            let label = one["key"].as_str().and_then(|key| meta::label(object, key));
            let listed = label.is_some_and(|label| super::rule::texts(one, "values").any(|value| value == label));
            match one["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => label.is_some(),
                Some("DoesNotExist") => label.is_none(),
                _ => false,
            }
        })
}
