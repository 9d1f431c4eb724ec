//! The table: one row for each recorded case, with what was seen.

use serde_json::{Value, json};

/// One recorded case.
pub(crate) struct Case {
    /// The case's name in the recordings.
    pub(crate) name: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) entries: Vec<Value>,
    /// Whether the client is in the mesh.
    pub(crate) inside: bool,
    /// The image's tag of the proxy, and where it listens.
    pub(crate) squid: &'static str,
    pub(crate) squid_port: &'static str,
    pub(crate) command: &'static str,
    exit: u8,
    /// What standard output holds; nothing at all if this is empty.
    stdout: &'static str,
    /// What standard error holds, where the recordings have one text for it.
    stderr: &'static str,
    /// The sidecar's line without its first field, which is masked; none if this is empty.
    sidecar: &'static str,
    /// The proxy's line after the client's address; none if this is empty.
    squid_line: &'static str,
}

/// What a case left behind.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) exit: Option<u8>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) sidecar: Vec<String>,
    pub(crate) squid: Vec<String>,
}

impl Case {
    /// Where what was found differs from what was recorded.
    pub(crate) fn difference(&self, found: &Found) -> Option<String> {
        let line = |text: &str, prefix: &str| -> Vec<String> {
            if text.is_empty() { Vec::new() } else { vec![format!("{prefix}{text}")] }
        };
        let stdout = if self.stdout.is_empty() { found.stdout.is_empty() } else { found.stdout.contains(self.stdout) };
        let same = found.exit == Some(self.exit)
            && stdout
            && found.stderr.contains(self.stderr)
            && found.sidecar == line(self.sidecar, "[T] ")
            && found.squid == line(self.squid_line, "");
        let head: String = found.stdout.chars().take(200).collect();
        (!same).then(|| {
            format!(
                "case {}: {}\n  exit {:?}, expected {}\n  stdout {head:?}\n  stderr {:?}\n  sidecar {:#?}\n  expected {:?}\n  \
                 squid {:#?}\n  expected {:?}",
                self.name, self.command, found.exit, self.exit, found.stderr, found.sidecar, self.sidecar, found.squid,
                self.squid_line,
            )
        })
    }

    fn entries(mut self, entries: &[Value]) -> Self {
        self.entries = entries.to_vec();
        self
    }

    fn seen(mut self, exit: u8, stdout: &'static str, stderr: &'static str) -> Self {
        (self.exit, self.stdout, self.stderr) = (exit, stdout, stderr);
        self
    }

    fn logged(mut self, sidecar: &'static str, squid: &'static str) -> Self {
        (self.sidecar, self.squid_line) = (sidecar, squid);
        self
    }

    fn squid(mut self, tag: &'static str, port: &'static str) -> Self {
        (self.squid, self.squid_port) = (tag, port);
        self
    }
}

fn case(name: &'static str, policy: &'static str, command: &'static str) -> Case {
    Case {
        name,
        policy,
        entries: Vec::new(),
        inside: true,
        squid: "3.5.27",
        squid_port: "3128",
        command,
        exit: 0,
        stdout: "",
        stderr: "",
        sidecar: "",
        squid_line: "",
    }
}

fn entry(host: &str, addresses: &[&str], port: u16, protocol: &str, resolution: &str) -> Value {
    let mut spec = json!({
        "hosts": [host], "location": "MESH_EXTERNAL", "resolution": resolution,
        "ports": [{"number": port, "name": protocol.to_lowercase(), "protocol": protocol}],
    });
    if !addresses.is_empty() {
        spec["addresses"] = json!(addresses);
    }
    json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "entry"}, "spec": spec})
}

const ANY: &str = "ALLOW_ANY";
const ONLY: &str = "REGISTRY_ONLY";
const TITLE: &str = "<title>Wikipedia, the free encyclopedia</title>";
const VIA_PROXY: &str = "HTTPS_PROXY=10.244.0.95:3128 curl -sS https://en.wikipedia.org/wiki/Main_Page";
const DIRECT: &str = "curl -sS https://en.wikipedia.org/wiki/Main_Page";
const TUNNEL: &str = "TCP_TUNNEL/200 N CONNECT en.wikipedia.org:443 - HIER_DIRECT/198.51.100.192 -";
const BLOCKED: &str =
    r#""- - -" 0 UH - - "-" N N N - "-" "-" "-" "-" "-" BlackHoleCluster - 10.244.0.95:3128 CLIENT - -"#;
