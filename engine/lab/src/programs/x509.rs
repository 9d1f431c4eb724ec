//! Certificates in the words of OpenSSL, which curl and `openssl` share.
//!
//! Invariant: what cannot be read is left out or shown as bytes; a malformed certificate never panics.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, SubjectAlternativeName};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

/// Reads a certificate; `None` if it is none.
pub(super) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

/// A distinguished name on one line: `CN=a` joined by `; `, or `CN = a` joined by `, `.
pub(super) fn name(name: &X509Name<'_>, equals: &str, separator: &str) -> String {
    let part = |rdn: &x509_parser::x509::RelativeDistinguishedName<'_>| {
        let attributes: Vec<String> = rdn
            .iter()
            .map(|attribute| {
                let value = attribute.as_str().map_or_else(|_| "?".to_owned(), str::to_owned);
                format!("{}{equals}{value}", short_name(&attribute.attr_type().to_id_string()))
            })
            .collect();
        attributes.join(" + ")
    };
    name.iter_rdn().map(part).collect::<Vec<_>>().join(separator)
}

/// OpenSSL's short name of an attribute of a name.
fn short_name(oid: &str) -> &str {
    match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "0.9.2342.19200300.100.1.25" => "DC",
        other => other,
    }
}

/// A point in time as `ASN1_TIME_print` writes it: `Jan  2 03:04:05 2026 GMT`.
pub(super) fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| "Bad time value".to_owned(),
        |at| at.to_zoned(TimeZone::UTC).strftime("%b %e %H:%M:%S %Y GMT").to_string(),
    )
}

/// A name or address that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AlternativeName {
    Dns(String),
    Address(IpAddr),
}

/// The names that a certificate is for.
pub(super) fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<AlternativeName> {
    let mut names = Vec::new();
    for extension in certificate.extensions() {
        let ParsedExtension::SubjectAlternativeName(list) = extension.parsed_extension() else { continue };
        names.extend(list.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(AlternativeName::Dns((*name).to_owned())),
            GeneralName::IPAddress(bytes) => address(bytes).map(AlternativeName::Address),
            _ => None,
        }));
    }
    names
}

/// The addresses among the names of a list.
pub(super) fn addresses(list: &SubjectAlternativeName<'_>) -> Vec<IpAddr> {
    list.general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Whether a pattern such as `*.example.org` of a certificate is for a host.
pub(super) fn covers(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.trim_end_matches('.').to_ascii_lowercase());
    match pattern.strip_prefix("*.") {
        None => pattern == host,
        Some(rest) => {
            rest.contains('.')
                && host.parse::<IpAddr>().is_err()
                && host.split_once('.').is_some_and(|(label, parent)| !label.is_empty() && parent == rest)
        }
    }
}

/// Whether the certificate is for a host, by its alternative names.
pub(super) fn is_for(certificate: &X509Certificate<'_>, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    alternative_names(certificate).iter().any(|name| match (name, address) {
        (AlternativeName::Address(named), Some(address)) => *named == address,
        (AlternativeName::Dns(pattern), None) => covers(pattern, host),
        _ => false,
    })
}

/// The kind of a public key: its name, its bits, and the bits of security that OpenSSL gives it.
pub(super) fn key_kind(certificate: &X509Certificate<'_>) -> (String, usize, usize) {
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let bits = rsa.key_size();
            (
                "RSA".to_owned(),
                bits,
                if bits >= 4096 {
                    152
                } else if bits >= 3072 {
                    128
                } else {
                    112
                },
            )
        }
        Ok(PublicKey::EC(point)) => ("EC/prime256v1".to_owned(), point.key_size(), point.key_size() / 2),
        _ => ("ED25519".to_owned(), 256, 128),
    }
}

/// OpenSSL's name of the algorithm that signed the certificate.
pub(super) fn signature(certificate: &X509Certificate<'_>) -> &'static str {
    match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        _ => "ED25519",
    }
}

#[cfg(test)]
mod tests {
    use super::{covers, time};

    #[test]
    fn names_with_a_star_cover_one_label() {
        for (pattern, host, expected) in [
            ("*.example.org", "www.example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.org", "example.org", false),
            ("Example.org", "eXample.org.", true),
        ] {
            assert_eq!(covers(pattern, host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn times_are_padded_as_openssl_pads_them() {
        assert_eq!(time(1_767_323_045), "Jan  2 03:04:05 2026 GMT");
    }
}
