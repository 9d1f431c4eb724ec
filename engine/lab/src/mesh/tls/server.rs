//! TLS that a proxy ends.
//!
//! Invariant: within the mesh both sides have an identity of the mesh; a client without one is refused.

use super::MESH_ALPN;
use crate::mesh::envoy::{Identity, ServerTls};
use crate::net::{NetNs, Socket};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What ends a connection before it is one.
pub(in crate::mesh) enum Refused {
    /// The handshake failed; the client knows why.
    Handshake,
    /// The secret with the certificate is not there: the connection is closed.
    NoSecret,
    /// The lab cannot say what Envoy would do with the connection.
    NotSimulated(Socket, String),
}

/// The server's half of a handshake.
pub(in crate::mesh) async fn accept(
    netns: &NetNs,
    socket: Socket,
    tls: &ServerTls,
) -> Result<TlsStream<Socket>, Refused> {
    let config = match tls {
        ServerTls::Mesh => mesh(netns),
        ServerTls::Secret { identity: None, .. } => return Err(Refused::NoSecret),
        ServerTls::Secret { identity: Some(identity), clients } => secret(netns, identity, clients.as_deref()),
    };
    let config = match config {
        Ok(config) => config,
        Err(reason) => return Err(Refused::NotSimulated(socket, reason)),
    };
    TlsAcceptor::from(Arc::new(config)).accept(socket).await.map_err(|_| Refused::Handshake)
}

fn mesh(netns: &NetNs) -> Result<ServerConfig, String> {
    let workload = netns.workload_identity();
    let (chain, key) = (vec![workload.certificate.clone()], workload.key.clone_key());
    let mut config = build(netns, Some(Arc::clone(&workload.roots)), chain, key)?;
    config.alpn_protocols = vec![MESH_ALPN.to_vec()];
    Ok(config)
}

fn secret(netns: &NetNs, identity: &Identity, clients: Option<&str>) -> Result<ServerConfig, String> {
    let unreadable = || "a certificate or key that cannot be read".to_owned();
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| unreadable())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|_| unreadable())?;
    let mut roots = RootCertStore::empty();
    for certificate in clients.into_iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()).flatten()) {
        roots.add(certificate).map_err(|_| unreadable())?;
    }
    build(netns, clients.is_some().then(|| Arc::new(roots)), chain, key)
}

fn build(
    netns: &NetNs,
    clients: Option<Arc<RootCertStore>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, String> {
    let limit = |error: &dyn std::fmt::Display| format!("a gateway's certificate: {error}");
    let provider = netns.tls_provider();
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), netns.tls_time())
        .with_safe_default_protocol_versions()
        .map_err(|error| limit(&error))?;
    let builder = match clients {
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().map_err(|error| limit(&error))?)
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(chain, key).map_err(|error| limit(&error))
}

/// What a proxy tells its upstreams about a client's certificate (`x-forwarded-client-cert`), perhaps with the whole of it.
pub(in crate::mesh) fn client_certificate(netns: &NetNs, stream: &TlsStream<Socket>, whole: bool) -> Option<String> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let uris = |certificate: &CertificateDer<'_>| {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok();
        parsed.and_then(|parsed| parsed.valid_uri_names().next().map(str::to_owned))
    };
    let by = uris(&netns.workload_identity().certificate).unwrap_or_default();
    let hash: String = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect();
    let uri = uris(certificate).unwrap_or_default();
    let whole = if whole { format!("Cert=\"{}\";", escaped_pem(certificate)) } else { String::new() };
    Some(format!("By={by};Hash={hash};{whole}Subject=\"\";URI={uri}"))
}

/// A certificate as PEM with every character escaped that has no place in a URL.
fn escaped_pem(certificate: &[u8]) -> String {
    let encoded = STANDARD.encode(certificate);
    let lines: Vec<&str> = (0..encoded.len()).step_by(64).map(|at| &encoded[at..encoded.len().min(at + 64)]).collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    pem.chars()
        .map(|c| match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '.' | '_' | '~' => c.to_string(),
            other => format!("%{:02X}", u32::from(other)),
        })
        .collect()
}
