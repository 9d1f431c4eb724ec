//! The lab's certificate authority and the certificates of outside hosts.
//!
//! Invariant: certificates are a function of the seed and the lab's first day, and have the same length in every run:
//! Ed25519 keys and signatures have a fixed size. The keys protect nothing; only pods of this lab trust them.

use super::host::{Certificate, HostSpec, SiteSpec};
use crate::clock::Clock;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};

/// Everything of an Ed25519 private key in PKCS #8 form (RFC 8410) but its 32 bytes.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The name that the lab's authority signs with.
const AUTHORITY_NAME: &str = "Periplus Lab CA";

/// The name of the authority that signs the identities of the mesh.
const MESH_NAME: &str = "cluster.local";

/// The name of an authority that nobody trusts.
const STRANGER_NAME: &str = "Unknown CA";

/// The name of the authority of a TLS-inspecting proxy.
const INSPECTOR_NAME: &str = "Corporate Inspection CA";

struct Root {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// The identity that the mesh gives a workload.
pub(crate) struct WorkloadIdentity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// Whom identities of the mesh come from.
    pub(crate) roots: Arc<RootCertStore>,
}

/// Makes certificates; nothing is computed before the first TLS connection.
pub(super) struct Authority {
    clock: Clock,
    first_day: Timestamp,
    seed: u64,
    root: OnceLock<Root>,
    mesh: OnceLock<(Root, Arc<RootCertStore>)>,
    trust: OnceLock<Arc<RootCertStore>>,
    /// Authorities of real hosts, as PEM, if there is a way to these.
    others: OnceLock<String>,
    client: OnceLock<Arc<ClientConfig>>,
}

impl Authority {
    pub(super) fn new(clock: Clock, seed: u64) -> Self {
        let first_day = clock.now();
        Self {
            clock,
            first_day,
            seed,
            root: OnceLock::new(),
            mesh: OnceLock::new(),
            trust: OnceLock::new(),
            others: OnceLock::new(),
            client: OnceLock::new(),
        }
    }

    fn root(&self) -> &Root {
        self.root.get_or_init(|| self.make_root(AUTHORITY_NAME))
    }

    /// Makes pods trust further authorities, given as PEM.
    pub(super) fn also_trust(&self, pem: String) {
        // A second uplink would come too late: pods may have read the first one's.
        let _ = self.others.set(pem);
    }

    pub(super) fn trust(&self) -> Arc<RootCertStore> {
        let trust = self.trust.get_or_init(|| {
            let mut store = RootCertStore::empty();
            store
                .add(self.root().certificate.der().clone())
                .expect("invariant: the lab's own authority is a well-formed certificate");
            let others = self.others.get().map_or("", String::as_str);
            for certificate in CertificateDer::pem_slice_iter(others.as_bytes()).flatten() {
                // One that cannot be read is as good as none.
                let _ = store.add(certificate);
            }
            Arc::new(store)
        });
        Arc::clone(trust)
    }

    pub(super) fn trust_pem(&self) -> String {
        let others = self.others.get().map_or("", String::as_str);
        format!("{}{others}", self.root().certificate.pem())
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        let client = self.client.get_or_init(|| {
            let config = ClientConfig::builder_with_details(provider(), Arc::new(LabTime(self.clock.clone())))
                .with_safe_default_protocol_versions()
                .expect("invariant: the provider has the default protocol versions")
                .with_root_certificates(self.trust())
                .with_no_client_auth();
            Arc::new(config)
        });
        Arc::clone(client)
    }

    /// What time certificates are held against.
    pub(super) fn time(&self) -> Arc<dyn TimeProvider> {
        Arc::new(LabTime(self.clock.clone()))
    }

    /// The identity of the workloads under a service account.
    pub(super) fn workload(&self, namespace: &str, account: &str) -> WorkloadIdentity {
        let (root, roots) = self.mesh.get_or_init(|| {
            let root = self.make_root(MESH_NAME);
            let mut store = RootCertStore::empty();
            store
                .add(root.certificate.der().clone())
                .expect("invariant: the mesh's own authority is a well-formed certificate");
            (root, Arc::new(store))
        });
        let uri = format!("spiffe://{MESH_NAME}/ns/{namespace}/sa/{account}");
        let key = self.key(&uri);
        let mut params = self.params(&uri, Vec::new(), (-1, 3652));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names = uri.as_str().try_into().map(SanType::URI).into_iter().collect();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate =
            params.signed_by(&key, &root.issuer).expect("invariant: an Ed25519 key signs every certificate");
        WorkloadIdentity {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            roots: Arc::clone(roots),
        }
    }

