//! TLS on a connection, and the words of OpenSSL for what goes wrong with certificates.
//!
//! Invariant: without `-k` a certificate is trusted only through the pod's own authorities or `--cacert`; the name is compared
//! after the handshake, as curl does it.

use super::connect::Io;
use super::error::{
    Failure, PEER_FAILED_VERIFICATION, SSL_CACERT_BADFILE, SSL_CERTPROBLEM, SSL_CONNECT_ERROR, strerror,
};
use super::handshake::{Agreed, Notes};
use super::options::Config;
use super::release::Release;
use super::transfer::Transfer;
use crate::net;
use crate::process::Process;
use crate::programs::verify::{self, Seen, Verifier};
use crate::programs::x509;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsConnector;

/// What `%{ssl_verify_result}` is for a certificate that is for another name.
pub(super) const NAME_MISMATCH: u32 = 1;

/// Which versions of TLS a connection may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    /// `--tls-max 1.2`
    pub(super) no_13: bool,
    /// `--tlsv1.3`
    pub(super) no_12: bool,
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        let mut list = Vec::new();
        if !self.no_13 {
            list.push(&rustls::version::TLS13);
        }
        if !self.no_12 {
            list.push(&rustls::version::TLS12);
        }
        list
    }
}

impl Transfer<'_> {
    /// Does the handshake with `host`, whose authority is named in messages; gives the stream, and whether it is TLS 1.3.
    pub(super) async fn handshake(
        &mut self,
        io: Box<dyn Io>,
        host: &str,
        authority: &str,
    ) -> Result<(Box<dyn Io>, bool), Failure> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::NotSimulated(format!("TLS to a host named {host}")))?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (client, own_length) = client(self.process, self.config, self.release, &seen)?;
        let trust = (!self.config.insecure || self.config.cacert.is_some()).then(|| self.trust_file());
        let notes = Notes { trace: self.trace, release: self.release, host, insecure: self.config.insecure };
        notes.offered(offered(self.config, self.release)).await;
        let outcome = TlsConnector::from(client).connect(name, io).await;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.info.ssl_verify_result = seen.code;
        let stream = match outcome {
            Ok(stream) => stream,
            Err(error) => {
                let text = failure(&error, &seen, authority, self.release);
                notes.broken_off(trust.as_deref(), &seen).await;
                return Err(text);
            }
        };
        let connection = stream.get_ref().1;
        let agreed = Agreed::of(connection, seen.asked_for_certificate.then_some(own_length));
        notes.hello(trust.as_deref(), &agreed, &seen).await;
        let leaf = seen.chain.first().and_then(|der| x509::parse(der));
        if !self.config.insecure && !leaf.is_some_and(|leaf| x509::is_for(&leaf, host)) {
            self.info.ssl_verify_result = NAME_MISMATCH;
            let what = self.release.pick("target host name", "target hostname");
            let text = format!("SSL: no alternative certificate subject name matches {what} '{host}'");
            return Err(Failure::new(PEER_FAILED_VERIFICATION, text));
        }
        Ok((Box::new(stream), agreed.is_13))
    }

    /// The file of authorities that `-v` names.
    fn trust_file(&self) -> String {
        self.config
            .cacert
            .clone()
            .or_else(|| self.process.var("CURL_CA_BUNDLE").map(str::to_owned))
            .unwrap_or_else(|| "/etc/ssl/certs/ca-certificates.crt".to_owned())
    }
}

/// The protocols that are offered.
fn offered(config: &Config, release: Release) -> &'static [&'static str] {
    match (config.http10, config.http11, release) {
        (true, _, Release::V7) => &["http/1.0"],
        (true, _, Release::V8) | (false, true, _) => &["http/1.1"],
        (false, false, _) => &["h2", "http/1.1"],
    }
}

