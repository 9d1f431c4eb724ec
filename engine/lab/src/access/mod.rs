//! Who asks, and whether they may: authentication, impersonation and RBAC as kube-apiserver does them.
//!
//! Invariant: an answer is given to a [`User`] that was established here, and only after `Access::admit` let the request pass.
//! Members of `system:masters` pass without a look at any rule.

mod aggregate;
mod attributes;
mod bootstrap;
mod controller;
mod door;
mod escalation;
mod impersonate;
mod rbac;
mod rule;
mod token;
mod user;

pub(crate) use attributes::Attributes;
pub use door::Access;
pub(crate) use door::bearer;
pub(crate) use escalation::Grant;
pub(crate) use rbac::Decision;
pub(crate) use rule::Rule;
pub(crate) use token::{ISSUER, TokenRequest};
pub use user::User;

/// The API group of roles and bindings.
pub(crate) const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
