//! What a request asks for, in the terms of authorization.
//!
//! Invariant: the attributes of a request come from the same route that the request is carried out by, so that nothing else can
//! be allowed than what is done.

use http::Method;

use super::user::User;
use crate::status::Status;

/// One question: may somebody do this? A request is either about a resource or about a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// `get`, `list`, `impersonate`, …; for a path the HTTP method in lower case.
    pub(crate) verb: String,
    /// API group.
    pub(crate) group: String,
    /// Plural.
    pub(crate) resource: String,
    /// Subresource; empty for none.
    pub(crate) subresource: String,
    /// Namespace; empty for none or all.
    pub(crate) namespace: String,
    /// Name of the object; empty for all.
    pub(crate) name: String,
    /// Set for what is no resource.
    pub(crate) path: Option<String>,
}

impl Attributes {
    /// A request for something that is no resource.
    pub(crate) fn path(method: &Method, path: &str) -> Self {
        Self { verb: method.as_str().to_ascii_lowercase(), path: Some(path.to_owned()), ..Self::default() }
    }

    /// The resource as rules name it: with its subresource.
    pub(super) fn combined_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }

    /// The refusal of a request, with the words of the real server.
    pub(super) fn forbidden(&self, user: &User, reason: &str) -> Status {
        let (user, verb) = (&user.name, &self.verb);
        let mut why = match &self.path {
            Some(path) => format!("User {user:?} cannot {verb} path {path:?}"),
            None => {
                let (resource, group) = (self.combined_resource(), &self.group);
                let scope = if self.namespace.is_empty() {
                    "at the cluster scope".to_owned()
                } else {
                    format!("in the namespace {:?}", self.namespace)
                };
                format!("User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {scope}")
            }
        };
        // The real server guards against browsers that take it for HTML.
        why = why.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if !reason.is_empty() {
            why = format!("{why}: {reason}");
        }
        Status::denied(&self.group, &self.resource, &self.name, &why)
    }
}
