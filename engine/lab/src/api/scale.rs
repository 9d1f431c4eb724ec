//! The scale subresource: a count seen through `autoscaling/v1`.
//!
//! Invariant: it alters the desired count and nothing else.

use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::Body;
use super::service::Call;
use crate::status::Status;

impl Call<'_> {
    pub(super) fn scale(&self, method: &Method) -> Result<Response<Body>, Status> {
        let key = self.key();
        let at = self.resource.group_resource();
        if *method == Method::GET {
            let object = self.store.get(&at, &key.namespace, &key.name).ok_or_else(|| self.missing())?;
            if self.resource.is_custom() && object.pointer(&self.count_path()).is_none() {
                let path = self.count_path().replace('/', ".");
                return Err(Status::internal(format!("the spec replicas field {path:?} does not exist")));
            }
            return Ok(self.respond(StatusCode::OK, &self.as_scale(&object)));
        }
        let options = self.write_options("UpdateOptions")?;
        let body = if *method == Method::PUT { self.document()? } else { self.patch_body()? };
        let count_path = self.count_path();
        let written = self.store.modify_as(&options, self.resource, &key, |old| {
            let mut scale = self.as_scale(old);
            if *method == Method::PUT {
                scale = body.clone();
            } else {
                self.patch_value(&mut scale, &body)?;
            }
            let count = scale.pointer("/spec/replicas").cloned().unwrap_or_else(|| 0.into());
            // A custom resource is refused in the words of its own kind, when it is checked.
            if !count.is_u64() && !self.resource.is_custom() {
                let cause =
                    crate::status::Cause::invalid("spec.replicas", &count, "must be greater than or equal to 0");
                return Err(Status::invalid("autoscaling", "Scale", &key.name, vec![cause]));
            }
            let mut object = old.clone();
            set(&mut object, &count_path, count);
            let version = scale.pointer("/metadata/resourceVersion").cloned().unwrap_or(Value::Null);
            if version.is_string() {
                set(&mut object, "/metadata/resourceVersion", version);
            }
            Ok(object)
        })?;
        Ok(self.respond(StatusCode::OK, &self.as_scale(&written.object)))
    }

    /// JSON pointer of a path in the CRD, or the built-in one.
    fn custom_path(&self, name: &str) -> Option<String> {
        let path = self.resource.custom_version()?.pointer("/subresources/scale")?.get(name)?.as_str()?;
        Some(path.replace('.', "/"))
    }

    fn count_path(&self) -> String {
        self.custom_path("specReplicasPath").unwrap_or_else(|| "/spec/replicas".into())
    }

    fn as_scale(&self, object: &Value) -> Value {
        let mut metadata = Map::new();
        for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            if let Some(value) = object.get("metadata").and_then(|metadata| metadata.get(name)) {
                metadata.insert(name.into(), value.clone());
            }
        }
        let count = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
        let wanted = count(&self.count_path());
        let spec = if wanted == 0 { json!({}) } else { json!({"replicas": wanted}) };
        let counted = self.custom_path("statusReplicasPath").unwrap_or_else(|| "/status/replicas".into());
        let mut status = json!({"replicas": count(&counted)});
        let selector = match self.custom_path("labelSelectorPath") {
            Some(path) => object.pointer(&path).and_then(Value::as_str).unwrap_or_default().to_owned(),
            None => selector_text(object.pointer("/spec/selector")),
        };
        if let Some(status) = status.as_object_mut().filter(|_| !selector.is_empty()) {
            status.insert("selector".into(), selector.into());
        }
        json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status})
    }
}

/// A label selector object as one line.
pub(super) fn selector_text(selector: Option<&Value>) -> String {
    let Some(selector) = selector else { return String::new() };
    let mut terms: Vec<String> = Vec::new();
    for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        terms.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| expression.get(name).and_then(Value::as_str).unwrap_or_default();
        let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        terms.push(match text("operator") {
            "In" => format!("{} in ({})", text("key"), values.join(",")),
            "NotIn" => format!("{} notin ({})", text("key"), values.join(",")),
            "DoesNotExist" => format!("!{}", text("key")),
            _ => text("key").to_owned(),
        });
    }
    terms.sort();
    terms.join(",")
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for piece in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry(piece).or_insert(Value::Null);
    }
    *at = value;
}
