//! Why a transfer failed: curl's exit codes and their texts.
//!
//! Invariant: the codes are those of libcurl; a text may differ between versions, a code may not.

use super::release::OPENSSL;
use super::tls::alert_words;
use crate::net;
use std::io;

/// Why a transfer ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// curl's exit code and what it prints after `curl: (N) `.
    Curl { code: u8, text: String },
    /// The lab lacks something.
    NotSimulated(String),
}

/// `CURLE_UNSUPPORTED_PROTOCOL`
pub(super) const UNSUPPORTED_PROTOCOL: u8 = 1;
/// `CURLE_URL_MALFORMAT`
pub(super) const URL_MALFORMAT: u8 = 3;
/// `CURLE_COULDNT_RESOLVE_PROXY`
pub(super) const COULDNT_RESOLVE_PROXY: u8 = 5;
/// `CURLE_COULDNT_RESOLVE_HOST`
pub(super) const COULDNT_RESOLVE_HOST: u8 = 6;
/// `CURLE_COULDNT_CONNECT`
pub(super) const COULDNT_CONNECT: u8 = 7;
/// `CURLE_PARTIAL_FILE`
pub(super) const PARTIAL_FILE: u8 = 18;
/// `CURLE_HTTP_RETURNED_ERROR`
pub(super) const HTTP_RETURNED_ERROR: u8 = 22;
/// `CURLE_WRITE_ERROR`
pub(super) const WRITE_ERROR: u8 = 23;
/// `CURLE_READ_ERROR`
pub(super) const READ_ERROR: u8 = 26;
/// `CURLE_OPERATION_TIMEDOUT`
pub(super) const OPERATION_TIMEDOUT: u8 = 28;
/// `CURLE_SSL_CONNECT_ERROR`
pub(super) const SSL_CONNECT_ERROR: u8 = 35;
/// `CURLE_TOO_MANY_REDIRECTS`
pub(super) const TOO_MANY_REDIRECTS: u8 = 47;
/// `CURLE_SETOPT_OPTION_SYNTAX`
pub(super) const OPTION_SYNTAX: u8 = 49;
/// `CURLE_GOT_NOTHING`
pub(super) const GOT_NOTHING: u8 = 52;
/// `CURLE_RECV_ERROR`
pub(super) const RECV_ERROR: u8 = 56;
/// `CURLE_SSL_CERTPROBLEM`
pub(super) const SSL_CERTPROBLEM: u8 = 58;
/// `CURLE_PEER_FAILED_VERIFICATION`
pub(super) const PEER_FAILED_VERIFICATION: u8 = 60;
/// `CURLE_FILESIZE_EXCEEDED`
pub(super) const FILESIZE_EXCEEDED: u8 = 63;
/// `CURLE_SSL_CACERT_BADFILE`
pub(super) const SSL_CACERT_BADFILE: u8 = 77;

impl Failure {
    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self::Curl { code, text: text.into() }
    }

    /// A socket's error: what the lab cannot simulate stays that, anything else is given this code and text.
    pub(super) fn from_io(error: &io::Error, code: u8, text: impl FnOnce(&io::Error) -> String) -> Self {
        match net::not_simulated(error) {
            Some(reason) => Self::NotSimulated(reason.to_owned()),
            None => Self::new(code, text(error)),
        }
    }

    /// The failure of a connection that could not be written to and then gave nothing to read. curl tells it as a failure
    /// of the read, unless the write had already been refused when it looked.
    pub(super) fn after_write(error: &io::Error) -> Self {
        Self::from_io(error, RECV_ERROR, |_| "Recv failure: Connection reset by peer".to_owned())
    }

    /// A failure while reading from a connection.
    pub(super) fn receiving(error: &io::Error) -> Self {
        // A server that wants a certificate says so in TLS 1.3 when the client takes the handshake to be over.
        if let Some(rustls::Error::AlertReceived(alert)) =
            error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return match alert_words(*alert, false) {
                Some(words) => Self::new(RECV_ERROR, format!("OpenSSL SSL_read: {OPENSSL}: {words}, errno 0")),
                None => Self::NotSimulated(format!("a TLS connection that ends so: {error}")),
            };
        }
        Self::from_io(error, RECV_ERROR, |error| format!("Recv failure: {}", strerror(error.kind())))
    }
}

/// What `strerror` says for an error of a socket.
pub(super) fn strerror(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "Connection refused",
        io::ErrorKind::BrokenPipe => "Broken pipe",
        io::ErrorKind::HostUnreachable => "No route to host",
        io::ErrorKind::NetworkUnreachable => "Network is unreachable",
        io::ErrorKind::TimedOut => "Connection timed out",
        _ => "Connection reset by peer",
    }
}
