//! `periplus lab --uplink host`: real hosts through this machine's network.
//!
//! Invariant: it is there only if it was asked for, and the lab says which addresses it may be asked about.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use periplus_lab::net::{Uplink, UplinkStream};

/// What is there later.
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Where systems keep the authorities that they trust.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// This machine's resolver and its TCP.
#[derive(Debug)]
pub(super) struct HostUplink;

impl Uplink for HostUplink {
    fn lookup(&self, name: &str) -> Later<Vec<IpAddr>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await;
            found.map(|addresses| addresses.map(|address| address.ip()).collect()).unwrap_or_default()
        })
    }

    fn connect(&self, address: SocketAddr) -> Later<io::Result<Box<dyn UplinkStream>>> {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn UplinkStream>)
        })
    }

    fn authorities(&self) -> String {
        AUTHORITIES.iter().find_map(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    }
}
