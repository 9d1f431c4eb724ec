//! The string formats that a CRD's schema may ask for.
//!
//! Invariant: a format that the API server does not know is not checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

/// The formats that are checked, without their hyphens. Source: apiextensions-apiserver v1.36.
const KNOWN: [&str; 26] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8slongname",
    "k8sshortname",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

/// Whether texts of that format are checked.
pub(super) fn is_known(format: &str) -> bool {
    !format.is_empty() && KNOWN.contains(&format.replace('-', "").as_str())
}

/// Whether a text has a known format.
pub(super) fn is_valid(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "byte" => text.len().is_multiple_of(4) && !text.is_empty() && STANDARD.decode(text).is_ok(),
        "cidr" => is_cidr(text),
        "creditcard" => is_credit_card(text),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "datetime" => DATE_TIME.is_match(text) && text.to_uppercase().parse::<jiff::Timestamp>().is_ok(),
        "duration" => is_duration(text),
        "email" => EMAIL.is_match(text),
        "hexcolor" => HEX_COLOR.is_match(text),
        "hostname" => text.len() <= 255 && HOSTNAME.is_match(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "k8slongname" => super::text::is_dns_subdomain(text),
        "k8sshortname" => super::text::dns_label(text).is_empty(),
        "mac" => MAC.is_match(text),
        "rgbcolor" => RGB_COLOR.is_match(text),
        "ssn" => SSN.is_match(text),
        "uri" => is_uri(text),
        "uuid" => UUID.is_match(text),
        "uuid3" => UUID.is_match(text) && version_of(text) == Some('3'),
        "uuid4" => UUID.is_match(text) && version_of(text) == Some('4') && variant_is_ok(text),
        "uuid5" => UUID.is_match(text) && version_of(text) == Some('5') && variant_is_ok(text),
        _ => true,
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("invariant: a pattern of this file, all of which a test compiles")
}

static DATE_TIME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$"));
static EMAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([^<>@\s]+@[^<>@\s]+|[^<>@]*<[^<>@\s]+@[^<>@\s]+>)$"));
static HEX_COLOR: LazyLock<Regex> = LazyLock::new(|| pattern(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"));
static HOSTNAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^([a-zA-Z0-9\p{L}]([a-zA-Z0-9\-\p{L}]{0,61}[a-zA-Z0-9\p{L}])?)(\.[a-zA-Z0-9\p{L}]([a-zA-Z0-9\-\p{L}]{0,61}[a-zA-Z0-9\p{L}])?)*$",
    )
});
static MAC: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?i)([0-9a-f]{2}(:[0-9a-f]{2}){5}((:[0-9a-f]{2}){2})?|[0-9a-f]{2}(-[0-9a-f]{2}){5}((-[0-9a-f]{2}){2})?|[0-9a-f]{4}(\.[0-9a-f]{4}){2,3})$",
    )
});
static RGB_COLOR: LazyLock<Regex> = LazyLock::new(|| {
    let byte = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*";
    pattern(&format!(r"^rgb\({byte},{byte},{byte}\)$"))
});
static SSN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"));
static UUID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"));
static DURATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*((\d+)\s*([A-Za-zµ]+)\s*)+$"));

fn hex_digit(uuid: &str, index: usize) -> Option<char> {
    uuid.chars().filter(|digit| *digit != '-').nth(index)
}

fn version_of(uuid: &str) -> Option<char> {
    hex_digit(uuid, 12)
}

fn variant_is_ok(uuid: &str) -> bool {
    hex_digit(uuid, 16).is_some_and(|digit| matches!(digit.to_ascii_lowercase(), '8' | '9' | 'a' | 'b'))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.bytes().all(|byte| byte.is_ascii_digit()) && bits.parse::<u32>().is_ok_and(|bits| bits <= most)
}

/// Digits whose checksum is that of a credit card (Luhn), whatever else stands between them.
fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(10)).collect();
    let doubled = |(place, digit): (usize, &u32)| match (place % 2, digit * 2) {
        (1, twice) if twice > 9 => twice - 9,
        (1, twice) => twice,
        _ => *digit,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    (13..=16).contains(&digits.len()) && sum.is_multiple_of(10)
}

fn isbn_digits(text: &str) -> Vec<u32> {
    let ten = |digit: char| if matches!(digit, 'X' | 'x') { Some(10) } else { digit.to_digit(10) };
    text.chars().filter(|digit| !matches!(digit, '-' | ' ')).map_while(ten).collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = isbn_digits(text);
    let sum: u32 = digits.iter().zip(1..).map(|(digit, place)| digit * place).sum();
    digits.len() == 10 && digits[..9].iter().all(|digit| *digit < 10) && sum.is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let digits = isbn_digits(text);
    let sum: u32 = digits.iter().enumerate().map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 3 }).sum();
    digits.len() == 13 && digits.iter().all(|digit| *digit < 10) && sum.is_multiple_of(10)
}

/// Go's durations, and words such as `22 ns` or `3 days`.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 32] = [
        "ns",
        "nano",
        "nanos",
        "nanosecond",
        "nanoseconds",
        "us",
        "µs",
        "micro",
        "micros",
        "microsecond",
        "microseconds",
        "ms",
        "milli",
        "millis",
        "millisecond",
        "milliseconds",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "h",
        "hr",
        "hour",
        "hours",
        "d",
        "day",
    ];
    if is_go_duration(text) {
        return true;
    }
    DURATION.is_match(text)
        && text
            .split(|letter: char| letter.is_ascii_digit() || letter.is_whitespace())
            .filter(|unit| !unit.is_empty())
            .all(|unit| UNITS.contains(&unit) || matches!(unit, "days" | "w" | "week" | "weeks" | "wk" | "hrs"))
}

fn is_go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        if digits == 0 || number.len() - digits > 1 {
            return false;
        }
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        if !units.contains(&unit) {
            return false;
        }
        rest = tail;
    }
    true
}

/// A request URI: absolute, or a path from the root.
fn is_uri(text: &str) -> bool {
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return false;
    }
    text.starts_with('/') || text == "*" || url::Url::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepted and refused by kube-apiserver v1.36.2.
    const ROWS: [(&str, &str, &str); 14] = [
        ("date", "2024-02-29", "2024-13-01"),
        ("date-time", "2024-02-29T10:00:00Z", "2024-02-29 10:00"),
        ("duration", "1h30m", "fortnight"),
        ("email", "a@b.c", "a b"),
        ("hostname", "a.example.com", "a_b!"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "fe80::1", "fe80"),
        ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
        ("mac", "00:00:5e:00:53:01", "00:00:5e"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("byte", "aGk=", "a"),
        ("uri", "https://example.com/a", "not a uri"),
        ("hexcolor", "#ffffff", "#fffff"),
        ("k8s-short-name", "my-name", "My-Name"),
    ];

    #[test]
    fn formats_hold_or_not() {
        for (format, good, bad) in ROWS {
            assert!(is_known(format), "{format}");
            assert!(is_valid(format, good), "{format}: {good}");
            assert!(!is_valid(format, bad), "{format}: {bad}");
        }
        assert!(!is_known("starlight"));
    }

    #[test]
    fn every_known_format_survives_any_text() {
        for format in KNOWN {
            for text in ["", "-", "9", "x9é", "4111 1111 1111 1111", "0321751043", "rgb(1,2,3)", "/"] {
                is_valid(format, text);
            }
        }
    }
}
