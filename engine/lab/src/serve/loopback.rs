//! The loopback door: TLS with a certificate made on the spot, and a random token.
//!
//! Invariant: without the token, or one of the lab's service accounts, nobody is more than anonymous; keys live in memory only.

#![expect(clippy::disallowed_types, reason = "the one door that listens on the machine")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::RngExt;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connection::{Guard, Limits, serve, serve_http2};
use super::guarded::Guarded;
use crate::access::User;
use crate::api::Api;

/// Connections at once, streams such as exec's included; more wait until one ends.
const CONNECTIONS: usize = 2048;

/// Time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A kube-apiserver closes idle connections after 90 s, and ends requests that are no watch after 60 s.
const LIMITS: Limits = Limits { head: Duration::from_secs(90), body: Duration::from_secs(60) };

/// How TLS names HTTP/2.
const HTTP2: &[u8] = b"h2";

/// Name of the context, the cluster and the user in the kubeconfig.
const CONTEXT: &str = "periplus-lab";

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopbackOptions {
    /// Address; 127.0.0.1 by default. Another one opens the lab to whoever can reach it and has the token.
    pub address: IpAddr,
    /// Port; 0, the default, takes a free one.
    pub port: u16,
}

impl Default for LoopbackOptions {
    fn default() -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0 }
    }
}

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, or the address is not this machine's.
    #[error("can't listen on {address}")]
    Listen {
        /// Address and port that were asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key or certificate could not be made.
    #[error("can't make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS refuses the certificate.
    #[error("can't set up TLS")]
    Tls(#[from] rustls::Error),
}

/// A lab that listens. Dropping it stops listening; open connections go on.
#[derive(Debug)]
pub struct Served {
    /// `https://ADDRESS:PORT`
    pub url: String,
    /// The bearer token.
    pub token: String,
    /// A kubeconfig with one context, `periplus-lab`, that holds the CA and the token.
    pub kubeconfig: String,
    listener: JoinHandle<()>,
    stop: CancellationToken,
    places: Arc<Semaphore>,
}

impl Served {
    /// Stops listening, lets requests under way be answered, and waits until all connections are closed, but not for longer than
    /// `patience`: watches and the like are cut off.
    pub async fn shutdown(self, patience: Duration) {
        self.listener.abort();
        self.stop.cancel();
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        // Those that are left end with the lab.
        let _ = timeout(patience, self.places.acquire_many(all)).await;
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        CONNECTIONS - self.places.available_permits()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Listens and serves until the answer is dropped.
///
/// # Errors
/// A taken port, or trouble with keys.
pub async fn serve_loopback(api: Api, options: LoopbackOptions) -> Result<Served, ServeError> {
    let address = SocketAddr::new(options.address, options.port);
    let listen = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let (config, ca) = certificate(options.address)?;
    let secret: [u8; 32] = rand::rng().random();
    let token = URL_SAFE_NO_PAD.encode(secret);
    // An address that stands for all of the machine's is none that a client can go to.
    let reached = match bound.ip() {
        IpAddr::V4(address) if address.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port()),
        IpAddr::V6(address) if address.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), bound.port()),
        _ => bound,
    };
    let url = format!("https://{reached}");
    let kubeconfig = kubeconfig(&url, &ca, &token);
    let stop = CancellationToken::new();
    let guard = Guard {
        token: Some(token.as_str().into()),
        otherwise: Arc::new(User::anonymous()),
        limits: Some(LIMITS),
        stop: stop.clone(),
    };
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let listener = tokio::spawn(accept(listener, acceptor, Arc::clone(&places), api, guard));
    Ok(Served { url, token, kubeconfig, listener, stop, places })
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, places: Arc<Semaphore>, api: Api, guard: Guard) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: wait until some connection has closed.
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (acceptor, api, guard) = (acceptor.clone(), api.clone(), guard.clone());
        tokio::spawn(async move {
            // Answers are small and clients wait for them: never hold a packet back.
            let _ = stream.set_nodelay(true);
            let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
            let stream = Guarded::new(stream, place);
            if is_http2 { serve_http2(stream, api, guard).await } else { serve(stream, api, guard).await }
        });
    }
}

/// A server certificate for the address and localhost, and the PEM of the CA that signed it.
fn certificate(address: IpAddr) -> Result<(rustls::ServerConfig, String), ServeError> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, "periplus-lab CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let names = [
        "localhost".to_owned(),
        "kubernetes".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
        address.to_string(),
    ];
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "periplus-lab");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = KeyPair::generate()?;
    let server_certificate = server.signed_by(&server_key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![server_certificate.der().clone()], key)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok((config, authority_certificate.pem()))
}

fn kubeconfig(url: &str, ca: &str, token: &str) -> String {
    let ca = STANDARD.encode(ca);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {CONTEXT}
  cluster:
    server: {url}
    certificate-authority-data: {ca}
users:
- name: {CONTEXT}
  user:
    token: {token}
contexts:
- name: {CONTEXT}
  context:
    cluster: {CONTEXT}
    user: {CONTEXT}
current-context: {CONTEXT}
"
    )
}
