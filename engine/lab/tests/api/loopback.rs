//! The loopback door: TLS, the token, and clients that mean no good.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use periplus_lab::serve::{LoopbackOptions, serve_loopback};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{NoPods, api, store};

async fn client(kubeconfig: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
    Client::try_from(config).expect("a client")
}

#[expect(clippy::disallowed_types, reason = "a hostile client comes over the real loopback")]
#[tokio::test]
async fn the_kubeconfig_opens_the_door_and_nothing_else_does() {
    let api = api(&store(), Arc::new(NoPods));
    let served = serve_loopback(api, LoopbackOptions::default()).await.expect("served");
    assert!(served.url.starts_with("https://127.0.0.1:"), "{}", served.url);
    let namespaces: Api<Namespace> = Api::all(client(&served.kubeconfig).await);
    assert_eq!(namespaces.list(&kube::api::ListParams::default()).await.expect("listed").items.len(), 0);
    for token in ["wrong".to_owned(), format!("{}x", served.token), served.token[1..].to_owned()] {
        let stolen = served.kubeconfig.replace(&served.token, &token);
        let namespaces: Api<Namespace> = Api::all(client(&stolen).await);
        let refused = namespaces.list(&kube::api::ListParams::default()).await.expect_err("refused");
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 401), "{refused:?}");
    }
    // Plain HTTP is no TLS handshake: the connection ends, and others go on.
    let mut plain = tokio::net::TcpStream::connect(served.url.trim_start_matches("https://")).await.expect("connected");
    plain.write_all(b"GET /version HTTP/1.1\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("gitVersion"));
    assert_eq!(namespaces.list(&kube::api::ListParams::default()).await.expect("listed").items.len(), 0);
}
