//! Amounts of resources.
//!
//! Invariant: amounts are whole thousandths, rounded up, as the scheduler counts CPUs.

/// The thousandths in a quantity such as `100m`, `1.5`, `2Gi` or `1e3`; none if it is no quantity.
pub(in crate::controllers) fn thousandths(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if digits.is_empty() || whole.len() > 18 || fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let value = format!("{whole}{fraction}").parse::<i128>().ok()?;
    let (multiplier, divisor) = unit(suffix)?;
    let product = value.checked_mul(1000)?.checked_mul(multiplier)?;
    let divisor = scale.checked_mul(divisor)?;
    let amount = product.checked_add(divisor - 1)? / divisor;
    Some(if negative { -amount } else { amount })
}

/// What a suffix multiplies with and divides by.
fn unit(suffix: &str) -> Option<(i128, i128)> {
    const DECIMAL: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    const SMALL: [&str; 3] = ["m", "u", "n"];
    let power = |list: &[&str]| {
        let place = list.iter().position(|known| *known == suffix)?;
        u32::try_from(place + 1).ok()
    };
    if suffix.is_empty() {
        return Some((1, 1));
    }
    if let Some(power) = power(&DECIMAL) {
        return Some((1000_i128.pow(power), 1));
    }
    if let Some(power) = power(&BINARY) {
        return Some((1024_i128.pow(power), 1));
    }
    if let Some(power) = power(&SMALL) {
        return Some((1, 1000_i128.pow(power)));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let factor = 10_i128.checked_pow(exponent.unsigned_abs()).filter(|_| exponent.abs() <= 18)?;
    Some(if exponent < 0 { (1, factor) } else { (factor, 1) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_as_the_api_writes_them() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("100m", Some(100)),
            ("1.5", Some(1500)),
            ("0.0001", Some(1)),
            ("2Gi", Some(2 * 1024 * 1024 * 1024 * 1000)),
            ("1e3", Some(1_000_000)),
            ("1E", Some(1_000_000_000_000_000_000_000)),
            ("5n", Some(1)),
            ("-1", Some(-1000)),
            ("", None),
            ("Gi", None),
            ("1Xi", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-+0-9.eEkMGi]{0,30}") {
            let _ = thousandths(&text);
        }
    }
}
