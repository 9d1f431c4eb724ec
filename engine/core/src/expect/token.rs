//! The tokens of the matching language: the one table of their names, of what they take, and of names that people write
//! instead.
//!
//! Every token matches at least one character and never a line break; only `word` and `url` may take a character that
//! is not named in its expression.

use std::fmt;

/// A kind of value that a pattern may leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// An IPv4 or IPv6 address.
    Ip,
    /// A port: 0 to 65535.
    Port,
    /// `ip:port` or `[v6]:port`.
    Addr,
    /// A whole number, possibly with a sign.
    Int,
    /// A decimal number, possibly with sign, fraction and exponent.
    Number,
    /// A duration as Go and kubectl print it: `1h2m3.5s`, `120ms`, `3d4h`.
    Duration,
    /// A date with a time of day: RFC 3339, `2006/01/02 15:04:05`, HTTP's and Apache's formats.
    Timestamp,
    /// A date: `2006-01-02`, `2006/01/02` or `02/Jan/2006`.
    Date,
    /// A UUID.
    Uuid,
    /// The generated part of a Kubernetes name, or a digest of at least 7 hexadecimal digits.
    Hash,
    /// A hexadecimal number, possibly after `0x`.
    Hex,
    /// Anything without a blank.
    Word,
    /// A URL with a scheme and `://`.
    Url,
    /// A DNS name or an IPv4 address.
    Host,
}

/// Four groups of digits from 0 to 255.
const IPV4: &str =
    r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
/// RFC 4291, section 2.2, with the zone of RFC 4007; a dotted tail counts as two groups. Of two
/// forms that start alike the longer stands first, since the first one that fits is taken.
const IPV6: &str = concat!(
    r"(?:",
    r"(?:[0-9A-Fa-f]{1,4}:){6}(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1,4}:(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
    r"|::(?:[0-9A-Fa-f]{1,4}:){0,5}(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
    r"|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1}(?::[0-9A-Fa-f]{1,4}){6}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1,2}(?::[0-9A-Fa-f]{1,4}){5}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1,3}(?::[0-9A-Fa-f]{1,4}){4}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1,4}(?::[0-9A-Fa-f]{1,4}){3}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1,5}(?::[0-9A-Fa-f]{1,4}){2}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1}",
    r"|:(?::[0-9A-Fa-f]{1,4}){1,7}",
    r"|(?:[0-9A-Fa-f]{1,4}:){1,7}:",
    r"|::",
    r")(?:%[0-9A-Za-z_.-]+)?",
);
const PORT: &str = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{1,3}|[0-9])";
const TIMESTAMP: &str = concat!(
    r"(?:[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?",
    r"(?:[Zz]| ?[+-][0-9]{2}:?[0-9]{2}(?: [A-Z]{2,5})?| [A-Z]{2,5})?",
    r"|[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?: [+-][0-9]{4})?",
    r"|[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} (?:[A-Z]{1,5}|[+-][0-9]{4}))",
);

impl Token {
    /// All tokens, in the order in which the documentation lists them.
    pub const ALL: [Self; 14] = [
        Self::Ip,
        Self::Port,
        Self::Addr,
        Self::Int,
        Self::Number,
        Self::Duration,
        Self::Timestamp,
        Self::Date,
        Self::Uuid,
        Self::Hash,
        Self::Hex,
        Self::Word,
        Self::Url,
        Self::Host,
    ];

