//! What happens to an object between the request and the commit: decoding, defaults, booking of fields, admission, validation.
//!
//! Invariant: the steps and their order are those of an API server; fields that admission adds are owned by nobody.

use serde_json::{Value, json};

use super::admission::{AdmissionRequest, Operation};
use super::key::GroupResource;
use super::memory::Store;
use super::meta;
use super::write::{FieldValidation, Subresource, WriteOptions};
use crate::clock::rfc3339_seconds;
use crate::schema::{self, CustomWrite, Decoded, DefinitionReview, Ownership, Resource};
use crate::status::{Cause, Status};

/// Whether ownership of fields is still to be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Booking {
    /// Book the differences as an update.
    Update,
    /// The object carries its managed fields already.
    Done,
}

/// One object's way in.
pub(super) struct Preparation<'a> {
    store: &'a Store,
    resource: &'a Resource,
    options: &'a WriteOptions,
    at: GroupResource,
    /// What the client should be warned of.
    pub(super) warnings: Vec<String>,
}

impl<'a> Preparation<'a> {
    pub(super) fn new(store: &'a Store, resource: &'a Resource, options: &'a WriteOptions) -> Self {
        Self { store, resource, options, at: resource.group_resource(), warnings: Vec::new() }
    }

    /// Who writes.
    pub(super) fn ownership<'o>(&'o self, api_version: &'o str, now: &'o str) -> Ownership<'o> {
        let without_status = self.options.subresource == Subresource::Main && self.resource.has_subresource("status");
        let subresource = self.options.subresource.name();
        Ownership { manager: &self.options.manager, api_version, subresource, now, without_status }
    }

    /// Makes `new` what would be stored.
    pub(super) fn run(&mut self, old: Option<&Value>, new: &mut Value, booking: &Booking) -> Result<(), Status> {
        self.decode(new)?;
        let mut immutable = Vec::new();
        match old {
            None => self.reset_status(new),
            Some(old) => {
                schema::check_metadata_update(old, new, &mut immutable);
                keep_server_fields(old, new, self.options.subresource, self.resource.has_subresource("status"));
            }
        }
        let main = self.options.subresource == Subresource::Main;
        let admission = self.store.admission();
        let namespace = meta::namespace(new).to_owned();
        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let dry_run = self.options.dry_run;
        let request = AdmissionRequest { resource: &self.at, namespace: &namespace, operation, old, dry_run };
        if main {
            self.own_defaults(old, new);
            admission.default(&self.at, new);
        }
        if *booking == Booking::Update {
            self.book(old, new);
        }
        if main {
            if self.at == GroupResource::NAMESPACES && old.is_none() {
                meta::child(new, "spec").entry("finalizers").or_insert_with(|| json!(["kubernetes"]));
            }
            admission.mutate(&request, new)?;
            admission.default(&self.at, new);
        }
        if let Some(old) = old {
            self.count_generation(old, new);
        }
        // The server looks at the metadata of a changed object twice, and says so.
        immutable.extend(immutable.clone());
        let warnings = self.validate(old, new, immutable)?;
        self.warnings.extend(warnings);
        admission.validate(&request, new)
    }

    /// Fills in a new object that is known to be good, and books its fields.
    pub(super) fn complete(&self, new: &mut Value) {
        self.reset_status(new);
        self.own_defaults(None, new);
        self.book(None, new);
    }

    fn decode(&mut self, new: &mut Value) -> Result<(), Status> {
        if let Some(map) = new.as_object_mut() {
            map.insert("apiVersion".into(), self.resource.storage_api_version().into());
            map.insert("kind".into(), self.resource.kind.as_str().into());
        }
        let Some(node) = self.resource.node() else { return Ok(()) };
        let decoded = if self.resource.is_custom() { Decoded::custom(node, new) } else { Decoded::builtin(node, new) };
        let (kind, version) = (&self.resource.kind, &self.resource.version);
        if let Some(problem) = decoded.mistyped {
            let message = format!("{kind} in version {version:?} cannot be handled as a {kind}: {problem}");
            return Err(Status::bad_request(message));
        }
        let unknown: Vec<String> = decoded.unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        match self.options.field_validation {
            FieldValidation::Strict if !unknown.is_empty() => {
                let problems = unknown.join(", ");
                let message = format!(
                    "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {problems}"
                );
                return Err(Status::bad_request(message));
            }
            FieldValidation::Warn => self.warnings.extend(unknown),
            FieldValidation::Strict | FieldValidation::Ignore => {}
        }
        Ok(())
    }

    /// A new object starts without a status, whatever the client sent.
    fn reset_status(&self, new: &mut Value) {
        if !self.resource.has_subresource("status") {
            return;
        }
        let fresh = match (self.resource.group.as_str(), self.resource.plural.as_str()) {
            ("", "namespaces") => Some(json!({"phase": "Active"})),
            ("", "pods") => Some(json!({"phase": "Pending"})),
            ("", "services") => Some(json!({"loadBalancer": {}})),
            ("", "persistentvolumes" | "persistentvolumeclaims") => Some(json!({"phase": "Pending"})),
            ("networking.k8s.io", "ingresses") => Some(json!({"loadBalancer": {}})),
            ("autoscaling", _) => Some(json!({"desiredReplicas": 0, "currentMetrics": null})),
            _ if self.resource.is_custom() => None,
            _ => Some(json!({})),
        };
        if let Some(map) = new.as_object_mut() {
            match fresh {
                Some(status) => map.insert("status".into(), status),
                None => map.shift_remove("status"),
            };
        }
    }

    /// The few defaults that the API's own rules stand on.
    fn own_defaults(&self, old: Option<&Value>, new: &mut Value) {
        if self.at == GroupResource::NAMESPACES {
            let name = meta::name(new).to_owned();
            let metadata = meta::metadata(new);
            if let Some(labels) = metadata.entry("labels").or_insert_with(|| json!({})).as_object_mut() {
                labels.insert("kubernetes.io/metadata.name".into(), name.into());
            }
        } else if self.at == GroupResource::CRDS {
            schema::prepare(new, old);
        }
    }

    fn book(&self, old: Option<&Value>, new: &mut Value) {
        if self.options.manager.is_empty() {
            if let Some(old) = old {
                schema::keep(old, new);
            }
            return;
        }
        let (now, api_version) = (rfc3339_seconds(self.store.clock().now()), self.resource.api_version());
        let owner = self.ownership(&api_version, &now);
        let node = self.resource.node();
        match old {
            Some(old) => schema::track_update(node, old, new, &owner),
            None => {
                let empty = if self.resource.is_custom() { None } else { node.map(schema::zero_value) };
                let mut empty = empty.unwrap_or_else(|| json!({"metadata": {}}));
                if !empty.get("metadata").is_some_and(Value::is_object) {
                    empty = json!({"metadata": {}});
                }
                schema::track_update(node, &empty, new, &owner);
            }
        }
    }

    /// Counts a change of anything but metadata and status.
    fn count_generation(&self, old: &Value, new: &mut Value) {
        if !self.resource.has_generation() || self.options.subresource == Subresource::Status {
            return;
        }
        let counted = |object: &Value| -> Vec<(String, Value)> {
            let members = object.as_object().into_iter().flatten();
            let counted =
                members.filter(|(name, _)| !matches!(name.as_str(), "metadata" | "status" | "apiVersion" | "kind"));
            let mut counted: Vec<_> = counted.map(|(name, value)| (name.clone(), value.clone())).collect();
            if self.resource.plural == "pods" {
                // To be given a node is no change of what a pod is to be.
                for spec in counted.iter_mut().filter_map(|(_, value)| value.as_object_mut()) {
                    spec.shift_remove("nodeName");
                }
            }
            counted.sort_by(|a, b| a.0.cmp(&b.0));
            counted
        };
        if counted(old) == counted(new) {
            return;
        }
        let generation = old.pointer("/metadata/generation").and_then(Value::as_u64).unwrap_or(0) + 1;
        meta::metadata(new).insert("generation".into(), generation.into());
    }

    /// Checks what would be stored; `causes` is what is known to be wrong already. Answers warnings.
    fn validate(&self, old: Option<&Value>, new: &Value, mut causes: Vec<Cause>) -> Result<Vec<String>, Status> {
        let (found, warnings) = match self.resource.node() {
            Some(root) if self.resource.is_custom() => {
                let status_only = self.options.subresource == Subresource::Status;
                let write = CustomWrite { resource: self.resource, object: new, old, status_only };
                schema::validate_custom(&write, root)?
            }
            _ if self.options.subresource == Subresource::Main && self.at == GroupResource::CRDS => {
                let DefinitionReview { causes, warnings } = schema::review(self.resource, new, old)?;
                (causes, warnings)
            }
            _ if self.options.subresource == Subresource::Main => schema::validate_builtin(self.resource, old, new),
            _ => (Vec::new(), Vec::new()),
        };
        causes.extend(found);
        if causes.is_empty() {
            return Ok(warnings);
        }
        Err(Status::invalid(&self.resource.group, &self.resource.kind, meta::name(new), causes))
    }
}