const BLOCKED_DIRECT: &str =
    r#""- - -" 0 UH - - "-" N N N - "-" "-" "-" "-" "-" BlackHoleCluster - 198.51.100.192:443 CLIENT - -"#;
const BLOCKED_80: &str =
    r#""- - -" 0 UH - - "-" N N N - "-" "-" "-" "-" "-" BlackHoleCluster - 198.51.100.192:80 CLIENT - -"#;
const RELAYED: &str = r#""- - -" 0 - - - "-" N N N - "-" "-" "-" "-" "10.244.0.95:3128" outbound|3128||my-company-proxy.com CLIENT 10.244.0.95:3128 CLIENT - -"#;
const RESET: &str = "curl: (56) Recv failure: Connection reset by peer";

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let company = |addresses: &[&str], port, protocol| entry("my-company-proxy.com", addresses, port, protocol, "NONE");
    let proxy = || company(&["10.244.0.95/32"], 3128, "TCP");
    let site = || entry("en.wikipedia.org", &[], 443, "HTTPS", "DNS");
    let mut cases = vec![
        Case { inside: false, ..case("a", ANY, VIA_PROXY).seen(0, TITLE, "").logged("", TUNNEL) },
        case("b", ANY, VIA_PROXY).seen(0, TITLE, "").logged(
            r#""- - -" 0 - - - "-" N N N - "-" "-" "-" "-" "10.244.0.95:3128" PassthroughCluster CLIENT 10.244.0.95:3128 CLIENT - -"#,
            TUNNEL,
        ),
        case("c", ONLY, VIA_PROXY).seen(56, "", RESET).logged(BLOCKED, ""),
        case("d", ONLY, VIA_PROXY).entries(&[proxy()]).seen(0, TITLE, "").logged(RELAYED, TUNNEL),
        case("d, ALLOW_ANY", ANY, VIA_PROXY).entries(&[proxy()]).seen(0, TITLE, "").logged(RELAYED, TUNNEL),
        case("d, plain http", ONLY, "http_proxy=10.244.0.95:3128 curl -sS http://httpbin.org/headers")
            .squid("5.7", "3128")
            .entries(&[proxy()])
            .seen(0, "\"Via\": \"1.1 localhost (squid/5.7)\"", "")
            .logged(RELAYED, "TCP_MISS/200 N GET http://httpbin.org/headers - HIER_DIRECT/198.51.100.34 application/json"),
        case("d, no addresses", ONLY, VIA_PROXY)
            .entries(&[company(&[], 3128, "TCP")])
            .seen(0, TITLE, "")
            .logged(RELAYED, TUNNEL),
        case("d, range", ONLY, VIA_PROXY)
            .entries(&[company(&["10.244.0.0/24"], 3128, "TCP")])
            .seen(0, TITLE, "")
            .logged(RELAYED, TUNNEL),
        case("d, no sidecar line for an early end", ANY, "curl -sS https://no-such-host.invalid/")
            .seen(6, "", "curl: (6) Could not resolve host: no-such-host.invalid"),
    ];
    for (name, entry) in [
        ("d, other range", company(&["10.250.0.0/16"], 3128, "TCP")),
        ("d, wrong address", company(&["10.244.0.96"], 3128, "TCP")),
        ("d, wrong port", company(&["10.244.0.95"], 3129, "TCP")),
        ("d, entry for the site only", site()),
    ] {
        cases.push(case(name, ONLY, VIA_PROXY).entries(&[entry]).seen(56, "", "curl: (56) ").logged(BLOCKED, ""));
    }
    cases.extend(direct(&proxy(), &site()));
    cases.extend(broken(&proxy()));
    for policy in [ANY, ONLY] {
        cases.push(
            case("w", policy, VIA_PROXY)
                .entries(&[company(&["10.244.0.95/32"], 3128, "HTTP")])
                .seen(56, "", "curl: (56) CONNECT tunnel failed, response 404")
                .logged(
                    r#""CONNECT - HTTP/1.1" 404 NR route_not_found - "-" N N N - "-" "CURL" "ID" "en.wikipedia.org:443" "-" - - 10.244.0.95:3128 CLIENT - -"#,
                    "",
                ),
        );
    }
    cases
}

