//! Lists, and deletion of everything that a list selects.
//!
//! Invariant: a list is one state of the store, also when it is read in pieces.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::body::Body;
use super::decode::{go_kind, parse_json};
use super::options::{ListOptions, RevisionMatch};
use super::selector::Selector;
use super::service::Call;
use super::verbs::in_version;
use crate::schema::{Resource, Shown, members};
use crate::status::Status;
use crate::store::{Listing, ObjectKey, meta};

/// In a token: go on with the newest state.
const NEWEST: i64 = -1;

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
        let options = ListOptions::parse(self.query, false)?;
        let resume = options
            .continue_token
            .as_deref()
            .map(|token| read_continue(token, self.path.namespace.as_deref()))
            .transpose()?;
        if resume.is_some() && options.revision.is_some_and(|revision| revision != 0) {
            return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
        }
        let listing = self.listing(&options, resume.as_ref())?;
        let mut rest = listing.items.as_slice();
        if let Some(Resume { after, .. }) = &resume {
            rest = &rest[rest.partition_point(|object| key_of(object) < *after)..];
        }
        // The newest state that is at hand is always given whole.
        let limit = options.limit.filter(|_| options.revision != Some(0)).unwrap_or(usize::MAX);
        let mut items = Vec::with_capacity(rest.len().min(limit));
        while items.len() < limit
            && let Some((object, after)) = rest.split_first()
        {
            rest = after;
            if selector.matches(object) {
                items.push(object);
            }
        }
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), listing.revision.to_string().into());
        // Whether what is left is selected, the next piece will tell.
        if !rest.is_empty()
            && let Some(last) = items.last()
        {
            metadata.insert("continue".into(), self.token(listing.revision, last).into());
            if selector.is_empty() {
                metadata.insert("remainingItemCount".into(), rest.len().into());
            }
        }
        Ok(self.respond(StatusCode::OK, &self.list_of(&items, &metadata)))
    }

    /// The state that the options ask for.
    fn listing(&self, options: &ListOptions, resume: Option<&Resume>) -> Result<Listing, Status> {
        let at = self.resource.group_resource();
        let now = self.store.revision();
        let exact = match (resume, options.revision, options.revision_match) {
            (Some(resume), ..) => u64::try_from(resume.revision).ok(),
            (None, Some(revision), Some(RevisionMatch::Exact)) => Some(revision),
            (None, Some(revision), None) if revision != 0 && options.limit.is_some() => Some(revision),
            _ => None,
        };
        if let Some(asked) = exact.or(options.revision).filter(|asked| *asked > now) {
            return Err(Status::revision_too_large(asked, now));
        }
        let Some(revision) = exact else { return Ok(self.store.list(&at, self.namespace())) };
        self.store.list_at(&at, self.namespace(), revision).map_err(|_| match resume {
            Some(resume) => Status::continue_expired(write_continue(NEWEST, &resume.start)),
            None => Status::expired("The resourceVersion for the provided list is too old."),
        })
    }

    /// The place right behind an object. Within one namespace tokens don't name it.
    fn token(&self, revision: u64, last: &Value) -> String {
        let (namespace, name) = (meta::namespace(last), meta::name(last));
        let start = if self.path.namespace.is_some() || !self.resource.namespaced {
            format!("{name}\u{0}")
        } else {
            format!("{namespace}/{name}\u{0}")
        };
        write_continue(i64::try_from(revision).unwrap_or(i64::MAX), &start)
    }

    fn list_of<'l>(&'l self, items: &'l [&'l Arc<Value>], metadata: &'l Map<String, Value>) -> Listed<'l> {
        match self.representation.list(self.resource, items, metadata, self.store) {
            Some(list) => Listed::Shown(list),
            None => Listed::Plain { resource: self.resource, items, metadata },
        }
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
        metadata.insert("resourceVersion".into(), listing.revision.to_string().into());
        Ok(self.respond(StatusCode::OK, &self.list_of(&items, &metadata)))
    }
}