/// Puts back what a client may not change, and what lies outside the part that this write is for.
fn keep_server_fields(old: &Value, new: &mut Value, subresource: Subresource, has_status: bool) {
    const KEPT: [&str; 6] = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    let keep = |new: &mut Value, member: &str| {
        if let Some(map) = new.as_object_mut() {
            match old.get(member) {
                Some(value) => map.insert(member.into(), value.clone()),
                None => map.shift_remove(member),
            };
        }
    };
    match subresource {
        Subresource::Main => {
            let metadata = meta::metadata(new);
            for field in KEPT {
                match old.get("metadata").and_then(|meta| meta.get(field)) {
                    Some(value) => metadata.insert(field.into(), value.clone()),
                    None => metadata.shift_remove(field),
                };
            }
            if has_status {
                keep(new, "status");
            }
        }
        Subresource::Status | Subresource::Scale | Subresource::Finalize => {
            let member = if subresource == Subresource::Status { "status" } else { "spec" };
            let fields = new.pointer("/metadata/managedFields").cloned();
            let taken = new.get(member).cloned();
            *new = old.clone();
            if let Some(map) = new.as_object_mut() {
                match taken {
                    Some(value) => map.insert(member.into(), value),
                    None => map.shift_remove(member),
                };
            }
            if let Some(fields) = fields {
                meta::metadata(new).insert("managedFields".into(), fields);
            }
        }
    }
}
