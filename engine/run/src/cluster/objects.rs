//! Where objects are, and reading them.
//!
//! Objects are plain JSON as the server gives them, and always carry their `apiVersion` and `kind`.

use http::Method;
use periplus_core::change::ObjectKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Cluster;
use super::discovery::Resolved;
use super::error::ClusterError;
use super::request::{Call, segment};

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

    pub(super) fn call(&self, method: Method, verb: &'static str) -> Result<Call, ClusterError> {
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
