//! Protocols of ports, by the names that objects give them.
//!
//! Invariant: a name that says nothing means that the proxy finds the protocol out from the first bytes.

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    /// HTTP/2 without TLS, and gRPC.
    Http2,
    Tcp,
    /// TCP whose server may speak first, so that a proxy must not wait for the client: MongoDB and MySQL.
    ServerFirst(ServerFirst),
    /// TLS that is passed on: `HTTPS` and `TLS`.
    Tls,
    Udp,
    /// Not told.
    Auto,
}

/// Protocols that share a port with no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerFirst {
    Mongo,
    MySql,
}

/// Ports that carry TCP if nothing is said: SMTP, DNS, MySQL and MongoDB.
const WELL_KNOWN: [u16; 4] = [25, 53, 3306, 27017];

impl Protocol {
    pub(super) fn parse(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "http2" | "grpc" | "grpc-web" => Self::Http2,
            "tcp" | "redis" => Self::Tcp,
            "mongo" => Self::ServerFirst(ServerFirst::Mongo),
            "mysql" => Self::ServerFirst(ServerFirst::MySql),
            "https" | "tls" => Self::Tls,
            "udp" => Self::Udp,
            _ => Self::Auto,
        }
    }

    /// The protocol of a Service's port, from `appProtocol` or else from the prefix of its name.
    pub(super) fn of_service_port(number: u16, name: &str, transport: &str, app: Option<&str>) -> Self {
        if transport == "UDP" {
            return Self::Udp;
        }
        let name = match app {
            Some("kubernetes.io/h2c") => return Self::Http2,
            Some("kubernetes.io/ws") => return Self::Http,
            Some("kubernetes.io/wss") => return Self::Tls,
            Some(app) => app,
            None => name,
        };
        let lower = name.to_ascii_lowercase();
        let prefix = if lower.starts_with("grpc-web") { "grpc-web" } else { lower.split('-').next().unwrap_or("") };
        match Self::parse(prefix) {
            Self::Auto if WELL_KNOWN.contains(&number) => Self::Tcp,
            protocol => protocol,
        }
    }

    pub(super) fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2)
    }

    /// HTTP, or possibly HTTP.
    pub(super) fn may_be_http(self) -> bool {
        self.is_http() || self == Self::Auto
    }

    pub(super) fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::ServerFirst(_) | Self::Tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_what_its_name_begins_with() {
        let cases = [
            (80, "http", "TCP", None, Protocol::Http),
            (80, "http2-web", "TCP", None, Protocol::Http2),
            (80, "web", "TCP", None, Protocol::Auto),
            (80, "web", "TCP", Some("https"), Protocol::Tls),
            (80, "grpc-web-x", "TCP", None, Protocol::Http2),
            (3306, "", "TCP", None, Protocol::Tcp),
            (53, "dns", "UDP", None, Protocol::Udp),
            (80, "", "TCP", Some("kubernetes.io/wss"), Protocol::Tls),
            (27017, "mongo", "TCP", None, Protocol::ServerFirst(ServerFirst::Mongo)),
        ];
        for (number, name, transport, app, expected) in cases {
            assert_eq!(Protocol::of_service_port(number, name, transport, app), expected, "{name} {app:?}");
        }
    }
}
