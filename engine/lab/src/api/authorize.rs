//! What a request asks for, and whether what it writes may be handed out.
//!
//! Invariant: attributes come from the route that the request is carried out by.

use http::Method;

use super::query::Query;
use super::route::{ObjectPath, Route};
use super::service::{Call, verb};
use crate::access::{Attributes, Grant};
use crate::status::Status;
use crate::store::{WriteOptions, Written};

/// What is asked for, as Kubernetes' `RequestInfo` has it.
pub(super) fn attributes(route: &Route, method: &Method, path: &str, query: &Query) -> Attributes {
    let Route::Object(object) = route else { return Attributes::path(method, path) };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut name = text(&object.name);
    let verb = request_verb(method, object, query);
    if name.is_empty() && matches!(verb, "list" | "watch") {
        name = selected_name(query);
    }
    // A namespace lies in itself.
    let own = object.plural == "namespaces" && object.group.is_empty();
    Attributes {
        verb: verb.to_owned(),
        group: object.group.clone(),
        resource: object.plural.clone(),
        subresource: text(&object.subresource),
        namespace: text(if own { &object.name } else { &object.namespace }),
        name,
        path: None,
    }
}

/// The verb; unlike for faults, a single object is never watched, and a method without a meaning is no verb.
fn request_verb(method: &Method, path: &ObjectPath, query: &Query) -> &'static str {
    match *method {
        Method::GET | Method::HEAD if path.name.is_some() => "get",
        Method::HEAD => "list",
        Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => verb(method, path, query),
        _ => "",
    }
}

/// The one name that a list asks for with `fieldSelector=metadata.name=…`.
fn selected_name(query: &Query) -> String {
    let terms = query.get("fieldSelector").unwrap_or_default().split(',');
    let mut named =
        terms.filter_map(|term| term.strip_prefix("metadata.name=")).map(|name| name.trim_start_matches('='));
    named
        .next_back()
        .filter(|name| !name.contains(['/', '%']) && !matches!(*name, "." | ".."))
        .unwrap_or_default()
        .to_owned()
}

impl Call<'_> {
    /// Refuses a role or binding that gives more than the user has.
    pub(super) fn check_grant(&self, method: &Method) -> Result<(), Status> {
        let key = self.key();
        let old = self.store.get(&self.resource.group_resource(), &key.namespace, &key.name);
        let object = match (method.as_str(), self.path.name.is_some()) {
            ("POST", false) => self.object()?,
            ("PUT", true) => self.would_be(|options| self.updated(options), "UpdateOptions")?,
            ("PATCH", true) => self.would_be(|options| self.patched(options), "PatchOptions")?,
            _ => return Ok(()),
        };
        let grant = Grant {
            resource: &self.resource.plural,
            namespace: self.namespace(),
            name: self.path.name.as_deref().unwrap_or_default(),
            object: &object,
            old: old.as_deref(),
        };
        self.access.check_grant(self.user, &grant)
    }

    /// The object that a write would leave behind.
    fn would_be(
        &self,
        write: impl FnOnce(&WriteOptions) -> Result<Written, Status>,
        kind: &str,
    ) -> Result<serde_json::Value, Status> {
        let mut options = self.write_options(kind)?;
        options.dry_run = true;
        Ok((*write(&options)?.object).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, uri: &str) -> (String, String, String, String) {
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        let found = attributes(&Route::parse(path), method, path, &Query::parse(query));
        let what = found.path.clone().unwrap_or_else(|| {
            let sub = if found.subresource.is_empty() { String::new() } else { format!("/{}", found.subresource) };
            format!("{}.{}{sub}", found.resource, found.group)
        });
        (found.verb, what, found.namespace, found.name)
    }

    #[test]
    fn requests_read_as_the_real_server_reads_them() {
        for (method, uri, verb, what, namespace, name) in [
            (Method::GET, "/api/v1/pods", "list", "pods.", "", ""),
            (Method::GET, "/api/v1/namespaces/n/pods?watch=1", "watch", "pods.", "n", ""),
            (Method::GET, "/api/v1/namespaces/n/pods/a?watch=1", "get", "pods.", "n", "a"),
            (Method::HEAD, "/api/v1/nodes", "list", "nodes.", "", ""),
            (Method::GET, "/api/v1/namespaces/n", "get", "namespaces.", "n", "n"),
            (Method::PUT, "/api/v1/namespaces/n/finalize", "update", "namespaces./finalize", "n", "n"),
            (Method::POST, "/api/v1/namespaces/n/pods/a/exec", "create", "pods./exec", "n", "a"),
            (Method::DELETE, "/apis/apps/v1/namespaces/n/deployments", "deletecollection", "deployments.apps", "n", ""),
            (
                Method::PUT,
                "/apis/apps/v1/namespaces/n/deployments/d/scale",
                "update",
                "deployments.apps/scale",
                "n",
                "d",
            ),
            (Method::GET, "/api/v1/namespaces/n/pods?fieldSelector=metadata.name%3Da", "list", "pods.", "n", "a"),
            (Method::GET, "/apis/nope.io/v1/foos/x", "get", "foos.nope.io", "", "x"),
            (Method::OPTIONS, "/api/v1/pods", "", "pods.", "", ""),
            (Method::GET, "/", "get", "/", "", ""),
            (Method::POST, "/version", "post", "/version", "", ""),
            (Method::GET, "/apis/apps/v1", "get", "/apis/apps/v1", "", ""),
        ] {
            let wanted = (verb.to_owned(), what.to_owned(), namespace.to_owned(), name.to_owned());
            assert_eq!(asked(&method, uri), wanted, "{uri}");
        }
    }
}