    /// How a host answers TLS clients on one of its ports; none if its own certificate, or its clients' authority, cannot be used.
    pub(super) fn server(&self, host: &HostSpec, site: &SiteSpec) -> Option<Arc<ServerConfig>> {
        let kind = site.certificate;
        let (chain, der) = match &site.identity {
            Some(identity) => (
                CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?,
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).ok()?,
            ),
            None => {
                let key = self.key(&format!("{} {kind:?}", host.name));
                let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
                let mut chain = vec![self.certify(host, kind, &key)];
                if kind == Certificate::Inspected {
                    chain.push(self.make_root(INSPECTOR_NAME).certificate.der().clone());
                }
                (chain, der)
            }
        };
        let builder = ServerConfig::builder_with_details(provider(), self.time())
            .with_safe_default_protocol_versions()
            .expect("invariant: the provider has the default protocol versions");
        let builder = match &site.client_ca {
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
                    roots.add(certificate).ok()?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok()?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, der).ok()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Some(Arc::new(config))
    }

    fn certify(&self, host: &HostSpec, kind: Certificate, key: &KeyPair) -> CertificateDer<'static> {
        let names: Vec<String> = match kind {
            Certificate::WrongName => vec!["wrong-name.invalid".to_owned()],
            _ => host.names().map(str::to_owned).chain([host.address.to_string()]).collect(),
        };
        let (from, to) = match kind {
            Certificate::Expired => (-400, -1),
            Certificate::NotYetValid => (3652, 7304),
            _ => (-30, 3652),
        };
        let mut params = self.params(&names[0], names.clone(), (from, to));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let signed = match kind {
            Certificate::SelfSigned => params.self_signed(key),
            Certificate::Untrusted => params.signed_by(key, &self.make_root(STRANGER_NAME).issuer),
            Certificate::Inspected => params.signed_by(key, &self.make_root(INSPECTOR_NAME).issuer),
            _ => params.signed_by(key, &self.root().issuer),
        };
        signed.expect("invariant: an Ed25519 key signs every certificate").der().clone()
    }

    fn make_root(&self, name: &str) -> Root {
        let mut params = self.params(name, Vec::new(), (-3652, 7304));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = self.key(name);
        let certificate = params.self_signed(&key).expect("invariant: an Ed25519 key signs every certificate");
        Root { issuer: Issuer::new(params, key), certificate }
    }

    /// Parameters that leave nothing to chance; `days` is the validity, counted from the lab's first day.
    fn params(&self, name: &str, names: Vec<String>, days: (i64, i64)) -> CertificateParams {
        // A name that no certificate can carry is left out, so that the client finds a certificate for another host.
        let mut params = CertificateParams::new(names).unwrap_or_default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from_slice(&self.digest(name)[..16]));
        let first = self.first_day.to_zoned(TimeZone::UTC).date();
        let midnight = |days| {
            let date = first.saturating_add(jiff::Span::new().days(days));
            rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
        };
        params.not_before = midnight(days.0);
        params.not_after = midnight(days.1);
        params
    }

    fn key(&self, purpose: &str) -> KeyPair {
        let der = [PKCS8_PREFIX.as_slice(), &self.digest(&format!("key {purpose}"))].concat();
        KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), &PKCS_ED25519)
            .expect("invariant: any 32 bytes are an Ed25519 key")
    }

    fn digest(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(purpose.as_bytes());
        let mut digest: [u8; 32] = hash.finalize().into();
        // A serial number is a positive integer whose first byte is not zero, or its encoding changes length.
        digest[0] = digest[0] & 0x3f | 0x40;
        digest
    }
}

pub(super) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    static PROVIDER: OnceLock<Arc<rustls::crypto::CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// The lab's clock, as TLS wants it.
struct LabTime(Clock);

impl std::fmt::Debug for LabTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LabTime")
    }
}

impl TimeProvider for LabTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}
