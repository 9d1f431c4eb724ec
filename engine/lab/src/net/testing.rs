//! A small network for the tests of this crate: pods, a web site and a client that speaks raw bytes.
//!
//! Invariant: the addresses are those of the recordings, so that lines can be compared with them.

use super::{HostSpec, Net, NetNs, PodNet, Socket};
use crate::clock::Clock;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

/// The pod in the mesh.
pub(crate) const CLIENT: &str = "10.244.0.52";
/// The proxy's pod.
pub(crate) const PROXY: &str = "10.244.0.95";

/// The hosts of the recordings.
const HOSTS: &str = r#"[
  {"name": "en.wikipedia.org", "address": "198.51.100.192", "ports": {
    "80": {"http": {}}, "8080": {"http": {}}, "8443": {"https": {}},
    "443": {"https": {"pages": {"/wiki/Main_Page": {"title": "Wikipedia, the free encyclopedia", "size": 80432}}}}}},
  {"name": "httpbin.org", "aliases": ["www.example.net"], "address": "198.51.100.34", "ports": {
    "80": {"http": {"pages": {"/headers": {"echo": "headers"}}}}, "443": {"https": {}}}},
  {"name": "silent.example.net", "address": "198.51.100.35", "ports": {
    "80": "silent", "81": "reset", "82": "blackhole", "83": "closed"}}
]"#;

pub(crate) fn net() -> Net {
    let net = Net::new(Clock::fixed(Clock::virtual_epoch()), 1);
    let hosts: Vec<HostSpec> = serde_json::from_str(HOSTS).expect("invariant: the test's hosts are well-formed");
    for host in hosts {
        net.add_host(host);
    }
    net
}

pub(crate) fn pod(net: &Net, ip: &str, name: &str) -> NetNs {
    net.add_pod(PodNet {
        ip: ip.parse::<IpAddr>().expect("invariant: a literal address"),
        namespace: "default".to_owned(),
        pod: name.to_owned(),
        labels: BTreeMap::new(),
        service_account: "default".to_owned(),
    })
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("invariant: a literal address")
}

/// Sends a request and reads until the other side closes.
pub(crate) async fn ask(netns: &NetNs, to: &str, request: &str) -> io::Result<String> {
    let mut socket = netns.connect(address(to)).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A TLS handshake for `name`, a GET, and the answer up to the end.
pub(crate) async fn get_tls(netns: &NetNs, socket: Socket, name: &str, path: &str) -> io::Result<String> {
    let name = name.to_owned().try_into().expect("invariant: a literal name");
    let mut stream = TlsConnector::from(Arc::clone(&netns.tls_client())).connect(name, socket).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
