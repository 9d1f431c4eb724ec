//! Reading objects from request bodies.
//!
//! Invariant: what comes out is an object of the kind that the URL names, with the URL's name and namespace.

use serde_json::{Map, Value};

use super::service::Call;
use crate::schema::Resource;
use crate::status::{Cause, Status};
use crate::store::meta;

impl Call<'_> {
    /// The body as a generic document: JSON, YAML, or protobuf for a kind of Kubernetes' own.
    pub(super) fn document(&self) -> Result<Value, Status> {
        match self.content_type.as_str() {
            "application/yaml" | "application/apply-patch+yaml" => parse_yaml(&self.body),
            "" | "application/json" | "*/*" => parse_json(&self.body).map_err(|problem| {
                let shown = String::from_utf8_lossy(&self.body[..self.body.len().min(1024)]).into_owned();
                Status::bad_request(format!(
                    "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: \
                     {problem} ({shown})",
                    self.resource.kind
                ))
            }),
            "application/vnd.kubernetes.protobuf" if !self.resource.is_custom() => super::protobuf::parse(&self.body),
            _ => Err(Status::unsupported_media_type(&["application/json", "application/yaml"])),
        }
    }

    /// The body as an object of the resource's kind.
    pub(super) fn object(&self) -> Result<Value, Status> {
        let mut object = self.document()?;
        self.settle(&mut object)?;
        Ok(object)
    }

    /// Checks kind and version, and settles name and namespace with the URL.
    pub(super) fn settle(&self, object: &mut Value) -> Result<(), Status> {
        check_kind(self.resource, object).map_err(|refusal| self.refused_kind(refusal, object))?;
        let namespace = self.path.namespace.as_deref().unwrap_or_default();
        let own = meta::namespace(object);
        if !own.is_empty() && own != namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Status::bad_request(message));
        }
        if self.resource.namespaced {
            meta::metadata(object).insert("namespace".into(), namespace.into());
        }
        let Some(name) = &self.path.name else { return Ok(()) };
        let own = meta::name(object);
        if own.is_empty() {
            meta::metadata(object).insert("name".into(), name.as_str().into());
        } else if own != name {
            let message = format!("the name of the object ({own}) does not match the name on the URL ({name})");
            return Err(Status::bad_request(message));
        }
        Ok(())
    }
}

impl Call<'_> {
    /// The refusal of a kind in the words for custom resources, whose decoder knows no types.
    fn refused_kind(&self, refusal: Status, object: &Value) -> Status {
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let (kind, version) = (text("kind"), text("apiVersion"));
        if !self.resource.is_custom() || !object.is_object() {
            return refusal;
        }
        if kind.is_empty() {
            let body = String::from_utf8_lossy(&self.body);
            let problem = format!("Object 'Kind' is missing in '{body}' ({body})");
            let wanted = &self.resource.kind;
            return Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {wanted}): {problem}"
            ));
        }
        if version == self.resource.api_version() && kind != self.resource.kind {
            let cause = Cause::invalid("kind", &kind.into(), &format!("must be {}", self.resource.kind));
            return Status::invalid(&self.resource.group, kind, meta::name(object), vec![cause]);
        }
        refusal
    }
}

fn check_kind(resource: &Resource, object: &mut Value) -> Result<(), Status> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let expected = resource.api_version();
    let Some(map) = object.as_object_mut() else {
        let message = format!("the object provided is unrecognized (must be of type {})", resource.kind);
        return Err(Status::bad_request(message));
    };
    if kind.is_empty() && api_version.is_empty() && !resource.is_custom() {
        map.insert("kind".into(), resource.kind.as_str().into());
        map.insert("apiVersion".into(), expected.into());
        return Ok(());
    }
    if kind.is_empty() {
        let shown = Value::Object(map.clone());
        return Err(Status::bad_request(format!("Object 'Kind' is missing in '{shown}'")));
    }
    if api_version != expected {
        let message =
            format!("the API version in the data ({api_version}) does not match the expected API version ({expected})");
        return Err(Status::bad_request(message));
    }
    if kind != resource.kind {
        let (own, version) = (&resource.kind, &resource.version);
        let package =
            if resource.group.is_empty() { "core" } else { resource.group.split('.').next().unwrap_or("core") };
        let message = format!(
            "{kind} in version {version:?} cannot be handled as a {own}: converting ({version}.{kind}) to ({package}.{own}): \
             unknown conversion"
        );
        return Err(Status::bad_request(message));
    }
    Ok(())
}

/// YAML as kubectl reads it: version 1.1 booleans are the parser's own, octal numbers need to be asked for.
pub(super) fn parse_yaml(bytes: &[u8]) -> Result<Value, Status> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
    if let Ok(json) = serde_json::from_str(text) {
        return Ok(json);
    }
    let options = serde_yaml::options! { legacy_octal_numbers: true };
    let value: Value = serde_yaml::from_str_with_options(text, options)
        .map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
    Ok(whole_numbers(value))
}

/// The parser reads legacy octals as floating point numbers; integral ones become integers again.
fn whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53, checked in the guard")]
                let integer = float as i64;
                integer.into()
            }
            _ => Value::Number(number),
        },
        Value::Array(list) => list.into_iter().map(whole_numbers).collect(),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, whole_numbers(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Parses JSON; the problem is told in the words of Go's decoder.
pub(super) fn parse_json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| go_syntax_error(bytes, &error))
}

fn go_syntax_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line_start: usize =
        bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = (line_start + error.column()).saturating_sub(1);
    let found = bytes.get(at).map_or(' ', |byte| char::from(*byte));
    let text = error.to_string();
    let place = if text.starts_with("key must be a string") {
        "looking for beginning of object key string"
    } else if text.starts_with("expected `:`") {
        "after object key"
    } else if text.starts_with("expected `,` or `}`") {
        "after object key:value pair"
    } else if text.starts_with("expected `,` or `]`") {
        "after array element"
    } else if text.starts_with("trailing characters") {
        "after top-level value"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{found}' {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_problems_are_told_as_go_tells_them() {
        let problem = |text: &str| parse_json(text.as_bytes()).unwrap_err();
        assert_eq!(problem("{nope"), "invalid character 'n' looking for beginning of object key string");
        assert_eq!(problem("{\"a\" 1}"), "invalid character '1' after object key");
        assert_eq!(problem("{\"a\": 1 2}"), "invalid character '2' after object key:value pair");
        assert_eq!(problem("[1 2]"), "invalid character '2' after array element");
        assert_eq!(problem("{"), "unexpected end of JSON input");
    }

    #[test]
    fn yaml_octals_are_integers() {
        let value = parse_yaml(b"mode: 0644\nratio: 1.5\n").expect("YAML");
        assert_eq!(value, serde_json::json!({"mode": 420, "ratio": 1.5}));
    }
}
