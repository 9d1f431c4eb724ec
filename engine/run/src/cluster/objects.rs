//! Reading objects, and the one writer behind real writes and dry runs.
//!
//! Objects are plain JSON as the server gives them. A write goes out once; what the server warns about comes back
//! beside the object.

use http::Method;
use periplus_core::change::ObjectKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Cluster, decode};
use super::discovery::Resolved;
use super::error::ClusterError;
use super::request::{Call, segment};

/// The name under which fields are managed.
pub const FIELD_MANAGER: &str = "periplus";

/// Objects asked for in one page of a list.
const PAGE: &str = "500";

/// Where an object is, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAddress {
    /// Its kind.
    pub resource: Resolved,
    /// Its namespace. Without meaning for kinds outside namespaces.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectAddress {
    /// The object's key, as journals and events name it.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            api_version: self.resource.api_version(),
            kind: self.resource.kind.clone(),
            namespace: self.namespace.clone().filter(|_| self.resource.namespaced),
            name: self.name.clone(),
        }
    }

    fn path(&self) -> Result<String, ClusterError> {
        if self.resource.namespaced && self.namespace.is_none() {
            return Err(ClusterError::Config(format!("{} {}: no namespace is given", self.resource.kind, self.name)));
        }
        Ok(format!("{}/{}", self.resource.path(self.namespace.as_deref())?, segment(&self.name)?))
    }

    fn call(&self, method: Method, verb: &'static str) -> Result<Call, ClusterError> {
        let call = Call::new(method, verb, self.path()?);
        Ok(call.about(self.resource.full_plural(), self.namespace.as_deref().filter(|_| self.resource.namespaced)))
    }
}

impl std::fmt::Display for ObjectAddress {
    /// `ConfigMap istio-system/istio`, as messages name objects.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.key().fmt(f)
    }
}

/// Which objects of a kind are meant. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Label selector in kubectl's notation, such as `app=sleep,tier!=x`. Empty for all.
    pub labels: String,
    /// Field selector, such as `metadata.name=a`. Empty for all.
    pub fields: String,
}

impl Selector {
    /// The objects with these labels.
    pub fn labels(labels: impl Into<String>) -> Self {
        Self { labels: labels.into(), fields: String::new() }
    }

    pub(super) fn add_to(&self, call: Call) -> Call {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        call.query_opt("labelSelector", text(&self.labels)).query_opt("fieldSelector", text(&self.fields))
    }
}

/// Objects as they were at one moment.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The objects, each with `apiVersion` and `kind`, in the server's order.
    pub items: Vec<Value>,
    /// The moment, for a watch that goes on from here.
    pub resource_version: String,
}

/// What a write left.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The object as the server has it now, or would have it after a dry run.
    pub object: Value,
    /// Texts of the server's warnings.
    pub warnings: Vec<String>,
}

/// A change to parts of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 7386: maps are merged, lists are replaced, null removes.
    Merge(Value),
    /// RFC 6902: a list of operations.
    Json(Value),
    /// Kubernetes' own: lists are merged by their keys. Built-in kinds only.
    Strategic(Value),
}

/// How server-side apply treats fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether to take over fields that someone else manages.
    pub force: bool,
}

/// What happens to the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What happens to what it owns.
    pub propagation: Propagation,
    /// Refuse unless the object has this UID: one of the same name may be another.
    pub uid: Option<String>,
    /// Refuse unless the object is at this version.
    pub resource_version: Option<String>,
}

/// How a deletion was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Deleted {
    /// The object is gone.
    Gone,
    /// The object is marked, and goes when its finalizers, its grace period or its contents are through.
    Started(Box<Value>),
}

/// Whether a write is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Real,
    Dry,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default, rename = "apiVersion")]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMeta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: String,
}

impl Cluster {
    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where it is not there; see [`Self::find`].
    pub async fn get(&self, at: &ObjectAddress) -> Result<Value, ClusterError> {
        self.ask(at.call(Method::GET, "get")?).await
    }

