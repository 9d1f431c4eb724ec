//! Asks the server whether the user may do something, before it is tried.

use http::Method;
use serde_json::{Value, json};

use super::client::Cluster;
use super::error::ClusterError;
use super::request::Call;

/// Something that one may or may not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The API verb, such as `patch`.
    pub verb: String,
    /// The API group. Empty for the core group.
    pub group: String,
    /// The resource's plural, such as `pods`.
    pub resource: String,
    /// A part of the resource, such as `exec`. Empty for the whole.
    pub subresource: String,
    /// Absent for all namespaces, and for what lies outside them.
    pub namespace: Option<String>,
    /// The object's name. Absent for all.
    pub name: Option<String>,
}

impl Cluster {
    /// Whether the user may do this, by a SelfSubjectAccessReview.
    ///
    /// # Errors
    ///
    /// Whatever stood in the way of asking; being refused is an answer, not an error.
    pub async fn can(&self, access: &Access) -> Result<bool, ClusterError> {
        let mut attributes = json!({"verb": access.verb, "group": access.group, "resource": access.resource});
        let optional = [
            ("subresource", (!access.subresource.is_empty()).then_some(&access.subresource)),
            ("namespace", access.namespace.as_ref()),
            ("name", access.name.as_ref()),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                attributes[key] = json!(value);
            }
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let call = Call::new(Method::POST, "create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
        let answer: Value =
            self.ask(call.about("selfsubjectaccessreviews.authorization.k8s.io", None).json(&review)).await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false))
    }
}
