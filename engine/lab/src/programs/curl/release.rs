//! The two releases of curl that were recorded, and where their words differ.
//!
//! Invariant: 7.88.1 stands for every 7.x and 8.14.1 for every 8.x; a text that was recorded of one is never taken for the other's.

use super::error::{UNSUPPORTED_PROTOCOL, URL_MALFORMAT};

/// A release, as far as texts differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// 7.88.1 (Debian 12).
    V7,
    /// 8.14.1.
    V8,
}

impl Release {
    pub(super) fn of(version: &str) -> Self {
        if version.starts_with("7.") { Self::V7 } else { Self::V8 }
    }

    /// Picks the words of this release.
    pub(super) fn pick<T>(self, old: T, new: T) -> T {
        match self {
            Self::V7 => old,
            Self::V8 => new,
        }
    }

    /// A message about a URL, which the older release words in one way only.
    pub(super) fn message(self, code: u8, text: String) -> String {
        match (self, code) {
            (Self::V7, URL_MALFORMAT) if text.starts_with("URL rejected") => {
                "URL using bad/illegal format or missing URL".to_owned()
            }
            (Self::V7, UNSUPPORTED_PROTOCOL) if text.starts_with("Protocol ") => {
                let end = text.rfind('"').map_or(text.len(), |at| at + 1);
                format!("{} not supported or disabled in libcurl", &text[..end])
            }
            _ => text,
        }
    }

    /// What is said when a connection is let go of: `failed` tells a transfer that went wrong from an answer that closes.
    pub(super) fn closing(self, number: u64, failed: bool) -> String {
        match self {
            Self::V7 => format!("Closing connection {number}"),
            Self::V8 if failed => format!("closing connection #{number}"),
            Self::V8 => format!("shutting down connection #{number}"),
        }
    }

    /// A failed TLS handshake: OpenSSL's own words after the release's.
    pub(super) fn tls_error(self, words: &str) -> String {
        format!("{}: {words}", self.pick(OPENSSL, "TLS connect error"))
    }
}

/// How OpenSSL names itself to the older release.
pub(super) const OPENSSL: &str = "OpenSSL/3.0.19";

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn urls_are_rejected_in_each_releases_words() {
        let cases = [
            (3, "URL rejected: No host part in the URL", "URL using bad/illegal format or missing URL"),
            (1, "Protocol \"foo\" not supported", "Protocol \"foo\" not supported or disabled in libcurl"),
            (6, "Could not resolve host: a", "Could not resolve host: a"),
        ];
        for (code, new, old) in cases {
            assert_eq!(Release::V7.message(code, new.to_owned()), old);
            assert_eq!(Release::V8.message(code, new.to_owned()), new);
        }
    }
}
