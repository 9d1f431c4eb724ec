//! What `-v` tells of a TLS handshake, message by message.
//!
//! Invariant: the messages are those that OpenSSL tells of a handshake that came out the same way; their lengths follow from the
//! certificates and from what was agreed on.

use super::release::Release;
use super::trace::Trace;

use crate::programs::verify::{self, Seen, suite_name};
use crate::programs::x509;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ClientConnection, ProtocolVersion};
use std::net::IpAddr;

/// What client and server agreed on.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) is_13: bool,
    suite: String,
    /// Whether the suite's hash has 48 bytes, not 32.
    long_hash: bool,
    alpn: Option<String>,
    /// If the server wanted a certificate: the length of what the client sent, 0 for none.
    client_certificate: Option<usize>,
}

impl Agreed {
    pub(super) fn of(connection: &ClientConnection, client_certificate: Option<usize>) -> Self {
        let suite = connection.negotiated_cipher_suite().map_or(CipherSuite::Unknown(0), |suite| suite.suite());
        let name = suite_name(suite);
        Self {
            is_13: connection.protocol_version() != Some(ProtocolVersion::TLSv1_2),
            long_hash: name.ends_with("384"),
            suite: name,
            alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            client_certificate,
        }
    }

    pub(super) fn version(&self) -> &'static str {
        if self.is_13 { "TLSv1.3" } else { "TLSv1.2" }
    }
}

/// A connection whose handshake is told.
pub(super) struct Notes<'a> {
    pub(super) trace: &'a Trace,
    pub(super) release: Release,
    pub(super) host: &'a str,
    pub(super) insecure: bool,
}

