//! TLS that a proxy originates.
//!
//! Invariant: a handshake that fails says why in Envoy's words, or that the lab does not know them.

use super::MESH_ALPN;
use super::verify::Verify;
use crate::mesh::envoy::{Identity, Roots, UpstreamTls};
use crate::net::{NetNs, Socket, not_simulated};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, Error, RootCertStore};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What the log line says if a secret is not there.
const NO_SECRET: &str = "TLS_error:_Secret_is_not_supplied_by_SDS";

/// A server name for clients that send none; it is never seen.
const NAMELESS: &str = "nameless.invalid";

/// Why there is no TLS.
pub(in crate::mesh) enum TlsFailure {
    /// The log line's words.
    Failed(String),
    /// The server went away during the handshake.
    Closed,
    /// The lab cannot say what Envoy would do.
    NotSimulated(String),
}

/// TLS to a server outside, for a request to `authority` or for a connection without one.
pub(in crate::mesh) async fn connect_outside(
    netns: &NetNs,
    socket: Socket,
    tls: &UpstreamTls,
    authority: Option<&str>,
) -> Result<TlsStream<Socket>, TlsFailure> {
    if tls.secret_missing {
        return Err(TlsFailure::Failed(NO_SECRET.to_owned()));
    }
    let roots = match &tls.roots {
        Roots::System => Some(netns.trust()),
        Roots::Pem(pem) => Some(Arc::new(store_of(pem)?)),
        Roots::Unverified => None,
    };
    let follows = tls.sni.is_none().then_some(authority).flatten();
    let names = match (&tls.names[..], follows) {
        ([], Some(authority)) => Some(vec![authority.to_owned()]),
        ([], None) => None,
        (names, _) => Some(names.to_vec()),
    };
    let identity = tls.identity.as_ref().map(identity_of).transpose()?;
    let sni = tls.sni.clone().or(follows.map(str::to_owned));
    handshake(netns, socket, roots, names, identity, sni, &[]).await
}

/// Mutual TLS within the mesh.
pub(in crate::mesh) async fn connect_mesh(
    netns: &NetNs,
    socket: Socket,
    sni: &str,
) -> Result<TlsStream<Socket>, TlsFailure> {
    let workload = netns.workload_identity();
    let identity = (vec![workload.certificate.clone()], workload.key.clone_key());
    let roots = Some(Arc::clone(&workload.roots));
    // A server outside of the mesh may take the second offer, and is then refused for its certificate.
    let alpn: [&[u8]; 2] = [MESH_ALPN, b"http/1.1"];
    handshake(netns, socket, roots, None, Some(identity), Some(sni.to_owned()), &alpn).await
}

type Keys = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn store_of(pem: &str) -> Result<RootCertStore, TlsFailure> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
        store.add(certificate).map_err(|_| TlsFailure::NotSimulated("a certificate that cannot be read".to_owned()))?;
    }
    Ok(store)
}

fn identity_of(identity: &Identity) -> Result<Keys, TlsFailure> {
    let unreadable = || TlsFailure::NotSimulated("a certificate or key that cannot be read".to_owned());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| unreadable())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|_| unreadable())?;
    if chain.is_empty() { Err(unreadable()) } else { Ok((chain, key)) }
}

async fn handshake(
    netns: &NetNs,
    socket: Socket,
    roots: Option<Arc<RootCertStore>>,
    names: Option<Vec<String>>,
    identity: Option<Keys>,
    sni: Option<String>,
    alpn: &[&[u8]],
) -> Result<TlsStream<Socket>, TlsFailure> {
    let refusal = Arc::new(Mutex::new(None));
    let provider = netns.tls_provider();
    let verify = Verify { roots, names, provider: Arc::clone(&provider), refusal: Arc::clone(&refusal) };
    let builder = ClientConfig::builder_with_details(provider, netns.tls_time())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFailure::NotSimulated(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verify));
    let mut config = match identity {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| TlsFailure::NotSimulated(format!("a client certificate: {error}")))?,
        None => builder.with_no_client_auth(),
    };
    let name = sni.and_then(|sni| ServerName::try_from(sni).ok());
    config.alpn_protocols = alpn.iter().map(|one| one.to_vec()).collect();
    config.enable_sni = name.is_some();
    let name = name.unwrap_or_else(|| ServerName::try_from(NAMELESS).expect("invariant: a literal name"));
    match TlsConnector::from(Arc::new(config)).connect(name, socket).await {
        Ok(stream) => Ok(stream),
        Err(error) => {
            let refused = refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(in_words(&error, refused))
        }
    }
}

fn in_words(error: &io::Error, refused: Option<String>) -> TlsFailure {
    if let Some(reason) = not_simulated(error) {
        return TlsFailure::NotSimulated(reason.to_owned());
    }
    if let Some(words) = refused {
        return TlsFailure::Failed(format!(
            "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_{words}:TLS_error_end"
        ));
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => TlsFailure::Failed(
            "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end".to_owned(),
        ),
        Some(other) => TlsFailure::NotSimulated(format!("a tls handshake of a proxy that ends with: {other}")),
        None => TlsFailure::Closed,
    }
}
