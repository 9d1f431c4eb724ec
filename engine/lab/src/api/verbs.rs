//! The verbs on single objects.
//!
//! Invariant: objects go out in the version that the URL names, whatever version they are stored in.

use std::borrow::Cow;

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::{Body, add_warnings, json_response};
use super::decode::parse_json;
use super::service::Call;
use crate::schema::Resource;
use crate::status::{Cause, Status};
use crate::store::{
    DeleteOptions, Deleted, FieldValidation, GroupResource, ObjectKey, Propagation, Subresource, WriteOptions, Written,
    meta,
};

impl Call<'_> {
    /// Namespace and name in the store.
    pub(super) fn key(&self) -> ObjectKey {
        ObjectKey::new(self.namespace(), self.path.name.as_deref().unwrap_or_default())
    }

    /// Namespace of the request; empty for none.
    pub(super) fn namespace(&self) -> &str {
        self.path.namespace.as_deref().unwrap_or_default()
    }

    /// 404 for the object that the URL names.
    pub(super) fn missing(&self) -> Status {
        Status::not_found(&self.path.group, &self.path.plural, self.path.name.as_deref().unwrap_or_default())
    }

    /// Options of a write, from the URL.
    pub(super) fn write_options(&self, options_kind: &str) -> Result<WriteOptions, Status> {
        let field_validation = match self.query.get("fieldValidation") {
            None | Some("Warn") => FieldValidation::Warn,
            Some("Strict") => FieldValidation::Strict,
            Some("Ignore") => FieldValidation::Ignore,
            Some(other) => {
                let allowed = ["Ignore", "Strict", "Warn"].map(ToOwned::to_owned);
                let cause = Cause::not_supported("fieldValidation", &other.into(), &allowed);
                return Err(Status::invalid("meta.k8s.io", options_kind, "", vec![cause]));
            }
        };
        let subresource = match self.path.subresource.as_deref() {
            Some("status") => Subresource::Status,
            Some("scale") => Subresource::Scale,
            Some("finalize") => Subresource::Finalize,
            _ => Subresource::Main,
        };
        let dry_run = self.query.dry_run(options_kind)?;
        Ok(WriteOptions { manager: self.manager.clone(), subresource, dry_run, field_validation })
    }

    pub(super) fn get(&self) -> Result<Response<Body>, Status> {
        let key = self.key();
        let stored = self.store.get(&self.resource.group_resource(), &key.namespace, &key.name);
        let object = stored.ok_or_else(|| self.missing())?;
        Ok(json_response(StatusCode::OK, &self.represent(&object)))
    }

    pub(super) fn create(&self) -> Result<Response<Body>, Status> {
        let options = self.write_options("CreateOptions")?;
        let object = self.object()?;
        let written = self.store.create_as(&options, self.resource, object)?;
        Ok(self.answer(&written))
    }

    pub(super) fn update(&self) -> Result<Response<Body>, Status> {
        let options = self.write_options("UpdateOptions")?;
        Ok(self.answer(&self.updated(&options)?))
    }

    /// What the update makes of its object.
    pub(super) fn updated(&self, options: &WriteOptions) -> Result<Written, Status> {
        let object = self.object()?;
        let needs_version = self.resource.is_custom() || self.resource.group_resource() == GroupResource::CRDS;
        self.store.modify_as(options, self.resource, &self.key(), |_| {
            if needs_version && meta::resource_version(&object).is_empty() {
                return Err(self.unversioned());
            }
            Ok(object.clone())
        })
    }

    /// The refusal of an update that does not say which version it is of, for kinds that ask for it.
    fn unversioned(&self) -> Status {
        let cause = Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
        Status::invalid(&self.resource.group, &self.resource.plural, &self.key().name, vec![cause])
    }

    pub(super) fn delete(&self) -> Result<Response<Body>, Status> {
        let key = self.key();
        let at = self.resource.group_resource();
        let deleted = self.store.delete(&at, &key.namespace, &key.name, &self.delete_options()?)?;
        let object = match &deleted {
            Deleted::Pending(object) => object,
            Deleted::Gone(object) if returns_deleted(self.resource) => object,
            Deleted::Gone(object) => return Ok(json_response(StatusCode::OK, &self.success(object))),
        };
        Ok(json_response(StatusCode::OK, &self.represent(object)))
    }

    /// `pods/eviction`: a deletion by another name, for there are no disruption budgets to ask.
    pub(super) fn evict(&self) -> Result<Response<Body>, Status> {
        let key = self.key();
        self.store.delete(&GroupResource::PODS, &key.namespace, &key.name, &DeleteOptions::default())?;
        let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
        Ok(json_response(StatusCode::CREATED, &body))
    }

    fn success(&self, object: &Value) -> Value {
        let mut details = serde_json::Map::new();
        details.insert("name".into(), meta::name(object).into());
        if !self.resource.group.is_empty() {
            details.insert("group".into(), self.resource.group.as_str().into());
        }
        details.insert("kind".into(), self.resource.plural.as_str().into());
        details.insert("uid".into(), meta::uid(object).into());
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
    }

    /// Options of a deletion: the body's, else the URL's.
    pub(super) fn delete_options(&self) -> Result<DeleteOptions, Status> {
        let body = if self.body.is_empty() {
            Value::Null
        } else {
            parse_json(&self.body).map_err(|problem| {
                Status::bad_request(format!("couldn't get version/kind; json parse error: {problem}"))
            })?
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).or_else(|| self.query.get(name));
        let grace = match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
            Some(seconds) => Some(seconds),
            None => self.query.integer("gracePeriodSeconds")?,
        };
        let orphan = body
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .or_else(|| self.query.get("orphanDependents").map(|text| text == "true"));
        let propagation = match (text("propagationPolicy"), orphan) {
            (None, None) => None,
            (None, Some(true)) | (Some("Orphan"), _) => Some(Propagation::Orphan),
            (None, Some(false)) | (Some("Background"), _) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some(other), _) => {
                let allowed = ["Foreground", "Background", "Orphan", "nil"].map(ToOwned::to_owned);
                let cause = Cause::not_supported("propagationPolicy", &other.into(), &allowed);
                return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", vec![cause]));
            }
        };
        let precondition =
            |name: &str| body.pointer(&format!("/preconditions/{name}")).and_then(Value::as_str).map(Into::into);
        let dry_run = self.query.dry_run("DeleteOptions")?
            || body.get("dryRun").and_then(Value::as_array).is_some_and(|list| list.iter().any(|one| one == "All"));
        Ok(DeleteOptions {
            grace_seconds: grace.map(|seconds| u64::try_from(seconds).unwrap_or(1)),
            propagation,
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            dry_run,
        })
    }

    /// The answer to a write.
    pub(super) fn answer(&self, written: &Written) -> Response<Body> {
        let code = if written.created { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = json_response(code, &self.represent(&written.object));
        add_warnings(&mut response, &written.warnings);
        response
    }

    /// An object as the client wants it.
    pub(super) fn represent<'v>(&self, object: &'v Value) -> Cow<'v, Value> {
        let object = in_version(self.resource, object);
        self.representation.single(self.resource, object, self.store)
    }
}

/// The object with the `apiVersion` of `resource`.
pub(super) fn in_version<'v>(resource: &Resource, object: &'v Value) -> Cow<'v, Value> {
    let wanted = resource.api_version();
    if object.get("apiVersion").and_then(Value::as_str) == Some(&wanted) {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".into(), wanted.into());
    }
    Cow::Owned(object)
}

/// Kinds whose deletion answers with the object instead of a `Status`.
fn returns_deleted(resource: &Resource) -> bool {
    let name = (resource.group.as_str(), resource.plural.as_str());
    matches!(
        name,
        ("", "pods" | "services" | "serviceaccounts" | "podtemplates" | "resourcequotas" | "persistentvolumeclaims")
    )
}
