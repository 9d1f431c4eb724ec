//! Kinds that are questions: who am I, may I, whose token is this; and the one that is answered with a token.
//!
//! Invariant: a review is answered and never stored.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::{Body, add_warnings, json_response};
use super::service::Call;
use crate::access::{Attributes, Decision, ISSUER, Rule, TokenRequest, User};
use crate::clock::rfc3339_seconds;
use crate::schema::{Decoded, Node, Ownership, Resource, Shown, track_update, zero_value};
use crate::status::{Cause, Status};
use crate::store::{GroupResource, meta};

const AUTHORIZATION: &str = "authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The life of a token when the request does not say, in seconds.
const TOKEN_SECONDS: i64 = 3600;

/// Whether the resource is answered here.
pub(super) fn is_review(resource: &Resource) -> bool {
    matches!(resource.group.as_str(), AUTHORIZATION | AUTHENTICATION)
}

/// Answers a review.
pub(super) fn create(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let mut object = call.object()?;
    let kind = Kind { node: call.resource.node(), name: &call.resource.kind, api_version: call.resource.api_version() };
    let warnings = kind.decode(&mut object)?;
    let status = match call.resource.kind.as_str() {
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            kind.book(call, &mut object, "");
            access(call, &object)?
        }
        "TokenReview" => {
            kind.book(call, &mut object, "");
            token(call, &object)?
        }
        "SelfSubjectReview" => {
            let now = rfc3339_seconds(call.store.clock().now());
            meta::metadata(&mut object).insert("creationTimestamp".into(), now.into());
            json!({"userInfo": call.user.to_json()})
        }
        "SelfSubjectRulesReview" => {
            let namespace = object.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
            if namespace.is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            // The real server forgets what was asked, too.
            set(&mut object, "spec", json!({}));
            rules(call, &namespace)
        }
        kind => return Err(Status::not_simulated(kind)),
    };
    set(&mut object, "status", status);
    let mut response = json_response(StatusCode::CREATED, &Shown(&object));
    add_warnings(&mut response, &warnings);
    Ok(response)
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// What a request's object is.
struct Kind<'a> {
    node: Option<Node<'a>>,
    name: &'a str,
    api_version: String,
}

impl Kind<'_> {
    /// Puts the fields in order. Answers with warnings about those that the kind does not have.
    fn decode(&self, object: &mut Value) -> Result<Vec<String>, Status> {
        let Some(node) = self.node else { return Ok(Vec::new()) };
        let decoded = Decoded::builtin(node, object);
        if let Some(problem) = decoded.mistyped {
            let (kind, version) = (self.name, self.api_version.rsplit('/').next().unwrap_or_default());
            let message = format!("{kind} in version {version:?} cannot be handled as a {kind}: {problem}");
            return Err(Status::bad_request(message));
        }
        Ok(decoded.unknown.iter().map(|path| format!("unknown field {path:?}")).collect())
    }

    /// Books the fields to who sent them.
    fn book(&self, call: &Call<'_>, object: &mut Value, subresource: &str) {
        let Some(node) = self.node else { return };
        let now = rfc3339_seconds(call.store.clock().now());
        let owner = Ownership {
            manager: &call.manager,
            api_version: &self.api_version,
            subresource,
            now: &now,
            without_status: true,
        };
        track_update(Some(node), &zero_value(node), object, &owner);
    }
}

