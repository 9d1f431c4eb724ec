//! Clients that mean no good: bytes, requests and frames that nobody would send.
//!
//! Whatever comes, the server answers or closes, and then answers the next one.

use std::time::Duration;

use periplus_lab::serve::Connector;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cat::server;
use crate::support::{Http, store};

/// Cases of each property in an ordinary run. `PROPTEST_CASES` asks for more, and the targets in `engine/lab/fuzz` try for as long as
/// they are let.
const CASES: u32 = 32;

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let asked = config.cases != 256;
    ProptestConfig { cases: if asked { config.cases } else { CASES }, ..config }
}

/// Lab time after which a connection hangs.
const PATIENCE: Duration = Duration::from_secs(600);

fn in_lab_time<F: Future>(work: F) -> F::Output {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(work)
}

/// Sends bytes, and reads what comes back to its end. With `close`, the client sends no more, which a server may take for its leave.
async fn exchange(connector: &Connector, bytes: &[u8], close: bool) -> Vec<u8> {
    let (mut from, mut to) = tokio::io::split(connector.connect_raw());
    let mut answer = Vec::new();
    let sending = async {
        // The server may close before it has read all.
        let _ = to.write_all(bytes).await;
        if close {
            let _ = to.shutdown().await;
        }
    };
    let both = async { tokio::join!(sending, from.read_to_end(&mut answer)) };
    let ended = tokio::time::timeout(PATIENCE, both).await;
    assert!(ended.is_ok(), "the connection hangs");
    answer
}

async fn still_answers(connector: &Connector) {
    let http = Http::new(connector.clone());
    assert_eq!(http.send("GET", "/version", &[], "").await.status, 200);
}

