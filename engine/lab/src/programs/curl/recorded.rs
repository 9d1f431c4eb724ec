//! curl held against real ones: 7.88.1 (Debian 12) and 8.14.1 (its backports), with OpenSSL 3.0.19, before servers that answer as
//! the lab's hosts do and a Squid 5.7, each in a network namespace of its own, with the addresses of this world.
//!
//! Invariant: what is masked differs between two runs of the real one as well.

use crate::image::Image;
use crate::net::{HostSpec, Net, NetNs, PodNet, Socket};
use crate::process::testing::{clock, container_in, run_at};
use crate::process::{Container, ContainerSpec, Exit, Fd};
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HOSTS: &str = include_str!("../../../tests/fixtures/curl/hosts.yaml");
const FILES: &str = include_str!("../../../tests/fixtures/curl/files.json");
/// The image, and what was recorded of its curl.
const RECORDINGS: [(&str, &str); 2] = [
    ("governmentpaas/curl-ssl:terraform-14", include_str!("../../../tests/fixtures/curl/curl-7.88.1.jsonl")),
    ("curlimages/curl:8.14.1", include_str!("../../../tests/fixtures/curl/curl-8.14.1.jsonl")),
];

const OPEN: &str = "http_port 3128\nacl SSL_ports port 443\nacl CONNECT method CONNECT\nhttp_access deny CONNECT !SSL_ports\n\
    http_access allow localhost manager\nhttp_access deny manager\nhttp_access allow all\ncoredump_dir /var/spool/squid\n\
    cache deny all\nvisible_hostname localhost\n";
const AUTHENTICATED: &str = "http_port 3129\n\
    auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd\nauth_param basic realm Corporate proxy\n\
    acl SSL_ports port 443\nacl CONNECT method CONNECT\nacl authed proxy_auth REQUIRED\n\
    http_access deny CONNECT !SSL_ports\nhttp_access allow authed\nhttp_access deny all\ncache deny all\n\
    visible_hostname localhost\n";

#[derive(Deserialize)]
struct Case {
    script: String,
    stdout: String,
    stderr: String,
    status: u8,
}

fn pod(net: &Net, ip: [u8; 4], name: &str) -> NetNs {
    net.add_pod(PodNet {
        ip: IpAddr::from(ip),
        namespace: "default".to_owned(),
        pod: name.to_owned(),
        labels: BTreeMap::new(),
        service_account: "default".to_owned(),
    })
}

/// The recordings' world, as one client sees it.
async fn world() -> NetNs {
    let net = Net::new(clock(), 1);
    let hosts: Vec<HostSpec> = serde_yaml::from_str(HOSTS).unwrap();
    for host in hosts {
        net.add_host(host);
    }
    let proxy = pod(&net, [10, 244, 0, 95], "squid");
    for conf in [OPEN, AUTHENTICATED] {
        let container = Container::new(ContainerSpec {
            image: Image::lookup("docker.io/sameersbn/squid:5.7").unwrap(),
            hostname: "squid".to_owned(),
            clock: clock(),
            net: proxy.clone(),
            env: Vec::new(),
            working_dir: None,
            user: None,
        })
        .unwrap();
        container.fs().write("/etc/squid/squid.conf", conf.as_bytes()).unwrap();
        container.fs().write("/etc/squid/passwd", b"alice:$apr1$LXoxVdic$7zYWeuKL.lmfUw/RF1nnq.\n").unwrap();
        let argv = ["/usr/sbin/squid", "-N"].map(str::to_owned).to_vec();
        tokio::spawn(container.process(argv, Fd::null(), Fd::null(), Fd::null()).run());
    }
    tokio::spawn(echo(pod(&net, [10, 244, 0, 90], "echo")));
    tokio::time::sleep(Duration::from_millis(5)).await;
    pod(&net, [10, 244, 0, 52], "client")
}

/// A container of the client with the files of the recordings.
fn container(image: &str, client: &NetNs) -> Container {
    let trust = client.trust_pem();
    let container = container_in(image, client.clone());
    let files: BTreeMap<String, String> = serde_json::from_str(FILES).unwrap();
    container.fs().create_dir_all("/home/curl_user").unwrap();
    for (name, content) in files {
        container.fs().write(&format!("/home/curl_user/{name}"), content.as_bytes()).unwrap();
    }
    for path in ["/home/curl_user/ca.pem", "/cacert.pem"] {
        container.fs().write(path, trust.as_bytes()).unwrap();
    }
    container
}

/// Answers each request with its own bytes.
async fn echo(netns: NetNs) {
    let mut listener = netns.listen(8000).unwrap();
    while let Ok(socket) = listener.accept().await {
        tokio::spawn(echo_one(socket, netns.clone()));
    }
}

