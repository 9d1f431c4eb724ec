//! A request made of parts.

#![no_main]

use arbitrary::Arbitrary;

/// The parts; texts that would break the head are left out.
#[derive(Arbitrary, Debug)]
struct Request {
    method: u8,
    root: u8,
    path: Vec<(u8, String)>,
    query: Vec<(u8, String)>,
    headers: Vec<(u8, String)>,
    body: Vec<u8>,
}

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const ROOTS: [&str; 6] = [
    "/api/v1/namespaces/n",
    "/api/v1",
    "/apis/apps/v1/namespaces/n",
    "/apis/rbac.authorization.k8s.io/v1",
    "/apis/apiextensions.k8s.io/v1",
    "",
];
const PIECES: [&str; 12] = [
    "pods", "p", "exec", "log", "status", "configmaps", "deployments", "scale", "token", "clusterroles",
    "customresourcedefinitions", "eviction",
];
const TERMS: [&str; 12] = [
    "watch", "limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "sendInitialEvents", "timeoutSeconds",
    "dryRun", "fieldManager", "command", "stdout",
];
const HEADERS: [&str; 6] = ["content-type", "accept", "impersonate-user", "impersonate-group", "authorization", "upgrade"];

fn one<'a>(list: &[&'a str], index: u8) -> &'a str {
    list[usize::from(index) % list.len()]
}

/// What may stand in a path or a query as it is.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '#' | '?' | '&')).collect()
}

libfuzzer_sys::fuzz_target!(|request: Request| {
    let mut path = one(&ROOTS, request.root).to_owned();
    for (known, own) in &request.path {
        let piece = if own.is_empty() { one(&PIECES, *known).to_owned() } else { plain(own) };
        path.push_str(&format!("/{piece}"));
    }
    let terms: Vec<String> =
        request.query.iter().map(|(name, value)| format!("{}={}", one(&TERMS, *name), plain(value))).collect();
    let mut head = format!("{} /{}?{} HTTP/1.1\r\nhost: lab\r\n", one(&METHODS, request.method), path.trim_start_matches('/'), terms.join("&"));
    for (name, value) in &request.headers {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        head.push_str(&format!("{}: {value}\r\n", one(&HEADERS, *name)));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", request.body.len()));
    periplus_lab_fuzz::attack(&[head.into_bytes(), request.body].concat());
});
