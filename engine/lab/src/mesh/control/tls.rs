//! TLS towards a cluster, as a DestinationRule sets it.
//!
//! Invariant: a sidecar takes no certificate from a secret unless the rule selects it by its labels; then the setting has no effect.

use super::destination_rule::DestinationRule;
use super::scope::Scope;
use super::service::{MeshService, ServicePort};
use crate::mesh::envoy::{Identity, Roots, Transport, UpstreamTls};
use crate::mesh::objects::{text, texts, unknown};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const KNOWN: &[&str] = &["mode", "sni", "credentialName", "caCertificates", "insecureSkipVerify", "subjectAltNames"];

/// Files of the proxy's image with the authorities that its system trusts.
const SYSTEM_FILES: [&str; 4] =
    ["system", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The server name of mutual TLS within the mesh.
pub(super) fn mesh_sni(port: u16, subset: &str, host: &str) -> String {
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// How the proxy speaks to a cluster under these settings.
pub(super) fn transport(
    scope: &Scope<'_>,
    service: &MeshService,
    port: &ServicePort,
    rule: Option<&DestinationRule>,
    settings: &Value,
    limits: &mut Vec<String>,
    subset: &str,
) -> Transport {
    let named = rule.map(|rule| rule.named.as_str()).unwrap_or_default();
    let sni = Some(text(settings, "/sni").to_owned()).filter(|sni| !sni.is_empty());
    let mode = text(settings, "/mode");
    match mode {
        "" | "DISABLE" => return Transport::Plain,
        "ISTIO_MUTUAL" => {
            return Transport::Mesh { sni: sni.unwrap_or_else(|| mesh_sni(port.number, subset, &service.host)) };
        }
        "SIMPLE" | "MUTUAL" => {}
        other => {
            limits.push(format!("{named}: tls.mode {other}"));
            return Transport::Plain;
        }
    }
    let credential = text(settings, "/credentialName");
    if !credential.is_empty() && !scope.proxy.gateway && rule.is_none_or(|rule| !rule.has_selector()) {
        return Transport::Plain;
    }
    limits.extend(unknown(settings, "tls", KNOWN).into_iter().map(|field| format!("{named}: {field}")));
    let unverified = settings.get("insecureSkipVerify").and_then(Value::as_bool) == Some(true);
    let mut names = texts(settings, "/subjectAltNames");
    if names.is_empty() && !service.kubernetes {
        names.clone_from(&service.sans);
    }
    let mut tls = UpstreamTls { sni, roots: Roots::System, names, identity: None, secret_missing: false };
    if credential.is_empty() {
        let file = text(settings, "/caCertificates");
        if !(file.is_empty() || SYSTEM_FILES.contains(&file)) {
            limits.push(format!("{named}: tls.caCertificates {file}"));
        }
        if mode == "MUTUAL" {
            limits.push(format!("{named}: tls.mode MUTUAL with certificates in files"));
        }
    } else if credential.contains("://") {
        limits.push(format!("{named}: tls.credentialName {credential}"));
    } else {
        let secrets = Secrets { scope };
        if mode == "MUTUAL" {
            tls.identity = secrets.identity(credential);
            tls.secret_missing |= tls.identity.is_none();
        }
        match secrets.authority(credential) {
            Some(pem) => tls.roots = Roots::Pem(pem),
            None => tls.secret_missing |= !unverified,
        }
    }
    if unverified {
        tls.roots = Roots::Unverified;
    }
    Transport::Tls(tls)
}

/// The secrets that a gateway may read: those of its own namespace.
pub(super) struct Secrets<'a> {
    pub(super) scope: &'a Scope<'a>,
}

impl Secrets<'_> {
    fn field(&self, name: &str, keys: &[&str]) -> Option<String> {
        let secret = self.scope.objects.secrets.iter().find(|secret| {
            text(secret, "/metadata/name") == name && text(secret, "/metadata/namespace") == self.scope.proxy.namespace
        })?;
        keys.iter().find_map(|key| {
            let encoded = secret.get("data")?.get(key)?.as_str()?;
            String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
        })
    }

    /// Certificate and key, under the keys of a TLS secret or of a generic one.
    pub(super) fn identity(&self, name: &str) -> Option<Identity> {
        Some(Identity {
            certificate: self.field(name, &["cert", "tls.crt"])?,
            key: self.field(name, &["key", "tls.key"])?,
        })
    }

    /// The authority: from the secret `NAME-cacert`, else from the secret itself.
    pub(super) fn authority(&self, name: &str) -> Option<String> {
        let keys = ["cacert", "ca.crt"];
        self.field(&format!("{name}-cacert"), &keys).or_else(|| self.field(name, &keys))
    }
}
