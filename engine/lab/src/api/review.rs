//! Kinds that are questions: who am I, may I.
//!
//! Invariant: a review is answered and never stored. The lab has one user, who may do everything.

use http::{Response, StatusCode};
use serde_json::json;

use super::body::{Body, add_warnings, json_response};
use super::service::Call;
use crate::clock::rfc3339_seconds;
use crate::schema::{Decoded, Ownership, Resource, track_update, zero_value};
use crate::status::Status;

/// Name of the lab's one user.
const USER: &str = "periplus-lab";

/// Whether the resource is answered here.
pub(super) fn is_review(resource: &Resource) -> bool {
    matches!(resource.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io")
}

/// Answers a review.
pub(super) fn create(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let mut object = call.object()?;
    let mut warnings = Vec::new();
    if let Some(node) = call.resource.node() {
        let decoded = Decoded::builtin(node, &mut object);
        if let Some(problem) = decoded.mistyped {
            let (kind, version) = (&call.resource.kind, &call.resource.version);
            let message = format!("{kind} in version {version:?} cannot be handled as a {kind}: {problem}");
            return Err(Status::bad_request(message));
        }
        warnings = decoded.unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        let (now, api_version) = (rfc3339_seconds(call.store.clock().now()), call.resource.api_version());
        let owner = Ownership {
            manager: &call.manager,
            api_version: &api_version,
            subresource: "",
            now: &now,
            without_status: true,
        };
        track_update(Some(node), &zero_value(node), &mut object, &owner);
    }
    let user = json!({"username": USER, "groups": ["system:masters", "system:authenticated"]});
    let status = match call.resource.kind.as_str() {
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => json!({"allowed": true}),
        "SelfSubjectReview" => json!({"userInfo": user}),
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        kind => return Err(Status::not_simulated(kind)),
    };
    if let Some(map) = object.as_object_mut() {
        map.insert("status".into(), status);
    }
    let mut response = json_response(StatusCode::CREATED, &object);
    add_warnings(&mut response, &warnings);
    Ok(response)
}
