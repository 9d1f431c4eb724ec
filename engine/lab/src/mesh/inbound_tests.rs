//! What a pod's own sidecar makes of connections that come to it, compared with recordings of 2026-11-25 from istiod of Istio master
//! 86c9f01fd7 with Envoy 1.40.0: a client with a sidecar and one without, under each mode of PeerAuthentication.

use super::control::Proxy;
use super::envoy::ProxyConfig;
use super::testing::{mesh, settings, sidecar};
use super::{MeshObjects, Sidecar};
use crate::net::testing::{CLIENT, PROXY, ask, net, pod};
use crate::net::{LineSink, NetNs, Redirect};
use regex::Regex;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

const REQUEST: &str =
    "GET /x HTTP/1.1\r\nHost: server\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nConnection: close\r\n\r\n";

fn objects(mode: &str) -> MeshObjects {
    let mut objects = mesh(&settings("ALLOW_ANY"), &[]);
    let server = json!({"metadata": {"namespace": "default", "name": "server"}, "spec": {"clusterIP": "10.96.0.40",
        "selector": {"app": "server"}, "ports": [{"name": "http", "port": 80, "targetPort": 8000}]}});
    let slice = json!({"metadata": {"namespace": "default", "name": "server", "labels": {"kubernetes.io/service-name": "server"}},
        "ports": [{"name": "http", "port": 8000}],
        "endpoints": [{"addresses": [PROXY], "targetRef": {"name": "server"}}]});
    let target = json!({"metadata": {"namespace": "default", "name": "server",
        "labels": {"app": "server", "security.istio.io/tlsMode": "istio"}}});
    objects.services.push(Arc::new(server));
    objects.endpoint_slices.push(Arc::new(slice));
    objects.pods.push(Arc::new(target));
    if !mode.is_empty() {
        let policy = json!({"kind": "PeerAuthentication", "metadata": {"namespace": "default", "name": "default"},
            "spec": {"mtls": {"mode": mode}}});
        objects.istio.push(Arc::new(policy));
    }
    objects
}

fn start(netns: &NetNs, objects: &MeshObjects, proxy: &Proxy) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let sink: LineSink = Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()));
    netns.set_redirect(Redirect::default());
    netns.set_sidecar(Some(Arc::new(Sidecar::new(ProxyConfig::build(objects, proxy), sink, 1))));
    lines
}

/// An application that answers each request with its head.
async fn answer(netns: NetNs) {
    let mut listener = netns.listen(8000).unwrap();
    while let Ok(mut socket) = listener.accept().await {
        assert_eq!(socket.peer_addr().ip().to_string(), "127.0.0.6", "the sidecar shows itself under this address");
        let mut head = vec![0; 4096];
        let n = socket.read(&mut head).await.unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\nConnection: close\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket.write_all(&head[..n]).await.unwrap();
    }
}

fn masked(lines: &Arc<Mutex<Vec<String>>>) -> Vec<String> {
    let rules = [
        (r"^\[[^\]]+\]", "[T]"),
        (r#" \d+ \d+ \d+ (-|\d+) "-""#, r#" N N N S "-""#),
        (r"(10\.244\.0\.(52|9)|127\.0\.0\.6):\d+", "$1:P"),
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID"),
    ];
    let mask = |line: &String| {
        let line = line.trim_end().to_owned();
        rules.iter().fold(line, |line, (rule, by)| Regex::new(rule).unwrap().replace_all(&line, *by).into_owned())
    };
    lines.lock().unwrap().iter().map(mask).collect()
}

#[tokio::test(start_paused = true)]
async fn each_mode_lets_in_whom_it_names() {
    let inside = |sni: &str| {
        format!(
            r#"[T] "GET /x HTTP/1.1" 200 - via_upstream - "-" N N N S "-" "curl/7.88.1" "ID" "server" "10.244.0.95:8000" inbound|8000|| 127.0.0.6:P 10.244.0.95:8000 10.244.0.52:P {sni} default"#
        )
    };
    let outside = r#"[T] "GET /x HTTP/1.1" 200 - via_upstream - "-" N N N S "-" "curl/7.88.1" "ID" "server" "10.244.0.95:8000" inbound|8000|| 127.0.0.6:P 10.244.0.95:8000 10.244.0.9:P - default"#;
    let refused = r#"[T] "- - -" 0 NR filter_chain_not_found - "-" N N N S "-" "-" "-" "-" "-" - - 10.244.0.95:8000 10.244.0.9:P - -"#;
    let sni = "outbound_.80_._.server.default.svc.cluster.local";
    for (mode, from_mesh, from_outside) in
        [("", inside(sni), outside), ("STRICT", inside(sni), refused), ("DISABLE", inside("-"), outside)]
    {
        let net = net();
        let (client, server, stranger) =
            (pod(&net, CLIENT, "client"), pod(&net, PROXY, "server"), pod(&net, "10.244.0.9", "stranger"));
        let objects = objects(mode);
        let own =
            Proxy { ip: server.ip(), labels: [("app".to_owned(), "server".to_owned())].into(), ..sidecar("default") };
        let lines = start(&server, &objects, &own);
        let _client_lines = start(&client, &objects, &sidecar("default"));
        tokio::spawn(answer(server.clone()));
        let answered = ask(&client, "10.96.0.40:80", REQUEST).await.unwrap();
        assert!(answered.starts_with("HTTP/1.1 200 OK\r\n"), "{mode}: {answered}");
        assert_eq!(answered.contains("x-forwarded-client-cert: By=spiffe://"), mode != "DISABLE", "{mode}: {answered}");
        let direct = ask(&stranger, "10.244.0.95:8000", REQUEST).await;
        assert_eq!(direct.is_ok_and(|answer| answer.contains("server: istio-envoy")), mode != "STRICT", "{mode}");
        sleep(Duration::from_millis(1500)).await;
        assert_eq!(masked(&lines), [from_mesh, from_outside.to_owned()], "{mode}");
    }
}
