//! TLS on a connection, and the words of OpenSSL for what goes wrong with certificates.
//!
//! Invariant: without `-k` a certificate is trusted only through the pod's own authorities or `--cacert`.

use super::error::{Failure, PEER_FAILED_VERIFICATION, SSL_CACERT_BADFILE, SSL_CONNECT_ERROR, strerror};
use super::options::Config;
use crate::net::{self, Socket};
use crate::process::Process;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Marks a certificate that signed itself, which OpenSSL tells from one by an unknown authority.
const SELF_SIGNED: &str = "self-signed";

/// Does the handshake for `host`.
pub(super) async fn handshake(
    process: &Process,
    config: &Config,
    socket: Socket,
    host: &str,
    authority: &str,
) -> Result<TlsStream<Socket>, Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::NotSimulated(format!("TLS to a host named {host}")))?;
    let client = client(process, config)?;
    TlsConnector::from(client)
        .connect(name, socket)
        .await
        .map_err(|error| failure(&error, host, authority, process.image.curl_version()))
}

fn client(process: &Process, config: &Config) -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match &config.cacert {
        None => process.net.trust(),
        Some(path) => Arc::new(authorities(process, path)?),
    };
    let verifier: Arc<dyn ServerCertVerifier> = if config.insecure {
        Arc::new(TrustAll(provider.clone()))
    } else {
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| Failure::NotSimulated(format!("these certificate authorities: {error}")))?;
        Arc::new(LabVerifier { inner, clock: process.clock.clone() })
    };
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::NotSimulated(format!("these TLS versions: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if config.http10 {
        client.alpn_protocols.clear();
    }
    Ok(Arc::new(client))
}

fn authorities(process: &Process, path: &str) -> Result<RootCertStore, Failure> {
    let bad = || {
        let text = format!("error setting certificate verify locations:  CAfile: {path} CApath: none");
        Failure::new(SSL_CACERT_BADFILE, text)
    };
    let data = process.fs.read(&process.path(path)).map_err(|_| bad())?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&data) {
        certificate.ok().and_then(|certificate| store.add(certificate).ok()).ok_or_else(bad)?;
    }
    if store.is_empty() { Err(bad()) } else { Ok(store) }
}

fn failure(error: &io::Error, host: &str, authority: &str, version: &str) -> Failure {
    if let Some(reason) = net::not_simulated(error) {
        return Failure::NotSimulated(reason.to_owned());
    }
    let old = version.starts_with("7.");
    let problem = |text: &str| Failure::new(PEER_FAILED_VERIFICATION, format!("SSL certificate problem: {text}"));
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        let text = match error.kind() {
            _ if old => format!("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to {authority} "),
            io::ErrorKind::UnexpectedEof => {
                "TLS connect error: error:0A000126:SSL routines::unexpected eof while reading".to_owned()
            }
            io::ErrorKind::BrokenPipe => "Send failure: Broken pipe".to_owned(),
            kind => format!("Recv failure: {}", strerror(kind)),
        };
        return Failure::new(SSL_CONNECT_ERROR, text);
    };
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => problem("certificate has expired"),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                problem("certificate is not yet valid")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Failure::new(
                PEER_FAILED_VERIFICATION,
                format!("SSL: no alternative certificate subject name matches target host name '{host}'"),
            ),
            CertificateError::UnknownIssuer => problem("unable to get local issuer certificate"),
            CertificateError::Other(other) if other.to_string() == SELF_SIGNED => problem("self-signed certificate"),
            other => Failure::NotSimulated(format!("a certificate that is wrong in this way: {other:?}")),
        },
        rustls::Error::InvalidMessage(_) => {
            let text = "error:0A00010B:SSL routines::wrong version number";
            Failure::new(SSL_CONNECT_ERROR, if old { text.to_owned() } else { format!("TLS connect error: {text}") })
        }
        other => Failure::NotSimulated(format!("a TLS handshake that ends so: {other}")),
    }
}

/// Tells a self-signed certificate from one of an unknown authority, and goes by the lab's clock.
#[derive(Debug)]
struct LabVerifier {
    inner: Arc<WebPkiServerVerifier>,
    clock: crate::clock::Clock,
}

impl ServerCertVerifier for LabVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seconds = u64::try_from(self.clock.now().as_second()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let verdict = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) if is_self_signed(end_entity) => {
                let mark = rustls::OtherError(Arc::new(io::Error::other(SELF_SIGNED)));
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(mark)))
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// `-k`: any certificate will do.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether issuer and subject of a certificate are the same name. The certificate's fields (RFC 5280): an optional tagged
/// version, serial number, algorithm, issuer, validity, subject.
fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    let read = || {
        let (_, body, _) = element(certificate)?;
        let (_, mut fields, _) = element(body)?;
        if fields.first() == Some(&0xa0) {
            fields = element(fields)?.2;
        }
        let mut parts = Vec::new();
        while parts.len() < 5 {
            let (whole, _, rest) = element(fields)?;
            parts.push(whole);
            fields = rest;
        }
        Some(parts[2] == parts[4])
    };
    read().unwrap_or(false)
}

/// The first DER element of `data`: all of it, its content, and what follows.
fn element(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let &first = data.get(1)?;
    let (length, header) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        let count = usize::from(first & 0x7f);
        let bytes = data.get(2..2 + count).filter(|bytes| bytes.len() <= 4)?;
        (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), 2 + count)
    };
    let end = header.checked_add(length)?;
    Some((data.get(..end)?, data.get(header..end)?, &data[end..]))
}
