//! PATCH in its four dialects.
//!
//! Invariant: a patch is applied to the stored object and the result goes the way of any update; only apply books fields itself.

use http::Response;
use serde_json::Value;

use super::body::Body;
use super::decode::{parse_json, parse_yaml};
use super::service::Call;
use super::verbs::in_version;
use crate::schema::{strategic_merge, undeclared_fields};
use crate::status::{Cause, Status};
use crate::store::{WriteOptions, Written};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

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
            self.settle(&mut object)?;
            Ok(object)
        })
    }

    /// The patch, once its dialect is known to be one that the resource takes.
    pub(super) fn patch_body(&self) -> Result<Value, Status> {
        let accepted: &[&str] =
            if self.resource.is_custom() { &[JSON, MERGE, APPLY] } else { &[JSON, MERGE, STRATEGIC, APPLY] };
        if !accepted.contains(&self.content_type.as_str()) {
            return Err(Status::unsupported_media_type(accepted));
        }
        parse_json(&self.body).map_err(|problem| Status::bad_request(format!("error decoding patch: {problem}")))
    }

    /// Applies a JSON, merge or strategic merge patch.
    pub(super) fn patch_value(&self, object: &mut Value, patch: &Value) -> Result<(), Status> {
        match self.content_type.as_str() {
            JSON => {
                let operations: json_patch::Patch = serde_json::from_value(patch.clone())
                    .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
                json_patch::patch(object, &operations).map_err(|_| Status::unfitting_patch())
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
        if config.pointer("/metadata/managedFields").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        self.settle(&mut config)?;
        if let Some(node) = self.resource.node() {
            let undeclared = undeclared_fields(node, &mut config);
            if !undeclared.is_empty() {
                return Err(self.undeclared(&undeclared));
            }
        }
        self.store.apply_as(options, self.resource, &self.key(), &config, self.query.flag("force"))
    }

    fn undeclared(&self, paths: &[String]) -> Status {
        let lines: Vec<String> = paths.iter().map(|path| format!("{path}: field not declared in schema")).collect();
        let problem = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("errors:\n  {}", many.join("\n  ")),
        };
        let key = self.key();
        let version = format!("{}/{}", self.resource.group, self.resource.version);
        Status::failure(format!(
            "failed to create typed patch object ({}/{}; {version}, Kind={}): {problem}",
            key.namespace, key.name, self.resource.kind
        ))
    }
}

/// 422 about the options of a patch; unlike for objects, the name is left out.
fn options_invalid(cause: Cause) -> Status {
    Status::invalid("meta.k8s.io", "PatchOptions", "", vec![cause])
}
