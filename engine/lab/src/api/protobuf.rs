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

/// How protobuf holds what is a number or a text in JSON: `type` is 1 for a text.
const NUMBER_OR_TEXT: &[Field] = &[Field(1, "type", Number), Field(2, "number", Number), Field(3, "text", Text)];

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
    Messages(&'static [Field]),
    /// A number, or a text.
    NumberOrText,
    /// Written by the server alone, whatever a client says.
    Ignored,
}

use Shape::{BytesMap, Flag, Ignored, Message, Messages, Number, NumberOrText, Text, TextMap, Texts};

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
        Field(9, "deletionTimestamp", Ignored),
        Field(10, "deletionGracePeriodSeconds", Number),
        Field(11, "labels", TextMap),
        Field(12, "annotations", TextMap),
        Field(
            13,
            "ownerReferences",
            Messages(&[
                Field(1, "kind", Text),
                Field(3, "name", Text),
                Field(4, "uid", Text),
                Field(5, "apiVersion", Text),
                Field(6, "controller", Flag),
                Field(7, "blockOwnerDeletion", Flag),
            ]),
        ),
        Field(14, "finalizers", Texts),
        // Without them an update keeps those that there are.
        Field(17, "managedFields", Ignored),
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

const SERVICE: &[Field] = &[
    META,
    Field(
        2,
        "spec",
        Message(&[
            Field(
                1,
                "ports",
                Messages(&[
                    Field(1, "name", Text),
                    Field(2, "protocol", Text),
                    Field(3, "port", Number),
                    Field(4, "targetPort", NumberOrText),
                    Field(5, "nodePort", Number),
                    Field(6, "appProtocol", Text),
                ]),
            ),
            Field(2, "selector", TextMap),
            Field(3, "clusterIP", Text),
            Field(4, "type", Text),
            Field(5, "externalIPs", Texts),
            Field(7, "sessionAffinity", Text),
            Field(8, "loadBalancerIP", Text),
            Field(10, "externalName", Text),
            Field(11, "externalTrafficPolicy", Text),
            Field(12, "healthCheckNodePort", Number),
            Field(13, "publishNotReadyAddresses", Flag),
            Field(18, "clusterIPs", Texts),
        ]),
    ),
    Field(3, "status", Ignored),
];

const CONTAINER: &[Field] = &[
    Field(1, "name", Text),
    Field(2, "image", Text),
    Field(3, "command", Texts),
    Field(4, "args", Texts),
    Field(5, "workingDir", Text),
    Field(
        6,
        "ports",
        Messages(&[
            Field(1, "name", Text),
            Field(2, "hostPort", Number),
            Field(3, "containerPort", Number),
            Field(4, "protocol", Text),
            Field(5, "hostIP", Text),
        ]),
    ),
    Field(8, "resources", Message(&[])),
    Field(13, "terminationMessagePath", Text),
    Field(14, "imagePullPolicy", Text),
    Field(16, "stdin", Flag),
    Field(17, "stdinOnce", Flag),
    Field(18, "tty", Flag),
    Field(20, "terminationMessagePolicy", Text),
];

const POD_SPEC: &[Field] = &[
    Field(2, "containers", Messages(CONTAINER)),
    Field(3, "restartPolicy", Text),
    Field(4, "terminationGracePeriodSeconds", Number),
    Field(6, "dnsPolicy", Text),
    Field(8, "serviceAccountName", Text),
    Field(9, "serviceAccount", Text),
    Field(10, "nodeName", Text),
    Field(11, "hostNetwork", Flag),
    Field(12, "hostPID", Flag),
    Field(13, "hostIPC", Flag),
    Field(16, "hostname", Text),
    Field(17, "subdomain", Text),
    Field(19, "schedulerName", Text),
    Field(24, "priorityClassName", Text),
];

const DEPLOYMENT: &[Field] = &[
    META,
    Field(
        2,
        "spec",
        Message(&[
            Field(1, "replicas", Number),
            Field(2, "selector", Message(&[Field(1, "matchLabels", TextMap)])),
            Field(3, "template", Message(&[META, Field(2, "spec", Message(POD_SPEC))])),
            Field(4, "strategy", Message(&[Field(1, "type", Text)])),
            Field(5, "minReadySeconds", Number),
            Field(6, "revisionHistoryLimit", Number),
            Field(7, "paused", Flag),
            Field(9, "progressDeadlineSeconds", Number),
        ]),
    ),
    Field(3, "status", Ignored),
];

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

const RULES: Field = Field(
    2,
    "rules",
    Messages(&[
        Field(1, "verbs", Texts),
        Field(2, "apiGroups", Texts),
        Field(3, "resources", Texts),
        Field(4, "resourceNames", Texts),
        Field(5, "nonResourceURLs", Texts),
    ]),
);

const SELECTOR: &[Field] = &[
    Field(1, "matchLabels", TextMap),
    Field(
        2,
        "matchExpressions",
        Messages(&[Field(1, "key", Text), Field(2, "operator", Text), Field(3, "values", Texts)]),
    ),
];

const CLUSTER_ROLE: &[Field] =
    &[META, RULES, Field(3, "aggregationRule", Message(&[Field(1, "clusterRoleSelectors", Messages(SELECTOR))]))];

const BINDING: &[Field] = &[
    META,
    Field(
        2,
        "subjects",
        Messages(&[
            Field(1, "kind", Text),
            Field(2, "apiGroup", Text),
            Field(3, "name", Text),
            Field(4, "namespace", Text),
        ]),
    ),
    Field(3, "roleRef", Message(&[Field(1, "apiGroup", Text), Field(2, "kind", Text), Field(3, "name", Text)])),
];

const TOKEN_REQUEST: &[Field] = &[
    META,
    Field(
        2,
        "spec",
        Message(&[
            Field(1, "audiences", Texts),
            Field(
                3,
                "boundObjectRef",
                Message(&[
                    Field(1, "kind", Text),
                    Field(2, "apiVersion", Text),
                    Field(3, "name", Text),
                    Field(4, "uid", Text),
                ]),
            ),
            Field(4, "expirationSeconds", Number),
        ]),
    ),
    Field(3, "", Ignored),
];

fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "Service" => SERVICE,
        "Deployment" => DEPLOYMENT,
        "SelfSubjectAccessReview" => ACCESS_REVIEW,
        "SelfSubjectRulesReview" => RULES_REVIEW,
        "SelfSubjectReview" => SUBJECT_REVIEW,
        "Role" => &[META, RULES],
        "ClusterRole" => CLUSTER_ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "TokenRequest" => TOKEN_REQUEST,
        _ => return None,
    })
}

/// Whether bytes are in Kubernetes' envelope at all.
pub(super) fn is_ours(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
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
            (Messages(fields), Wire::Bytes(value)) => {
                let item = message(value, fields, &path)?;
                if let Value::Array(list) = object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(item);
                }
            }
            (NumberOrText, Wire::Bytes(value)) => {
                let either = message(value, NUMBER_OR_TEXT, &path)?;
                let is_text = either["type"] == 1;
                object.insert(name, either[if is_text { "text" } else { "number" }].clone());
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
