//! Looks at the first bytes of a connection, as a listener's inspectors do.
//!
//! Invariant: nothing is taken out of the socket; whoever serves the connection reads every byte.

use super::decide::{FirstBytes, Inspection};
use super::tls::MESH_ALPN;
use crate::net::Socket;
use rustls::server::Acceptor;

/// The opening bytes of HTTP/2.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Waits until the first bytes tell what the inspection asks for; none if the client closes before.
pub(super) async fn sniff(app: &Socket, inspection: Inspection) -> Option<FirstBytes> {
    if !inspection.tls && !inspection.http {
        return Some(FirstBytes::Opaque);
    }
    app.peek(|data, open| settle(look(inspection, data, open), data, open)).await
}

/// Nothing if more must come; no protocol if the client went without a word.
#[expect(clippy::option_option, reason = "the outer level is 'decided', the inner one 'the client sent anything'")]
fn settle(found: Option<FirstBytes>, data: &[u8], open: bool) -> Option<Option<FirstBytes>> {
    if data.is_empty() && !open { Some(None) } else { found.map(Some) }
}

/// The first of the inspectors that knows the bytes; nothing if one needs more.
fn look(inspection: Inspection, data: &[u8], open: bool) -> Option<FirstBytes> {
    let found = if inspection.tls { tls(data, open)? } else { FirstBytes::Opaque };
    if inspection.http && found == FirstBytes::Opaque { http(data, open) } else { Some(found) }
}

/// TLS, as far as a server name goes; nothing if more bytes are needed.
fn tls(data: &[u8], open: bool) -> Option<FirstBytes> {
    if data.is_empty() {
        return None;
    }
    let mut rest = data;
    let mut acceptor = Acceptor::default();
    while !rest.is_empty() {
        if acceptor.read_tls(&mut rest).is_err() {
            return Some(FirstBytes::Opaque);
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let server_name = hello.server_name().map(str::to_owned);
                let mesh = hello.alpn().is_some_and(|mut all| all.any(|one| one == MESH_ALPN));
                return Some(FirstBytes::Tls { server_name, mesh });
            }
            Ok(None) => {}
            Err(_) => return Some(FirstBytes::Opaque),
        }
    }
    (!open).then_some(FirstBytes::Opaque)
}

/// HTTP/1 by its request, HTTP/2 by its preface; nothing if more bytes are needed.
fn http(data: &[u8], open: bool) -> Option<FirstBytes> {
    if data.is_empty() {
        return None;
    }
    if data.starts_with(HTTP2_PREFACE) {
        return Some(FirstBytes::Http2);
    }
    let mut lines = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(data) {
        Ok(httparse::Status::Complete(_)) => Some(FirstBytes::Http { minor: request.version.unwrap_or(1) }),
        Ok(httparse::Status::Partial) if open && !data.starts_with(b"\x16") => None,
        _ => Some(FirstBytes::Opaque),
    }
}