    /// The name, as it stands between brackets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Port => "port",
            Self::Addr => "addr",
            Self::Int => "int",
            Self::Number => "number",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Uuid => "uuid",
            Self::Hash => "hash",
            Self::Hex => "hex",
            Self::Word => "word",
            Self::Url => "url",
            Self::Host => "host",
        }
    }

    /// What it takes, for people.
    #[must_use]
    pub const fn takes(self) -> &'static str {
        match self {
            Self::Ip => "an IPv4 or IPv6 address",
            Self::Port => "a port: 0 to 65535",
            Self::Addr => "`ip:port`, or `[v6]:port`",
            Self::Int => "a whole number, with or without a sign",
            Self::Number => "a decimal number, possibly with a sign, a fraction and an exponent",
            Self::Duration => "a duration as Go and kubectl print it",
            Self::Timestamp => "a date with a time of day: RFC 3339, and the forms of HTTP, Apache and many logs",
            Self::Date => "a date: `2006-01-02`, `2006/01/02` or `02/Jan/2006`",
            Self::Uuid => "a UUID",
            Self::Hash => "the generated part of a Kubernetes name, or a digest of at least 7 hexadecimal digits",
            Self::Hex => "a hexadecimal number, with or without `0x`",
            Self::Word => "anything without a blank",
            Self::Url => "a URL with a scheme and `://`",
            Self::Host => "a DNS name, or an IPv4 address",
        }
    }

    /// The token of this name. Names are lower case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|token| token.name() == name)
    }

    /// A value that the token takes, as a reader may meet it. `nth` counts the token's places in one text from 0, so
    /// that values which differ in life differ in a sample; beyond the last example they begin anew.
    #[must_use]
    pub const fn example(self, nth: usize) -> &'static str {
        let examples: &[&'static str] = match self {
            Self::Ip => &["10.244.0.12", "10.244.0.7", "10.96.0.10"],
            Self::Port => &["44476", "44478", "15001"],
            Self::Addr => &["10.244.0.12:44476", "10.244.0.12:44478", "10.96.0.10:53"],
            Self::Int => &["702", "87599", "92", "228"],
            Self::Number => &["228.5", "0.75", "1767225612.841"],
            Self::Duration => &["12s", "340ms", "2m5s"],
            Self::Timestamp => &["2026-01-01T00:00:12.841Z", "2026-01-01T00:00:13.102Z", "2026-01-01T00:00:14.960Z"],
            Self::Date => &["2026-01-01", "2026-01-02"],
            Self::Uuid => &["4cc93c11-5427-440b-b631-b295d29c9dda", "0f2d6a58-93c7-4e1c-8a54-6b1f0a7d2c3e"],
            Self::Hash => &["7d4f8b9c6d", "x2k4l", "5b9cd6f7c4"],
            Self::Hex => &["9f86d081", "1a2b3c4d"],
            Self::Word => &["example", "another"],
            Self::Url => &["https://example.com/", "https://example.org/"],
            Self::Host => &["example.com", "example.org"],
        };
        examples[nth % examples.len()]
    }

    /// The regular expression of what the token takes, without capture groups and safe to be put beside others.
    pub(super) fn regex(self) -> String {
        match self {
            Self::Ip => format!("(?:{IPV4}|{IPV6})"),
            Self::Port => PORT.to_owned(),
            Self::Addr => format!(r"(?:(?:{IPV4}|\[{IPV6}\]):{PORT})"),
            Self::Int => r"[+-]?[0-9]+".to_owned(),
            Self::Number => r"(?:[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)".to_owned(),
            Self::Duration => r"(?:-?(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|μs|ms|s|m|h|d|w|y))+)".to_owned(),
            Self::Timestamp => TIMESTAMP.to_owned(),
            Self::Date => r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}/[0-9]{2}/[0-9]{2}|[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4})".to_owned(),
            Self::Uuid => r"(?:[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})".to_owned(),
            // The alphabet of k8s.io/apimachinery/pkg/util/rand, which has no vowels and no digits that look like one.
            Self::Hash => r"(?:(?:[a-z0-9]+:)?[0-9A-Fa-f]{7,128}|[bcdfghjklmnpqrstvwxz2456789]{4,10})".to_owned(),
            Self::Hex => r"(?:(?:0[xX])?[0-9A-Fa-f]+)".to_owned(),
            Self::Word => r"[^\s]+".to_owned(),
            Self::Url => r#"(?:[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+)"#.to_owned(),
            Self::Host => {
                r"(?:(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?)"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.name())
    }
}

/// What people write who know other tools, and what it is called here.
const ALIASES: [(&str, &str); 27] = [
    ("address", "addr"),
    ("any", ".."),
    ("..", ".."),
    ("...", ".."),
    ("*", ".."),
    ("datetime", "timestamp"),
    ("digits", "int"),
    ("domain", "host"),
    ("endpoint", "addr"),
    ("float", "number"),
    ("fqdn", "host"),
    ("guid", "uuid"),
    ("hostname", "host"),
    ("hostport", "addr"),
    ("integer", "int"),
    ("ipv4", "ip"),
    ("ipv6", "ip"),
    ("link", "url"),
    ("num", "number"),
    ("sha", "hash"),
    ("sha256", "hash"),
    ("string", "word"),
    ("text", ".."),
    ("time", "timestamp"),
    ("ts", "timestamp"),
    ("ulid", "uuid"),
    ("uri", "url"),
];

