//! Rules that are part of admission: those of roles and bindings, which also say what may be granted.
//!
//! Invariant: a rule looks at the object and its stored form alone.

use serde_json::Value;

use super::rbac;
use crate::access::RBAC_GROUP as RBAC;
use crate::status::Status;
use crate::store::{AdmissionRequest, meta};

/// Refuses an object that breaks the rules of its kind.
pub(super) fn check(request: &AdmissionRequest<'_>, object: &Value) -> Result<(), Status> {
    let (kind, causes) = match (request.resource.group.as_ref(), request.resource.resource.as_ref()) {
        (RBAC, "roles") => ("Role", rbac::role(object, true)),
        (RBAC, "clusterroles") => ("ClusterRole", rbac::role(object, false)),
        (RBAC, "rolebindings") => ("RoleBinding", rbac::binding(request.old, object, true)),
        (RBAC, "clusterrolebindings") => ("ClusterRoleBinding", rbac::binding(request.old, object, false)),
        _ => return Ok(()),
    };
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(RBAC, kind, meta::name(object), causes)) }
}
