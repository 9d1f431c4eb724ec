//! PATCH in its four dialects.
//!
//! Invariant: a patch is applied to the stored object and the result goes the way of any update; only apply books fields itself.

use http::Response;
use serde_json::Value;

use super::body::{Body, encode};
use super::decode::{go_kind, parse_json, parse_yaml};
use super::service::Call;
use super::verbs::in_version;
use crate::schema::{Decoded, misfit, show, strategic_merge};
use crate::status::{Cause, Status};
use crate::store::{FieldValidation, WriteOptions, Written, meta};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";

impl Call<'_> {
    pub(super) fn patch(&self) -> Result<Response<Body>, Status> {
        let options = self.write_options("PatchOptions")?;
        Ok(self.answer(&self.patched(&options)?))
    }

    /// What the patch makes of its object.
    pub(super) fn patched(&self, options: &WriteOptions) -> Result<Written, Status> {
        if self.content_type == APPLY { self.apply(options) } else { self.patch_stored(options) }
    }

    fn patch_stored(&self, options: &WriteOptions) -> Result<Written, Status> {
        let patch = self.patch_body()?;
        self.store.modify_as(options, self.resource, &self.key(), |old| {
            let mut object = in_version(self.resource, old).into_owned();
            self.patch_value(&mut object, &patch)?;
            self.check_patched(options, &object)?;
            self.settle(&mut object)?;
            Ok(object)
        })
    }

    /// A patch must leave an object of the kind; what it left is part of the refusal.
    fn check_patched(&self, options: &WriteOptions, object: &Value) -> Result<(), Status> {
        let Some(node) = self.resource.node().filter(|_| !self.resource.is_custom()) else { return Ok(()) };
        let mut decoded = object.clone();
        let found = Decoded::builtin(node, &mut decoded);
        let problem = match found.mistyped {
            Some(problem) => problem,
            None if options.field_validation == FieldValidation::Strict && !found.unknown.is_empty() => {
                let unknown: Vec<String> = found.unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
                format!("strict decoding error: {}", unknown.join(", "))
            }
            None => return Ok(()),
        };
        let mut patched = object.clone();
        show(&mut patched);
        patched.sort_all_objects();
        let text = String::from_utf8(encode(&patched)).unwrap_or_default();
        Err(Status::unfitting_result(&text, &problem))
    }

    /// The patch, once its dialect is known to be one that the resource takes.
    pub(super) fn patch_body(&self) -> Result<Value, Status> {
        let accepted: &[&str] =
            if self.resource.is_custom() { &[JSON, MERGE, APPLY] } else { &[JSON, MERGE, STRATEGIC, APPLY] };
        if !accepted.contains(&self.content_type.as_str()) {
            if !self.resource.is_custom() {
                return Err(Status::unsupported_patch());
            }
            return Err(Status::unsupported_media_type(accepted));
        }
        let strategic = self.content_type == STRATEGIC;
        let broken = |problem: String| {
            Status::bad_request(if strategic { problem } else { format!("error decoding patch: {problem}") })
        };
        let patch = parse_json(&self.body).map_err(broken)?;
        let wanted = match self.content_type.as_str() {
            JSON if !patch.is_array() => "[]handlers.jsonPatchOp",
            JSON => return Ok(patch),
            _ if !patch.is_object() => "map[string]interface {}",
            _ => return Ok(patch),
        };
        let found = go_kind(&patch);
        Err(broken(format!("json: cannot unmarshal {found} into Go value of type {wanted}")))
    }

    /// Applies a JSON, merge or strategic merge patch.
    pub(super) fn patch_value(&self, object: &mut Value, patch: &Value) -> Result<(), Status> {
        match self.content_type.as_str() {
            JSON => {
                show(object);
                patch.as_array().into_iter().flatten().try_for_each(|operation| json_operation(object, operation))
            }
            STRATEGIC => strategic_merge(self.resource.node(), object, patch),
            _ => {
                json_patch::merge(object, patch);
                Ok(())
            }
        }
    }

    fn apply(&self, options: &WriteOptions) -> Result<Written, Status> {
        if self.query.get("fieldManager").is_none() {
            let cause = Cause::required("fieldManager", "is required for apply patch");
            return Err(options_invalid(cause));
        }
        let mut config = parse_yaml(&self.body)?;
        let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
        let (kind, api_version) = (text("kind"), text("apiVersion"));
        if kind != self.resource.kind || api_version != self.resource.api_version() {
            let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
            return Err(Status::bad_request(format!("invalid object type: {group}/{version}, Kind={kind}")));
        }
        let own_namespace = meta::namespace(&config).to_owned();
        if config.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        self.settle(&mut config)?;
        if let Some(problem) = self.resource.node().and_then(|node| misfit(node, &mut config)) {
            return Err(self.misfit(&own_namespace, &problem));
        }
        self.store.apply_as(options, self.resource, &self.key(), &config, self.query.flag("force"))
    }

    fn misfit(&self, namespace: &str, problem: &str) -> Status {
        let name = self.path.name.as_deref().unwrap_or_default();
        let version = format!("{}/{}", self.resource.group, self.resource.version);
        let version = version.strip_prefix('/').map_or(version.clone(), |core| format!("/{core}"));
        Status::failure(format!(
            "failed to create typed patch object ({namespace}/{name}; {version}, Kind={}): {problem}",
            self.resource.kind
        ))
    }
}

/// Carries one operation of a JSON patch out, as leniently as the server does: it replaces members that are not there, and a value
/// that is left out is null.
///
/// # Errors
/// 422 for an operation that can't be read or does not fit.
fn json_operation(object: &mut Value, operation: &Value) -> Result<(), Status> {
    let mut operation = operation.clone();
    let members = operation.as_object_mut().ok_or_else(Status::unfitting_patch)?;
    let path = members.get("path").and_then(Value::as_str).unwrap_or_default();
    let parent = path.rsplit_once('/').and_then(|(parent, _)| object.pointer(parent));
    if members.get("op") == Some(&"replace".into())
        && object.pointer(path).is_none()
        && parent.is_some_and(Value::is_object)
    {
        members.insert("op".into(), "add".into());
    }
    if matches!(members.get("op").and_then(Value::as_str), Some("add" | "replace" | "test")) {
        members.entry("value").or_insert(Value::Null);
    }
    let operation: json_patch::PatchOperation =
        serde_json::from_value(operation).map_err(|_| Status::unfitting_patch())?;
    json_patch::patch(object, &[operation]).map_err(|_| Status::unfitting_patch())
}

/// 422 about the options of a patch; unlike for objects, the name is left out.
fn options_invalid(cause: Cause) -> Status {
    Status::invalid("meta.k8s.io", "PatchOptions", "", vec![cause])
}
