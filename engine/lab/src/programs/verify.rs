//! Whether a server's certificate is good, in OpenSSL's numbers, and the certificate that a client shows: for curl and `openssl`.
//!
//! Invariant: the number is found even if every certificate may pass.

use crate::clock::Clock;
use crate::programs::x509;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, CipherSuite, DigitallySignedStruct, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// `X509_V_ERR_CERT_NOT_YET_VALID`
const NOT_YET_VALID: u32 = 9;
/// `X509_V_ERR_CERT_HAS_EXPIRED`
const EXPIRED: u32 = 10;
/// `X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT`
const SELF_SIGNED: u32 = 18;
/// `X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN`
const SELF_SIGNED_IN_CHAIN: u32 = 19;
/// `X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY`
const NO_ISSUER: u32 = 20;

/// What OpenSSL says about a number of its.
pub(super) fn words(code: u32) -> &'static str {
    match code {
        0 => "ok",
        NOT_YET_VALID => "certificate is not yet valid",
        EXPIRED => "certificate has expired",
        SELF_SIGNED => "self-signed certificate",
        SELF_SIGNED_IN_CHAIN => "self-signed certificate in certificate chain",
        _ => "unable to get local issuer certificate",
    }
}

/// The alert that OpenSSL sends for a number: its name and its own number.
pub(super) fn alert(code: u32) -> (&'static str, u32) {
    match code {
        NOT_YET_VALID => ("bad certificate", 42),
        EXPIRED => ("certificate expired", 45),
        _ => ("unknown CA", 48),
    }
}

/// What a handshake showed of the server.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The server's certificate first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// OpenSSL's number of what is wrong with it; 0 if nothing is.
    pub(super) code: u32,
    /// Whether the server wanted the client to show one.
    pub(super) asked_for_certificate: bool,
}

/// Judges certificates by the lab's clock.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Who is trusted; nobody if authorities were not even loaded.
    pub(super) roots: Option<Arc<WebPkiServerVerifier>>,
    /// Whether any certificate will do.
    pub(super) insecure: bool,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) clock: Clock,
    pub(super) seen: Arc<Mutex<Seen>>,
}

impl Verifier {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> Result<u32, rustls::Error> {
        let Some(roots) = &self.roots else { return Ok(untrusted(leaf, others)) };
        let seconds = u64::try_from(self.clock.now().as_second()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match roots.verify_server_cert(leaf, others, name, &[], now) {
            Ok(_) => Ok(0),
            Err(rustls::Error::InvalidCertificate(error)) => match error {
                // The name is looked at after the handshake.
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Ok(0),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Ok(EXPIRED),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Ok(NOT_YET_VALID),
                CertificateError::UnknownIssuer => Ok(untrusted(leaf, others)),
                other => Err(rustls::Error::InvalidCertificate(other)),
            },
            Err(other) => Err(other),
        }
    }
}

/// The number for a chain that leads to nobody who is trusted.
fn untrusted(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> u32 {
    if is_self_signed(leaf) {
        SELF_SIGNED
    } else if others.iter().any(is_self_signed) {
        SELF_SIGNED_IN_CHAIN
    } else {
        NO_ISSUER
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    x509::parse(certificate).is_some_and(|certificate| certificate.issuer() == certificate.subject())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.judge(end_entity, intermediates, server_name);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.chain = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        let refused = match verdict {
            Ok(code) => {
                seen.code = code;
                match code {
                    0 => return Ok(ServerCertVerified::assertion()),
                    EXPIRED => CertificateError::Expired,
                    NOT_YET_VALID => CertificateError::BadEncoding,
                    _ => CertificateError::UnknownIssuer,
                }
            }
            Err(_) if self.insecure => return Ok(ServerCertVerified::assertion()),
            Err(error) => return Err(error),
        };
        if self.insecure {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(refused))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Shows the client's certificate when the server asks, and notes that it did.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) identity: Option<Arc<CertifiedKey>>,
    pub(super) seen: Arc<Mutex<Seen>>,
}

impl ResolvesClientCert for Offer {
    fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).asked_for_certificate = true;
        self.identity.clone().filter(|identity| identity.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}

/// OpenSSL's name of a cipher suite.
pub(super) fn suite_name(suite: CipherSuite) -> String {
    match suite {
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384".to_owned(),
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384".to_owned(),
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256".to_owned(),
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256".to_owned(),
        other => format!("{other:?}").replacen("TLS13_", "TLS_", 1),
    }
}
