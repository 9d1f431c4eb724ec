//! `openssl x509`: what a certificate says.
//!
//! Invariant: parts are printed in the order in which they are asked for; a part that was not recorded is not simulated.

use super::super::x509;
use super::client::pem;
use crate::process::{Exit, Process};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};

/// How much is read of a file or of standard input.
const MAX_INPUT: usize = 1 << 20;

/// One thing that is asked for.
enum Part {
    Subject,
    Issuer,
    Start,
    End,
    Serial,
    Fingerprint,
    Extension(String),
    Text,
    CheckEnd(i64),
}

pub(super) async fn main(process: &Process, args: &[String]) -> Exit {
    let not_simulated = || Exit::not_simulated(format!("openssl x509 {}", args.join(" ")));
    let mut parts = Vec::new();
    let (mut input, mut silent, mut sha256) = (None, false, false);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "-in" => input = rest.next().cloned(),
            "-noout" => silent = true,
            "-subject" => parts.push(Part::Subject),
            "-issuer" => parts.push(Part::Issuer),
            "-dates" => parts.extend([Part::Start, Part::End]),
            "-startdate" => parts.push(Part::Start),
            "-enddate" => parts.push(Part::End),
            "-serial" => parts.push(Part::Serial),
            "-fingerprint" => parts.push(Part::Fingerprint),
            "-sha256" => sha256 = true,
            "-sha1" => sha256 = false,
            "-text" => parts.push(Part::Text),
            "-ext" => match rest.next() {
                Some(names) => parts.extend(names.split(',').map(|name| Part::Extension(name.to_owned()))),
                None => return not_simulated(),
            },
            "-checkend" => match rest.next().and_then(|seconds| seconds.parse().ok()) {
                Some(seconds) => parts.push(Part::CheckEnd(seconds)),
                None => return not_simulated(),
            },
            "-inform" | "-outform" if rest.next().is_some_and(|form| form.eq_ignore_ascii_case("PEM")) => {}
            _ => return not_simulated(),
        }
    }
    let data = match &input {
        Some(path) => process.fs.read(&process.path(path)).ok(),
        None => process.stdin().read_to_end(MAX_INPUT).await.ok().flatten(),
    };
    let der = data.and_then(|data| CertificateDer::from_pem_slice(&data).ok());
    let Some((der, certificate)) = der.as_ref().and_then(|der| Some((der, x509::parse(der)?))) else {
        let from = input.as_deref().unwrap_or("<stdin>");
        process.warn(format!("Could not read certificate from {from}\nUnable to load certificate\n")).await;
        return Exit::FAILURE;
    };
    let mut out = String::new();
    let mut exit = Exit::SUCCESS;
    for part in &parts {
        match text(process, part, &certificate, der, sha256, &mut exit) {
            Some(text) => out.push_str(&text),
            None => return not_simulated(),
        }
    }
    if !silent {
        out.push_str(&pem(der));
    }
    match process.print(out).await {
        Ok(()) => exit,
        Err(exit) => exit,
    }
}

fn text(
    process: &Process,
    part: &Part,
    certificate: &X509Certificate<'_>,
    der: &[u8],
    sha256: bool,
    exit: &mut Exit,
) -> Option<String> {
    let validity = certificate.validity();
    Some(match part {
        Part::Subject => format!("subject={}\n", x509::name(certificate.subject(), " = ", ", ")),
        Part::Issuer => format!("issuer={}\n", x509::name(certificate.issuer(), " = ", ", ")),
        Part::Start => format!("notBefore={}\n", x509::time(validity.not_before.timestamp())),
        Part::End => format!("notAfter={}\n", x509::time(validity.not_after.timestamp())),
        Part::Serial => format!("serial={}\n", hex(certificate.raw_serial(), "").to_ascii_uppercase()),
        Part::Fingerprint if sha256 => {
            format!("sha256 Fingerprint={}\n", hex(&Sha256::digest(der), ":").to_ascii_uppercase())
        }
        Part::Fingerprint => format!("sha1 Fingerprint={}\n", hex(&Sha1::digest(der), ":").to_ascii_uppercase()),
        Part::Extension(name) => {
            let found = certificate
                .extensions()
                .iter()
                .find(|extension| extension_name(extension).is_some_and(|(short, _)| short == name))?;
            extension(found, 0)?
        }
        Part::Text => whole(certificate)?,
        Part::CheckEnd(seconds) => {
            if process.clock.now().as_second().saturating_add(*seconds) < validity.not_after.timestamp() {
                "Certificate will not expire\n".to_owned()
            } else {
                *exit = Exit::FAILURE;
                "Certificate will expire\n".to_owned()
            }
        }
    })
}

