//! Bodies in Kubernetes' protobuf, as `kubectl create` and other typed clients send them.
//!
//! Invariant: an object of a kind that is not in the table ends the request as not simulated; a field that is not in it is
//! skipped, as the API server does. Answers are JSON, which every such client accepts as well.

mod table;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::table::{Field, Holds, Times, fields, name_of_kind};
use self::wire::{Wire, entries};
use crate::status::Status;

/// What a body starts with.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may lie in each other. Only the schema of a CustomResourceDefinition holds itself.
const DEEPEST: usize = 200;

/// Whether bytes are in Kubernetes' envelope at all.
pub(super) fn is_ours(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// Reads an object from a body.
///
/// # Errors
/// 400 for bytes that are no such body, and what the lab says of kinds that are not in the table.
pub(super) fn parse(body: &[u8]) -> Result<Value, Status> {
    let broken = || Status::bad_request("the body is no protobuf of Kubernetes");
    let body = body.strip_prefix(MAGIC).ok_or_else(broken)?;
    let bytes = |bytes, wanted| -> Result<&[u8], Status> {
        let found = entries(bytes)?.into_iter().rfind(|(number, _)| *number == wanted);
        if let Some((_, Wire::Bytes(bytes))) = found { Ok(bytes) } else { Err(broken()) }
    };
    let kind_of = bytes(body, 1)?;
    let (api_version, kind) = (text(bytes(kind_of, 1)?)?, text(bytes(kind_of, 2)?)?);
    let name = name_of_kind(&api_version, &kind)
        .ok_or_else(|| Status::not_simulated(&format!("a body of kind {kind} in protobuf; send it as JSON or YAML")))?;
    let mut object = message(bytes(body, 2)?, name, 0)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok(object)
}

/// A message as the JSON that the same client would send.
fn message(bytes: &[u8], name: &str, depth: usize) -> Result<Value, Status> {
    if depth > DEEPEST {
        return Err(Status::bad_request("a protobuf body is nested too deeply"));
    }
    let mut object = Map::new();
    for (number, wire) in entries(bytes)? {
        let Some(field) = fields(name).iter().find(|field| field.number == number) else { continue };
        if let Some(value) = value(field, &wire, depth)? {
            put(&mut object, field, value);
        }
    }
    special(name, object)
}

/// What a field holds; nothing for what a client's JSON leaves out.
fn value(field: &Field, wire: &Wire<'_>, depth: usize) -> Result<Option<Value>, Status> {
    let value = match (&field.holds, wire) {
        _ if field.times == Times::Map => {
            let Wire::Bytes(bytes) = wire else { return Err(misshapen(field)) };
            return entry(field, bytes, depth).map(Some);
        }
        (Holds::Text, Wire::Bytes(bytes)) => text(bytes)?.into(),
        (Holds::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Holds::Flag, Wire::Varint(flag)) => (*flag != 0).into(),
        (Holds::Number, Wire::Varint(number)) => number.cast_signed().into(),
        (Holds::Fraction, Wire::Fixed(bytes)) => fraction(f64::from_le_bytes(*bytes)),
        (Holds::Message(name), Wire::Bytes(bytes)) => message(bytes, name, depth + 1)?,
        _ => return Err(misshapen(field)),
    };
    let is_empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(false) => field.omit_empty,
        Value::Number(number) => field.omit_empty && number.as_f64() == Some(0.0),
        _ => false,
    };
    let left_out = is_empty && !field.pointer && field.times == Times::Once;
    Ok((!left_out && !value.is_null()).then_some(value))
}

/// Puts a value where its field belongs in the message.
fn put(object: &mut Map<String, Value>, field: &Field, value: Value) {
    match (field.times, value) {
        // Go embeds it: in JSON its fields are those of the message around it.
        (Times::Once, Value::Object(inner)) if field.inline => object.extend(inner),
        (Times::Once, value) => drop(object.insert(field.name.to_owned(), value)),
        (Times::List, value) => {
            if let Value::Array(list) = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new())) {
                list.push(value);
            }
        }
        (Times::Map, value) => {
            if let (Value::Object(map), Value::Object(entry)) =
                (object.entry(field.name).or_insert_with(|| Value::Object(Map::new())), value)
            {
                map.extend(entry);
            }
        }
    }
}

/// One entry of a map: key and value, either of which may be left out when it is empty.
fn entry(field: &Field, bytes: &[u8], depth: usize) -> Result<Value, Status> {
    let (mut key, mut held) = (String::new(), &[][..]);
    for (number, wire) in entries(bytes)? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, Wire::Bytes(bytes)) => held = bytes,
            _ => return Err(misshapen(field)),
        }
    }
    let value = match field.holds {
        Holds::Text => text(held)?.into(),
        Holds::Bytes => STANDARD.encode(held).into(),
        Holds::Message(name) => message(held, name, depth + 1)?,
        Holds::Flag | Holds::Number | Holds::Fraction => return Err(misshapen(field)),
    };
    Ok(Value::Object(Map::from_iter([(key, value)])))
}

