//! Whether a proxy accepts a server's certificate: first whom it comes from, then which names it has.
//!
//! Invariant: a refusal says which of the two it was, and names the certificate's names, as Envoy does.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};

/// What is asked of a server's certificate.
pub(super) struct Verify {
    /// Whom it may come from; none accepts everybody.
    pub(super) roots: Option<Arc<RootCertStore>>,
    /// Names of which it must have one; none asks for no name.
    pub(super) names: Option<Vec<String>>,
    pub(super) provider: Arc<CryptoProvider>,
    /// Why the last certificate was refused, in Envoy's words.
    pub(super) refusal: Arc<Mutex<Option<String>>>,
}

impl std::fmt::Debug for Verify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verify").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Verify {
    fn refuse(&self, words: String, error: CertificateError) -> Error {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
        Error::InvalidCertificate(error)
    }
}

impl ServerCertVerifier for Verify {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        if let Err(error) = verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms) {
            let Error::InvalidCertificate(kind) = &error else { return Err(error) };
            let words = chain_words(kind, end_entity);
            return Err(self.refuse(words, kind.clone()));
        }
        let Some(names) = &self.names else { return Ok(ServerCertVerified::assertion()) };
        let has = |name: &String| {
            ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
        };
        if names.iter().any(has) {
            return Ok(ServerCertVerified::assertion());
        }
        let own = webpki::EndEntityCert::try_from(end_entity)
            .map(|certificate| certificate.valid_dns_names().map(str::to_owned).collect::<Vec<_>>())
            .unwrap_or_default();
        let words = format!("SAN_matcher,_certificate_SANs_are_[{}]", own.join(",_"));
        Err(self.refuse(words, CertificateError::NotValidForName))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What OpenSSL's verification says of a chain, with blanks as the access log writes them.
fn chain_words(error: &CertificateError, end_entity: &CertificateDer<'_>) -> String {
    let what = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate_has_expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "certificate_is_not_yet_valid",
        _ if is_self_signed(end_entity) => "self_signed_certificate",
        _ => "unable_to_get_local_issuer_certificate",
    };
    format!("X509_verify_cert:_certificate_verification_error_at_depth_0:_{what}")
}

fn is_self_signed(end_entity: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(end_entity).is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}
