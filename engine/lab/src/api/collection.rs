//! Lists, and deletion of everything that a list selects.
//!
//! Invariant: a list is one state of the store, also when it is read in pieces.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::{Body, json_response};
use super::selector::Selector;
use super::service::Call;
use super::verbs::in_version;
use crate::status::Status;
use crate::store::{ObjectKey, meta};

impl Call<'_> {
    /// The selectors of the request.
    pub(super) fn selector(&self) -> Result<Selector, Status> {
        let mut selector =
            Selector::parse(self.query.get("labelSelector"), self.query.get("fieldSelector"), self.resource)?;
        if let Some(name) = &self.path.name {
            selector.select_name(name);
        }
        Ok(selector)
    }

    pub(super) fn list(&self) -> Result<Response<Body>, Status> {
        let selector = self.selector()?;
        let limit = match self.query.integer("limit")? {
            Some(limit) if limit > 0 => usize::try_from(limit).ok(),
            _ => None,
        };
        let listing = self.store.list(&self.resource.group_resource(), self.namespace());
        let mut items: Vec<&Arc<Value>> = listing.items.iter().filter(|object| selector.matches(object)).collect();
        let mut revision = listing.revision;
        if let Some(token) = self.query.get("continue") {
            let (from, key) = read_continue(token)?;
            revision = from;
            items.retain(|object| ObjectKey::new(meta::namespace(object), meta::name(object)) > key);
        }
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), revision.to_string().into());
        if let Some(limit) = limit.filter(|limit| items.len() > *limit) {
            let left = items.len() - limit;
            items.truncate(limit);
            if let Some(last) = items.last() {
                metadata.insert("continue".into(), write_continue(revision, last).into());
            }
            if selector.is_empty() {
                metadata.insert("remainingItemCount".into(), left.into());
            }
        }
        Ok(json_response(StatusCode::OK, &self.list_of(&items, &metadata)))
    }

    fn list_of(&self, items: &[&Arc<Value>], metadata: &Map<String, Value>) -> Value {
        if let Some(list) = self.representation.list(self.resource, items, metadata, self.store) {
            return list;
        }
        let items: Vec<Value> = items.iter().map(|object| self.item(object)).collect();
        json!({
            "kind": self.resource.list_kind,
            "apiVersion": self.resource.api_version(),
            "metadata": metadata,
            "items": items,
        })
    }

    /// An item of a list: built-in kinds leave out what the list says already.
    fn item(&self, object: &Value) -> Value {
        let mut item = in_version(self.resource, object).into_owned();
        if !self.resource.is_custom()
            && let Some(map) = item.as_object_mut()
        {
            map.shift_remove("kind");
            map.shift_remove("apiVersion");
        }
        item
    }

    pub(super) fn delete_collection(&self) -> Result<Response<Body>, Status> {
        if !self.resource.verbs.iter().any(|verb| verb == "deletecollection") {
            return Err(Status::method_not_allowed());
        }
        let (selector, options) = (self.selector()?, self.delete_options()?);
        let at = self.resource.group_resource();
        let listing = self.store.list(&at, self.namespace());
        let items: Vec<&Arc<Value>> = listing.items.iter().filter(|object| selector.matches(object)).collect();
        for object in &items {
            match self.store.delete(&at, meta::namespace(object), meta::name(object), &options) {
                Ok(_) => {}
                Err(status) if status.reason == "NotFound" => {}
                Err(status) => return Err(status),
            }
        }
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), self.store.revision().to_string().into());
        Ok(json_response(StatusCode::OK, &self.list_of(&items, &metadata)))
    }
}

/// A token to go on after `last`.
fn write_continue(revision: u64, last: &Value) -> String {
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "ns": meta::namespace(last), "start": meta::name(last)});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn read_continue(token: &str) -> Result<(u64, ObjectKey), Status> {
    let invalid = || Status::bad_request("continue key is not valid");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    let text = |name: &str| token.get(name).and_then(Value::as_str).ok_or_else(invalid);
    let revision = token.get("rv").and_then(Value::as_u64).ok_or_else(invalid)?;
    Ok((revision, ObjectKey::new(text("ns")?, text("start")?)))
}
