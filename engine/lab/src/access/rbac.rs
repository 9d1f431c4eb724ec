//! From bindings and roles in the store to a decision.
//!
//! Invariant: cluster bindings are looked at before those of the namespace, each kind in the order of names, so that the same store
//! gives the same reason.

use std::ops::ControlFlow;

use serde_json::Value;

use super::RBAC_GROUP;
use super::attributes::Attributes;
use super::rule::{Rule, allows};
use super::user::{User, service_account_name};
use crate::status::Status;
use crate::store::{GroupResource, Store, meta};

pub(super) const CLUSTER_ROLES: GroupResource = GroupResource::builtin(RBAC_GROUP, "clusterroles");
pub(super) const ROLES: GroupResource = GroupResource::builtin(RBAC_GROUP, "roles");
pub(super) const CLUSTER_ROLE_BINDINGS: GroupResource = GroupResource::builtin(RBAC_GROUP, "clusterrolebindings");
pub(super) const ROLE_BINDINGS: GroupResource = GroupResource::builtin(RBAC_GROUP, "rolebindings");

/// What RBAC says to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Whether some rule allows it.
    pub(crate) allowed: bool,
    /// Which one, or why roles could not be read; empty for none.
    pub(crate) reason: String,
}

/// Something found on the way through a user's bindings.
enum Found<'a> {
    Rule { rule: &'a Value, binding: &'a Value, subject: &'a Value },
    Missing(String),
}

/// Whether `user` may do what is asked.
pub(super) fn authorize(store: &Store, user: &User, asked: &Attributes) -> Decision {
    let mut decision = Decision::default();
    let mut missing = Vec::new();
    let combined = asked.combined_resource();
    visit(store, user, &asked.namespace, &mut |found| {
        match found {
            Found::Rule { rule, binding, subject } if allows(rule, asked, &combined) => {
                decision.allowed = true;
                decision.reason = format!("RBAC: allowed by {}", describe(binding, subject));
                return ControlFlow::Break(());
            }
            Found::Rule { .. } => {}
            Found::Missing(problem) => missing.push(problem),
        }
        ControlFlow::Continue(())
    });
    if !decision.allowed && !missing.is_empty() {
        decision.reason = format!("RBAC: {}", aggregate(missing));
    }
    decision
}

/// All rules that apply to `user` in a namespace, and what could not be read, as one sentence.
pub(super) fn rules_for(store: &Store, user: &User, namespace: &str) -> (Vec<Rule>, Option<String>) {
    let (mut rules, mut missing) = (Vec::new(), Vec::new());
    visit(store, user, namespace, &mut |found| {
        match found {
            Found::Rule { rule, .. } => rules.push(Rule::read(rule)),
            Found::Missing(problem) => missing.push(problem),
        }
        ControlFlow::Continue(())
    });
    (rules, (!missing.is_empty()).then(|| aggregate(missing)))
}

/// The rules of the role that a binding refers to, from a namespace or, if that is empty, from the cluster.
///
/// # Errors
/// What the real server says of a role that is not there.
pub(super) fn rules_of_reference(store: &Store, role: &Value, namespace: &str) -> Result<Vec<Rule>, String> {
    referred(store, role, namespace).map(|role| rules_of(&role).iter().map(Rule::read).collect())
}

fn visit(store: &Store, user: &User, namespace: &str, visitor: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>) {
    for binding in store.list(&CLUSTER_ROLE_BINDINGS, "").items {
        if visit_binding(store, user, &binding, "", visitor).is_break() {
            return;
        }
    }
    if namespace.is_empty() {
        return;
    }
    for binding in store.list(&ROLE_BINDINGS, namespace).items {
        if visit_binding(store, user, &binding, namespace, visitor).is_break() {
            return;
        }
    }
}

fn visit_binding(
    store: &Store,
    user: &User,
    binding: &Value,
    namespace: &str,
    visitor: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let subjects = binding.get("subjects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(subject) = subjects.iter().find(|subject| is_meant(user, subject, namespace)) else {
        return ControlFlow::Continue(());
    };
    match referred(store, &binding["roleRef"], namespace) {
        Ok(role) => {
            for rule in rules_of(&role) {
                visitor(Found::Rule { rule, binding, subject })?;
            }
            ControlFlow::Continue(())
        }
        Err(problem) => visitor(Found::Missing(problem)),
    }
}

fn rules_of(role: &Value) -> &[Value] {
    role.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(object: &'v Value, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn is_meant(user: &User, subject: &Value, namespace: &str) -> bool {
    let name = text(subject, "name");
    match text(subject, "kind") {
        "User" => user.name == name,
        "Group" => user.is_in(name),
        "ServiceAccount" => {
            let own = text(subject, "namespace");
            let namespace = if own.is_empty() { namespace } else { own };
            !namespace.is_empty() && user.name == service_account_name(namespace, name)
        }
        _ => false,
    }
}

fn referred(store: &Store, role: &Value, namespace: &str) -> Result<std::sync::Arc<Value>, String> {
    let name = text(role, "name");
    let (resource, namespace, kind) = match text(role, "kind") {
        "ClusterRole" => (&CLUSTER_ROLES, "", "clusterrole"),
        "Role" => (&ROLES, namespace, "role"),
        other => return Err(format!("unsupported role reference kind: {other:?}")),
    };
    store.get(resource, namespace, name).ok_or_else(|| Status::not_found(RBAC_GROUP, kind, name).message)
}

/// `ClusterRoleBinding "x" of ClusterRole "y" to User "z"`.
fn describe(binding: &Value, subject: &Value) -> String {
    let (name, namespace) = (meta::name(binding), meta::namespace(binding));
    let (role, role_name) = (text(&binding["roleRef"], "kind"), text(&binding["roleRef"], "name"));
    let (kind, mut subject_name) = (text(subject, "kind"), text(subject, "name").to_owned());
    if kind == "ServiceAccount" {
        let own = text(subject, "namespace");
        subject_name = format!("{subject_name}/{}", if own.is_empty() { namespace } else { own });
    }
    let binding = if namespace.is_empty() {
        format!("ClusterRoleBinding {name:?}")
    } else {
        format!("RoleBinding {:?}", format!("{name}/{namespace}"))
    };
    format!("{binding} of {role} {role_name:?} to {kind} {subject_name:?}")
}

/// Several problems as Kubernetes joins them: each once, in brackets unless there is one alone.
fn aggregate(problems: Vec<String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for problem in problems {
        if !once.contains(&problem) {
            once.push(problem);
        }
    }
    match once.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}
