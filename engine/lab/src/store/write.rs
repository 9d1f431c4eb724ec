//! The writes of an API server: create, update, apply.
//!
//! Invariant: a write is computed on a snapshot and committed only if the object still is that snapshot; otherwise it is computed
//! again, or refused if the caller named a `resourceVersion`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::delete::is_finished;
use super::key::{GroupResource, ObjectKey};
use super::memory::Store;
use super::meta;
use super::prepare::{Booking, Preparation};
use super::watch::ChangeKind;
use crate::clock::rfc3339_seconds;
use crate::schema::{self, ApplyRequest, Resource};
use crate::status::{Cause, Status};

const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

/// How a write is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Field manager that the changes are put down to.
    pub manager: String,
    /// Which part of the object the write may change.
    pub subresource: Subresource,
    /// Compute and check everything, store nothing.
    pub dry_run: bool,
    /// What to do about fields that the kind does not have.
    pub field_validation: FieldValidation,
    /// The client sent a whole object, so its uid is a precondition; in a patch it is a change.
    pub whole: bool,
}

impl WriteOptions {
    /// A write of the main resource by `manager`.
    pub fn by(manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), ..Self::default() }
    }

    /// A write of the status subresource by `manager`.
    pub fn status_by(manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), subresource: Subresource::Status, ..Self::default() }
    }
}

/// What to do about unknown fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and say so in a warning.
    #[default]
    Warn,
    /// Refuse the write.
    Strict,
}

/// The part of an object that a write may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subresource {
    /// Everything but the status, for kinds that have a status subresource; else everything.
    #[default]
    Main,
    /// The status alone.
    Status,
    /// The desired count alone, through the scale subresource.
    Scale,
    /// `spec.finalizers` of a namespace.
    Finalize,
}

impl Subresource {
    /// Its name in URLs and managed fields; empty for the main resource.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Finalize => "finalize",
        }
    }
}

/// What came of a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object as it stands now, or would stand after a dry run.
    pub object: Arc<Value>,
    /// The object did not exist before.
    pub created: bool,
    /// Warnings for the client, without code and agent.
    pub warnings: Vec<String>,
}

impl Store {
    /// Stores a new object. `metadata.generateName` is honoured; the namespace is taken from the object.
    ///
    /// # Errors
    /// 404 for an unknown resource, 409 `AlreadyExists`, 400 or 422 for an object that breaks rules, or what admission refuses.
    pub fn create(
        &self,
        options: &WriteOptions,
        resource: &GroupResource,
        object: Value,
    ) -> Result<Arc<Value>, Status> {
        self.create_as(options, &*self.served(resource)?, object).map(|written| written.object)
    }

    /// Replaces an object. A `metadata.resourceVersion` in `object` must be the stored one.
    ///
    /// # Errors
    /// 404, 409 `Conflict`, 400 or 422 for an object that breaks rules, or what admission refuses.
    pub fn update(
        &self,
        options: &WriteOptions,
        resource: &GroupResource,
        object: Value,
    ) -> Result<Arc<Value>, Status> {
        let key = ObjectKey::new(meta::namespace(&object), meta::name(&object));
        self.modify_as(options, &*self.served(resource)?, &key, move |_| Ok(object.clone()))
            .map(|written| written.object)
    }

