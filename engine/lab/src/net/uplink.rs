//! The way out to real hosts, if the lab was given one.
//!
//! Invariant: this crate opens no socket of the machine; whoever builds the lab does, and only if it was asked to. What the lab has
//! itself — pods, Services, the hosts of the world, their names — is never asked of the uplink.

use futures::future::BoxFuture;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection to a real host.
pub trait UplinkStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> UplinkStream for T {}

/// Reaches real hosts.
pub trait Uplink: fmt::Debug + Send + Sync {
    /// The addresses of a name, none if it has none.
    fn lookup(&self, name: &str) -> BoxFuture<'static, Vec<IpAddr>>;

    /// Connects to an address.
    ///
    /// # Errors
    /// Those of the real network.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn UplinkStream>>>;

    /// Authorities that pods trust beside the lab's own, as PEM.
    fn authorities(&self) -> String;
}

/// Whether an address may be one of a real host: none of the machine itself, and none that is for no single host.
pub(super) fn is_outside(ip: IpAddr) -> bool {
    let own = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => (ip.segments()[0] & 0xffc0) == 0xfe80,
    };
    !(own || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::{Uplink, UplinkStream, is_outside};
    use crate::net::ResolveError;
    use crate::net::testing::{CLIENT, address, net, pod};
    use futures::future::BoxFuture;
    use std::io;
    use std::net::{IpAddr, SocketAddr};
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// One real host, which greets.
    #[derive(Debug)]
    struct Real;

    impl Uplink for Real {
        fn lookup(&self, name: &str) -> BoxFuture<'static, Vec<IpAddr>> {
            let addresses = match name {
                "real.example" => vec![IpAddr::from([192, 0, 2, 7])],
                "trap.example" => vec![IpAddr::from([127, 0, 0, 1])],
                "httpbin.org" => panic!("the world has this name"),
                _ => Vec::new(),
            };
            Box::pin(async { addresses })
        }

        fn connect(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn UplinkStream>>> {
            Box::pin(async move {
                if address.port() != 80 {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                let (near, mut far) = tokio::io::duplex(1024);
                tokio::spawn(async move { far.write_all(b"real").await });
                Ok(Box::new(near) as Box<dyn UplinkStream>)
            })
        }

        fn authorities(&self) -> String {
            String::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn real_hosts_are_reached_last_and_only_if_asked_for() {
        let without = net();
        let client = pod(&without, CLIENT, "client");
        assert_eq!(client.resolve("real.example").await, Err(ResolveError::NotFound("real.example".to_owned())));
        let timed_out = client.connect(address("192.0.2.7:80")).await.unwrap_err();
        assert_eq!(timed_out.kind(), io::ErrorKind::TimedOut);

        let with = net();
        with.set_uplink(Arc::new(Real));
        let client = pod(&with, CLIENT, "client");
        assert_eq!(client.resolve("real.example").await, Ok(vec![IpAddr::from([192, 0, 2, 7])]));
        assert_eq!(client.resolve("httpbin.org").await, Ok(vec![IpAddr::from([198, 51, 100, 34])]));
        for unknown in ["other.example", "trap.example", "real", "real.example.svc.cluster.local"] {
            assert!(client.resolve(unknown).await.is_err(), "{unknown}");
        }
        let mut socket = client.connect(address("192.0.2.7:80")).await.unwrap();
        let mut greeting = String::new();
        socket.read_to_string(&mut greeting).await.unwrap();
        assert_eq!(greeting, "real");
        for (place, kind) in [
            ("192.0.2.7:81", io::ErrorKind::ConnectionRefused),
            ("127.0.0.1:80", io::ErrorKind::ConnectionRefused),
            ("169.254.169.254:80", io::ErrorKind::TimedOut),
        ] {
            assert_eq!(client.connect(address(place)).await.unwrap_err().kind(), kind, "{place}");
        }
    }

    #[test]
    fn the_machine_itself_is_not_outside() {
        for (ip, outside) in [
            ("127.0.0.1", false),
            ("::1", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("fe80::1", false),
            ("224.0.0.1", false),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
        ] {
            assert_eq!(is_outside(ip.parse().unwrap()), outside, "{ip}");
        }
    }
}