/// The JSON of messages that have one of their own.
fn special(name: &str, mut object: Map<String, Value>) -> Result<Value, Status> {
    let number = |key: &str| object.get(key).and_then(Value::as_i64).unwrap_or_default();
    Ok(match name {
        "meta.v1.Time" => time(number("seconds"), 0, "%Y-%m-%dT%H:%M:%SZ")?,
        "meta.v1.MicroTime" => time(number("seconds"), number("nanos"), "%Y-%m-%dT%H:%M:%S%.6fZ")?,
        "resource.Quantity" => object.remove("string").unwrap_or_else(|| "0".into()),
        "intstr.IntOrString" if number("type") == 1 => object.remove("strVal").unwrap_or_else(|| "".into()),
        "intstr.IntOrString" => number("intVal").into(),
        // JSON within protobuf.
        "meta.v1.FieldsV1" | "runtime.RawExtension" | "apiextensions.v1.JSON" => {
            let Some(Value::String(encoded)) = object.remove("-") else { return Ok(Value::Null) };
            STANDARD
                .decode(encoded)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .ok_or_else(|| Status::bad_request(format!("{name} in a protobuf body is no JSON")))?
        }
        "authentication.v1.ExtraValue" | "authorization.v1.ExtraValue" | "certificates.v1.ExtraValue" => {
            object.remove("items").unwrap_or_else(|| json!([]))
        }
        "apiextensions.v1.JSONSchemaPropsOrBool"
        | "apiextensions.v1.JSONSchemaPropsOrArray"
        | "apiextensions.v1.JSONSchemaPropsOrStringArray" => {
            let either = ["schema", "jSONSchemas", "property", "allows"].iter().find_map(|key| object.remove(*key));
            either.unwrap_or(Value::Null)
        }
        _ => Value::Object(object),
    })
}

/// A time; nothing for Go's zero, which is before all of them.
fn time(seconds: i64, nanoseconds: i64, format: &str) -> Result<Value, Status> {
    if (seconds, nanoseconds) == (0, 0) {
        return Ok(Value::Null);
    }
    let at = i32::try_from(nanoseconds).ok().and_then(|nanoseconds| Timestamp::new(seconds, nanoseconds).ok());
    let at = at.ok_or_else(|| Status::bad_request("a protobuf body holds a time that there is not"))?;
    Ok(at.strftime(format).to_string().into())
}

/// A number as JSON writes it: whole where it is.
fn fraction(number: f64) -> Value {
    serde_json::from_str(&number.to_string()).unwrap_or(Value::Null)
}

fn text(bytes: &[u8]) -> Result<String, Status> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Status::bad_request("a text in a protobuf body is not UTF-8"))
}

fn misshapen(field: &Field) -> Status {
    Status::bad_request(format!("{} in a protobuf body has the wrong shape", field.name))
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
    fn lists_of_messages_and_ports_by_name_are_read() {
        let port = |target: Vec<u8>| [field(1, b"p"), vec![3 << 3, 80], field(4, &target)].concat();
        let by_number = port([vec![1 << 3, 0, 2 << 3, 90], field(3, b"")].concat());
        let by_name = port([vec![1 << 3, 1, 2 << 3, 0], field(3, b"http")].concat());
        let spec = [field(1, &by_number), field(1, &by_name)].concat();
        let read = parse(&body("Service", &field(2, &spec))).expect("a Service");
        assert_eq!(
            read["spec"]["ports"],
            json!([{"name": "p", "port": 80, "targetPort": 90}, {"name": "p", "port": 80, "targetPort": "http"}])
        );
    }

    #[test]
    fn an_unknown_kind_is_not_simulated_and_an_unknown_field_is_skipped() {
        let refused = parse(&body("Boat", &[])).expect_err("not in the table");
        assert!(refused.to_string().contains("not simulated"), "{refused}");
        let read = parse(&body("ConfigMap", &field(9, b"x"))).expect("a ConfigMap");
        assert_eq!(read, json!({"apiVersion": "v1", "kind": "ConfigMap"}));
    }

    #[test]
    fn what_has_a_json_of_its_own_is_read_as_that() {
        // An embedded message, a quantity, a pointer to nothing and a plain nothing.
        let limits = field(1, &[field(1, b"cpu"), field(2, &field(1, b"200m"))].concat());
        let container = [field(1, b"m"), field(8, &limits), vec![0x80, 0x01, 0]].concat();
        let volume = [field(1, b"v"), field(2, &field(2, b""))].concat();
        let spec = [field(1, &volume), field(2, &container), vec![4 << 3, 0]].concat();
        let read = parse(&body("Pod", &field(2, &spec))).expect("a Pod");
        assert_eq!(
            read["spec"],
            json!({
                "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [{"name": "m", "resources": {"limits": {"cpu": "200m"}}}],
                "terminationGracePeriodSeconds": 0,
            })
        );
        let at = [vec![1 << 3], vec![1], vec![2 << 3, 0]].concat();
        let read = parse(&body("Pod", &field(3, &field(7, &at)))).expect("a Pod");
        assert_eq!(read["status"]["startTime"], "1970-01-01T00:00:01Z");
    }

    #[test]
    fn what_holds_itself_is_bounded() {
        let mut schema = Vec::new();
        for _ in 0..300 {
            let length = schema.len();
            let mut varint = vec![u8::try_from(length & 0x7f).expect("seven bits") | 0x80];
            varint.push(u8::try_from(length >> 7).expect("short"));
            // `not` is field 29.
            schema = [vec![0xea, 0x01], varint, schema].concat();
        }
        assert!(message(&schema, "apiextensions.v1.JSONSchemaProps", 0).is_err());
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
