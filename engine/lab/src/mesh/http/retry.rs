//! Whether a request is sent again.
//!
//! Invariant: the conditions are Envoy's, by their names; one that the lab does not know never holds.

use crate::mesh::envoy::Retry;
use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// No connection came about.
    Connect,
    /// The connection broke before an answer.
    Reset,
    /// What came back was no HTTP.
    Malformed,
    /// No answer came in the time of one attempt.
    PerTry,
    /// An answer with this status.
    Status(u16),
}

/// Whether the policy sends a request again that ended so.
pub(super) fn wants(retry: &Retry, ended: Ended) -> bool {
    retry.on.iter().any(|on| match (on.as_str(), ended) {
        ("5xx", Ended::Status(status)) => (500..600).contains(&status),
        ("gateway-error", Ended::Status(status)) => matches!(status, 502..=504),
        ("5xx" | "gateway-error" | "reset", Ended::Connect | Ended::Reset | Ended::Malformed | Ended::PerTry)
        | ("connect-failure" | "reset-before-request", Ended::Connect) => true,
        ("retriable-4xx", Ended::Status(status)) => status == 409,
        ("retriable-status-codes", Ended::Status(status)) => retry.codes.contains(&status),
        _ => false,
    })
}

/// The bound of the delay before an attempt of this number: a draw below it is waited.
pub(super) fn delay_bound(retry: &Retry, attempt: u32) -> Duration {
    let factor = 2_u32.checked_pow(attempt.min(16)).unwrap_or(u32::MAX) - 1;
    (retry.backoff * factor).min(retry.backoff * 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ended::{Connect, PerTry, Reset, Status};

    #[test]
    fn conditions_hold_as_envoy_documents_them() {
        let policy = |on: &[&str]| Retry {
            attempts: 1,
            on: on.iter().map(|&on| on.to_owned()).collect(),
            codes: vec![429],
            per_try: None,
            backoff: Duration::from_millis(25),
        };
        let cases = [
            ("5xx", Status(500), true),
            ("5xx", Connect, true),
            ("gateway-error", Status(500), false),
            ("gateway-error", Status(503), true),
            ("connect-failure", Connect, true),
            ("connect-failure", Reset, false),
            ("connect-failure", Status(503), false),
            ("reset", PerTry, true),
            ("retriable-4xx", Status(409), true),
            ("retriable-status-codes", Status(429), true),
            ("unknown", Status(500), false),
        ];
        for (on, ended, expected) in cases {
            assert_eq!(wants(&policy(&[on]), ended), expected, "{on} {ended:?}");
        }
        assert_eq!(delay_bound(&policy(&[]), 1), Duration::from_millis(25));
        assert_eq!(delay_bound(&policy(&[]), 30), Duration::from_millis(250));
    }
}
