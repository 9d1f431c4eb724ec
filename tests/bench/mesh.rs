//! The mesh: what a sidecar is told and what it then decides, which are pure functions, and whole calls through a lab.
//!
//! A verdict among a thousand entries should cost what it costs among one; a configuration is built as a whole for each change.

use std::net::SocketAddr;
use std::sync::Arc;

use divan::{Bencher, black_box};
use k8s_openapi::api::core::v1::Pod;
use kube::api::AttachParams;
use kube::{Api, Client};
use periplus_lab::Lab;
use periplus_lab::mesh::{Connection, FirstBytes, MeshObjects, Proxy, ProxyConfig, RequestHead, connection, request};
use periplus_lab::world::World;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::runtime::Builder;

/// A mesh with so many entries for sites on port 80 and 443.
fn objects(entries: usize) -> MeshObjects {
    let entry = |at: usize| {
        Arc::new(json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"namespace": "default", "name": format!("site-{at}")},
            "spec": {"hosts": [format!("site-{at}.example.org")], "resolution": "DNS", "ports": [
                {"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "tls", "protocol": "TLS"}]}
        }))
    };
    MeshObjects { istio: (0..entries).map(entry).collect(), ..MeshObjects::default() }
}

fn proxy() -> Proxy {
    Proxy {
        gateway: false,
        namespace: "default".to_owned(),
        labels: [].into(),
        ip: [10, 244, 0, 5].into(),
        revision: "default".to_owned(),
    }
}

fn to(port: u16) -> SocketAddr {
    SocketAddr::new([198, 51, 100, 7].into(), port)
}

#[divan::bench(args = [1, 100, 1000])]
fn verdict_on_tls(bencher: Bencher<'_, '_>, entries: usize) {
    let config = ProxyConfig::build(&objects(entries), &proxy());
    let facts = Connection {
        source: to(40_000),
        destination: to(443),
        first_bytes: FirstBytes::Tls { server_name: Some("site-0.example.org".to_owned()), mesh: false },
        draw: 0,
    };
    bencher.bench_local(|| connection(black_box(&config), black_box(&facts)));
}

#[divan::bench(args = [1, 100, 1000])]
fn verdict_on_a_request(bencher: Bencher<'_, '_>, entries: usize) {
    let config = ProxyConfig::build(&objects(entries), &proxy());
    let head = RequestHead {
        method: "GET",
        authority: "site-0.example.org",
        path: "/",
        scheme: "http",
        headers: &[],
        draw: 0,
    };
    bencher.bench_local(|| request(black_box(&config), "80", to(80), black_box(&head)));
}

#[divan::bench(args = [1, 100, 1000])]
fn configuration(bencher: Bencher<'_, '_>, entries: usize) {
    let objects = objects(entries);
    bencher.bench_local(|| ProxyConfig::build(black_box(&objects), &proxy()));
}

/// A client in the mesh, and a site that its mesh allows.
const WORLD: &str = "
mesh: {propagation: {min: 0ms, max: 0ms}}
objects:
  - |
    apiVersion: v1
    kind: Namespace
    metadata: {name: istio-system}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: istio, namespace: istio-system}
    data: {mesh: 'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'}
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {name: default, labels: {istio-injection: enabled}}
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: site}
    spec: {hosts: [site.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: client}
    spec: {containers: [{name: main, image: curlimages/curl, command: [sleep, infinity]}]}
hosts:
  - {name: site.example, address: 198.51.100.7, ports: {80: {http: {pages: {/: {title: A site, size: 2000}}}}}}
";

/// A call of a pod through its sidecar to a site, as a client of the API has it carried out: a thousand of them.
#[divan::bench(sample_count = 100, sample_size = 10)]
fn curl(bencher: Bencher<'_, '_>) {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let world = World::parse(WORLD).expect("a world");
    let lab = runtime.block_on(Lab::builder().world(world).virtual_time(true).build()).expect("a lab");
    let client = runtime.block_on(async { Client::new(lab.service(), "default") });
    let pods: Api<Pod> = Api::default_namespaced(client);
    let command = ["curl", "-sS", "http://site.example/"];
    let params = AttachParams::default().container("main").stderr(false);
    bencher.bench_local(|| {
        let page = runtime.block_on(async {
            let mut session = pods.exec("client", command, &params).await.expect("an exec");
            let mut page = String::new();
            session.stdout().expect("asked for").read_to_string(&mut page).await.expect("text");
            page
        });
        assert!(page.contains("A site"), "{page}");
    });
}
