//! What applications and readers of the log see of a sidecar, compared with the recordings.

use super::testing::{config, entry, mesh, proxy_entry, settings, sidecar};
use super::{Propagation, Registry, Sidecar};
use crate::net::testing::{CLIENT, PROXY, address, ask, get_tls, net, pod};
use crate::net::{LineSink, Net, NetNs, Redirect, not_simulated};
use regex::Regex;
use serde_json::Value;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

type Lines = Arc<Mutex<Vec<String>>>;

fn sink() -> (LineSink, Lines) {
    let lines = Lines::default();
    let kept = Arc::clone(&lines);
    (Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned())), lines)
}

/// A client in a mesh with this policy and these entries.
fn client(net: &Net, policy: &str, entries: &[Value]) -> (NetNs, Lines) {
    let client = pod(net, CLIENT, "client");
    let (sink, lines) = sink();
    let config = config(&mesh(&settings(policy), entries));
    client.set_redirect(Redirect::default());
    client.set_sidecar(Some(Arc::new(Sidecar::new(config, sink, 1))));
    (client, lines)
}

/// The log after the flush timer has fired, with time, durations, ports, ids and byte counts of TLS masked.
async fn masked(lines: &Lines) -> Vec<String> {
    sleep(Duration::from_millis(1500)).await;
    let rules = [
        (r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]", "[T]"),
        (r#" (\d+) (\d+) \d+ (-|\d+) "-""#, r#" $1 $2 D $3 "-""#),
        (r"10\.244\.0\.52:\d+", "10.244.0.52:P"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "ID"),
    ];
    let lines = lines.lock().unwrap().clone();
    lines
        .into_iter()
        .map(|line| {
            let line = line.strip_suffix('\n').expect("a line ends with a line feed").to_owned();
            rules.iter().fold(line, |line, (rule, by)| Regex::new(rule).unwrap().replace_all(&line, *by).into_owned())
        })
        .collect()
}

/// The log as it stands.
fn raw(lines: &Lines) -> Vec<String> {
    lines.lock().unwrap().clone()
}

const CONNECT: &str =
    "CONNECT en.wikipedia.org:443 HTTP/1.1\r\nHost: en.wikipedia.org:443\r\nUser-Agent: curl/8.14.1\r\n\r\n";

fn request(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n")
}

/// Sends a request and reads one answer with a known length from an open connection.
async fn ask_open(netns: &NetNs, to: &str, request: &str) -> io::Result<String> {
    let mut socket = netns.connect(address(to)).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = socket.read(&mut piece).await?;
        answer.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if n == 0 || length == Some(body.len()) {
            return Ok(text.into_owned());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_connection_is_accepted_and_then_reset() {
    let net = net();
    let _proxy = pod(&net, PROXY, "squid");
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[]);
    let start = Instant::now();
    let mut socket = client.connect(address("10.244.0.95:3128")).await.expect("the sidecar accepts everything");
    assert_eq!(start.elapsed(), Duration::ZERO);
    socket.write_all(CONNECT.as_bytes()).await.expect("the first write goes through");
    assert_eq!(socket.read(&mut [0; 16]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let recorded =
        r#"[T] "- - -" 0 UH - - "-" 0 0 D - "-" "-" "-" "-" "-" BlackHoleCluster - 10.244.0.95:3128 10.244.0.52:P - -"#;
    assert_eq!(masked(&lines).await, [recorded]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_sees_the_end_of_the_stream() {
    let net = net();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[]);
    let mut socket = client.connect(address("10.244.0.95:3128")).await.unwrap();
    assert_eq!(socket.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(masked(&lines).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_proxy_looks_blocked_to_the_client_and_not_to_the_log() {
    // (what is wrong, entry, cluster, reason, milliseconds)
    let refused = "delayed_connect_error:_Connection_refused";
    let entry_cluster = "outbound|3128||my-company-proxy.com";
    let cases = [
        ("10.244.0.95:3128", true, entry_cluster, refused, 1),
        ("10.244.0.95:3128", false, "PassthroughCluster", refused, 1),
        ("10.244.0.99:3128", false, "PassthroughCluster", "delayed_connect_error:_No_route_to_host", 3056),
        ("198.51.100.35:82", false, "PassthroughCluster", "-", 10_000),
    ];
    for (to, registered, cluster, reason, millis) in cases {
        let net = net();
        let _proxy = pod(&net, PROXY, "squid");
        let entries = if registered { vec![proxy_entry()] } else { Vec::new() };
        let (client, lines) = client(&net, "ALLOW_ANY", &entries);
        let start = Instant::now();
        let error = ask(&client, to, CONNECT).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_millis()), (ErrorKind::ConnectionReset, millis), "{to}");
        let expected = format!(
            r#"[T] "- - -" 0 UF,URX - - "{reason}" 0 0 D - "-" "-" "-" "-" "{to}" {cluster} - {to} 10.244.0.52:P - -"#
        );
        assert_eq!(masked(&lines).await, [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn tcp_is_relayed_and_counted_and_logged_at_its_end() {
    let net = net();
    let proxy = pod(&net, PROXY, "squid");
    let mut listener = proxy.listen(3128).unwrap();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[proxy_entry()]);
    let mut socket = client.connect(address("10.244.0.95:3128")).await.unwrap();
    socket.write_all(CONNECT.as_bytes()).await.unwrap();
    let mut accepted = listener.accept().await.unwrap();
    assert_eq!(accepted.peer_addr().ip(), client.ip(), "the sidecar shares the pod's address");
    let mut seen = vec![0; CONNECT.len()];
    accepted.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, CONNECT.as_bytes());
    accepted.write_all(&[b'x'; 39]).await.unwrap();
    socket.read_exact(&mut [0; 39]).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    assert!(lines.lock().unwrap().is_empty(), "an open tunnel writes nothing");
    drop(socket);
    assert_eq!(accepted.read(&mut [0; 1]).await.unwrap(), 0);
    drop(accepted);
    let recorded = format!(
        r#"[T] "- - -" 0 - - - "-" {} 39 D - "-" "-" "-" "-" "10.244.0.95:3128" outbound|3128||my-company-proxy.com 10.244.0.52:P 10.244.0.95:3128 10.244.0.52:P - -"#,
        CONNECT.len(),
    );
    assert_eq!(masked(&lines).await, [recorded]);
    assert!(lines.lock().unwrap()[0].contains(" 39 4001 - "), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reset_passes_through_the_relay() {
    let net = net();
    let proxy = pod(&net, PROXY, "squid");
    let mut listener = proxy.listen(3128).unwrap();
    let (client, _lines) = client(&net, "ALLOW_ANY", &[]);
    let mut socket = client.connect(address("10.244.0.95:3128")).await.unwrap();
    listener.accept().await.unwrap().reset();
    assert_eq!(socket.read(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn tls_goes_by_its_server_name() {
    let net = net();
    let wikipedia = entry("en.wikipedia.org", &[], 443, "HTTPS", "DNS");
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[wikipedia]);
    let socket = client.connect(address("198.51.100.34:443")).await.unwrap();
    let page = get_tls(&client, socket, "en.wikipedia.org", "/wiki/Main_Page").await.unwrap();
    assert!(page.contains("<title>Wikipedia, the free encyclopedia</title>"), "the sidecar goes where it resolved to");
    let socket = client.connect(address("198.51.100.34:443")).await.unwrap();
    let error = get_tls(&client, socket, "httpbin.org", "/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let lines = masked(&lines).await;
    let tail = r#""-" "-" "-" "-" "198.51.100.192:443" outbound|443||en.wikipedia.org 10.244.0.52:P 198.51.100.34:443 10.244.0.52:P en.wikipedia.org -"#;
    assert!(lines[0].starts_with(r#"[T] "- - -" 0 - - - "-" "#) && lines[0].ends_with(tail), "{}", lines[0]);
    let blocked = r#"[T] "- - -" 0 UH - - "-" 0 0 D - "-" "-" "-" "-" "-" BlackHoleCluster - 198.51.100.34:443 10.244.0.52:P httpbin.org -"#;
    assert_eq!(lines[1], blocked);
}

#[tokio::test(start_paused = true)]
async fn the_same_connection_has_the_same_size_in_every_run() {
    let run = || async {
        let net = net();
        let (client, lines) = client(&net, "ALLOW_ANY", &[]);
        let socket = client.connect(address("198.51.100.192:443")).await.unwrap();
        get_tls(&client, socket, "en.wikipedia.org", "/wiki/Main_Page").await.unwrap();
        sleep(Duration::from_secs(2)).await;
        raw(&lines)
    };
    let first = run().await;
    assert!(first[0].contains("PassthroughCluster"), "{first:?}");
    assert_eq!(first, run().await);
}

#[tokio::test(start_paused = true)]
async fn the_sidecar_answers_what_no_route_takes() {
    let net = net();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[]);
    let blocked =
        ask_open(&client, "198.51.100.192:80", &request("/wiki/Main_Page", "en.wikipedia.org")).await.unwrap();
    assert_eq!(
        blocked,
        "HTTP/1.1 502 Bad Gateway\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n"
    );
    let connect = ask(&client, "198.51.100.192:80", CONNECT).await.unwrap();
    assert_eq!(
        connect,
        "HTTP/1.1 404 Not Found\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: envoy\r\nconnection: close\r\n\
         content-length: 0\r\n\r\n"
    );
    let expected = [
        r#"[T] "GET /wiki/Main_Page HTTP/1.1" 502 - direct_response - "-" 0 0 D - "-" "curl/8.14.1" "ID" "en.wikipedia.org" "-" - - 198.51.100.192:80 10.244.0.52:P - block_all"#,
        r#"[T] "CONNECT - HTTP/1.1" 404 NR route_not_found - "-" 0 0 D - "-" "curl/8.14.1" "ID" "en.wikipedia.org:443" "-" - - 198.51.100.192:80 10.244.0.52:P - -"#,
    ];
    assert_eq!(masked(&lines).await, expected);
}

#[tokio::test(start_paused = true)]
async fn http_10_and_tls_on_an_http_port_fall_through() {
    let net = net();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[]);
    let old = "GET / HTTP/1.0\r\n\r\n";
    assert_eq!(ask(&client, "198.51.100.192:80", old).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let socket = client.connect(address("198.51.100.192:80")).await.unwrap();
    let error = get_tls(&client, socket, "en.wikipedia.org", "/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let recorded = r#"[T] "- - -" 0 UH - - "-" 0 0 D - "-" "-" "-" "-" "-" BlackHoleCluster - 198.51.100.192:80 10.244.0.52:P - -"#;
    assert_eq!(masked(&lines).await, [recorded, recorded]);
}

#[tokio::test(start_paused = true)]
async fn registered_http_is_forwarded_with_the_headers_of_a_sidecar() {
    let net = net();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[entry("httpbin.org", &[], 80, "HTTP", "DNS")]);
    let mut locals = Vec::new();
    for _ in 0..2 {
        let answer = ask_open(&client, "198.51.100.34:80", &request("/headers", "httpbin.org")).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            head,
            "HTTP/1.1 200 OK\r\nserver: envoy\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-type: application/json\r\n\
             content-length: 230\r\nx-envoy-upstream-service-time: 0"
        );
        let names: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("    \"")?.split('"').next()).collect();
        let recorded = ["Host", "User-Agent", "Accept", "X-Forwarded-Proto", "X-Request-Id", "X-Envoy-Attempt-Count"];
        assert_eq!(names, recorded);
    }
    let recorded = r#"[T] "GET /headers HTTP/1.1" 200 - via_upstream - "-" 0 230 D 0 "-" "curl/8.14.1" "ID" "httpbin.org" "198.51.100.34:80" outbound|80||httpbin.org 10.244.0.52:P 198.51.100.34:80 10.244.0.52:P - default"#;
    assert_eq!(masked(&lines).await, [recorded, recorded]);
    for line in lines.lock().unwrap().iter() {
        locals.push(line.split_whitespace().nth(20).unwrap_or_default().to_owned());
    }
    assert_eq!(locals[0], locals[1], "the upstream connection is pooled");
}

#[tokio::test(start_paused = true)]
async fn http_to_a_dead_endpoint_is_a_503_with_the_recorded_text() {
    let reset =
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}";
    let net = net();
    let (client, lines) = client(&net, "ALLOW_ANY", &[entry("down.example.net", &[], 80, "HTTP", "STATIC")]);
    let answer = ask_open(&client, "10.96.0.10:80", &request("/", "10.96.0.10")).await.unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 98\r\ncontent-type: text/plain\r\n\
         date: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: envoy\r\n\r\n\
         upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"
    );
    let none = ask_open(&client, "10.96.0.10:80", &request("/", "down.example.net")).await.unwrap();
    assert!(none.ends_with("\r\n\r\nno healthy upstream"), "{none}");
    let lines = masked(&lines).await;
    let refused = "delayed_connect_error:_Connection_refused";
    assert_eq!(
        lines[0],
        format!(
            r#"[T] "GET / HTTP/1.1" 503 UF {reset} - "{refused}" 0 98 D - "-" "curl/8.14.1" "ID" "10.96.0.10" "10.96.0.10:80" PassthroughCluster - 10.96.0.10:80 10.244.0.52:P - allow_any"#
        )
    );
    assert!(lines[1].starts_with(r#"[T] "GET / HTTP/1.1" 503 UH no_healthy_upstream - "-" 0 19 D"#), "{}", lines[1]);
}

#[tokio::test(start_paused = true)]
async fn a_registered_route_tries_three_times() {
    let net = net();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[entry("silent.example.net", &[], 83, "HTTP", "DNS")]);
    let answer = ask_open(&client, "198.51.100.35:83", &request("/", "silent.example.net")).await.unwrap();
    assert!(answer.contains("content-length: 121\r\n"), "{answer}");
    assert!(answer.ends_with("retried and the latest reset reason: remote connection failure"), "{answer}");
    assert!(masked(&lines).await[0].contains(" 503 URX,UF upstream_reset_before_response_started{remote_"));
}

#[tokio::test(start_paused = true)]
async fn http_that_breaks_off_says_who_broke_it() {
    let net = net();
    let (client, lines) = client(&net, "ALLOW_ANY", &[entry("silent.example.net", &[], 81, "HTTP", "DNS")]);
    let post = "POST / HTTP/1.1\r\nHost: silent.example.net\r\nContent-Length: 4\r\n\r\nbody";
    let answer = ask_open(&client, "198.51.100.35:81", post).await.unwrap();
    assert!(answer.ends_with("disconnect/reset before headers. reset reason: connection termination"), "{answer}");
    let get = request("/", "silent.example.net");
    let silent = ask_open(&client, "198.51.100.35:80", &get);
    assert!(tokio::time::timeout(Duration::from_secs(5), silent).await.is_err(), "a silent site never answers");
    let lines = masked(&lines).await;
    let upstream = "503 UC upstream_reset_before_response_started{connection_termination} - \"-\" 4 95 ";
    assert!(lines[0].contains(upstream), "{}", lines[0]);
    assert!(lines[1].contains(" 0 DC downstream_remote_disconnect - \"-\" 0 0 D - "), "{}", lines[1]);
}

/// Recorded on 2026-11-26 from Envoy 1.40.0, configured by istiod of Istio master 86c9f01fd7: a server that greets first.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_http_is_a_502() {
    let net = net();
    let greeter = pod(&net, PROXY, "greeter");
    let mut listener = greeter.listen(9012).unwrap();
    tokio::spawn(async move {
        while let Ok(mut socket) = listener.accept().await {
            socket.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
    });
    let (client, lines) = client(&net, "ALLOW_ANY", &[entry("ssh.example.net", &[], 9012, "HTTP", "NONE")]);
    let answer = ask_open(&client, "10.244.0.95:9012", &request("/", "ssh.example.net:9012")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 87\r\n"), "{answer}");
    assert!(answer.ends_with("disconnect/reset before headers. reset reason: protocol error"), "{answer}");
    let line = "502 UPE upstream_reset_before_response_started{protocol_error} - \"-\" 0 87 ";
    assert!(masked(&lines).await[0].contains(line), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn lines_appear_at_the_full_second() {
    let net = net();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[]);
    sleep(Duration::from_millis(2300)).await;
    ask(&client, "10.244.0.95:3128", CONNECT).await.unwrap_err();
    sleep(Duration::from_millis(690)).await;
    assert!(lines.lock().unwrap().is_empty());
    sleep(Duration::from_millis(20)).await;
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_the_sidecar_after_its_delay() {
    let net = net();
    let proxy = pod(&net, PROXY, "squid");
    let _listener = proxy.listen(3128).unwrap();
    let client = pod(&net, CLIENT, "client");
    let (sink, _lines) = sink();
    let registry = Registry::new(Propagation::default(), 7);
    registry.publish(mesh(&settings("REGISTRY_ONLY"), &[]));
    client.set_redirect(Redirect::default());
    client.set_sidecar(Some(Arc::new(registry.sidecar(sidecar("default"), sink))));
    let blocked = || async {
        let mut socket = client.connect(address("10.244.0.95:3128")).await.unwrap();
        tokio::time::timeout(Duration::from_millis(5), socket.read(&mut [0; 1])).await.is_ok()
    };
    assert!(blocked().await, "a new sidecar has the present configuration");
    registry.publish(mesh(&settings("REGISTRY_ONLY"), &[proxy_entry()]));
    sleep(Duration::from_millis(290)).await;
    assert!(blocked().await, "no change is faster than the shortest delay");
    sleep(Duration::from_millis(920)).await;
    assert!(!blocked().await, "no change is slower than the longest delay");
}

#[tokio::test(start_paused = true)]
async fn a_limit_reaches_the_application_as_not_simulated() {
    let net = net();
    let (client, _lines) = client(&net, "ALLOW_ANY_DYNAMIC_DNS", &[]);
    let error = ask(&client, "10.244.0.95:3128", CONNECT).await.unwrap_err();
    assert!(not_simulated(&error).is_some_and(|reason| reason.contains("ALLOW_ANY_DYNAMIC_DNS")), "{error}");
    let stranger = pod(&net, PROXY, "outside");
    let error = ask(&stranger, "10.244.0.52:80", CONNECT).await.unwrap_err();
    assert!(not_simulated(&error).is_some_and(|reason| reason.contains("ALLOW_ANY_DYNAMIC_DNS")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_the_sidecars_own_user_opens_is_not_captured() {
    // Istio's rules return the traffic of user and group 1337.
    let net = net();
    let (client, lines) = client(&net, "REGISTRY_ONLY", &[]);
    let around = client.clone().around_sidecar();
    let answer = ask_open(&around, "198.51.100.34:80", &request("/headers", "httpbin.org")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(masked(&lines).await.is_empty());
}