/// Cases e, f, g4 and h: without the proxy.
fn direct(proxy: &Value, site: &Value) -> Vec<Case> {
    let other = entry("example.org", &[], 443, "HTTPS", "DNS");
    let httpbin = entry("httpbin.org", &[], 80, "HTTP", "DNS");
    let get = "curl -sS http://en.wikipedia.org/wiki/Main_Page";
    let block_all = r#""GET /wiki/Main_Page HTTP/1.1" 502 - direct_response - "-" N N N - "-" "CURL" "ID" "en.wikipedia.org" "-" - - 198.51.100.192:80 CLIENT - block_all"#;
    vec![
        case("e1", ONLY, DIRECT).seen(35, "", "curl: (35) ").logged(BLOCKED_DIRECT, ""),
        case("e1, entry for the proxy only", ONLY, DIRECT)
            .entries(std::slice::from_ref(proxy))
            .seen(35, "", "curl: (35) ")
            .logged(BLOCKED_DIRECT, ""),
        case("e2", ONLY, get).seen(0, "", "").logged(block_all, ""),
        case("e2, with headers", ONLY, "curl -sS -i http://en.wikipedia.org/wiki/Main_Page")
            .seen(0, "HTTP/1.1 502 Bad Gateway\r\ndate: Thu, 01 Jan 2026 ", "")
            .logged(block_all, ""),
        case("e3", ONLY, "curl -sS http://en.wikipedia.org:8080/").seen(56, "", RESET).logged(
            r#""- - -" 0 UH - - "-" N N N - "-" "-" "-" "-" "-" BlackHoleCluster - 198.51.100.192:8080 CLIENT - -"#,
            "",
        ),
        case("e4, tls on port 80", ONLY, "curl -sS https://en.wikipedia.org:80/")
            .seen(35, "", "curl: (35) ")
            .logged(BLOCKED_80, ""),
        case("e4, http/1.0", ONLY, "curl -sS --http1.0 http://en.wikipedia.org/").seen(56, "", RESET).logged(BLOCKED_80, ""),
        case("e4, proxy on port 80", ONLY, "HTTPS_PROXY=198.51.100.192:80 curl -sS https://en.wikipedia.org/")
            .seen(56, "", "curl: (56) CONNECT tunnel failed, response 404")
            .logged(
                r#""CONNECT - HTTP/1.1" 404 NR route_not_found - "-" N N N - "-" "CURL" "ID" "en.wikipedia.org:443" "-" - - 198.51.100.192:80 CLIENT - -"#,
                "",
            ),
        case("e5", ONLY, DIRECT).entries(&[other]).seen(35, "", "curl: (35) Recv failure: Connection reset by peer").logged(
            r#""- - -" 0 UH - - "-" N N N - "-" "-" "-" "-" "-" BlackHoleCluster - 198.51.100.192:443 CLIENT en.wikipedia.org -"#,
            "",
        ),
        case("f", ONLY, DIRECT).entries(std::slice::from_ref(site)).seen(0, TITLE, "").logged(
            r#""- - -" 0 - - - "-" N N N - "-" "-" "-" "-" "198.51.100.192:443" outbound|443||en.wikipedia.org CLIENT 198.51.100.192:443 CLIENT en.wikipedia.org -"#,
            "",
        ),
        case("f, http", ONLY, get).entries(std::slice::from_ref(site)).seen(0, "", "").logged(block_all, ""),
        case("f, by address", ONLY, "curl -sS -k https://198.51.100.192/")
            .entries(std::slice::from_ref(site))
            .seen(35, "", "curl: (35) ")
            .logged(BLOCKED_DIRECT, ""),
        case("g4, https", ANY, DIRECT).seen(0, TITLE, "").logged(
            r#""- - -" 0 - - - "-" N N N - "-" "-" "-" "-" "198.51.100.192:443" PassthroughCluster CLIENT 198.51.100.192:443 CLIENT - -"#,
            "",
        ),
        case("g4, port 8080", ANY, "curl -sS http://en.wikipedia.org:8080/").seen(0, "<title>", "").logged(
            r#""- - -" 0 - - - "-" N N N - "-" "-" "-" "-" "198.51.100.192:8080" PassthroughCluster CLIENT 198.51.100.192:8080 CLIENT - -"#,
            "",
        ),
        case("g4, closed port", ANY, "curl -sS https://en.wikipedia.org:9443/").seen(35, "", "curl: (35) ").logged(
            r#""- - -" 0 UF,URX - - "delayed_connect_error:_Connection_refused" N N N - "-" "-" "-" "-" "198.51.100.192:9443" PassthroughCluster - 198.51.100.192:9443 CLIENT - -"#,
            "",
        ),
        case("g4, http", ANY, "curl -sS http://10.96.0.10/").seen(
            0,
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
            "",
        ).logged(
            r#""GET / HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} - "delayed_connect_error:_Connection_refused" N N N - "-" "CURL" "ID" "10.96.0.10" "10.96.0.10:80" PassthroughCluster - 10.96.0.10:80 CLIENT - allow_any"#,
            "",
        ),
        case("h", ONLY, "curl -sS http://httpbin.org/headers")
            .entries(&[httpbin])
            .seen(0, "\"X-Envoy-Attempt-Count\": \"1\"\n  }\n}\n", "")
            .logged(
                r#""GET /headers HTTP/1.1" 200 - via_upstream - "-" N N N 0 "-" "CURL" "ID" "httpbin.org" "198.51.100.34:80" outbound|80||httpbin.org CLIENT 198.51.100.34:80 CLIENT - default"#,
                "",
            ),
    ]
}