    /// Replaces the status of an object; all else in `object` is ignored but its name and `resourceVersion`.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn update_status(&self, manager: &str, resource: &GroupResource, object: Value) -> Result<Arc<Value>, Status> {
        self.update(&WriteOptions::status_by(manager), resource, object)
    }

    /// Alters an object in place: `change` gets the stored object and is called again if someone else was faster. An unchanged
    /// object is not written. If `change` alters `metadata.resourceVersion`, that must be the stored one.
    ///
    /// # Errors
    /// 404, 409 `Conflict`, the error of `change`, 400 or 422 for an object that breaks rules, or what admission refuses.
    pub fn modify(
        &self,
        options: &WriteOptions,
        resource: &GroupResource,
        namespace: &str,
        name: &str,
        mut change: impl FnMut(&mut Value) -> Result<(), Status>,
    ) -> Result<Arc<Value>, Status> {
        let key = ObjectKey::new(namespace, name);
        let written = self.modify_as(options, &*self.served(resource)?, &key, |old| {
            let mut new = old.clone();
            change(&mut new)?;
            Ok(new)
        })?;
        Ok(written.object)
    }

    pub(super) fn served(&self, resource: &GroupResource) -> Result<Arc<Resource>, Status> {
        self.catalog().stored(resource).ok_or_else(Status::no_such_resource)
    }

    /// [`Self::create`] in the version that `resource` is, with warnings.
    pub(crate) fn create_as(
        &self,
        options: &WriteOptions,
        resource: &Resource,
        mut object: Value,
    ) -> Result<Written, Status> {
        let name = meta::name(&object).to_owned();
        if name.is_empty()
            && let Some(prefix) =
                object.pointer("/metadata/generateName").and_then(Value::as_str).filter(|prefix| !prefix.is_empty())
        {
            let name = format!("{prefix}{}", self.name_suffix());
            meta::metadata(&mut object).insert("name".into(), name.into());
        }
        self.insert(options, resource, object, &Booking::Update)
    }

    fn insert(
        &self,
        options: &WriteOptions,
        resource: &Resource,
        mut object: Value,
        booking: &Booking,
    ) -> Result<Written, Status> {
        if !meta::resource_version(&object).is_empty() && *booking == Booking::Update {
            return Err(Status::failure("resourceVersion should not be set on objects to be created"));
        }
        let at = resource.group_resource();
        let key = ObjectKey::new(meta::namespace(&object), meta::name(&object));
        let exists = || Status::already_exists(&at.group, &at.resource, &key.name);
        self.check_namespace(resource, &key)?;
        self.check_definition(resource, &key)?;
        self.stamp_new(resource, &mut object);
        let mut preparation = Preparation::new(self, resource, options);
        preparation.run(None, &mut object, booking)?;
        let warnings = preparation.warnings;
        // Only now, because an object that is invalid is told so whether or not its name is taken.
        if self.get(&at, &key.namespace, &key.name).is_some() {
            return Err(exists());
        }
        if options.dry_run {
            return Ok(Written { object: Arc::new(object), created: true, warnings });
        }
        let object = self.commit(&at, &key, None, ChangeKind::Added, object).ok_or_else(exists)?;
        if at == GroupResource::CRDS {
            self.settle_definitions(&object);
        }
        Ok(Written { object, created: true, warnings })
    }

    /// Gives a new object the metadata that the server alone writes.
    pub(super) fn stamp_new(&self, resource: &Resource, object: &mut Value) {
        let metadata = meta::metadata(object);
        for server_side in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"] {
            metadata.shift_remove(server_side);
        }
        metadata.insert("uid".into(), self.new_uid().into());
        metadata.insert("creationTimestamp".into(), rfc3339_seconds(self.clock().now()).into());
        if resource.has_generation() {
            metadata.insert("generation".into(), 1.into());
        }
    }

    /// New objects need a namespace that is there to stay.
    fn check_namespace(&self, resource: &Resource, key: &ObjectKey) -> Result<(), Status> {
        if !resource.namespaced {
            return Ok(());
        }
        let Some(namespace) = self.get(&GroupResource::NAMESPACES, "", &key.namespace) else {
            return Err(Status::not_found("", "namespaces", &key.namespace));
        };
        if !meta::is_deleting(&namespace) {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {} because it is being terminated", key.namespace);
        let mut status = Status::forbidden(&resource.group, &resource.plural, &key.name, &why);
        let cause = Cause::new(
            "NamespaceTerminating",
            "metadata.namespace",
            format!("namespace {} is being terminated", key.namespace),
        );
        if let Some(details) = &mut status.details {
            details.causes.push(cause);
        }
        Err(status)
    }

    /// Computes an object's next state from its present one and stores it.
    pub(crate) fn modify_as(
        &self,
        options: &WriteOptions,
        resource: &Resource,
        key: &ObjectKey,
        mut next: impl FnMut(&Value) -> Result<Value, Status>,
    ) -> Result<Written, Status> {
        self.replace(options, resource, key, |old| Ok((next(old)?, Booking::Update)))
    }

    fn replace(
        &self,
        options: &WriteOptions,
        resource: &Resource,
        key: &ObjectKey,
        mut next: impl FnMut(&Value) -> Result<(Value, Booking), Status>,
    ) -> Result<Written, Status> {
        let at = resource.group_resource();
        loop {
            let old = self
                .get(&at, &key.namespace, &key.name)
                .ok_or_else(|| Status::not_found(&at.group, &at.resource, &key.name))?;
            let (mut new, booking) = next(&old)?;
            let asked = meta::resource_version(&new);
            if !asked.is_empty() && asked != meta::resource_version(&old) {
                if asked.parse::<u64>().is_err() {
                    return Err(Status::failure(format!("strconv.ParseUint: parsing {asked:?}: invalid syntax")));
                }
                return Err(Status::conflict(&at.group, &at.resource, &key.name, MODIFIED));
            }
            let asked = meta::uid(&new);
            if options.whole && !asked.is_empty() && asked != meta::uid(&old) {
                let place = format!("/registry/{}/{key}", at.resource);
                let why = format!(
                    "StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
                     failed: UID in precondition: {asked}, UID in object meta: {}",
                    meta::uid(&old)
                );
                return Err(Status::conflict(&at.group, &at.resource, &key.name, &why));
            }
            let mut preparation = Preparation::new(self, resource, options);
            preparation.run(Some(&old), &mut new, &booking)?;
            let warnings = preparation.warnings;
            let last = is_finished(&new);
            if new == *old && !last {
                return Ok(Written { object: old, created: false, warnings });
            }
            if options.dry_run {
                return Ok(Written { object: Arc::new(new), created: false, warnings });
            }
            let kind = if last { ChangeKind::Deleted } else { ChangeKind::Modified };
            if let Some(object) = self.commit(&at, key, Some(&old), kind, new) {
                if at == GroupResource::CRDS {
                    self.settle_definitions(&object);
                }
                return Ok(Written { object, created: false, warnings });
            }
        }
    }

    /// Server-side apply: creates the object or merges `config` into it.
    ///
    /// # Errors
    /// 409 for fields that other managers own, unless `force`; else as [`Self::create`] and [`Self::update`].
    pub(crate) fn apply_as(
        &self,
        options: &WriteOptions,
        resource: &Resource,
        key: &ObjectKey,
        config: &Value,
        force: bool,
    ) -> Result<Written, Status> {
        let at = resource.group_resource();
        let (now, api_version) = (rfc3339_seconds(self.clock().now()), resource.api_version());
        let preparation = Preparation::new(self, resource, options);
        let owner = preparation.ownership(&api_version, &now);
        let request = ApplyRequest { owner, force };
        let node = resource.node();
        loop {
            let Some(_) = self.get(&at, &key.namespace, &key.name) else {
                if options.subresource != Subresource::Main {
                    return Err(Status::not_found(&at.group, &at.resource, &key.name));
                }
                let uid = meta::uid(config);
                if !uid.is_empty() {
                    let why = format!(
                        "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                    );
                    return Err(Status::conflict(&at.group, &at.resource, &key.name, &why));
                }
                let empty = if resource.is_custom() { None } else { node.map(schema::zero_value) };
                let empty = empty.unwrap_or_else(|| json!({}));
                let new = schema::apply(node, &empty, false, config, &request)?;
                match self.insert(options, resource, new, &Booking::Done) {
                    Err(status) if status.reason == "AlreadyExists" => continue,
                    other => return other,
                }
            };
            return self.replace(options, resource, key, |old| {
                Ok((schema::apply(node, old, true, config, &request)?, Booking::Done))
            });
        }
    }
}
