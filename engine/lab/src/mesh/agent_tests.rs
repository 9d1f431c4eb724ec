//! The sidecar as a program of a pod, fed by the store.

use super::testing::{proxy_entry, settings};
use super::{Propagation, Registry};
use crate::log::{ContainerLog, Stream};
use crate::net::testing::{CLIENT, PROXY, address, ask, net, pod};
use crate::net::{Net, NetNs};
use crate::process::{Console, Container, ContainerSpec, Exit, Fd, SIGTERM};
use crate::schema::istio_crds;
use crate::store::{GroupResource, Store, WriteOptions};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

fn container(net: &NetNs) -> Container {
    Container::new(ContainerSpec {
        image: crate::image::Image::lookup("docker.io/istio/proxyv2:1.30.3").unwrap(),
        hostname: "client".to_owned(),
        clock: net.clock().clone(),
        net: net.clone(),
        env: Vec::new(),
        working_dir: None,
        user: None,
    })
    .unwrap()
}

async fn run(container: &Container, log: &ContainerLog, args: &[&str]) -> Exit {
    let argv = ["/usr/local/bin/pilot-agent"].iter().chain(args).map(|&arg| arg.to_owned()).collect();
    let console = Console::new(log.clone());
    let out = |stream| Fd::console(console.clone(), stream);
    container.process(argv, Fd::null(), out(Stream::Stdout), out(Stream::Stderr)).run().await
}

fn create(store: &Store, resource: &GroupResource, object: Value) {
    store.create(&WriteOptions::by("test"), resource, object).unwrap();
}

/// A store with the namespaces and kinds that the tests use.
fn store_of(net: &Net) -> Store {
    let store = Store::new(net.clock().clone(), 1);
    for name in ["default", "istio-system"] {
        create(&store, &GroupResource::NAMESPACES, json!({"metadata": {"name": name}}));
    }
    for crd in istio_crds() {
        create(&store, &GroupResource::CRDS, crd);
    }
    store
}

/// A store with a mesh, whose changes reach sidecars after 500 ms.
fn mesh_lab() -> (Net, Store) {
    let net = net();
    let store = store_of(&net);
    let config = json!({"metadata": {"namespace": "istio-system", "name": "istio"},
        "data": {"mesh": settings("REGISTRY_ONLY")}});
    create(&store, &GroupResource::CONFIG_MAPS, config);
    let delay = Duration::from_millis(500);
    let registry = Registry::new(Propagation { min: delay, max: delay }, 1);
    net.set_control_plane(Arc::new(registry.clone()));
    let followed = store.clone();
    tokio::spawn(async move { registry.follow(&followed).await });
    (net, store)
}

async fn is_blocked(client: &NetNs) -> bool {
    let mut socket = client.connect(address("10.244.0.95:3128")).await.unwrap();
    timeout(Duration::from_millis(10), socket.read(&mut [0; 1])).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_pod_is_redirected_from_init_on_and_follows_the_store() {
    let (net, store) = mesh_lab();
    let proxy = pod(&net, PROXY, "squid");
    let _listener = proxy.listen(3128).unwrap();
    let client = pod(&net, CLIENT, "client");
    let (sidecar, log) = (container(&client), ContainerLog::new(client.clock().clone()));
    sleep(Duration::from_millis(1)).await;

    let init = ["istio-iptables", "-p", "15001", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*"];
    assert_eq!(run(&container(&client), &log, &init).await, Exit::SUCCESS);
    let refused = client.connect(address("10.244.0.95:3128")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "nobody stands behind the redirect yet");

    let program = {
        let (sidecar, log) = (sidecar.clone(), log.clone());
        tokio::spawn(async move { run(&sidecar, &log, &["proxy", "sidecar"]).await })
    };
    sleep(Duration::from_millis(1)).await;
    assert!(is_blocked(&client).await);
    let ready =
        ask(&client, "127.0.0.1:15021", "GET /healthz/ready HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n"), "{ready}");
    let ready = ask(&proxy, "10.244.0.52:15021", "GET /healthz/ready HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(ready.is_ok(), "{ready:?}");

    create(&store, &GroupResource::SERVICE_ENTRIES, proxy_entry());
    sleep(Duration::from_millis(480)).await;
    assert!(is_blocked(&client).await, "before the delay");
    sleep(Duration::from_millis(20)).await;
    assert!(!is_blocked(&client).await, "after the delay");

    sidecar.signal(1, SIGTERM);
    assert_eq!(program.await.unwrap(), Exit::SUCCESS);
    let lines: Vec<String> =
        log.read(0, 100).0.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect();
    assert!(lines[0].ends_with("\tinfo\tEnvoy proxy is ready\n"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains(" 0 UH - - ") && line.contains("BlackHoleCluster")).count(), 2);
    let refused = client.connect(address("10.244.0.95:3128")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "the redirect stays");
}

#[tokio::test(start_paused = true)]
async fn a_redirect_by_interfaces_and_a_lab_without_a_mesh_are_not_simulated() {
    let net = net();
    let client = pod(&net, CLIENT, "client");
    let log = ContainerLog::new(client.clock().clone());
    for args in
        [&["istio-iptables", "-c", "eth1"][..], &["istio-iptables", "-i", "10.0.0.0/x"], &["request"], &["proxy"]]
    {
        let exit = run(&container(&client), &log, args).await;
        assert!(matches!(exit, Exit::NotSimulated(_)), "{args:?}: {exit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_network_follows_services_of_the_store() {
    let net = net();
    let store = store_of(&net);
    let client = pod(&net, CLIENT, "client");
    let (followed, following) = (store.clone(), net.clone());
    tokio::spawn(async move { following.follow_services(&followed).await });
    assert!(client.resolve("web").await.is_err());
    let service = json!({"metadata": {"namespace": "default", "name": "web"},
        "spec": {"clusterIP": "10.96.0.20", "ports": [{"port": 80}]}});
    create(&store, &GroupResource::SERVICES, service);
    assert_eq!(client.resolve("web").await.unwrap(), [address("10.96.0.20:0").ip()]);
}
