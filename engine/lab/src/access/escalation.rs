//! Nobody hands out rights that they do not have.
//!
//! Invariant: asked of roles and bindings as they would be stored, before they are.

use serde_json::Value;

use super::RBAC_GROUP;
use super::attributes::Attributes;
use super::impersonate::shown;
use super::rbac::{authorize, rules_for, rules_of_reference};
use super::rule::{Rule, missing};
use super::user::User;
use crate::status::Status;
use crate::store::{Store, meta};

const AGGREGATION: &str = "must have cluster-admin privileges to use the aggregationRule";

/// A role or binding about to be written.
pub(crate) struct Grant<'a> {
    /// `roles`, `clusterroles`, `rolebindings` or `clusterrolebindings`.
    pub(crate) resource: &'a str,
    /// Namespace of the request; empty for the cluster.
    pub(crate) namespace: &'a str,
    /// Name in the request's path; empty on creation.
    pub(crate) name: &'a str,
    /// The object as it would be stored.
    pub(crate) object: &'a Value,
    /// The object as it is stored; none on creation.
    pub(crate) old: Option<&'a Value>,
}

/// Refuses a grant of what `user` does not have.
pub(super) fn check(store: &Store, user: &User, grant: &Grant<'_>) -> Result<(), Status> {
    if user.is_master() || grant.old.is_some_and(|old| changes_ownership_alone(old, grant.object)) {
        return Ok(());
    }
    match grant.resource {
        "roles" | "clusterroles" => role(store, user, grant),
        "rolebindings" | "clusterrolebindings" => binding(store, user, grant),
        _ => Ok(()),
    }
}

fn role(store: &Store, user: &User, grant: &Grant<'_>) -> Result<(), Status> {
    let asked = Attributes {
        verb: "escalate".into(),
        group: RBAC_GROUP.into(),
        resource: grant.resource.into(),
        namespace: grant.namespace.into(),
        name: grant.name.into(),
        ..Attributes::default()
    };
    if authorize(store, user, &asked).allowed {
        return Ok(());
    }
    let rules: Vec<Rule> = grant.object["rules"].as_array().into_iter().flatten().map(Rule::read).collect();
    confirm(store, user, grant, &rules)?;
    let aggregates = |role: &Value| {
        role.pointer("/aggregationRule/clusterRoleSelectors")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
    };
    if aggregates(grant.object) || grant.old.is_some_and(aggregates) {
        confirm(store, user, grant, &Rule::everything()).map_err(|_| refused(grant, AGGREGATION))?;
    }
    Ok(())
}

fn binding(store: &Store, user: &User, grant: &Grant<'_>) -> Result<(), Status> {
    let role = &grant.object["roleRef"];
    let text = |key: &str| role.get(key).and_then(Value::as_str).unwrap_or_default();
    let resource = match text("kind") {
        "ClusterRole" => "clusterroles",
        _ => "roles",
    };
    let asked = Attributes {
        verb: "bind".into(),
        group: text("apiGroup").into(),
        resource: resource.into(),
        namespace: grant.namespace.into(),
        name: text("name").into(),
        ..Attributes::default()
    };
    if authorize(store, user, &asked).allowed {
        return Ok(());
    }
    // The real server names the bindings as what was not found.
    let rules = rules_of_reference(store, role, grant.namespace)
        .map_err(|_| Status::not_found(RBAC_GROUP, grant.resource, text("name")))?;
    confirm(store, user, grant, &rules)
}

fn confirm(store: &Store, user: &User, grant: &Grant<'_>, rules: &[Rule]) -> Result<(), Status> {
    let (owned, unread) = rules_for(store, user, grant.namespace);
    let Some(lines) = missing(&owned, rules) else { return Ok(()) };
    let mut why =
        format!("{} is attempting to grant RBAC permissions not currently held:\n{}", shown(user), lines.join("\n"));
    if let Some(unread) = unread {
        why = format!("{why}; resolution errors: [{unread}]");
    }
    Err(refused(grant, &why))
}

fn refused(grant: &Grant<'_>, why: &str) -> Status {
    Status::forbidden(RBAC_GROUP, grant.resource, meta::name(grant.object), why)
}

/// Whether only what garbage collection alters is altered.
fn changes_ownership_alone(old: &Value, new: &Value) -> bool {
    let mut same = new.clone();
    for key in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
        let map = meta::metadata(&mut same);
        match old["metadata"].get(key) {
            Some(value) => _ = map.insert(key.into(), value.clone()),
            None => _ = map.shift_remove(key),
        }
    }
    same == *old
}
