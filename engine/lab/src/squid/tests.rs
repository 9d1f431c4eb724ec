//! The proxy as clients and readers of its log see it, compared with the recordings.

use super::acl::{Answer, Asked};
use super::auth::Credentials;
use super::conf::{Conf, ConfError};
use super::reply::Version;
use crate::image::Image;
use crate::net::testing::{CLIENT, PROXY, address, ask, get_tls, net, pod};
use crate::net::{NetNs, not_simulated};
use crate::process::{Container, ContainerSpec, Exit, Fd};
use regex::Regex;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The tutorial's configuration.
const CONF: &str = "http_port 3128\n\nacl SSL_ports port 443\nacl CONNECT method CONNECT\n\n\
    http_access deny CONNECT !SSL_ports\nhttp_access allow localhost manager\nhttp_access deny manager\n\
    http_access allow all\n\ncoredump_dir /var/spool/squid\n";

const LOG: &str = "/var/log/squid/access.log";

struct Running {
    container: Container,
    client: NetNs,
    program: JoinHandle<Exit>,
}

/// Squid of this tag with this configuration, and a client beside it.
async fn start(tag: &str, conf: &str) -> Running {
    let net = net();
    let (client, proxy) = (pod(&net, CLIENT, "client"), pod(&net, PROXY, "squid"));
    let container = Container::new(ContainerSpec {
        image: Image::lookup(&format!("docker.io/sameersbn/squid:{tag}")).unwrap(),
        hostname: "squid".to_owned(),
        clock: proxy.clock().clone(),
        net: proxy,
        env: Vec::new(),
        working_dir: None,
        user: None,
    })
    .unwrap();
    container.fs().write("/etc/squid/squid.conf", conf.as_bytes()).unwrap();
    let argv = ["/usr/sbin/squid", "-f", "/etc/squid/squid.conf", "-NYCd", "1"].map(str::to_owned).to_vec();
    let program = tokio::spawn(container.process(argv, Fd::null(), Fd::null(), Fd::null()).run());
    sleep(Duration::from_millis(5)).await;
    Running { container, client, program }
}

impl Running {
    /// The log, with the time and the duration masked.
    async fn log(&self) -> Vec<String> {
        sleep(Duration::from_millis(10)).await;
        let log = String::from_utf8(self.container.fs().read(LOG).unwrap()).unwrap();
        let time = Regex::new(r"^17\d{8}\.\d{3} +\d+ ").unwrap();
        log.lines().map(|line| time.replace(line, "T D ").into_owned()).collect()
    }

    async fn ask(&self, request: &str) -> String {
        ask(&self.client, "10.244.0.95:3128", request).await.unwrap()
    }
}

fn connect(to: &str) -> String {
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: curl/8.14.1\r\nProxy-Connection: Keep-Alive\r\n\r\n")
}