/// Bytes that look like a request here and there.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..64),
        select(vec![
            &b"GET /api/v1/namespaces/n/pods HTTP/1.1\r\nhost: lab\r\n\r\n"[..],
            b"POST /api/v1/namespaces HTTP/1.1\r\nhost: lab\r\n",
            b"PATCH /api/v1/namespaces/n HTTP/1.1\r\n",
            b"GET /%ff%zz/../api?watch=1&watch=2 HTTP/1.1\r\n",
            b"HEAD /version HTTP/1.0\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"content-length: 18446744073709551616\r\n",
            b"content-length: 5\r\ncontent-length: 6\r\n",
            b"transfer-encoding: chunked\r\n",
            b"ffffffffffffffff\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"expect: 100-continue\r\n",
            b"connection: upgrade\r\nupgrade: websocket\r\n",
            b"authorization: Bearer \xff\r\n",
            b"impersonate-user: \x80\r\nimpersonate-extra-%: x\r\n",
            b"\r\n\r\n",
            b"{\"kind\":\"Namespace\",",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// JSON of any shape, with keys that mean something here and there.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        select(vec!["p", "n", "v1", "Pod", "1Gi", "2026-01-01T00:00:00Z", "*", "", "-1", "a.b/c"])
            .prop_map(Value::from),
    ];
    let keys = select(vec![
        "kind",
        "apiVersion",
        "metadata",
        "name",
        "namespace",
        "spec",
        "status",
        "data",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
        "resourceVersion",
        "uid",
        "containers",
        "selector",
        "matchLabels",
        "matchExpressions",
        "rules",
        "subjects",
        "roleRef",
        "versions",
        "schema",
        "openAPIV3Schema",
        "$patch",
        "$setElementOrder/ports",
        "op",
        "path",
        "value",
        "deletionTimestamp",
        "managedFields",
        "generateName",
        "x",
    ]);
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((keys.clone(), inner), 0..6).prop_map(|pairs| Value::Object(
                pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

/// A request that is whole in itself: method, path with query, headers, body.
fn request() -> impl Strategy<Value = (&'static str, String, Vec<(&'static str, String)>, Vec<u8>)> {
    let method = select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]);
    let root = select(vec![
        "/api/v1",
        "/apis/apps/v1",
        "/apis/rbac.authorization.k8s.io/v1",
        "/apis/apiextensions.k8s.io/v1",
        "/apis/batch/v1",
        "/apis/authorization.k8s.io/v1",
        "/apis/authentication.k8s.io/v1",
        "/apis/networking.istio.io/v1",
        "/openapi/v3",
        "/apis",
        "/api",
        "/healthz",
        "",
    ]);
    let piece = prop_oneof![
        select(vec![
            "namespaces",
            "n",
            "pods",
            "p",
            "log",
            "exec",
            "status",
            "scale",
            "token",
            "eviction",
            "binding",
            "deployments",
            "jobs",
            "secrets",
            "configmaps",
            "serviceaccounts",
            "default",
            "roles",
            "clusterroles",
            "customresourcedefinitions",
            "selfsubjectaccessreviews",
            "tokenreviews",
            "virtualservices",
            "..",
            "%2e%2e",
            "%00",
            "%ff",
            "*",
            "finalize",
            "watch",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z0-9._~-]{0,12}",
    ];
    let term = (
        select(vec![
            "watch",
            "limit",
            "continue",
            "labelSelector",
            "fieldSelector",
            "resourceVersion",
            "resourceVersionMatch",
            "sendInitialEvents",
            "timeoutSeconds",
            "dryRun",
            "fieldManager",
            "force",
            "fieldValidation",
            "propagationPolicy",
            "gracePeriodSeconds",
            "container",
            "tailLines",
            "sinceSeconds",
            "sinceTime",
            "limitBytes",
            "follow",
            "previous",
            "command",
            "stdin",
            "tty",
            "stdout",
            "allowWatchBookmarks",
            "pretty",
            "includeObject",
            "verbose",
            "exclude",
        ]),
        prop_oneof![
            select(vec![
                "true",
                "1",
                "0",
                "-1",
                "99999999999999999999",
                "All",
                "a=b",
                "a in (b,c)",
                "!a,b!=c",
                "metadata.name=p",
                "("
            ])
            .prop_map(str::to_owned),
            "[ -~]{0,16}",
        ],
    );
    let query = vec(term, 0..4).prop_map(|terms| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(terms);
        query.finish()
    });
    let header = prop_oneof![
        (
            Just("content-type"),
            select(vec![
                "application/json",
                "application/yaml",
                "application/vnd.kubernetes.protobuf",
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
                "application/apply-patch+yaml",
                "x",
            ])
        ),
        (
            Just("accept"),
            select(vec![
                "application/json;as=Table;v=v1;g=meta.k8s.io",
                "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
                "application/vnd.kubernetes.protobuf",
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                ";;,",
            ])
        ),
        (Just("impersonate-user"), select(vec!["jane", "system:serviceaccount:n:default", "system:node:x"])),
        (Just("impersonate-group"), select(vec!["g", "system:masters"])),
        (Just("authorization"), select(vec!["Bearer x", "Bearer a.b.c", "Basic eA=="])),
        (Just("user-agent"), select(vec!["", "kubectl/v1", "/"])),
    ]
    .prop_map(|(name, value)| (name, value.to_owned()));
    let protobuf = vec(any::<u8>(), 0..64).prop_map(|bytes| [b"k8s\0".as_slice(), &bytes].concat());
    let body = prop_oneof![
        Just(Vec::new()),
        tree().prop_map(|tree| tree.to_string().into_bytes()),
        "[ -~\n]{0,64}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..64),
        protobuf,
    ];
    let path = (root, vec(piece, 0..6), query).prop_map(|(root, pieces, query)| {
        let mut path = format!("{root}/{}", pieces.join("/"));
        if !query.is_empty() {
            path = format!("{path}?{query}");
        }
        path
    });
    (method, path, vec(header, 0..4), body)
}

/// A frame as a client masks it.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..300),
        select(vec![
            &b"\x00hello\n"[..],
            b"\xff\x00",
            b"\xff\x09",
            b"\x04{\"Width\":80,\"Height\":24}",
            b"\x04{\"Width\":-1}",
            b"\x04{",
            b"\x04",
            b""
        ])
        .prop_map(<[u8]>::to_vec),
        any::<u16>().prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    (any::<bool>(), 0_u8..16, any::<bool>(), any::<[u8; 4]>(), payload).prop_map(
        |(end, opcode, masked, mask, payload)| {
            let mut frame = vec![if end { 0x80 } else { 0 } | opcode];
            let masking = if masked { 0x80 } else { 0 };
            if let Ok(short) = u8::try_from(payload.len())
                && short < 126
            {
                frame.push(masking | short);
            } else {
                frame.push(masking | 126);
                frame.extend(u16::try_from(payload.len()).expect("short").to_be_bytes());
            }
            if masked {
                frame.extend(mask);
                frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            } else {
                frame.extend(payload);
            }
            frame
        },
    )
}

