//! Bodies in Kubernetes' protobuf, as `kubectl create namespace` and other typed clients send them.
//!
//! Invariant: nothing is dropped in silence. A kind or a field that is not in the tables below ends the request as not
//! simulated; answers are JSON, which every such client accepts as well.
//!
//! Field numbers are those of `generated.proto` in <https://github.com/kubernetes/api> and apimachinery.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::status::Status;

/// What a body starts with.
const MAGIC: &[u8] = b"k8s\0";

/// A field: its number, its name in JSON, what it holds.
struct Field(u64, &'static str, Shape);

/// What a field holds.
enum Shape {
    Text,
    Texts,
    Flag,
    Number,
    TextMap,
    BytesMap,
    Message(&'static [Field]),
    /// Written by the server alone, whatever a client says.
    Ignored,
}

use Shape::{BytesMap, Flag, Ignored, Message, Number, Text, TextMap, Texts};

const ENVELOPE: &[Field] = &[
    Field(1, "type", Message(&[Field(1, "apiVersion", Text), Field(2, "kind", Text)])),
    Field(2, "raw", Ignored),
    Field(3, "contentEncoding", Ignored),
    Field(4, "contentType", Ignored),
];

const META: Field = Field(
    1,
    "metadata",
    Message(&[
        Field(1, "name", Text),
        Field(2, "generateName", Text),
        Field(3, "namespace", Text),
        Field(4, "selfLink", Ignored),
        Field(5, "uid", Text),
        Field(6, "resourceVersion", Text),
        Field(7, "generation", Ignored),
        Field(8, "creationTimestamp", Ignored),
        Field(10, "deletionGracePeriodSeconds", Number),
        Field(11, "labels", TextMap),
        Field(12, "annotations", TextMap),
        Field(14, "finalizers", Texts),
    ]),
);

const NAMESPACE: &[Field] = &[META, Field(2, "spec", Message(&[Field(1, "finalizers", Texts)])), Field(3, "", Ignored)];

const CONFIG_MAP: &[Field] =
    &[META, Field(2, "data", TextMap), Field(3, "binaryData", BytesMap), Field(4, "immutable", Flag)];

const SECRET: &[Field] = &[
    META,
    Field(2, "data", BytesMap),
    Field(3, "type", Text),
    Field(4, "stringData", TextMap),
    Field(5, "immutable", Flag),
];

const SERVICE_ACCOUNT: &[Field] = &[META, Field(4, "automountServiceAccountToken", Flag)];

const REVIEWED: &[Field] = &[
    Field(
        1,
        "resourceAttributes",
        Message(&[
            Field(1, "namespace", Text),
            Field(2, "verb", Text),
            Field(3, "group", Text),
            Field(4, "version", Text),
            Field(5, "resource", Text),
            Field(6, "subresource", Text),
            Field(7, "name", Text),
        ]),
    ),
    Field(2, "nonResourceAttributes", Message(&[Field(1, "path", Text), Field(2, "verb", Text)])),
];

const ACCESS_REVIEW: &[Field] = &[META, Field(2, "spec", Message(REVIEWED)), Field(3, "", Ignored)];

const RULES_REVIEW: &[Field] =
    &[META, Field(2, "spec", Message(&[Field(1, "namespace", Text)])), Field(3, "", Ignored)];

const SUBJECT_REVIEW: &[Field] = &[META, Field(2, "", Ignored)];

fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "SelfSubjectAccessReview" => ACCESS_REVIEW,
        "SelfSubjectRulesReview" => RULES_REVIEW,
        "SelfSubjectReview" => SUBJECT_REVIEW,
        _ => return None,
    })
}

/// Reads an object from a body.
///
/// # Errors
/// 400 for bytes that are no such body, and what the lab says of all it does not simulate.
pub(super) fn parse(body: &[u8]) -> Result<Value, Status> {
    let broken = || Status::bad_request("the body is no protobuf of Kubernetes");
    let body = body.strip_prefix(MAGIC).ok_or_else(broken)?;
    let envelope = message(body, ENVELOPE, "")?;
    let text = |key: &str| envelope["type"][key].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let fields = fields_of(&kind)
        .ok_or_else(|| Status::not_simulated(&format!("a body of kind {kind} in protobuf; send it as JSON or YAML")))?;
    let raw = entries(body)?.into_iter().rfind(|(number, _)| *number == 2);
    let Some((_, Wire::Bytes(raw))) = raw else { return Err(broken()) };
    let mut object = message(raw, fields, &kind)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok(object)
}

/// A value as it lies on the wire.
enum Wire<'b> {
    Varint(u64),
    Bytes(&'b [u8]),
    Fixed,
}

