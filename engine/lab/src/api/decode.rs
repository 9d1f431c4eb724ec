//! Reading objects from request bodies.
//!
//! Invariant: what comes out is an object of the kind that the URL names, with the URL's name and namespace.

use serde_json::{Map, Value};

use super::service::Call;
use crate::schema::{Catalog, Resource};
use crate::status::{Cause, Status};
use crate::store::meta;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

impl Call<'_> {
    /// The body as a generic document: JSON, YAML, or protobuf for a kind of Kubernetes' own.
    ///
    /// # Errors
    /// 415 for another type, 400 for what can't be read as the type it says it is.
    pub(super) fn document(&self) -> Result<Value, Status> {
        let unrecognized = |problem: String| {
            let (kind, start) = (&self.resource.kind, summary(&self.body));
            Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): {problem} ({start})"
            ))
        };
        match self.content_type.as_str() {
            "application/yaml" | "application/apply-patch+yaml" => yaml_value(&self.body).map_err(|problem| {
                if self.content_type == "application/yaml" {
                    unrecognized(problem)
                } else {
                    Status::bad_request(format!("error decoding YAML: {problem}"))
                }
            }),
            "" | "application/json" | "*/*" => parse_json(&self.body)
                .and_then(typed)
                .map_err(|problem| unrecognized(format!("couldn't get version/kind; json parse error: {problem}"))),
            PROTOBUF if !self.resource.is_custom() => {
                if !super::protobuf::is_ours(&self.body) {
                    let problem =
                        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
                    return Err(unrecognized(problem.to_owned()));
                }
                super::protobuf::parse(&self.body)
            }
            _ if self.resource.is_custom() => {
                Err(Status::unsupported_media_type(&["application/json", "application/yaml"]))
            }
            _ => Err(Status::unsupported_media_type(&["application/json", "application/yaml", PROTOBUF])),
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
        check_kind(self.resource, self.store.catalog(), object)
            .map_err(|refusal| self.refused_kind(refusal, object))?;
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

/// The Go type that the server decodes objects of a resource to, which some of its messages name.
pub(super) fn go_type(resource: &Resource, suffix: &str) -> String {
    if resource.is_custom() {
        return format!("unstructured.Unstructured{suffix}");
    }
    let package = match resource.group.as_str() {
        "" | "events.k8s.io" => "core",
        group => group.split('.').next().unwrap_or(group),
    };
    format!("{package}.{}{suffix}", resource.kind)
}

fn check_kind(resource: &Resource, catalog: &Catalog, object: &mut Value) -> Result<(), Status> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let expected = resource.api_version();
    let Some(map) = object.as_object_mut() else {
        let message = format!("the object provided is unrecognized (must be of type {})", resource.kind);
        return Err(Status::bad_request(message));
    };
    if resource.is_custom() {
        return check_custom_kind(resource, map, &kind, &api_version);
    }
    // What the body leaves open is what the URL says.
    let kind = if kind.is_empty() { resource.kind.clone() } else { kind };
    let api_version = if api_version.is_empty() { expected.clone() } else { api_version };
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    if group.contains('/') {
        let (own, start) = (&resource.kind, summary(Value::Object(map.clone()).to_string().as_bytes()));
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {own}): unexpected GroupVersion string: {api_version} ({start})"
        )));
    }
    map.insert("kind".into(), kind.as_str().into());
    map.insert("apiVersion".into(), api_version.as_str().into());
    if api_version == expected && kind == resource.kind {
        return Ok(());
    }
    let own = &resource.kind;
    let unfit = |why: String| {
        Err(Status::bad_request(format!("{kind} in version {version:?} cannot be handled as a {own}: {why}")))
    };
    let Some(other) = catalog.find_kind(group, version, &kind).filter(|other| !other.is_custom()) else {
        return unfit(format!("no kind {kind:?} is registered for version {api_version:?} in scheme {SCHEME:?}"));
    };
    if go_type(&other, "") == go_type(resource, "") {
        let message =
            format!("the API version in the data ({api_version}) does not match the expected API version ({expected})");
        return Err(Status::bad_request(message));
    }
    unfit(format!("converting ({version}.{kind}) to ({}): unknown conversion", go_type(resource, "")))
}

fn check_custom_kind(
    resource: &Resource,
    map: &Map<String, Value>,
    kind: &str,
    api_version: &str,
) -> Result<(), Status> {
    if kind.is_empty() {
        let shown = Value::Object(map.clone());
        return Err(Status::bad_request(format!("Object 'Kind' is missing in '{shown}'")));
    }
    let expected = resource.api_version();
    if api_version != expected {
        let message =
            format!("the API version in the data ({api_version}) does not match the expected API version ({expected})");
        return Err(Status::bad_request(message));
    }
    if kind != resource.kind {
        let (own, version) = (&resource.kind, &resource.version);
        let group = resource.group.split('.').next().unwrap_or("core");
        let why = format!("converting ({version}.{kind}) to ({group}.{own}): unknown conversion");
        let message = format!("{kind} in version {version:?} cannot be handled as a {own}: {why}");
        return Err(Status::bad_request(message));
    }
    Ok(())
}

/// The server's name of where it keeps its kinds.
pub(super) const SCHEME: &str = "pkg/runtime/scheme.go:111";

/// The beginning of a body, as the server shows what it could not read: hexadecimal unless it looks like JSON.
fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = &body[..body.len().min(SHOWN)];
    let more = if body.len() > SHOWN { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(start)),
        Some(_) => {
            let hex: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}

/// Checks that a document can say what it is: an object (or null) whose kind and version are texts.
fn typed(document: Value) -> Result<Value, String> {
    const TYPE_META: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    let Value::Object(map) = &document else {
        if document.is_null() {
            return Ok(Value::Object(Map::new()));
        }
        return Err(format!("json: cannot unmarshal {} into Go value of type {TYPE_META}", go_kind(&document)));
    };
    for name in ["apiVersion", "kind"] {
        if let Some(other) = map.get(name).filter(|value| !value.is_string() && !value.is_null()) {
            return Err(format!(
                "json: cannot unmarshal {} into Go struct field .{name} of type string",
                go_kind(other)
            ));
        }
    }
    Ok(document)
}

/// What Go's decoder calls a value.
pub(super) fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// YAML as kubectl reads it: version 1.1 booleans are the parser's own, octal numbers need to be asked for.
///
/// # Errors
/// 400 for what is no YAML.
pub(super) fn parse_yaml(bytes: &[u8]) -> Result<Value, Status> {
    yaml_value(bytes).map_err(|problem| Status::bad_request(format!("error decoding YAML: {problem}")))
}

fn yaml_value(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("yaml: {error}"))?;
    if let Ok(json) = serde_json::from_str(text) {
        return Ok(json);
    }
    let options = serde_yaml::options! { legacy_octal_numbers: true };
    let value: Value = serde_yaml::from_str_with_options(text, options)
        .map_err(|error| format!("yaml: {}", error.to_string().lines().next().unwrap_or_default()))?;
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