fn handshake(protocol: &str, query: &str) -> Vec<u8> {
    format!(
        "GET /api/v1/namespaces/n/pods/p/exec?command=cat&stdout=true&{query} HTTP/1.1\r\nhost: lab\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: {protocol}\r\n\r\n"
    )
    .into_bytes()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bytes_end_in_an_answer_or_a_closed_connection(bytes in bytes()) {
        in_lab_time(async {
            let server = server(store());
            exchange(&server, &bytes, true).await;
            still_answers(&server).await;
        });
    }

    #[test]
    fn a_request_is_answered_with_what_it_asked_or_a_status((method, path, headers, body) in request()) {
        in_lab_time(async {
            let server = server(store());
            let http = Http::new(server.clone());
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            // A watch goes on until it is told to end.
            let answer = tokio::time::timeout(2 * PATIENCE, http.send(method, &path, &headers, body)).await;
            if let Ok(answer) = answer {
                let code = answer.status.as_u16();
                assert!((200..=503).contains(&code), "{method} {path}: {code}");
                let json = answer.json();
                if method != "HEAD" && json["kind"] == "Status" && json["status"] == "Failure" {
                    assert_eq!(json["code"], code, "{method} {path}: {json}");
                }
                assert_ne!(json["reason"], "InternalError", "{method} {path}: {json}");
            } else {
                assert!(path.contains("watch") || path.contains("follow"), "{method} {path} hangs");
            }
            still_answers(&server).await;
        });
    }

    #[test]
    fn frames_end_the_command_or_the_connection(
        protocol in select(vec!["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io", "x"]),
        query in select(vec!["stdin=true", "stdin=true&tty=true", "stderr=true", ""]),
        frames in vec(frame(), 0..8),
        noise in vec(any::<u8>(), 0..32),
    ) {
        in_lab_time(async {
            let server = server(store());
            let bytes = [handshake(protocol, query), frames.concat(), noise].concat();
            exchange(&server, &bytes, true).await;
            still_answers(&server).await;
        });
    }
}

#[test]
fn odd_but_whole_requests_are_answered() {
    in_lab_time(async {
        let server = server(store());
        let head = |request: &str| format!("{request}\r\nhost: lab\r\nconnection: close\r\n");
        let body = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}";
        let half = body.len() / 2;
        let chunked = format!(
            "{}transfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n{half:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            head("POST /api/v1/namespaces/n/configmaps HTTP/1.1"),
            &body[..half],
            body.len() - half,
            &body[half..],
        );
        let expecting = format!(
            "{}expect: 100-continue\r\ncontent-length: {}\r\n\r\n{body}",
            head("POST /api/v1/namespaces/n/configmaps?dryRun=All HTTP/1.1"),
            body.len()
        );
        let long = format!("{}\r\n", head(&format!("GET /api/v1/pods?labelSelector={} HTTP/1.1", "a".repeat(100_000))));
        let many = format!("{}{}\r\n", head("GET /version HTTP/1.1"), "x: y\r\n".repeat(200));
        for (request, wanted) in [
            (chunked, "201"),
            (expecting, "100"),
            (format!("{}\r\n", head("HEAD /api/v1/namespaces/n HTTP/1.1")), "405"),
            (format!("{}\r\n", head("GET /api/v1/namespaces/%ff HTTP/1.1")), "404"),
            (long, "4"),
            (many, "431"),
        ] {
            let answer = exchange(&server, request.as_bytes(), false).await;
            let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
            assert!(line.starts_with(&format!("HTTP/1.1 {wanted}")), "{line} for {}", &request[..60]);
        }
        still_answers(&server).await;
    });
}