/// Bytes as pairs of digits.
fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}

/// Bytes as pairs of digits with colons, so many on a line.
fn block(bytes: &[u8], per_line: usize, indent: usize) -> String {
    let lines: Vec<String> = bytes.chunks(per_line).map(|line| " ".repeat(indent) + &hex(line, ":")).collect();
    lines.join(":\n") + "\n"
}

/// An extension's short name and the one that is printed.
fn extension_name(extension: &X509Extension<'_>) -> Option<(&'static str, &'static str)> {
    Some(match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(_) => ("subjectAltName", "X509v3 Subject Alternative Name"),
        ParsedExtension::KeyUsage(_) => ("keyUsage", "X509v3 Key Usage"),
        ParsedExtension::ExtendedKeyUsage(_) => ("extendedKeyUsage", "X509v3 Extended Key Usage"),
        ParsedExtension::BasicConstraints(_) => ("basicConstraints", "X509v3 Basic Constraints"),
        ParsedExtension::SubjectKeyIdentifier(_) => ("subjectKeyIdentifier", "X509v3 Subject Key Identifier"),
        _ => return None,
    })
}

fn extension(extension: &X509Extension<'_>, indent: usize) -> Option<String> {
    let (_, name) = extension_name(extension)?;
    let value = match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(list) => {
            let name = |name: &x509_parser::extensions::GeneralName<'_>| match name {
                x509_parser::extensions::GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
                x509_parser::extensions::GeneralName::URI(uri) => Some(format!("URI:{uri}")),
                _ => None,
            };
            let mut addresses = x509::addresses(list).into_iter();
            let names: Option<Vec<String>> = list
                .general_names
                .iter()
                .map(|entry| name(entry).or_else(|| addresses.next().map(|ip| format!("IP Address:{ip}"))))
                .collect();
            names?.join(", ")
        }
        ParsedExtension::KeyUsage(usage) => {
            let all = [
                (usage.digital_signature(), "Digital Signature"),
                (usage.non_repudiation(), "Non Repudiation"),
                (usage.key_encipherment(), "Key Encipherment"),
                (usage.data_encipherment(), "Data Encipherment"),
                (usage.key_agreement(), "Key Agreement"),
                (usage.key_cert_sign(), "Certificate Sign"),
                (usage.crl_sign(), "CRL Sign"),
            ];
            all.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
        }
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let all = [
                (usage.server_auth, "TLS Web Server Authentication"),
                (usage.client_auth, "TLS Web Client Authentication"),
            ];
            all.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
        }
        ParsedExtension::BasicConstraints(constraints) => {
            let length = constraints.path_len_constraint.map(|length| format!(", pathlen:{length}"));
            format!("CA:{}{}", if constraints.ca { "TRUE" } else { "FALSE" }, length.unwrap_or_default())
        }
        ParsedExtension::SubjectKeyIdentifier(id) => hex(id.0, ":").to_ascii_uppercase(),
        _ => return None,
    };
    let critical = if extension.critical { "critical" } else { "" };
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + 4));
    Some(format!("{outer}{name}: {critical}\n{inner}{value}\n"))
}

/// `-text` of a certificate with an Ed25519 key, as the lab makes them.
fn whole(certificate: &X509Certificate<'_>) -> Option<String> {
    if x509::key_kind(certificate).0 != "ED25519" || x509::signature(certificate) != "ED25519" {
        return None;
    }
    let validity = certificate.validity();
    let mut text = format!(
        "Certificate:\n    Data:\n        Version: 3 (0x2)\n        Serial Number:\n            {}\n        \
         Signature Algorithm: ED25519\n        Issuer: {}\n        Validity\n            Not Before: {}\n            \
         Not After : {}\n        Subject: {}\n        Subject Public Key Info:\n            \
         Public Key Algorithm: ED25519\n                ED25519 Public-Key:\n                pub:\n{}",
        hex(certificate.raw_serial(), ":"),
        x509::name(certificate.issuer(), " = ", ", "),
        x509::time(validity.not_before.timestamp()),
        x509::time(validity.not_after.timestamp()),
        x509::name(certificate.subject(), " = ", ", "),
        block(&certificate.public_key().subject_public_key.data, 15, 20),
    );
    if !certificate.extensions().is_empty() {
        text.push_str("        X509v3 extensions:\n");
        for found in certificate.extensions() {
            text.push_str(&extension(found, 12)?);
        }
    }
    text.push_str("    Signature Algorithm: ED25519\n    Signature Value:\n");
    text.push_str(&block(&certificate.signature_value.data, 18, 8));
    Some(text)
}
