//! What a program is asked to call: a URL, and perhaps an HTTP proxy for it.

use super::Arriving;
use crate::mesh::decide::{Connection, FirstBytes};
use std::net::{IpAddr, SocketAddr};

/// A call that may be made.
pub(super) struct Target {
    https: bool,
    url: Url,
    proxy: Option<Url>,
}

/// A URL taken apart.
struct Url {
    scheme: String,
    host: String,
    port: u16,
    /// Host and port as they were written.
    authority: String,
    path: String,
}

impl Url {
    fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        if !matches!(scheme, "http" | "https") {
            return Err(format!("a URL with the scheme {scheme}: only http and https are explained"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("the port {port:?} in {url:?} is no port"))?),
            None => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(format!("there is no host in {url:?}"));
        }
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { scheme: scheme.to_owned(), host: host.to_owned(), port, authority: authority.to_owned(), path })
    }
}

impl Target {
    /// Reads what `curl --proxy PROXY URL` would call.
    pub(super) fn parse(url: &str, proxy: Option<&str>) -> Result<Self, String> {
        let url = Url::parse(url)?;
        let proxy = proxy.map(Url::parse).transpose()?;
        if proxy.as_ref().is_some_and(|proxy| proxy.scheme == "https") {
            return Err("a proxy that is spoken to with TLS is not explained".to_owned());
        }
        Ok(Self { https: url.scheme == "https", url, proxy })
    }

    /// The call in words.
    pub(super) fn title(&self) -> String {
        let Url { scheme, authority, path, host, port } = &self.url;
        match &self.proxy {
            None => format!("GET {scheme}://{authority}{path}"),
            Some(proxy) if self.https => format!("CONNECT {host}:{port} at {}:{}", proxy.host, proxy.port),
            Some(proxy) => format!("GET {scheme}://{authority}{path} at {}:{}", proxy.host, proxy.port),
        }
    }

    /// What is dialled.
    pub(super) fn dialled(&self) -> (&str, u16) {
        let dialled = self.proxy.as_ref().unwrap_or(&self.url);
        (&dialled.host, dialled.port)
    }

    /// What comes to the sidecar, if the dialled name has this address.
    pub(super) fn arriving(&self, address: IpAddr) -> Arriving {
        let destination = SocketAddr::new(address, self.dialled().1);
        let tls = self.https && self.proxy.is_none();
        let first_bytes = if tls {
            let name = self.url.host.parse::<IpAddr>().is_err().then(|| self.url.host.clone());
            FirstBytes::Tls { server_name: name, mesh: false }
        } else {
            FirstBytes::Http { minor: 1 }
        };
        let connect = self.https && self.proxy.is_some();
        let authority =
            if connect { format!("{}:{}", self.url.host, self.url.port) } else { self.url.authority.clone() };
        let head = super::Head {
            method: if connect { "CONNECT" } else { "GET" }.to_owned(),
            authority: authority.clone(),
            path: if connect { authority.clone() } else { self.url.path.clone() },
            scheme: "http",
            headers: Vec::new(),
            draw: 0,
        };
        let source = SocketAddr::new(address, 0);
        let facts = Connection { source, destination, first_bytes, draw: 0 };
        Arriving { facts, head: Some(head), readable: !tls }
    }
}