/// A list as it is written: objects go from the store to the client without a copy.
enum Listed<'l> {
    /// In another representation.
    Shown(Value),
    /// As they are.
    Plain { resource: &'l Resource, items: &'l [&'l Arc<Value>], metadata: &'l Map<String, Value> },
}

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (resource, items, metadata) = match self {
            Self::Shown(list) => return list.serialize(serializer),
            Self::Plain { resource, items, metadata } => (resource, items, metadata),
        };
        let (api_version, custom) = (resource.api_version(), resource.is_custom());
        let items: Vec<Item<'_>> = items.iter().map(|object| Item { object, resource }).collect();
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", &resource.list_kind)?;
        map.serialize_entry("apiVersion", &api_version)?;
        if custom && !metadata.contains_key("continue") {
            // Go holds these lists without types, and never leaves this member out.
            let mut metadata = (*metadata).clone();
            metadata.insert("continue".into(), "".into());
            map.serialize_entry("metadata", &metadata)?;
        } else {
            map.serialize_entry("metadata", metadata)?;
        }
        map.serialize_entry("items", &items)?;
        map.end()
    }
}

/// An item of a list: custom ones in the list's version, built-in ones without what the list says already.
struct Item<'l> {
    object: &'l Value,
    resource: &'l Resource,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.resource.is_custom() {
            return Shown(&in_version(self.resource, self.object)).serialize(serializer);
        }
        let members = self.object.as_object().into_iter().flat_map(members);
        serializer.collect_map(members.filter(|(key, _)| !matches!(key.as_str(), "kind" | "apiVersion")))
    }
}

fn key_of(object: &Value) -> ObjectKey {
    ObjectKey::new(meta::namespace(object), meta::name(object))
}

/// What a token says.
struct Resume {
    /// Revision of the list, or [`NEWEST`].
    revision: i64,
    /// The place as the token names it.
    start: String,
    /// The first key that is still owed.
    after: ObjectKey,
}

fn write_continue(revision: i64, start: &str) -> String {
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

/// Reads a token.
///
/// # Errors
/// 400 in the words of the server; what its decoders say of broken bytes is told as far as it names the place.
fn read_continue(token: &str, namespace: Option<&str>) -> Result<Resume, Status> {
    let invalid =
        |problem: &str| Status::bad_request(format!("invalid continue token: continue key is not valid{problem}"));
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            _ => token.len(),
        };
        invalid(&format!(": illegal base64 data at input byte {at}"))
    })?;
    let token = parse_json(&bytes).map_err(|problem| invalid(&format!(": {problem}")))?;
    let Some(members) = token.as_object() else {
        let kind = go_kind(&token);
        return Err(invalid(&format!(": json: cannot unmarshal {kind} into Go value of type storage.continueToken")));
    };
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("v") != "meta.k8s.io/v1" {
        return Err(invalid(&format!(": server does not recognize this encoded version {}", text("v"))));
    }
    let revision = members.get("rv").and_then(Value::as_i64).unwrap_or(0);
    if revision == 0 {
        return Err(invalid(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)"));
    }
    let start = text("start");
    if start.is_empty() {
        return Err(invalid(": encoded start key empty (version meta.k8s.io/v1)"));
    }
    let path = start.strip_prefix('/').unwrap_or(start);
    if path.split('/').any(|piece| matches!(piece, "" | "." | "..")) {
        return Err(invalid(&format!(": {start}")));
    }
    let after = match (namespace, path.split_once('/')) {
        (Some(namespace), _) => ObjectKey::new(namespace, path),
        (None, Some((namespace, name))) => ObjectKey::new(namespace, name),
        (None, None) => ObjectKey::new("", path),
    };
    Ok(Resume { revision, start: start.to_owned(), after })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(token: &str) -> String {
        read_continue(token, None).err().expect("refused").message
    }

    #[test]
    fn tokens_come_back_and_broken_ones_are_told_as_the_server_tells_them() {
        let resume = read_continue(&write_continue(7, "a\u{0}"), Some("rec")).expect("a token");
        assert_eq!((resume.revision, resume.after), (7, ObjectKey::new("rec", "a\u{0}")));
        let refused = "invalid continue token: continue key is not valid: ";
        assert_eq!(problem("{}"), format!("{refused}illegal base64 data at input byte 0"));
        assert_eq!(problem("abc"), format!("{refused}invalid character 'i' looking for beginning of value"));
        assert_eq!(
            problem(&write_continue(0, "a")),
            format!("{refused}incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
        );
        assert_eq!(problem(&write_continue(3, "../a")), format!("{refused}../a"));
    }
}
