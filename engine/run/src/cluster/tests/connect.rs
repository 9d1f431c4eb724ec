//! The real stack over loopback sockets: a kubeconfig, a token, and a proxy on the way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::cluster::{Cluster, ClusterError, ConnectOptions, ContextChoice, ProxyEnv};

/// An API server that knows its version and remembers who asked.
async fn api(stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("-").to_owned();
        asked.lock().unwrap().push(format!(
            "{} {} {}",
            request.uri().path(),
            header("authorization"),
            header("user-agent")
        ));
        let (code, body) = match request.uri().path() {
            "/base/version" => (200, r#"{"gitVersion":"v1.36.2"}"#),
            _ => (404, "404 page not found"),
        };
        let reply = Response::builder().status(code).body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
        std::future::ready(Ok::<_, Infallible>(reply))
    });
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn options(folder: &tempfile::TempDir, server: &str, more: &str) -> ConnectOptions {
    let path = folder.path().join("config");
    let config = format!(
        "contexts: [{{name: it, context: {{cluster: it, user: it}}}}]\n\
         clusters: [{{name: it, cluster: {{server: '{server}'{more}}}}}]\n\
         users: [{{name: it, user: {{token: word}}}}]\n"
    );
    std::fs::write(&path, config).unwrap();
    ConnectOptions { kubeconfig: Some(path), ..ConnectOptions::new(ContextChoice::Named("it".into())) }
}

const ASKED: &str = concat!("/base/version Bearer word periplus/", env!("CARGO_PKG_VERSION"));

#[tokio::test]
async fn a_context_leads_to_its_server_with_its_token() {
    let (listener, address) = listener().await;
    let asked = Arc::default();
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(api(stream, Arc::clone(&kept)));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, &format!("http://{address}/base/"), "");
    // Loopback is spared, whatever the environment says.
    options.proxies = ProxyEnv { http: "http://127.0.0.1:1".into(), ..ProxyEnv::default() };
    let cluster = Cluster::connect(&options).await.unwrap();
    let identity = cluster.identity().await.unwrap();
    assert_eq!(identity.version, "v1.36.2");
    assert_eq!((identity.context.as_deref(), identity.server), (Some("it"), format!("http://{address}/base")));
    assert_eq!(asked.lock().unwrap()[0], ASKED);
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_with_its_password_decoded() {
    let (listener, address) = listener().await;
    let (asked, heads) = (Arc::default(), Arc::new(Mutex::new(String::new())));
    let (kept, kept_heads) = (Arc::clone(&asked), Arc::clone(&heads));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            kept_heads.lock().unwrap().push_str(&String::from_utf8(head).unwrap());
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::spawn(api(stream, Arc::clone(&kept)));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let proxy = format!(", proxy-url: 'http://me:p%40ss@{address}'");
    let cluster = Cluster::connect(&options(&folder, "http://api.invalid:8001/base", &proxy)).await.unwrap();
    assert_eq!(cluster.identity().await.unwrap().version, "v1.36.2");
    assert_eq!(asked.lock().unwrap()[0], ASKED);
    let head = heads.lock().unwrap().to_lowercase();
    assert!(head.starts_with("connect api.invalid:8001 http/1.1\r\n"), "{head}");
    // "me:p@ss"
    assert!(head.contains(&"proxy-authorization: Basic bWU6cEBzcw==\r\n".to_lowercase()), "{head}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_the_cause() {
    let (listener, address) = listener().await;
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::connect(&options(&folder, &format!("http://{address}"), "")).await.unwrap();
    let error = cluster.identity().await.unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot reach http://{address}: tcp connect error")), "{error}");
}

#[tokio::test]
async fn a_server_that_accepts_and_stays_silent_does_not_hold_up_tls_for_ever() {
    let (listener, address) = listener().await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, &format!("https://{address}"), ", insecure-skip-tls-verify: true");
    options.connect_timeout = Duration::from_millis(50);
    let cluster = Cluster::connect(&options).await.unwrap();
    let error = cluster.identity().await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot reach https://{address}: no connection within 0.05 s"));
    drop(listener);
}

#[tokio::test]
async fn an_unknown_kind_of_proxy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        Cluster::connect(&options(&folder, "http://api.invalid", ", proxy-url: 'ftp://gate'")).await.unwrap_err();
    assert_eq!(error.to_string(), "proxy ftp://gate/: only http, https and socks5 proxies are known");
}