fn text(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list(object: &Value, key: &str) -> Vec<String> {
    let items = object.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The status of a review of access.
fn access(call: &Call<'_>, object: &Value) -> Result<Value, Status> {
    let spec = &object["spec"];
    let causes = mistakes(call, object, spec);
    if !causes.is_empty() {
        return Err(Status::invalid(AUTHORIZATION, "", "", causes));
    }
    let asked = match spec.get("nonResourceAttributes") {
        Some(asked) => {
            Attributes { verb: text(asked, "verb"), path: Some(text(asked, "path")), ..Attributes::default() }
        }
        None => {
            let asked = &spec["resourceAttributes"];
            Attributes {
                verb: text(asked, "verb"),
                group: text(asked, "group"),
                resource: text(asked, "resource"),
                subresource: text(asked, "subresource"),
                namespace: text(asked, "namespace"),
                name: text(asked, "name"),
                path: None,
            }
        }
    };
    let Decision { allowed, reason } = if call.resource.kind == "SelfSubjectAccessReview" {
        call.access.decide(call.user, &asked)
    } else {
        call.access.decide(&subject(spec), &asked)
    };
    Ok(if reason.is_empty() { json!({"allowed": allowed}) } else { json!({"allowed": allowed, "reason": reason}) })
}

/// Whom a review of somebody else's access is about.
fn subject(spec: &Value) -> User {
    let extra = spec.get("extra").and_then(Value::as_object).into_iter().flatten();
    let extra: BTreeMap<String, Vec<String>> = extra.map(|(key, _)| (key.clone(), list(&spec["extra"], key))).collect();
    User { name: text(spec, "user"), uid: text(spec, "uid"), groups: list(spec, "groups"), extra }
}

fn mistakes(call: &Call<'_>, object: &Value, spec: &Value) -> Vec<Cause> {
    let local = call.resource.kind == "LocalSubjectAccessReview";
    let mut causes = Vec::new();
    let (resource, other) = (spec.get("resourceAttributes"), spec.get("nonResourceAttributes"));
    let shown = |asked: &Value| json!({"Path": text(asked, "path"), "Verb": text(asked, "verb")});
    match (resource, other) {
        (Some(_), Some(other)) => {
            let why = "cannot be specified in combination with resourceAttributes";
            causes.push(Cause::invalid("spec.nonResourceAttributes", &shown(other), why));
        }
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            causes.push(Cause::invalid("spec.resourceAttributes", &Value::Null, why));
        }
        _ => {}
    }
    if call.resource.kind != "SelfSubjectAccessReview"
        && text(spec, "user").is_empty()
        && list(spec, "groups").is_empty()
    {
        causes.push(Cause::invalid("spec.user", &"".into(), "at least one of user or group must be specified"));
    }
    let named = object["metadata"]
        .as_object()
        .is_some_and(|metadata| metadata.keys().any(|key| key != "managedFields" && !(local && key == "namespace")));
    if named {
        causes.push(Cause::invalid("metadata", &object["metadata"], "must be empty"));
    }
    if local {
        if resource.is_some_and(|asked| text(asked, "namespace") != call.namespace()) {
            let namespace = text(&spec["resourceAttributes"], "namespace");
            let field = "spec.resourceAttributes.namespace";
            causes.push(Cause::invalid(field, &namespace.into(), "must match metadata.namespace"));
        }
        if let Some(other) = other {
            let why = "disallowed on this kind of request";
            causes.push(Cause::invalid("spec.nonResourceAttributes", &shown(other), why));
        }
    }
    causes
}

/// The status of a review of one's own rules.
fn rules(call: &Call<'_>, namespace: &str) -> Value {
    let (rules, unread) = call.access.rules(call.user, namespace);
    let resource = |rule: &Rule| {
        let mut map = Map::new();
        map.insert("verbs".into(), rule.verbs.clone().into());
        for (key, list) in
            [("apiGroups", &rule.api_groups), ("resources", &rule.resources), ("resourceNames", &rule.resource_names)]
        {
            if !list.is_empty() {
                map.insert(key.into(), list.clone().into());
            }
        }
        Value::Object(map)
    };
    let resources: Vec<Value> = rules.iter().filter(|rule| !rule.resources.is_empty()).map(resource).collect();
    let others = rules.iter().filter(|rule| !rule.non_resource_urls.is_empty());
    let others: Vec<Value> =
        others.map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls})).collect();
    let mut status = json!({"resourceRules": resources, "nonResourceRules": others, "incomplete": false});
    if let Some(unread) = unread {
        set(&mut status, "evaluationError", unread.into());
    }
    status
}

/// The status of a review of a token.
fn token(call: &Call<'_>, object: &Value) -> Result<Value, Status> {
    let spec = &object["spec"];
    let token = text(spec, "token");
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let mut audiences = list(spec, "audiences");
    if audiences.is_empty() {
        audiences.push(ISSUER.to_owned());
    }
    Ok(match call.access.review(&token, &audiences) {
        Ok((user, audiences)) => json!({"authenticated": true, "user": user.to_json(), "audiences": audiences}),
        Err(error) => json!({"user": {}, "error": error}),
    })
}