/// Cases g1 to g3: what goes wrong at the proxy.
fn broken(proxy: &Value) -> Vec<Case> {
    let entries = std::slice::from_ref(proxy);
    let other_port = "HTTPS_PROXY=10.244.0.95:3128 curl -sS https://en.wikipedia.org:8443/";
    let no_host = "HTTPS_PROXY=10.244.0.95:3128 curl -sS https://no-such-host.invalid/";
    let failed = |status| match status {
        403 => "curl: (56) CONNECT tunnel failed, response 403",
        500 => "curl: (56) CONNECT tunnel failed, response 500",
        _ => "curl: (56) CONNECT tunnel failed, response 503",
    };
    let down = r#""- - -" 0 UF,URX - - "delayed_connect_error:_Connection_refused" N N N - "-" "-" "-" "-" "10.244.0.95:3128" outbound|3128||my-company-proxy.com - 10.244.0.95:3128 CLIENT - -"#;
    let mut cases = vec![
        case("g1", ONLY, VIA_PROXY).squid("3.5.27", "3999").entries(entries).seen(56, "", RESET).logged(down, ""),
        case("g1, no entry", ONLY, VIA_PROXY).squid("3.5.27", "3999").seen(56, "", RESET).logged(BLOCKED, ""),
        Case {
            inside: false,
            ..case("g1, no sidecar", ANY, VIA_PROXY).squid("3.5.27", "3999").seen(
                7,
                "",
                "curl: (7) Failed to connect to 10.244.0.95 port 3128 after ",
            )
        },
        case("g1, address gone", ANY, "HTTPS_PROXY=10.244.0.222:3128 curl -sS https://en.wikipedia.org/")
            .seen(56, "", RESET)
            .logged(
                r#""- - -" 0 UF,URX - - "delayed_connect_error:_No_route_to_host" N N N - "-" "-" "-" "-" "10.244.0.222:3128" PassthroughCluster - 10.244.0.222:3128 CLIENT - -"#,
                "",
            ),
    ];
    for tag in ["3.5.27", "5.7"] {
        cases.push(
            case("g2", ONLY, other_port)
                .squid(tag, "3128")
                .entries(entries)
                .seen(56, "", failed(403))
                .logged(RELAYED, "TCP_DENIED/403 N CONNECT en.wikipedia.org:8443 - HIER_NONE/- text/html"),
        );
    }
    for (tag, status, line) in [
        ("3.5.27", 503, "TAG_NONE/503 N CONNECT no-such-host.invalid:443 - HIER_NONE/- -"),
        ("5.7", 500, "NONE_NONE/500 N CONNECT no-such-host.invalid:443 - HIER_NONE/- -"),
    ] {
        let seen = case("g3", ONLY, no_host).squid(tag, "3128").entries(entries).seen(56, "", failed(status));
        cases.push(seen.logged(RELAYED, line));
    }
    cases
}