fn client(
    process: &Process,
    config: &Config,
    release: Release,
    seen: &Arc<Mutex<Seen>>,
) -> Result<(Arc<ClientConfig>, usize), Failure> {
    let provider = process.net.tls_provider();
    let roots = match &config.cacert {
        Some(path) => Some(Arc::new(authorities(process, path)?)),
        None if config.insecure => None,
        None => Some(process.net.trust()),
    };
    let roots = roots
        .map(|roots| WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build())
        .transpose()
        .map_err(|error| Failure::NotSimulated(format!("these certificate authorities: {error}")))?;
    let verifier = Verifier {
        roots,
        insecure: config.insecure,
        provider: provider.clone(),
        clock: process.clock.clone(),
        seen: Arc::clone(seen),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&config.tls.list())
        .map_err(|error| Failure::NotSimulated(format!("these TLS versions: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let identity = match &config.cert {
        Some(path) => Some(own_certificate(process, config, builder.crypto_provider(), path)?),
        None => None,
    };
    let own_length = identity.iter().flat_map(|identity| &identity.cert).map(|certificate| certificate.len() + 5).sum();
    let mut client = builder.with_client_cert_resolver(Arc::new(verify::Offer { identity, seen: Arc::clone(seen) }));
    // Servers pass over `http/1.0`, which no connection is agreed on by; the lab's would refuse it.
    // A real host would take HTTP/2, which the lab does not speak, at its word.
    let real = process.net.has_uplink();
    let protocols = offered(config, release).iter().filter(|name| **name != "http/1.0" && !(real && **name == "h2"));
    client.alpn_protocols = protocols.map(|name| name.as_bytes().to_vec()).collect();
    client.resumption = rustls::client::Resumption::disabled();
    Ok((Arc::new(client), own_length))
}

fn authorities(process: &Process, path: &str) -> Result<RootCertStore, Failure> {
    let bad = || Failure::new(SSL_CACERT_BADFILE, format!("error setting certificate file: {path}"));
    let data = process.fs.read(&process.path(path)).map_err(|_| bad())?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&data) {
        certificate.ok().and_then(|certificate| store.add(certificate).ok()).ok_or_else(bad)?;
    }
    if store.is_empty() { Err(bad()) } else { Ok(store) }
}

/// The certificate of `--cert FILE[:PASSWORD]` with the key of `--key`, or of the same file.
fn own_certificate(
    process: &Process,
    config: &Config,
    provider: &CryptoProvider,
    given: &str,
) -> Result<Arc<CertifiedKey>, Failure> {
    // A password behind the file's name opens a key that is locked; one that is not locked needs none.
    let path = given.split_once(':').map_or(given, |(path, _)| path);
    let bad = |why: &str| {
        let text = format!(
            "could not load PEM client certificate from {path}, OpenSSL error {why}, (no key found, wrong pass phrase, or wrong file format?)"
        );
        Failure::new(SSL_CERTPROBLEM, text)
    };
    let data = process
        .fs
        .read(&process.path(path))
        .map_err(|_| bad("error:80000002:system library::No such file or directory"))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&data).filter_map(Result::ok).collect();
    if chain.is_empty() {
        return Err(bad("error:0480006C:PEM routines::no start line"));
    }
    let key_path = config.key.as_deref().unwrap_or(path);
    let key = process.fs.read(&process.path(key_path)).ok().and_then(|key| PrivateKeyDer::from_pem_slice(&key).ok());
    let no_key = || Failure::new(SSL_CERTPROBLEM, format!("unable to set private key file: '{key_path}' type PEM"));
    // A key that belongs to another certificate is refused in the same words.
    CertifiedKey::from_der(chain, key.ok_or_else(no_key)?, provider).map(Arc::new).map_err(|_| no_key())
}

fn failure(error: &io::Error, seen: &Seen, authority: &str, release: Release) -> Failure {
    if let Some(reason) = net::not_simulated(error) {
        return Failure::NotSimulated(reason.to_owned());
    }
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        let text = match (error.kind(), release) {
            (_, Release::V7) => format!("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to {authority} "),
            (io::ErrorKind::UnexpectedEof, _) => {
                release.tls_error("error:0A000126:SSL routines::unexpected eof while reading")
            }
            (io::ErrorKind::BrokenPipe, _) => "Send failure: Broken pipe".to_owned(),
            (kind, _) => format!("Recv failure: {}", strerror(kind)),
        };
        return Failure::new(SSL_CONNECT_ERROR, text);
    };
    match error {
        rustls::Error::InvalidCertificate(_) if seen.code != 0 => {
            let text = format!("SSL certificate problem: {}", verify::words(seen.code));
            Failure::new(PEER_FAILED_VERIFICATION, text)
        }
        rustls::Error::InvalidMessage(_) => {
            Failure::new(SSL_CONNECT_ERROR, release.tls_error("error:0A00010B:SSL routines::wrong version number"))
        }
        rustls::Error::AlertReceived(alert) => match alert_words(*alert, true) {
            Some(words) => Failure::new(SSL_CONNECT_ERROR, release.tls_error(words)),
            None => Failure::NotSimulated(format!("a TLS handshake that ends so: {error}")),
        },
        other => Failure::NotSimulated(format!("a TLS handshake that ends so: {other}")),
    }
}

/// OpenSSL's words for an alert; `handshake` tells those of TLS 1.2, where a refused client learns of it in the handshake.
pub(super) fn alert_words(alert: AlertDescription, handshake: bool) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::HandshakeFailure | AlertDescription::CertificateRequired if handshake => {
            "error:0A000410:SSL routines::sslv3 alert handshake failure"
        }
        AlertDescription::CertificateRequired => "error:0A00045C:SSL routines::tlsv13 alert certificate required",
        AlertDescription::UnknownCA => "error:0A000418:SSL routines::tlsv1 alert unknown ca",
        AlertDescription::BadCertificate => "error:0A000412:SSL routines::sslv3 alert bad certificate",
        AlertDescription::CertificateExpired => "error:0A000415:SSL routines::sslv3 alert certificate expired",
        AlertDescription::ProtocolVersion => "error:0A00042E:SSL routines::tlsv1 alert protocol version",
        AlertDescription::UnrecognisedName => "error:0A000458:SSL routines::tlsv1 unrecognized name",
        _ => return None,
    })
}