/// `POST serviceaccounts/NAME/token`.
pub(super) fn issue_token(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let kind = Kind {
        node: Node::named("io.k8s.api.authentication.v1.TokenRequest"),
        name: "TokenRequest",
        api_version: "authentication.k8s.io/v1".to_owned(),
    };
    let mut object = call.document()?;
    if !object.is_object() || object.get("kind").is_some_and(|given| given != kind.name) {
        return Err(Status::bad_request("the object provided is unrecognized (must be of type TokenRequest)"));
    }
    let warnings = kind.decode(&mut object)?;
    let key = call.key();
    let account = call.store.get(&GroupResource::SERVICE_ACCOUNTS, &key.namespace, &key.name);
    let account = account.ok_or_else(|| call.missing())?;
    let spec = meta::child(&mut object, "spec");
    let mut audiences = list(&Value::Object(spec.clone()), "audiences");
    let given = !audiences.is_empty();
    if !given {
        audiences.push(ISSUER.to_owned());
    }
    let seconds = spec.get("expirationSeconds").and_then(Value::as_i64).unwrap_or(TOKEN_SECONDS);
    spec.entry("expirationSeconds").or_insert_with(|| seconds.into());
    kind.book(call, &mut object, "token");
    let why = match seconds {
        ..600 => "may not specify a duration less than 10 minutes",
        4_294_967_297.. => "may not specify a duration larger than 2^32 seconds",
        _ => "",
    };
    if !why.is_empty() {
        let cause = Cause::invalid("spec.expirationSeconds", &seconds.into(), why);
        return Err(Status::invalid(AUTHENTICATION, "TokenRequest", "", vec![cause]));
    }
    let bound = bound(call, object.pointer("/spec/boundObjectRef"))?;
    let bound_to = bound.as_ref().map(|(kind, name, uid)| (*kind, name.as_str(), uid.as_str()));
    let request = TokenRequest { account: &account, audiences: &audiences, seconds, bound: bound_to };
    let (token, expires) = call.access.issue(&request);
    let mut metadata = json!({
        "name": key.name, "namespace": key.namespace, "uid": meta::uid(&account),
        "creationTimestamp": rfc3339_seconds(call.store.clock().now()),
    });
    set(&mut metadata, "managedFields", object["metadata"]["managedFields"].take());
    let reference = object.pointer("/spec/boundObjectRef").cloned().unwrap_or_default();
    let answer = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": metadata,
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
        "status": {"token": token, "expirationTimestamp": rfc3339_seconds(expires)},
    });
    let mut response = json_response(StatusCode::CREATED, &Shown(&answer));
    add_warnings(&mut response, &warnings);
    Ok(response)
}

/// Kind in lower case, name and uid of what a token is bound to.
fn bound(call: &Call<'_>, reference: Option<&Value>) -> Result<Option<(&'static str, String, String)>, Status> {
    let Some(reference) = reference.filter(|reference| !reference.is_null()) else { return Ok(None) };
    let (version, kind, name) = (text(reference, "apiVersion"), text(reference, "kind"), text(reference, "name"));
    let (at, kind, namespace) = match (version.as_str(), kind.as_str()) {
        ("v1", "Pod") => (GroupResource::PODS, "pod", call.namespace()),
        ("v1", "Secret") => (GroupResource::SECRETS, "secret", call.namespace()),
        ("v1", "Node") => (GroupResource::NODES, "node", ""),
        _ => {
            let (group, version) = version.split_once('/').unwrap_or(("", &version));
            let why = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
            return Err(Status::bad_request(why));
        }
    };
    let object = call.store.get(&at, namespace, &name).ok_or_else(|| Status::not_found("", &at.resource, &name))?;
    let (real, given) = (meta::uid(&object).to_owned(), text(reference, "uid"));
    if !given.is_empty() && given != real {
        let why = format!(
            "the UID in the bound object reference ({given}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict("", &at.resource, &name, &why));
    }
    Ok(Some((kind, name, real)))
}