    /// Reads an object that may be absent.
    ///
    /// # Errors
    ///
    /// Whatever stood in the way of finding out.
    pub async fn find(&self, at: &ObjectAddress) -> Result<Option<Value>, ClusterError> {
        match self.get(at).await {
            Ok(object) => Ok(Some(object)),
            Err(ClusterError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads all objects of a kind that a selector names; in all namespaces without `namespace`. Pages are put
    /// together, and show one moment.
    ///
    /// # Errors
    ///
    /// Whatever stood in the way; a list is whole or not there.
    pub async fn list(
        &self,
        resource: &Resolved,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<Listed, ClusterError> {
        let mut listed = Listed { items: Vec::new(), resource_version: String::new() };
        let mut next = String::new();
        loop {
            let call = Call::new(Method::GET, "list", resource.path(namespace)?)
                .about(resource.full_plural(), namespace)
                .query("limit", PAGE);
            let call = selector.add_to(call).query_opt("continue", (!next.is_empty()).then(|| next.clone()));
            let page: Page = self.ask(call).await?;
            // Items of a typed list carry neither `apiVersion` nor `kind`.
            let kind = page.kind.strip_suffix("List").filter(|kind| !kind.is_empty()).unwrap_or(&resource.kind);
            let api_version =
                if page.api_version.is_empty() { resource.api_version() } else { page.api_version.clone() };
            listed.items.extend(page.items.unwrap_or_default().into_iter().map(|item| typed(item, &api_version, kind)));
            listed.resource_version = page.metadata.resource_version;
            next = page.metadata.next;
            if next.is_empty() {
                return Ok(listed);
            }
        }
    }

    /// Writes an object by server-side apply, as field manager [`FIELD_MANAGER`]. `object` holds exactly the fields
    /// that are wanted.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Conflict`] with the owners where someone else manages a field and `force` is off.
    pub async fn apply(
        &self,
        at: &ObjectAddress,
        object: &Value,
        options: ApplyOptions,
    ) -> Result<Written, ClusterError> {
        self.do_apply(at, object, options, Mode::Real).await
    }

    /// Creates an object.
    ///
    /// # Errors
    ///
    /// [`ClusterError::AlreadyExists`] where one of that name is there.
    pub async fn create(&self, at: &ObjectAddress, object: &Value) -> Result<Written, ClusterError> {
        self.do_create(at, object, Mode::Real).await
    }

    /// Replaces an object as a whole. With `metadata.resourceVersion` in it, only if nobody wrote since.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Conflict`] where somebody wrote since.
    pub async fn replace(&self, at: &ObjectAddress, object: &Value) -> Result<Written, ClusterError> {
        self.do_replace(at, object, Mode::Real).await
    }

    /// Changes parts of an object.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where there is none to change.
    pub async fn patch(&self, at: &ObjectAddress, patch: &Patch) -> Result<Written, ClusterError> {
        self.do_patch(at, patch, Mode::Real).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where there is none; [`ClusterError::Conflict`] where the preconditions of `options`
    /// do not hold.
    pub async fn delete(&self, at: &ObjectAddress, options: &DeleteOptions) -> Result<Deleted, ClusterError> {
        self.do_delete(at, options, Mode::Real).await
    }

    pub(super) async fn do_apply(
        &self,
        at: &ObjectAddress,
        object: &Value,
        options: ApplyOptions,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let call = at
            .call(Method::PATCH, "patch")?
            .query("fieldManager", FIELD_MANAGER)
            .query_opt("force", options.force.then_some("true"))
            .query("fieldValidation", "Strict");
        // JSON is YAML, and the server wants this type.
        self.write(call.content_type("application/apply-patch+yaml").json(object), mode).await
    }

    pub(super) async fn do_create(
        &self,
        at: &ObjectAddress,
        object: &Value,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let path = at.resource.path(at.namespace.as_deref())?;
        let call = Call::new(Method::POST, "create", path)
            .about(at.resource.full_plural(), at.namespace.as_deref())
            .query("fieldManager", FIELD_MANAGER)
            .query("fieldValidation", "Strict");
        self.write(call.json(object), mode).await
    }

    pub(super) async fn do_replace(
        &self,
        at: &ObjectAddress,
        object: &Value,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let call = at.call(Method::PUT, "update")?.query("fieldManager", FIELD_MANAGER);
        self.write(call.json(object), mode).await
    }

    pub(super) async fn do_patch(
        &self,
        at: &ObjectAddress,
        patch: &Patch,
        mode: Mode,
    ) -> Result<Written, ClusterError> {
        let (content_type, body) = match patch {
            Patch::Merge(body) => ("application/merge-patch+json", body),
            Patch::Json(body) => ("application/json-patch+json", body),
            Patch::Strategic(body) => ("application/strategic-merge-patch+json", body),
        };
        let call =
            at.call(Method::PATCH, "patch")?.query("fieldManager", FIELD_MANAGER).query("fieldValidation", "Strict");
        self.write(call.content_type(content_type).json(body), mode).await
    }

    pub(super) async fn do_delete(
        &self,
        at: &ObjectAddress,
        options: &DeleteOptions,
        mode: Mode,
    ) -> Result<Deleted, ClusterError> {
        let propagation = match options.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
        let mut preconditions = serde_json::Map::new();
        for (key, value) in [("uid", &options.uid), ("resourceVersion", &options.resource_version)] {
            if let Some(value) = value {
                preconditions.insert(key.to_owned(), json!(value));
            }
        }
        if !preconditions.is_empty() {
            body["preconditions"] = Value::Object(preconditions);
        }
        let answer = self.write(at.call(Method::DELETE, "delete")?.json(&body), mode).await?.object;
        // Some kinds are answered with a status, others with the object itself: the last state of one that is gone,
        // or the present one of an object that something still holds.
        let held = !answer.pointer("/metadata/deletionTimestamp").is_none_or(Value::is_null);
        Ok(if held { Deleted::Started(Box::new(answer)) } else { Deleted::Gone })
    }

    async fn write(&self, call: Call, mode: Mode) -> Result<Written, ClusterError> {
        let call = match mode {
            Mode::Real => call,
            Mode::Dry => call.query("dryRun", "All"),
        };
        let asked = call.asked(self.request_timeout());
        let answer = self.send(call).await?;
        Ok(Written { object: decode(&answer.body, &asked)?, warnings: answer.warnings })
    }
}

/// An item of a list with the type that the list has for all of them, in front as elsewhere.
fn typed(item: Value, api_version: &str, kind: &str) -> Value {
    let Value::Object(fields) = item else {
        return item;
    };
    let mut object = serde_json::Map::with_capacity(fields.len() + 2);
    object.insert("apiVersion".to_owned(), json!(api_version));
    object.insert("kind".to_owned(), json!(kind));
    object.extend(fields);
    Value::Object(object)
}
