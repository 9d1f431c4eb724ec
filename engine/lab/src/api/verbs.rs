//! The verbs on single objects.
//!
//! Invariant: objects go out in the version that the URL names, whatever version they are stored in.

use std::borrow::Cow;

use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::body::{Body, add_warnings, written};
use super::decode::SCHEME;
use super::eviction;
use super::options::parse_revision;
use super::patch::APPLY;
use super::service::Call;
use crate::schema::{Resource, Shown};
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

    /// An answer in the form that the client wants it in.
    pub(super) fn respond(&self, code: StatusCode, value: &impl Serialize) -> Response<Body> {
        written(self.writing, code, value)
    }

    /// 404 for the object that the URL names.
    pub(super) fn missing(&self) -> Status {
        Status::not_found(&self.path.group, &self.path.plural, self.path.name.as_deref().unwrap_or_default())
    }

    /// Options of a write, from the URL.
    pub(super) fn write_options(&self, options_kind: &str) -> Result<WriteOptions, Status> {
        let mut causes = Vec::new();
        let values = self.query.all("dryRun");
        causes.extend(dry_run_problem(&values));
        if let Some(manager) = self.query.get("fieldManager") {
            causes.extend(manager_problems(manager));
        }
        let field_validation = match self.query.get("fieldValidation") {
            None | Some("Warn") => FieldValidation::Warn,
            Some("Strict") => FieldValidation::Strict,
            Some("Ignore") => FieldValidation::Ignore,
            Some(other) => {
                let allowed = ["", "Ignore", "Strict", "Warn"].map(ToOwned::to_owned);
                causes.push(Cause::not_supported("fieldValidation", &other.into(), &allowed));
                FieldValidation::Warn
            }
        };
        if options_kind == "PatchOptions" && self.content_type != APPLY && self.query.has("force") {
            causes.insert(0, Cause::forbidden("force", "may not be specified for non-apply patch"));
        }
        if !causes.is_empty() {
            return Err(Status::invalid("meta.k8s.io", options_kind, "", causes));
        }
        let subresource = match self.path.subresource.as_deref() {
            Some("status") => Subresource::Status,
            Some("scale") => Subresource::Scale,
            Some("finalize") => Subresource::Finalize,
            _ => Subresource::Main,
        };
        let whole = options_kind == "UpdateOptions";
        Ok(WriteOptions {
            manager: self.manager.clone(),
            subresource,
            dry_run: !values.is_empty(),
            field_validation,
            whole,
        })
    }

    pub(super) fn get(&self) -> Result<Response<Body>, Status> {
        if self.query.has("export") {
            let message = "the export parameter, deprecated since v1.14, is no longer supported";
            return Err(Status::bad_request(message));
        }
        if let Some(text) = self.query.get("resourceVersion") {
            let (asked, current) = (parse_revision(text).map_err(Status::failure)?, self.store.revision());
            if asked > current {
                return Err(Status::revision_too_large(asked, current));
            }
        }
        let key = self.key();
        let stored = self.store.get(&self.resource.group_resource(), &key.namespace, &key.name);
        let object = stored.ok_or_else(|| self.missing())?;
        Ok(self.respond(StatusCode::OK, &Shown(&self.represent(&object))))
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
        let mut object = self.document()?;
        let nameless = meta::name(&object).is_empty();
        self.settle(&mut object)?;
        if nameless && !self.resource.is_custom() {
            let name = meta::name(&object);
            let message =
                format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
            return Err(Status::bad_request(message));
        }
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
            Deleted::Gone(object) => return Ok(self.respond(StatusCode::OK, &self.success(object))),
        };
        Ok(self.respond(StatusCode::OK, &Shown(&self.represent(object))))
    }

    /// `pods/eviction`: a deletion that a disruption budget may refuse.
    pub(super) fn evict(&self) -> Result<Response<Body>, Status> {
        let key = self.key();
        let eviction = self.document().unwrap_or_default();
        let seconds = eviction.pointer("/deleteOptions/gracePeriodSeconds").and_then(Value::as_u64);
        let options = DeleteOptions { grace_seconds: seconds, ..DeleteOptions::default() };
        eviction::allow(self.store, &key)?;
        self.store.delete(&GroupResource::PODS, &key.namespace, &key.name, &options)?;
        let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
        Ok(self.respond(StatusCode::CREATED, &body))
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
        let body = if self.body.is_empty() { Value::Null } else { self.document()? };
        let (kind, version) =
            (body.get("kind").and_then(Value::as_str), body.get("apiVersion").and_then(Value::as_str));
        if let Some(kind) = kind.filter(|kind| !matches!(*kind, "" | "DeleteOptions")) {
            let version = version.unwrap_or_default();
            let message = format!("no kind {kind:?} is registered for version {version:?} in scheme {SCHEME:?}");
            return Err(Status::bad_request(message));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).or_else(|| self.query.get(name));
        let grace = match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
            Some(seconds) => Some(seconds),
            None => self.query.integer("gracePeriodSeconds")?,
        };
        let orphan = body
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .or_else(|| self.query.get("orphanDependents").map(|text| text == "true"));
        let mut causes = Vec::new();
        let policy = text("propagationPolicy");
        if let Some(policy) = policy.filter(|_| orphan.is_some()) {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            causes.push(Cause::invalid("propagationPolicy", &policy.into(), detail));
        }
        let propagation = match (policy, orphan) {
            (None, None) => None,
            (None, Some(true)) | (Some("Orphan"), _) => Some(Propagation::Orphan),
            (None, Some(false)) | (Some("Background"), _) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some(other), _) => {
                let allowed = ["Foreground", "Background", "Orphan", "nil"].map(ToOwned::to_owned);
                causes.push(Cause::not_supported("propagationPolicy", &other.into(), &allowed));
                None
            }
        };
        let mut dry_run = self.query.all("dryRun");
        let listed = body.get("dryRun").and_then(Value::as_array).into_iter().flatten();
        dry_run.extend(listed.filter_map(Value::as_str).map(ToOwned::to_owned));
        causes.extend(dry_run_problem(&dry_run));
        if !causes.is_empty() {
            return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", causes));
        }
        let precondition =
            |name: &str| body.pointer(&format!("/preconditions/{name}")).and_then(Value::as_str).map(Into::into);
        Ok(DeleteOptions {
            grace_seconds: grace.map(|seconds| u64::try_from(seconds).unwrap_or(1)),
            propagation,
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            dry_run: !dry_run.is_empty(),
        })
    }

    /// The answer to a write.
    pub(super) fn answer(&self, outcome: &Written) -> Response<Body> {
        let code = if outcome.created { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = self.respond(code, &Shown(&self.represent(&outcome.object)));
        add_warnings(&mut response, &outcome.warnings);
        response
    }

    /// An object as the client wants it.
    pub(super) fn represent<'v>(&self, object: &'v Value) -> Cow<'v, Value> {
        let object = in_version(self.resource, object);
        self.representation.single(self.resource, object, self.store)
    }
}