/// The token that the text between two brackets was probably meant to be, if it is nearly one: `Some("ip")` for `IP`.
///
/// The text is not a token itself. Names of two letters have no near misses but their capitals, or else `[id]` and
/// `[up]` were never left alone.
pub(super) fn nearest(inside: &str) -> Option<&'static str> {
    let name = inside.split(':').next().unwrap_or(inside).trim();
    let lower = name.to_lowercase();
    if let Some((_, meant)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return Some(meant);
    }
    if !lower.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    Token::ALL.into_iter().map(Token::name).filter(|token| lower.len() > 2 || *token == lower).find(|token| {
        let allowed = if token.len() <= 2 { 0 } else { 1 };
        strsim::osa_distance(&lower, token) <= allowed
    })
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn takes(token: Token, text: &str) -> bool {
        Regex::new(&format!("^(?:{})$", token.regex())).expect("the table compiles").is_match(text)
    }

    #[test]
    fn each_token_takes_what_it_names_and_nothing_else() {
        let table: &[(Token, &[&str], &[&str])] = &[
            (
                Token::Ip,
                &[
                    "0.0.0.0",
                    "172.30.109.95",
                    "255.255.255.255",
                    "::",
                    "::1",
                    "fe80::1%eth0",
                    "2001:db8::ff00:42:8329",
                    "1:2:3:4:5:6:7:8",
                    "::ffff:10.0.0.1",
                    "64:ff9b::192.0.2.33",
                    "1::",
                ],
                &["", "256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "<none>", "1:2:3", "1::2::3", "12345::", "g::"],
            ),
            (Token::Port, &["0", "80", "3128", "65535"], &["", "65536", "99999", "080", "-1", "http"]),
            (
                Token::Addr,
                &["10.244.0.52:56606", "[::1]:80", "[fe80::1%lo]:15001"],
                &["10.244.0.52", "::1:80", "[10.0.0.1]:80", "10.0.0.1:65536", "host:80"],
            ),
            (Token::Int, &["0", "-1", "+7", "87599"], &["", "1.5", "0x1", "1,000", "٣"]),
            (Token::Number, &["0", "-1.5", "1544160065.248", ".5", "1e-3"], &["", "1.", "1.2.3", "NaN", "1e"]),
            (
                Token::Duration,
                &["0s", "5m32s", "1.5h", "120ms", "3d4h", "10µs", "2y35d"],
                &["", "5", "m", "1h 2m", "5 minutes"],
            ),
            (
                Token::Timestamp,
                &[
                    "2018-12-07T10:38:02.841Z",
                    "2018-12-07 10:38:02,841",
                    "2018/12/07 10:38:02",
                    "2018-12-07T10:38:02+01:00",
                    "2018-12-07 10:38:02.841 +0000 UTC",
                    "07/Dec/2018:10:38:02 +0000",
                    "Fri, 07 Dec 2018 10:38:02 GMT",
                ],
                &["", "2018-12-07", "10:38:02", "1544160065.248", "-"],
            ),
            (Token::Date, &["2018-12-07", "2018/12/07", "07/Dec/2018"], &["", "2018-12", "2018-12/07", "20181207"]),
            (
                Token::Uuid,
                &["4cc93c11-5427-940b-b631-b295d29c9dda"],
                &["", "4cc93c11-5427-940b-b631-b295d29c9dd", "4cc93c115427940bb631b295d29c9dda"],
            ),
            (
                Token::Hash,
                &["69c8f5c7b9", "x2k4l", "sha256:9f86d081884c7d659a2feaa0c55ad015", "1a2b3c4"],
                &["", "abc", "istio-egress", "-", "sleep"],
            ),
            (Token::Hex, &["0", "ff", "0xDEADbeef"], &["", "0x", "xyz"]),
            (Token::Word, &["a", "TCP_TUNNEL/200", "é—"], &["", "a b", "a\tb"]),
            (
                Token::Url,
                &["https://en.wikipedia.org/wiki/Main_Page", "tcp://10.0.0.1:80"],
                &["", "en.wikipedia.org", "http://", "http://a b"],
            ),
            (
                Token::Host,
                &["en.wikipedia.org", "localhost", "10.0.0.1", "a_b.c.", "xn--bcher-kva.example"],
                &["", "-a", "a..b", ".", "a b", "host:80"],
            ),
        ];
        assert_eq!(table.iter().map(|row| row.0).collect::<Vec<_>>(), Token::ALL);
        for (token, yes, no) in table {
            for text in *yes {
                assert!(takes(*token, text), "{token} takes {text:?}");
            }
            for text in *no {
                assert!(!takes(*token, text), "{token} does not take {text:?}");
            }
        }
    }

    #[test]
    fn each_token_takes_its_own_examples() {
        for token in Token::ALL {
            for nth in 0..6 {
                assert!(takes(token, token.example(nth)), "{token} takes {}", token.example(nth));
            }
        }
    }

    #[test]
    fn near_misses_are_told_from_plain_words() {
        let table = [
            ("IP", Some("ip")),
            ("Timestamp", Some("timestamp")),
            ("timestmp", Some("timestamp")),
            ("intt", Some("int")),
            ("ipv4", Some("ip")),
            ("uiud", Some("uuid")),
            ("nubmer:X", Some("number")),
            ("...", Some("..")),
            ("id", None),
            ("name", None),
            ("ok", None),
            ("0", None),
            ("default", None),
            ("", None),
        ];
        for (inside, meant) in table {
            assert_eq!(nearest(inside), meant, "{inside}");
        }
    }
}