impl Notes<'_> {
    /// The protocols that are offered, and the first message.
    pub(super) async fn offered(&self, protocols: &[&str]) {
        let who = self.release.pick("", "curl ");
        self.trace.note(&format!("ALPN: {who}offers {}", protocols.join(","))).await;
        self.trace.data('}', 5).await;
    }

    async fn message(&self, version: &str, out: bool, what: &str, length: usize) {
        let (way, mark) = if out { ("OUT", '}') } else { ("IN", '{') };
        self.trace.note(&format!("{version} ({way}), TLS {what}:")).await;
        self.trace.data(mark, length).await;
    }

    async fn client_hello(&self, version: &str, trust: Option<&str>) {
        self.message(version, true, "handshake, Client hello (1)", if version == "TLSv1.3" { 512 } else { 222 }).await;
        if let Some(file) = trust {
            self.trace.note(&format!(" CAfile: {file}")).await;
            self.trace.note(" CApath: /etc/ssl/certs").await;
        }
    }

    /// A handshake that did not come to its end.
    pub(super) async fn broken_off(&self, trust: Option<&str>, seen: &Seen) {
        self.client_hello("TLSv1.3", trust).await;
        if seen.chain.is_empty() {
            return;
        }
        self.trace.data('{', 5).await;
        self.message("TLSv1.3", false, "handshake, Server hello (2)", 122).await;
        self.message("TLSv1.3", false, "handshake, Encrypted Extensions (8)", 21).await;
        self.message("TLSv1.3", false, "handshake, Certificate (11)", 8 + lengths(&seen.chain, 5)).await;
        if seen.code != 0 {
            let (name, number) = verify::alert(seen.code);
            self.message("TLSv1.3", true, &format!("alert, {name} ({})", 512 + number), 2).await;
        }
    }

    /// A whole handshake, and the server's certificate.
    pub(super) async fn hello(&self, trust: Option<&str>, agreed: &Agreed, seen: &Seen) {
        self.client_hello(agreed.version(), trust).await;
        self.trace.data('{', 5).await;
        let leaf = seen.chain.first().and_then(|der| x509::parse(der));
        let signature = leaf.as_ref().map_or(64, |leaf| match x509::key_kind(leaf) {
            (kind, bits, _) if kind == "RSA" => bits / 8,
            (kind, _, _) if kind == "ED25519" => 64,
            _ => 71,
        });
        if agreed.is_13 {
            self.messages_13(agreed, seen, signature).await;
        } else {
            self.messages_12(agreed, seen, signature).await;
        }
        let group = leaf.as_ref().map_or("ED25519".to_owned(), |leaf| match x509::key_kind(leaf).0.as_str() {
            "RSA" => "RSASSA-PSS".to_owned(),
            "ED25519" => "ED25519".to_owned(),
            _ => "id-ecPublicKey".to_owned(),
        });
        let more = self.release.pick(String::new(), format!(" / X25519 / {group}"));
        self.trace.note(&format!("SSL connection using {} / {}{more}", agreed.version(), agreed.suite)).await;
        match &agreed.alpn {
            Some(name) => self.trace.note(&format!("ALPN: server accepted {name}")).await,
            None => self.trace.note("ALPN: server did not agree on a protocol. Uses default.").await,
        }
        self.certificate(seen).await;
    }

    async fn messages_13(&self, agreed: &Agreed, seen: &Seen, signature: usize) {
        let version = "TLSv1.3";
        let finished = if agreed.long_hash { 52 } else { 36 };
        let extensions = agreed.alpn.as_ref().map_or(6, |name| 13 + name.len());
        self.message(version, false, "handshake, Server hello (2)", 122).await;
        self.message(version, false, "handshake, Encrypted Extensions (8)", extensions).await;
        if agreed.client_certificate.is_some() {
            self.message(version, false, "handshake, Request CERT (13)", 45).await;
        }
        self.message(version, false, "handshake, Certificate (11)", 8 + lengths(&seen.chain, 5)).await;
        self.message(version, false, "handshake, CERT verify (15)", 8 + signature).await;
        self.message(version, false, "handshake, Finished (20)", finished).await;
        self.message(version, true, "change cipher, Change cipher spec (1)", 1).await;
        if let Some(sent) = agreed.client_certificate {
            self.message(version, true, "handshake, Certificate (11)", 8 + sent).await;
            if sent > 0 {
                self.message(version, true, "handshake, CERT verify (15)", 72).await;
            }
        }
        self.message(version, true, "handshake, Finished (20)", finished).await;
    }

    async fn messages_12(&self, agreed: &Agreed, seen: &Seen, signature: usize) {
        let version = "TLSv1.2";
        self.message(version, false, "handshake, Server hello (2)", 108).await;
        self.message(version, false, "handshake, Certificate (11)", 7 + lengths(&seen.chain, 3)).await;
        self.message(version, false, "handshake, Server key exchange (12)", 44 + signature).await;
        if agreed.client_certificate.is_some() {
            self.message(version, false, "handshake, Request CERT (13)", 45).await;
        }
        self.message(version, false, "handshake, Server finished (14)", 4).await;
        if let Some(sent) = agreed.client_certificate {
            self.message(version, true, "handshake, Certificate (11)", 7 + sent).await;
            self.message(version, true, "handshake, Client key exchange (16)", 37).await;
            if sent > 0 {
                self.message(version, true, "handshake, CERT verify (15)", 72).await;
            }
        } else {
            self.message(version, true, "handshake, Client key exchange (16)", 37).await;
        }
        self.message(version, true, "change cipher, Change cipher spec (1)", 1).await;
        self.message(version, true, "handshake, Finished (20)", 16).await;
        self.message(version, false, "handshake, Finished (20)", 16).await;
    }

    /// What the server's certificate says, up to a name that does not fit.
    async fn certificate(&self, seen: &Seen) {
        let Some(leaf) = seen.chain.first().and_then(|der| x509::parse(der)) else { return };
        self.trace.note("Server certificate:").await;
        let validity = leaf.validity();
        for line in [
            format!(" subject: {}", x509::name(leaf.subject(), "=", "; ")),
            format!(" start date: {}", x509::time(validity.not_before.timestamp())),
            format!(" expire date: {}", x509::time(validity.not_after.timestamp())),
        ] {
            self.trace.note(&line).await;
        }
        if !self.insecure {
            let host = self.host;
            let matched = x509::alternative_names(&leaf).into_iter().find_map(|name| match name {
                x509::AlternativeName::Dns(pattern) if x509::covers(&pattern, host) => {
                    Some(format!(" subjectAltName: host \"{host}\" matched cert's \"{pattern}\""))
                }
                x509::AlternativeName::Address(ip) if host.parse::<IpAddr>().is_ok_and(|host| host == ip) => {
                    Some(format!(" subjectAltName: host \"{host}\" matched cert's IP address!"))
                }
                _ => None,
            });
            match matched {
                Some(line) => self.trace.note(&line).await,
                None => {
                    let what = self.release.pick("", "hostname ");
                    return self.trace.note(&format!(" subjectAltName does not match {what}{host}")).await;
                }
            }
        }
        self.trace.note(&format!(" issuer: {}", x509::name(leaf.issuer(), "=", "; "))).await;
        let verdict = match seen.code {
            0 => " SSL certificate verify ok.".to_owned(),
            code => format!(" SSL certificate verify result: {} ({code}), continuing anyway.", verify::words(code)),
        };
        self.trace.note(&verdict).await;
        if self.release == Release::V8 {
            self.levels(seen).await;
        }
    }

    /// The keys of the chain, up to the authority that is trusted.
    async fn levels(&self, seen: &Seen) {
        let mut chain: Vec<_> = seen.chain.iter().filter_map(|der| x509::parse(der)).collect();
        // The lab's authority is not sent, and is of the same kind as what it signs.
        if seen.code == 0 && chain.len() == 1 && chain[0].issuer() != chain[0].subject() {
            let leaf = chain[0].clone();
            chain.push(leaf);
        }
        for (level, certificate) in chain.iter().enumerate() {
            let (kind, bits, security) = x509::key_kind(certificate);
            let by = x509::signature(certificate);
            let text = format!("Public key type {kind} ({bits}/{security} Bits/secBits), signed using {by}");
            self.trace.note(&format!("  Certificate level {level}: {text}")).await;
        }
    }
}

/// The certificates' lengths, each with what stands around it in the message.
fn lengths(chain: &[CertificateDer<'_>], around: usize) -> usize {
    chain.iter().map(|certificate| certificate.len() + around).sum()
}