/// What is wrong with a `dryRun` that is not `All`.
fn dry_run_problem(values: &[String]) -> Option<Cause> {
    values.iter().find(|value| *value != "All")?;
    let list: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    let message = format!("Unsupported value: [{}]: supported values: \"All\"", list.join(","));
    Some(Cause::new("FieldValueNotSupported", "dryRun", message))
}

/// What is wrong with the name of a field manager: its length in bytes, and characters that can't be printed.
fn manager_problems(manager: &str) -> Vec<Cause> {
    const LIMIT: usize = 128;
    let mut causes = Vec::new();
    if manager.len() > LIMIT {
        let message = format!("Too long: may not be more than {LIMIT} bytes");
        causes.push(Cause::new("FieldValueTooLong", "fieldManager", message));
    }
    for (at, character) in manager.char_indices().filter(|(_, character)| character.is_control()) {
        let detail = format!("invalid character U+{:04X} (at position {at})", u32::from(character));
        causes.push(Cause::invalid("fieldManager", &manager.into(), &detail));
    }
    causes
}

/// The object with the `apiVersion` of `resource`, and with the defaults that came after it.
pub(super) fn in_version<'v>(resource: &Resource, object: &'v Value) -> Cow<'v, Value> {
    let wanted = resource.api_version();
    let mut object = Cow::Borrowed(object);
    if object.get("apiVersion").and_then(Value::as_str) != Some(&wanted)
        && let Some(map) = object.to_mut().as_object_mut()
    {
        map.insert("apiVersion".into(), wanted.into());
    }
    resource.fill_in(&mut object);
    object
}

/// Kinds whose deletion answers with the object instead of a `Status`.
fn returns_deleted(resource: &Resource) -> bool {
    let name = (resource.group.as_str(), resource.plural.as_str());
    matches!(
        name,
        ("", "pods" | "services" | "serviceaccounts" | "podtemplates" | "resourcequotas" | "persistentvolumeclaims")
    )
}
