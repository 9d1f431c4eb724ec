//! Amounts of resources: compared as numbers, written as the server writes them.
//!
//! Invariant: exact; an amount is a whole number of billionths.

/// Billionths of one.
type Nano = i128;

/// An amount such as `500m`, `1Gi` or `2e3`; None for what is none, or too large to tell.
pub(crate) fn parse(text: &str) -> Option<Nano> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (multiplier, divisor) = scale(suffix)?;
    let mut nano: Nano = 0;
    for digit in whole.bytes() {
        nano = nano.checked_mul(10)?.checked_add(Nano::from(digit.checked_sub(b'0')?))?;
    }
    nano = nano.checked_mul(1_000_000_000)?;
    let mut place: Nano = 100_000_000;
    for digit in fraction.bytes() {
        nano = nano.checked_add(Nano::from(digit.checked_sub(b'0')?).checked_mul(place)?)?;
        place /= 10;
    }
    let nano = nano.checked_mul(multiplier)? / divisor;
    Some(if negative { -nano } else { nano })
}

fn scale(suffix: &str) -> Option<(Nano, Nano)> {
    const SMALL: [(&str, u32); 3] = [("n", 9), ("u", 6), ("m", 3)];
    const DECIMAL: [(&str, u32); 7] = [("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
    const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
    let ten: Nano = 10;
    let of = |table: &[(&str, u32)]| table.iter().find(|(name, _)| *name == suffix).map(|(_, power)| *power);
    if let Some(power) = of(&SMALL) {
        return Some((1, ten.pow(power)));
    }
    if let Some(power) = of(&DECIMAL) {
        return Some((ten.pow(power), 1));
    }
    if let Some(power) = of(&BINARY) {
        return Some((1 << power, 1));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = ten.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

/// An amount as the server writes it: the largest unit of its family that keeps it whole. None for what is none.
pub(crate) fn canonical(text: &str) -> Option<String> {
    const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let nano = parse(text)?;
    if nano == 0 {
        return Some("0".to_owned());
    }
    let whole = nano / 1_000_000_000;
    if text.ends_with('i') && is_whole(nano) && whole.abs() >= 1024 {
        let (mut number, mut unit) = (whole, 0);
        while number % 1024 == 0 && unit + 1 < BINARY.len() {
            number /= 1024;
            unit += 1;
        }
        return Some(format!("{number}{}", BINARY[unit]));
    }
    let (mut number, mut unit) = (nano, 0);
    while number % 1000 == 0 && unit + 1 < DECIMAL.len() {
        number /= 1000;
        unit += 1;
    }
    let suffix = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'));
    if suffix.len() > 1 && suffix.starts_with(['e', 'E']) {
        let exponent = 3 * (i64::try_from(unit).unwrap_or(0) - 3);
        return Some(if exponent == 0 { number.to_string() } else { format!("{number}e{exponent}") });
    }
    Some(format!("{number}{}", DECIMAL[unit]))
}

/// Whether an amount is a whole number.
pub(crate) fn is_whole(amount: Nano) -> bool {
    amount % 1_000_000_000 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_compare_across_units() {
        assert_eq!(parse("1"), parse("1000m"));
        assert_eq!(parse("1Gi"), parse("1073741824"));
        assert_eq!(parse("2e3"), parse("2k"));
        assert_eq!(parse("0.5"), parse("500m"));
        assert!(parse("-1").is_some_and(|amount| amount < 0));
        for none in ["", "abc", "1x", ".", "1e"] {
            assert_eq!(parse(none), None, "{none}");
        }
        for (given, written) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("1000Mi", "1000Mi"),
            ("1000", "1k"),
            ("100Ki", "100Ki"),
            ("0.5Ki", "512"),
            ("2e3", "2e3"),
            ("0Gi", "0"),
            ("-1", "-1"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(written), "{given}");
        }
        assert_eq!(parse(&"9".repeat(60)), None);
        assert!(parse("1").is_some_and(is_whole) && !parse("1.5").is_some_and(is_whole));
    }
}