/// The fields of a message, in the order of the bytes.
fn entries(mut bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, Status> {
    let cut = || Status::bad_request("a protobuf body ends in the middle of a field");
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or_else(cut)?;
        let wire = match key & 7 {
            0 => Wire::Varint(varint(&mut bytes).ok_or_else(cut)?),
            2 => {
                let length = varint(&mut bytes).and_then(|length| usize::try_from(length).ok()).ok_or_else(cut)?;
                let (value, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            fixed @ (1 | 5) => {
                let width = if fixed == 1 { 8 } else { 4 };
                bytes = bytes.split_at_checked(width).ok_or_else(cut)?.1;
                Wire::Fixed
            }
            _ => return Err(Status::bad_request("a protobuf body holds an unknown wire type")),
        };
        found.push((key >> 3, wire));
    }
    Ok(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A message as JSON. Clients also write what is empty; it stays out, as it does in their JSON.
fn message(bytes: &[u8], fields: &[Field], path: &str) -> Result<Value, Status> {
    let mut object = Map::new();
    for (number, wire) in entries(bytes)? {
        let Some(Field(_, name, shape)) = fields.iter().find(|field| field.0 == number) else {
            return Err(Status::not_simulated(&format!(
                "field {number} of {path} in protobuf; send it as JSON or YAML"
            )));
        };
        let path = format!("{path}.{name}");
        let name = (*name).to_owned();
        match (shape, wire) {
            (Ignored, _) => {}
            (Text, Wire::Bytes(value)) => {
                if !value.is_empty() {
                    object.insert(name, text(value)?.into());
                }
            }
            (Flag, Wire::Varint(value)) => {
                object.insert(name, (value != 0).into());
            }
            (Number, Wire::Varint(value)) => {
                object.insert(name, value.cast_signed().into());
            }
            (Texts, Wire::Bytes(value)) => {
                if let Value::Array(list) = object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(text(value)?.into());
                }
            }
            (TextMap | BytesMap, Wire::Bytes(value)) => {
                let (key, value) = entry(value)?;
                let value = if matches!(shape, BytesMap) { STANDARD.encode(value) } else { text(value)? };
                if let Value::Object(map) = object.entry(name).or_insert_with(|| Value::Object(Map::new())) {
                    map.insert(key, value.into());
                }
            }
            (Message(fields), Wire::Bytes(value)) => {
                object.insert(name, message(value, fields, &path)?);
            }
            _ => return Err(Status::bad_request(format!("{path} has the wrong wire type"))),
        }
    }
    Ok(Value::Object(object))
}

/// One entry of a map: key and value, either of which may be left out when it is empty.
fn entry(bytes: &[u8]) -> Result<(String, &[u8]), Status> {
    let (mut key, mut value) = (String::new(), &[][..]);
    for (number, wire) in entries(bytes)? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, Wire::Bytes(bytes)) => value = bytes,
            _ => return Err(Status::bad_request("a map in a protobuf body has the wrong shape")),
        }
    }
    Ok((key, value))
}

fn text(bytes: &[u8]) -> Result<String, Status> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Status::bad_request("a text in a protobuf body is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A field of bytes.
    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let length = u8::try_from(value.len()).expect("short");
        [&[number << 3 | 2, length], value].concat()
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let types = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &types), field(2, raw), field(3, b""), field(4, b"")].concat()
    }

    #[test]
    fn a_config_map_is_read_as_its_json() {
        let meta =
            [field(1, b"page"), field(2, b""), field(8, b""), field(11, &[field(1, b"a"), field(2, b"b")].concat())];
        let data = [field(1, b"k"), field(2, b"v")].concat();
        let raw = [field(1, &meta.concat()), field(2, &data), field(3, &data), vec![4 << 3, 1]].concat();
        let read = parse(&body("ConfigMap", &raw)).expect("a ConfigMap");
        assert_eq!(
            read,
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "page", "labels": {"a": "b"}},
                "data": {"k": "v"},
                "binaryData": {"k": "dg=="},
                "immutable": true,
            })
        );
    }

    #[test]
    fn what_is_not_in_the_tables_is_not_simulated() {
        let unknown_field = field(9, b"x");
        for body in [body("Pod", &[]), body("ConfigMap", &unknown_field)] {
            let refused = parse(&body).expect_err("not in the tables");
            assert!(refused.to_string().contains("not simulated"), "{refused}");
        }
    }

    #[test]
    fn no_cut_body_is_taken_for_a_whole_one() {
        let whole = body("Namespace", &field(1, &field(1, b"external")));
        assert_eq!(parse(&whole).expect("whole")["metadata"]["name"], "external");
        let end = whole.len() - 4;
        for cut in 0..end {
            assert!(parse(&whole[..cut]).is_err(), "cut at {cut}");
        }
        assert!(parse(&[MAGIC, &[0xff; 32]].concat()).is_err());
    }
}