async fn echo_one(mut socket: Socket, netns: NetNs) {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let Ok(read @ 1..) = socket.read(&mut chunk).await else { return };
        seen.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let field = |name: &str| {
            head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| *key == name)).map(|(_, value)| value)
        };
        let chunked = field("Transfer-Encoding").is_some();
        let length = field("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if chunked && !body.ends_with("0\r\n\r\n") || body.len() < length {
            continue;
        }
        // The recording's server took chunks apart.
        let body = if chunked { body.split("\r\n").skip(1).step_by(2).collect() } else { body.to_owned() };
        let answer = format!("{head}\r\n\r\n{body}");
        let close = field("Connection") == Some("close") || head.ends_with("HTTP/1.0") || head.contains("HTTP/1.0\r\n");
        let date = crate::net::http_date(netns.clock());
        let closing = if close { "Connection: close\r\n" } else { "" };
        let mut reply = format!(
            "HTTP/1.1 200 OK\r\nServer: site\r\nDate: {date}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{closing}\r\n",
            answer.len()
        );
        if !head.starts_with("HEAD ") {
            reply.push_str(&answer);
        }
        if socket.write_all(reply.as_bytes()).await.is_err() || close {
            return;
        }
        seen.clear();
    }
}

/// Takes out what differs between two runs.
fn mask(text: &str) -> String {
    let rules = [
        (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT", "DATE"),
        (r"(start|expire) date: .*", "$1 date: D"),
        (r"after \d+ ?m(s|illiseconds)", "after N m$1"),
        (r"(\r *\d+ +\S+ +\d+ +\S+ +\d+ +\S+) +\S+ +\S+ (\S+) +(\S+) (\S+) +\w[\w.]*", "$1 S S $2 $3 $4 S"),
        (r"\[\d+ bytes data\]", "[N bytes data]"),
        (r"0x[0-9a-f]{8,}", "POINTER"),
        (r"from (\S+) port \d+ failed", "from $1 port P failed"),
        (r"(-{24,26})[0-9A-Za-z]{16,22}", "${1}BOUNDARY"),
        // Whether the tickets of TLS come before or after this is a race.
        (r"\* Request completely sent off\n", ""),
        (r"(\{ \[N bytes data\]\n)+< HTTP", "< HTTP"),
        // Two threads may both say it.
        (r"(\* Could not resolve host: \S+\n)+", "* Could not resolve host\n"),
        (r"(\} \[N bytes data\]\n)\{ \[N bytes data\]\n", "$1"),
    ];
    rules
        .iter()
        .fold(text.to_owned(), |text, (rule, by)| Regex::new(rule).unwrap().replace_all(&text, *by).into_owned())
}

#[tokio::test(start_paused = true)]
async fn curl_does_what_real_ones_were_recorded_doing() {
    let mut wrong = Vec::new();
    let mut right = 0;
    for (image, recording) in RECORDINGS {
        let client = world().await;
        for line in recording.lines() {
            let case: Case = serde_json::from_str(line).unwrap();
            let container = container(image, &client);
            let script = format!(
                "export P=10.244.0.95:3128 A=10.244.0.95:3129 E=10.244.0.90:8000 CURL_CA_BUNDLE=/cacert.pem; {}",
                case.script
            );
            let output = run_at(&container, "/home/curl_user", &["sh", "-c", &script]).await;
            let same = output.exit == Exit::Code(case.status)
                && mask(&output.stdout) == mask(&case.stdout)
                && mask(&output.stderr) == mask(&case.stderr);
            if same {
                right += 1;
                continue;
            }
            wrong.push(format!(
                "{image}: {}\n-- recorded {}\n{}{}\n-- found {:?}\n{}{}",
                case.script,
                case.status,
                mask(&case.stdout),
                mask(&case.stderr),
                output.exit,
                mask(&output.stdout),
                mask(&output.stderr)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {right} right:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn what_the_lab_lacks_of_curl_is_said() {
    let client = world().await;
    for line in [
        "-x socks5://10.244.0.95:1080 http://httpbin.org/",
        "--preproxy socks5://10.244.0.95:1080 http://httpbin.org/",
        "--socks5 10.244.0.95:1080 http://httpbin.org/",
        "-Z http://httpbin.org/ http://httpbin.org/",
        "-b jar.txt http://httpbin.org/",
        "-c jar.txt http://httpbin.org/",
        "-C 5 http://httpbin.org/",
        "--http2-prior-knowledge http://httpbin.org/",
        "--unix-socket /s http://httpbin.org/",
        "--interface lo http://httpbin.org/",
        "--netrc http://httpbin.org/",
        "--ciphers DEFAULT https://httpbin.org/",
        "--limit-rate 1k http://httpbin.org/",
        "--proxy-anyauth -x 10.244.0.95:3129 http://httpbin.org/",
        "-w %{json} http://httpbin.org/",
        "-w %{certs} http://httpbin.org/",
        "--version",
        "--help",
        "ftp://httpbin.org/",
        "--trace-ascii - http://httpbin.org/",
    ] {
        let container = container(RECORDINGS[1].0, &client);
        let argv: Vec<&str> = std::iter::once("curl").chain(line.split(' ')).collect();
        let output = run_at(&container, "/home/curl_user", &argv).await;
        assert!(matches!(output.exit, Exit::NotSimulated(_)), "{line}: {output:?}");
    }
}
