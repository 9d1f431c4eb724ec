//! Looks at the first bytes of a connection, as a listener's inspectors do.
//!
//! Invariant: nothing is taken out of the socket; whoever serves the connection reads every byte.

use super::verdict::FirstBytes;
use super::view::Inspection;
use crate::net::Socket;
use rustls::server::Acceptor;

/// The opening bytes of HTTP/2.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Waits until the first bytes tell what the inspection asks for; none if the client closes before.
pub(super) async fn sniff(app: &Socket, inspection: Inspection) -> Option<FirstBytes> {
    match inspection {
        Inspection::None => Some(FirstBytes::Opaque),
        Inspection::Tls => app.peek(|data, open| settle(tls(data, open), data, open)).await,
        Inspection::Http => app.peek(|data, open| settle(http(data, open), data, open)).await,
    }
}

/// Nothing if more must come; no protocol if the client went without a word.
#[expect(clippy::option_option, reason = "the outer level is 'decided', the inner one 'the client sent anything'")]
fn settle(found: Option<FirstBytes>, data: &[u8], open: bool) -> Option<Option<FirstBytes>> {
    if data.is_empty() && !open { Some(None) } else { found.map(Some) }
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
                let server_name = accepted.client_hello().server_name().map(str::to_owned);
                return Some(FirstBytes::Tls { server_name });
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
        Ok(httparse::Status::Complete(_)) => Some(FirstBytes::Http {
            minor: request.version.unwrap_or(1),
            method: request.method.unwrap_or_default().to_owned(),
            authority: request
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case("host"))
                .map(|h| String::from_utf8_lossy(h.value).into_owned())
                .unwrap_or_default(),
        }),
        Ok(httparse::Status::Partial) if open && !data.starts_with(b"\x16") => None,
        _ => Some(FirstBytes::Opaque),
    }
}