/// Reads a head and the body that its `Content-Length` announces.
async fn answer(squid: &Running, request: &str) -> (String, String) {
    let mut socket = squid.client.connect(address("10.244.0.95:3128")).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    loop {
        let mut piece = [0; 4096];
        let n = socket.read(&mut piece).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: Option<usize> = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")?.parse().ok());
        if n == 0 || length.is_some_and(|length| body.len() >= length) {
            return (head.to_owned(), body.to_owned());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_is_logged_when_it_closes_with_the_bytes_of_its_answer() {
    let line = Regex::new(
        r"^T D 10\.244\.0\.52 TCP_TUNNEL/200 (\d+) CONNECT en\.wikipedia\.org:443 - HIER_DIRECT/198\.51\.100\.192 -$",
    )
    .unwrap();
    for tag in ["3.5.27", "5.7"] {
        let squid = start(tag, CONF).await;
        let mut socket = squid.client.connect(address("10.244.0.95:3128")).await.unwrap();
        socket.write_all(connect("en.wikipedia.org:443").as_bytes()).await.unwrap();
        let mut established = [0; 39];
        socket.read_exact(&mut established).await.unwrap();
        assert_eq!(&established, b"HTTP/1.1 200 Connection established\r\n\r\n");
        sleep(Duration::from_secs(5)).await;
        assert!(squid.log().await.is_empty(), "an open tunnel is not logged");
        let page = get_tls(&squid.client, socket, "en.wikipedia.org", "/wiki/Main_Page").await.unwrap();
        assert!(page.contains("<title>Wikipedia, the free encyclopedia</title>"));
        let log = squid.log().await;
        let bytes: usize = line.captures(&log[0]).unwrap_or_else(|| panic!("{log:?}"))[1].parse().unwrap();
        assert!(bytes > 39 + 80_432, "{bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_not_allowed_is_denied() {
    for (tag, name) in [("3.5.27", "squid/3.5.27"), ("5.7", "squid/5.7")] {
        let squid = start(tag, CONF).await;
        let (head, body) = answer(&squid, &connect("en.wikipedia.org:8443")).await;
        let expected = [
            "HTTP/1.1 403 Forbidden".to_owned(),
            format!("Server: {name}"),
            "Mime-Version: 1.0".to_owned(),
            "Date: Thu, 01 Jan 2026 00:00:00 GMT".to_owned(),
            "Content-Type: text/html;charset=utf-8".to_owned(),
            format!("Content-Length: {}", body.len()),
            "X-Squid-Error: ERR_ACCESS_DENIED 0".to_owned(),
            "Vary: Accept-Language".to_owned(),
            "Content-Language: en".to_owned(),
            "X-Cache: MISS from localhost".to_owned(),
            "X-Cache-Lookup: NONE from localhost:3128".to_owned(),
            format!("Via: 1.1 localhost ({name})"),
            "Connection: keep-alive".to_owned(),
        ];
        assert_eq!(head.split("\r\n").collect::<Vec<_>>(), expected);
        let bytes = head.len() + 4 + body.len();
        let line =
            format!("T D 10.244.0.52 TCP_DENIED/403 {bytes} CONNECT en.wikipedia.org:8443 - HIER_NONE/- text/html");
        assert_eq!(squid.log().await, [line]);
    }
}

#[tokio::test(start_paused = true)]
async fn failed_tunnels_are_named_as_each_version_names_them() {
    let cases = [
        ("3.5.27", "no-such-host.invalid:443", 503, "TAG_NONE/503 0 CONNECT no-such-host.invalid:443 - HIER_NONE/- -"),
        ("5.7", "no-such-host.invalid:443", 500, "NONE_NONE/500 0 CONNECT no-such-host.invalid:443 - HIER_NONE/- -"),
        ("3.5.27", "10.96.0.10:443", 503, "TAG_NONE/503 0 CONNECT 10.96.0.10:443 - HIER_NONE/- -"),
        ("5.7", "10.96.0.10:443", 503, "NONE_NONE/503 0 CONNECT 10.96.0.10:443 - HIER_DIRECT/10.96.0.10 -"),
    ];
    for (tag, to, status, line) in cases {
        let squid = start(tag, CONF).await;
        let answer = squid.ask(&connect(to)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(squid.log().await, [format!("T D 10.244.0.52 {line}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn plain_requests_are_forwarded_with_the_headers_of_a_proxy() {
    let squid = start("5.7", CONF).await;
    let request = "GET http://httpbin.org/headers HTTP/1.1\r\nHost: httpbin.org\r\nUser-Agent: curl/8.14.1\r\n\
        Accept: */*\r\nProxy-Connection: Keep-Alive\r\n\r\n";
    let (head, body) = answer(&squid, request).await;
    let recorded = "{\n  \"headers\": {\n    \"User-Agent\": \"curl/8.14.1\",\n    \"Accept\": \"*/*\",\n    \
        \"Host\": \"httpbin.org\",\n    \"Via\": \"1.1 localhost (squid/5.7)\",\n    \
        \"X-Forwarded-For\": \"10.244.0.52\",\n    \"Cache-Control\": \"max-age=259200\",\n    \
        \"Connection\": \"keep-alive\"\n  }\n}\n";
    assert_eq!(body, recorded);
    assert!(head.ends_with("Via: 1.1 localhost (squid/5.7)\r\nConnection: keep-alive"), "{head}");
    let bytes = head.len() + 4 + body.len();
    let line = format!(
        "T D 10.244.0.52 TCP_MISS/200 {bytes} GET http://httpbin.org/headers - HIER_DIRECT/198.51.100.34 application/json"
    );
    assert_eq!(squid.log().await, [line]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_host_of_a_plain_request_differs_between_versions() {
    for (tag, status) in [("3.5.27", 503), ("5.7", 502)] {
        let squid = start(tag, CONF).await;
        let (head, _) = answer(&squid, "GET http://no-such-host.invalid/ HTTP/1.1\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let log = squid.log().await;
        assert!(log[0].starts_with(&format!("T D 10.244.0.52 TCP_MISS/{status} ")), "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_newer_version_notes_a_client_that_asks_nothing() {
    let newer = "T D 10.244.0.52 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -".to_owned();
    for (tag, expected) in [("3.5.27", Vec::new()), ("5.7", vec![newer])] {
        let squid = start(tag, CONF).await;
        drop(squid.client.connect(address("10.244.0.95:3128")).await.unwrap());
        assert_eq!(squid.log().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_exists_before_the_first_line_and_the_port_closes_with_the_program() {
    let squid = start("3.5.27", CONF).await;
    assert!(squid.container.fs().read(LOG).unwrap().is_empty());
    squid.container.signal(1, crate::process::SIGTERM);
    assert_eq!(squid.program.await.unwrap(), Exit::SUCCESS);
    let error = squid.client.connect(address("10.244.0.95:3128")).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn what_a_cache_would_keep_and_what_the_lab_lacks_is_not_simulated() {
    let squid = start("5.7", CONF).await;
    let error = ask(&squid.client, "10.244.0.95:3128", "GET ftp://httpbin.org/ HTTP/1.1\r\n\r\n").await.unwrap_err();
    assert_eq!(not_simulated(&error), Some("squid: ftp://httpbin.org/"));
    for conf in ["cache_peer up.example.net parent 3128 0", "acl x time 10:00-11:00", "http_port 10.0.0.1:3128"] {
        let squid = start("5.7", &format!("{CONF}{conf}\n")).await;
        let Exit::NotSimulated(reason) = squid.program.await.unwrap() else { panic!("{conf} was accepted") };
        assert_eq!(reason, format!("squid.conf line 12: {conf}"));
    }
}

#[test]
fn access_follows_the_first_rule_that_matches() {
    let conf = |rules: &str| {
        Conf::parse(
            &format!(
                "acl inside src 10.244.0.0/24\nacl site dstdomain .example.org www.example.net\n\
                 acl cn dstdom_regex -i ^WWW\\.\nacl net dst 198.51.100.0/24\nacl some src 10.244.0.3-10.244.0.9\nacl exe urlpath_regex \\.exe$\n{rules}"
            ),
            "x",
            Version::V5,
            &|_| None,
        )
        .unwrap()
    };
    let allows = |conf: &Conf, client: &str, host: &str| {
        let client = client.parse::<IpAddr>().unwrap();
        let url = &format!("http://{host}/a.exe");
        let addresses: &[IpAddr] = if host == "www.example.net" { &[IpAddr::from([198, 51, 100, 7])] } else { &[] };
        let credentials = &Credentials::None;
        let asked = Asked { client, method: "GET", host, port: 80, url, addresses, credentials };
        conf.access.decide(&asked).answer == Answer::Allowed
    };
    let cases = [
        ("", "10.244.0.1", "example.org", false),
        ("http_access deny all", "10.244.0.1", "example.org", false),
        ("http_access deny site", "10.244.0.1", "a.example.org", false),
        ("http_access deny site", "10.244.0.1", "example.net", true),
        ("http_access allow inside site", "10.244.0.1", "EXAMPLE.org", true),
        ("http_access allow inside site", "10.244.1.1", "example.org", false),
        ("http_access allow inside site", "10.244.0.1", "badexample.org", false),
        ("http_access allow site", "10.244.0.1", "www.example.net", true),
        ("http_access allow site", "10.244.0.1", "a.www.example.net", false),
        ("http_access allow !inside", "10.244.1.1", "x", true),
        ("http_access allow localhost", "127.0.0.1", "x", true),
        ("http_access allow cn", "10.244.0.1", "www.example.net", true),
        ("http_access allow cn", "10.244.0.1", "example.net", false),
        ("http_access allow net", "10.244.0.1", "www.example.net", true),
        ("http_access allow net", "10.244.0.1", "example.net", false),
        ("http_access deny exe", "10.244.0.1", "example.net", false),
        ("http_access allow some", "10.244.0.9", "x", true),
        ("http_access allow some", "10.244.0.10", "x", false),
    ];
    for (rules, client, host, expected) in cases {
        assert_eq!(allows(&conf(rules), client, host), expected, "{rules:?} for {host} from {client}");
    }
}

#[test]
fn a_wrong_configuration_names_its_line() {
    let error =
        Conf::parse("http_port 3128\nhttp_access allow nobody\n", "/etc/squid/squid.conf", Version::V5, &|_| None)
            .unwrap_err();
    assert!(matches!(error, ConfError::Bungled { .. }));
    assert_eq!(error.to_string(), "Bungled /etc/squid/squid.conf line 2: http_access allow nobody");
}

/// A proxy that wants to know who asks; passwords as `htpasswd` of Apache 2.4 writes them.
const AUTHENTICATED: &str = "http_port 3128\nauth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd\n\
    auth_param basic realm Corporate proxy\nacl SSL_ports port 443\nacl CONNECT method CONNECT\n\
    acl authed proxy_auth REQUIRED\nhttp_access deny CONNECT !SSL_ports\nhttp_access allow authed\nhttp_access deny all\n\
    cache deny all\n";

#[tokio::test(start_paused = true)]
async fn a_client_has_to_say_who_it_is_and_the_log_names_it() {
    let squid = start("5.7", AUTHENTICATED).await;
    squid.container.fs().write("/etc/squid/passwd", b"alice:$apr1$LXoxVdic$7zYWeuKL.lmfUw/RF1nnq.\n").unwrap();
    let with = |request: String, credentials: &str| {
        request.replacen("User-Agent", &format!("Proxy-Authorization: Basic {credentials}\r\nUser-Agent"), 1)
    };
    let (head, _) = answer(&squid, &connect("en.wikipedia.org:443")).await;
    let recorded = [
        "HTTP/1.1 407 Proxy Authentication Required",
        "Server: squid/5.7",
        "Mime-Version: 1.0",
        "Date: Thu, 01 Jan 2026 00:00:00 GMT",
        "Content-Type: text/html;charset=utf-8",
        "Content-Length: 3085",
        "X-Squid-Error: ERR_CACHE_ACCESS_DENIED 0",
        "Vary: Accept-Language",
        "Content-Language: en",
        "Proxy-Authenticate: Basic realm=\"Corporate proxy\"",
        "X-Cache: MISS from localhost",
        "X-Cache-Lookup: NONE from localhost:3128",
        "Via: 1.1 localhost (squid/5.7)",
        "Connection: keep-alive",
    ];
    assert_eq!(head.split("\r\n").collect::<Vec<_>>(), recorded);
    answer(&squid, &with(connect("en.wikipedia.org:443"), "YWxpY2U6d3Jvbmc=")).await;
    answer(&squid, &with(connect("en.wikipedia.org:8443"), "YWxpY2U6c2VjcmV0")).await;
    let get = "GET http://httpbin.org/headers?a=b HTTP/1.1\r\nHost: httpbin.org\r\nUser-Agent: curl/8.14.1\r\n\r\n";
    let (head, body) = answer(&squid, &with(get.to_owned(), "YWxpY2U6c2VjcmV0")).await;
    assert!(!body.contains("Proxy-Authorization"), "{body}");
    let bytes = head.len() + 4 + body.len();
    assert_eq!(
        squid.log().await,
        [
            // One byte less than recorded with the port 13128.
            "T D 10.244.0.52 TCP_DENIED/407 3533 CONNECT en.wikipedia.org:443 - HIER_NONE/- text/html".to_owned(),
            "T D 10.244.0.52 TCP_DENIED/407 3533 CONNECT en.wikipedia.org:443 alice HIER_NONE/- text/html".to_owned(),
            "T D 10.244.0.52 TCP_DENIED/403 3438 CONNECT en.wikipedia.org:8443 - HIER_NONE/- text/html".to_owned(),
            format!(
                "T D 10.244.0.52 TCP_MISS/200 {bytes} GET http://httpbin.org/headers? alice \
                 HIER_DIRECT/198.51.100.34 application/json"
            ),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_may_stand_in_a_file_and_users_need_a_way_to_say_who_they_are() {
    let files = |path: &str| (path == "/white").then(|| "# sites\n.example.org\n\nexample.net # one\n".to_owned());
    let conf =
        Conf::parse("acl w dstdomain \"/white\"\nacl none dstdomain \"/absent\"\n", "x", Version::V5, &files).unwrap();
    let super::acl::List::Domain(domains) = &conf.access.lists["w"] else { panic!("another type") };
    assert_eq!(domains, &[".example.org", "example.net"]);
    assert!(matches!(&conf.access.lists["none"], super::acl::List::Domain(domains) if domains.is_empty()));
    let error = Conf::parse("acl a proxy_auth REQUIRED\n", "x", Version::V5, &files).unwrap_err();
    assert_eq!(error.to_string(), "ERROR: Invalid ACL: acl a proxy_auth REQUIRED");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_and_what_ends_early_is_logged_as_a_real_squid_5_7_logs_it() {
    let squid = start("5.7", &format!("{CONF}cache deny all\n")).await;
    let head = |request: &str, status: &str, error: &str| {
        (request.to_owned(), format!("HTTP/1.1 {status}\r\n"), format!("\r\nX-Squid-Error: {error}\r\n"))
    };
    for (request, status, error) in [
        head("GARBAGE\r\n\r\n", "400 Bad Request", "ERR_PROTOCOL_UNKNOWN 0"),
        head("\x16\x03\x01\x02\r\n", "400 Bad Request", "ERR_PROTOCOL_UNKNOWN 0"),
        head("GET foo://a/ HTTP/1.1\r\n\r\n", "400 Bad Request", "ERR_INVALID_URL 0"),
        head("CONNECT :443 HTTP/1.1\r\n\r\n", "400 Bad Request", "ERR_INVALID_URL 0"),
        head("GET http://silent.example.net:81/ HTTP/1.1\r\n\r\n", "502 Bad Gateway", "ERR_READ_ERROR 104"),
        head("GET cache_object://localhost/info HTTP/1.1\r\n\r\n", "403 Forbidden", "ERR_ACCESS_DENIED 0"),
    ] {
        let (found, body) = answer(&squid, &request).await;
        assert!(found.starts_with(&status) && (found + "\r\n").contains(&error), "{request:?}");
        assert!(body.contains("<title>ERROR: The requested URL could not be retrieved</title>"), "{body}");
    }
    // A client that gives up before the answer, and a tunnel whose port goes without saying.
    let mut socket = squid.client.connect(address("10.244.0.95:3128")).await.unwrap();
    socket.write_all(b"GET http://silent.example.net/ HTTP/1.1\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(2)).await;
    drop(socket);
    let mut socket = squid.client.connect(address("10.244.0.95:3128")).await.unwrap();
    socket.write_all(b"CONNECT en.wikipedia.org HTTP/1.1\r\n\r\n").await.unwrap();
    socket.read_exact(&mut [0; 39]).await.unwrap();
    drop(socket);
    assert_eq!(
        squid.log().await,
        [
            "T D 10.244.0.52 NONE_NONE/400 3403 GARBAGE error:invalid-request - HIER_NONE/- text/html",
            "T D 10.244.0.52 NONE_NONE/400 3403 - error:invalid-request - HIER_NONE/- text/html",
            "T D 10.244.0.52 NONE_NONE/400 3597 GET foo://a/ - HIER_NONE/- text/html",
            "T D 10.244.0.52 NONE_NONE/400 3589 CONNECT :443 - HIER_NONE/- text/html",
            "T D 10.244.0.52 TCP_MISS/502 3465 GET http://silent.example.net:81/ - HIER_DIRECT/198.51.100.35 text/html",
            "T D 10.244.0.52 TCP_DENIED/403 3454 GET cache_object://localhost/info - HIER_NONE/- text/html",
            "T D 10.244.0.52 TCP_MISS_ABORTED/000 0 GET http://silent.example.net/ - HIER_DIRECT/198.51.100.35 -",
            "T D 10.244.0.52 TCP_TUNNEL/200 39 CONNECT en.wikipedia.org:443 - HIER_DIRECT/198.51.100.192 -",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_server_is_told_of_the_client_what_the_configuration_lets() {
    // As a real Squid 5.7 changed `X-Forwarded-For: 1.2.3.4` and `Via: 1.0 me`.
    let named = Some("1.0 me, 1.1 localhost (squid/5.7)");
    for (conf, forwarded, via) in [
        ("", Some("1.2.3.4, 10.244.0.52"), named),
        ("forwarded_for off", Some("1.2.3.4, unknown"), named),
        ("forwarded_for transparent", Some("1.2.3.4"), named),
        ("forwarded_for truncate", Some("10.244.0.52"), named),
        ("via off\nforwarded_for delete", None, Some("1.0 me")),
        ("httpd_suppress_version_string on", Some("1.2.3.4, 10.244.0.52"), Some("1.0 me, 1.1 localhost (squid)")),
    ] {
        let squid = start("5.7", &format!("{CONF}{conf}\n")).await;
        let request = "GET http://httpbin.org/headers HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4\r\nVia: 1.0 me\r\n\r\n";
        let (head, body) = answer(&squid, request).await;
        let seen: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(seen["headers"]["X-Forwarded-For"].as_str(), forwarded, "{conf}");
        assert_eq!(seen["headers"]["Via"].as_str(), via, "{conf}");
        assert_eq!(head.contains("Via: 1.1 localhost"), !conf.contains("via off"), "{conf}");
    }
}
