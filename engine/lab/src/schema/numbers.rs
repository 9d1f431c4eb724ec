//! Numbers as Go reads and prints them.
//!
//! Invariant: a JSON number is an integer exactly when it is written without a fraction and fits 64 bits, as Go's decoder has it.

use serde_json::Number;

/// The integer that a number is to Go; none for what Go holds as a float.
pub(super) fn whole(number: &Number) -> Option<i64> {
    if number.is_f64() { None } else { number.as_i64() }
}

/// Whether a float has no fraction, as far as floats can tell.
pub(super) fn is_whole(float: f64) -> bool {
    const EPSILON: f64 = 1e-9;
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    if float.is_nan() || float.abs() > LARGEST {
        return false;
    }
    let (rounded, distance) = (float.trunc(), (float - float.trunc()).abs());
    float == rounded || distance < EPSILON * float.abs().max(f64::MIN_POSITIVE) || 1.0 - distance < EPSILON
}

/// The integer that a float stands for, if it has no fraction and floats tell such integers apart.
pub(super) fn exact_integer(float: f64) -> Option<i64> {
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
    (float.fract() == 0.0 && float.abs() <= LARGEST).then_some(float as i64)
}

/// A float in Go's `%v`: the shortest form, with an exponent from 1e+06 on and below 1e-4.
pub(crate) fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(exponent) = exponent.parse::<i32>() else { return scientific };
    if (-4..6).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        let rows = [
            (0.5, "0.5"),
            (3.0, "3"),
            (1e6, "1e+06"),
            (2_097_152.5, "2.0971525e+06"),
            (1e-7, "1e-07"),
            (100_000.0, "100000"),
        ];
        for (float, text) in rows {
            assert_eq!(float_text(float), text);
        }
        assert!(is_whole(1.0 / 0.1 * 0.3));
        assert!(!is_whole(2.5));
        assert!(!is_whole(f64::INFINITY));
    }
}
