//! What programs may rely on when they use the virtual network.

use super::testing::{CLIENT, PROXY, address, ask, get_tls, net, pod};
use super::*;
use serde_json::json;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

fn pair() -> (Socket, Socket) {
    Socket::pair(address("10.244.0.52:40000"), address("10.244.0.95:3128"))
}

async fn read_all(socket: &mut Socket) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    socket.read_to_end(&mut data).await?;
    Ok(data)
}

#[tokio::test(start_paused = true)]
async fn half_close_lets_the_other_direction_go_on() {
    let (mut a, mut b) = pair();
    a.write_all(b"question").await.unwrap();
    a.shutdown().await.unwrap();
    assert_eq!(read_all(&mut b).await.unwrap(), b"question");
    b.write_all(b"answer").await.unwrap();
    drop(b);
    assert_eq!(read_all(&mut a).await.unwrap(), b"answer");
    assert_eq!(a.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn closing_with_unread_data_is_a_reset_reported_once() {
    let (mut a, b) = pair();
    a.write_all(b"unread").await.unwrap();
    drop(b);
    assert_eq!(a.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(a.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(a.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn data_before_a_reset_is_readable() {
    let (mut a, mut b) = pair();
    b.write_all(b"last words").await.unwrap();
    b.reset();
    let mut data = [0; 10];
    a.read_exact(&mut data).await.unwrap();
    assert_eq!(&data, b"last words");
    assert_eq!(a.read(&mut data).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn first_write_after_a_clean_close_succeeds_and_the_next_breaks() {
    let (mut a, b) = pair();
    drop(b);
    assert_eq!(a.write(b"x").await.unwrap(), 1);
    assert_eq!(a.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(a.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_window_holds_the_writer_until_the_reader_takes_some() {
    let (mut a, mut b) = pair();
    let data = vec![7; 200_000];
    assert!(timeout(Duration::from_secs(1), a.write_all(&data)).await.is_err(), "nobody reads");
    let mut taken = vec![0; 64 * 1024];
    b.read_exact(&mut taken).await.unwrap();
    assert!(a.write(&data).await.unwrap() > 0);
}

#[tokio::test(start_paused = true)]
async fn peeked_bytes_stay() {
    let (mut a, mut b) = pair();
    a.write_all(b"hello").await.unwrap();
    let seen = b.peek(|data, _| (data.len() >= 5).then(|| data.to_vec())).await;
    assert_eq!(seen, b"hello");
    drop(a);
    assert_eq!(read_all(&mut b).await.unwrap(), b"hello");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_simulated_is_told_apart_from_every_failure() {
    let (mut a, b) = pair();
    b.refuse_to_simulate("something");
    for _ in 0..2 {
        let error = a.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(not_simulated(&error), Some("something"));
    }
    assert_eq!(not_simulated(&ErrorKind::ConnectionReset.into()), None);
}

#[tokio::test(start_paused = true)]
async fn dialling_fails_as_a_kernel_lets_it_fail() {
    let net = net();
    let client = pod(&net, CLIENT, "client");
    let _proxy = pod(&net, PROXY, "squid");
    let cases = [
        ("10.244.0.95:3128", ErrorKind::ConnectionRefused, 1),
        ("127.0.0.1:80", ErrorKind::ConnectionRefused, 0),
        ("198.51.100.192:9443", ErrorKind::ConnectionRefused, 1),
        ("198.51.100.35:83", ErrorKind::ConnectionRefused, 1),
        ("10.96.0.10:443", ErrorKind::ConnectionRefused, 1),
        ("10.244.0.99:3128", ErrorKind::HostUnreachable, 3056),
        ("198.51.100.35:82", ErrorKind::TimedOut, 127_000),
        ("203.0.113.1:80", ErrorKind::TimedOut, 127_000),
    ];
    for (to, kind, millis) in cases {
        let start = Instant::now();
        let error = client.connect(address(to)).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_millis()), (kind, millis), "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_is_free_again_when_its_listener_or_pod_goes() {
    let net = net();
    let (client, proxy) = (pod(&net, CLIENT, "client"), pod(&net, PROXY, "squid"));
    let mut listener = proxy.listen(3128).unwrap();
    assert_eq!(proxy.listen(3128).unwrap_err().kind(), ErrorKind::AddrInUse);
    let to = address("10.244.0.95:3128");
    let (dialled, accepted) = tokio::join!(client.connect(to), listener.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    assert_eq!((dialled.peer_addr(), accepted.local_addr()), (to, to));
    assert_eq!(accepted.peer_addr(), dialled.local_addr());
    drop(listener);
    assert_eq!(client.connect(to).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let _again = proxy.listen(3128).unwrap();
    net.remove_pod(proxy.ip());
    assert_eq!(client.connect(to).await.unwrap_err().kind(), ErrorKind::HostUnreachable);
}

#[tokio::test(start_paused = true)]
async fn local_ports_depend_on_the_seed_alone() {
    let ports = || async {
        let client = pod(&net(), CLIENT, "client");
        let mut ports = Vec::new();
        for _ in 0..3 {
            ports.push(client.connect(address("198.51.100.192:80")).await.unwrap().local_addr().port());
        }
        ports
    };
    let first = ports().await;
    assert_eq!(first, ports().await);
    assert!(first.iter().all(|port| (32_768..61_000).contains(port)), "{first:?}");
    assert_eq!(first[1], first[0] + 2);
}

#[tokio::test(start_paused = true)]
async fn services_have_names_and_endpoints_take_turns() {
    let net = net();
    let client = pod(&net, CLIENT, "client");
    let service = |name: &str, ip: &str| {
        json!({"metadata": {"namespace": "default", "name": name},
            "spec": {"clusterIP": ip, "ports": [{"name": "tcp", "port": 80, "targetPort": 8080}]}})
    };
    let services = [service("web", "10.96.0.20"), service("headless", "None"), service("empty", "10.96.0.21")];
    let slice = |name: &str| {
        json!({"metadata": {"namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "tcp", "port": 8080}],
            "endpoints": [{"addresses": ["10.244.0.60"], "conditions": {"ready": true}},
                {"addresses": ["10.244.0.61"]}, {"addresses": ["10.244.0.62"], "conditions": {"ready": false}}]})
    };
    net.set_services(ServiceTable::from_objects(&services, &[slice("web"), slice("headless")]));
    let names = [
        ("web", Ok(vec!["10.96.0.20"])),
        ("web.default", Ok(vec!["10.96.0.20"])),
        ("WEB.default.svc.cluster.local.", Ok(vec!["10.96.0.20"])),
        ("headless", Ok(vec!["10.244.0.60", "10.244.0.61"])),
        ("10-244-0-7.default.pod.cluster.local", Ok(vec!["10.244.0.7"])),
        ("en.wikipedia.org", Ok(vec!["198.51.100.192"])),
        ("localhost", Ok(vec!["127.0.0.1"])),
        ("192.0.2.7", Ok(vec!["192.0.2.7"])),
        ("web.other", Err(ResolveError::NotFound("web.other".to_owned()))),
        ("no-such-host.invalid", Err(ResolveError::NotFound("no-such-host.invalid".to_owned()))),
        ("two words", Err(ResolveError::Invalid("two words".to_owned()))),
    ];
    for (name, expected) in names {
        let found = client.resolve(name).await;
        let expected = expected.map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(found, expected, "{name}");
    }
    let pods = ["10.244.0.60", "10.244.0.61"].map(|ip| pod(&net, ip, "web"));
    let mut listeners = pods.each_ref().map(|pod| pod.listen(8080).unwrap());
    let dialled = client.connect(address("10.96.0.20:80")).await.unwrap();
    assert_eq!(dialled.peer_addr(), address("10.96.0.20:80"));
    assert_eq!(client.connect(address("10.96.0.21:80")).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let _second = client.connect(address("10.96.0.20:80")).await.unwrap();
    for listener in &mut listeners {
        let accepted = timeout(Duration::from_secs(1), listener.accept()).await.expect("each endpoint has its turn");
        assert_eq!(accepted.unwrap().local_addr().port(), 8080);
    }
}

#[tokio::test(start_paused = true)]
async fn sites_answer_pages_defaults_and_errors() {
    let net = net();
    let client = pod(&net, CLIENT, "client");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let page = ask(&client, "198.51.100.192:80", &get("/any")).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"), "{page}");
    assert!(page.contains("<title>en.wikipedia.org</title>"), "{page}");
    let page = ask(&client, "198.51.100.34:80", &get("/headers?x=1")).await.unwrap();
    assert!(page.ends_with("\"Host\": \"x\",\n    \"Connection\": \"close\"\n  }\n}\n"), "{page}");
    let page = ask(&client, "198.51.100.34:80", &get("/nothing")).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 404 Not Found\r\n"), "{page}");
    let page = ask(&client, "198.51.100.34:80", "no http\r\n\r\n").await.unwrap();
    assert!(page.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{page}");
    let reset = ask(&client, "198.51.100.35:81", &get("/")).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let silent = timeout(Duration::from_secs(60), ask(&client, "198.51.100.35:80", &get("/"))).await;
    assert!(silent.is_err(), "a silent port never answers");
}

#[tokio::test(start_paused = true)]
async fn tls_serves_the_page_of_the_declared_size() {
    let net = net();
    let client = pod(&net, CLIENT, "client");
    let socket = client.connect(address("198.51.100.192:443")).await.unwrap();
    let answer = get_tls(&client, socket, "en.wikipedia.org", "/wiki/Main_Page").await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Length: 80432"), "{head}");
    assert_eq!(body.len(), 80_432);
    assert!(body.contains("<title>Wikipedia, the free encyclopedia</title>"));
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_bad_certificate_fails_for_its_own_reason() {
    let cases = [
        ("valid", ""),
        ("expired", "certificate expired"),
        ("not-yet-valid", "certificate not valid yet"),
        ("wrong-name", "not valid for name"),
        ("self-signed", "UnknownIssuer"),
        ("untrusted", "UnknownIssuer"),
    ];
    for (kind, reason) in cases {
        let net = net();
        let host = json!({"name": "bad.example.net", "address": "198.51.100.40",
            "ports": {"443": {"https": {"certificate": kind}}}});
        net.add_host(serde_json::from_value(host).unwrap());
        let client = pod(&net, CLIENT, "client");
        let socket = client.connect(address("198.51.100.40:443")).await.unwrap();
        let result = get_tls(&client, socket, "bad.example.net", "/").await;
        let text = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(reason) && text.is_empty() == reason.is_empty(), "{kind}: {text:?}");
    }
}

#[test]
fn a_host_with_an_unknown_key_is_refused() {
    let spec = json!({"name": "x", "address": "198.51.100.1", "prots": {}});
    assert!(serde_json::from_value::<HostSpec>(spec).unwrap_err().to_string().contains("prots"));
}
