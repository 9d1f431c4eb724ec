//! awk's `printf`.
//!
//! Invariant: what it makes of a number is what `printf(3)` makes of it.

use super::eval::{Ran, not_simulated, size};
use super::value::Value;
use crate::programs::printf::{general, scientific};

/// How wide one field may be.
const MAX_WIDTH: usize = 1 << 16;

/// The text of a format with its values.
pub(super) fn format(format: &str, values: &[Value]) -> Ran<String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = String::new();
        while let Some(flag) = chars.next_if(|c| "-+ 0#".contains(*c)) {
            flags.push(flag);
        }
        let mut number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            if chars.next_if_eq(&'*').is_some() {
                return Some(size(values.next().map_or(0.0, Value::number)));
            }
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse().ok()
        };
        let width = number(&mut chars).unwrap_or(0).min(MAX_WIDTH);
        let precision =
            if chars.next_if_eq(&'.').is_some() { Some(number(&mut chars).unwrap_or(0).min(MAX_WIDTH)) } else { None };
        let kind = chars.next();
        if kind == Some('%') {
            out.push('%');
            continue;
        }
        let value = values.next().cloned().unwrap_or_default();
        let (sign, text) = match kind {
            Some('s') => {
                let text = value.text();
                ("", text.chars().take(precision.unwrap_or(usize::MAX)).collect())
            }
            Some('c') => match &value {
                Value::Number(code) => ("", u8::try_from(size(*code) & 0xff).map_or('\0', char::from).to_string()),
                value => ("", value.text().chars().take(1).collect()),
            },
            Some('d' | 'i') => {
                let number = value.number().trunc();
                (sign(number, &flags), padded(&format!("{:.0}", number.abs()), precision))
            }
            Some(kind @ ('o' | 'x' | 'X' | 'u')) => {
                let number = size(value.number());
                let digits = match kind {
                    'o' => format!("{number:o}"),
                    'x' => format!("{number:x}"),
                    'X' => format!("{number:X}"),
                    _ => number.to_string(),
                };
                ("", padded(&digits, precision))
            }
            Some(kind @ ('f' | 'e' | 'g' | 'F' | 'E' | 'G')) => {
                let number = value.number();
                let precision = precision.unwrap_or(6).min(100);
                let text = match kind.to_ascii_lowercase() {
                    'f' => format!("{:.precision$}", number.abs()),
                    'e' => scientific(number.abs(), precision),
                    _ => general(number.abs(), precision),
                };
                (sign(number, &flags), text)
            }
            other => {
                return Err(not_simulated(format!("awk's format %{}", other.map(String::from).unwrap_or_default())));
            }
        };
        let fill = width.saturating_sub(sign.len() + text.chars().count());
        if flags.contains('-') {
            out.push_str(sign);
            out.push_str(&text);
            out.push_str(&" ".repeat(fill));
        } else if flags.contains('0') && !matches!(kind, Some('s' | 'c')) {
            out.push_str(sign);
            out.push_str(&"0".repeat(fill));
            out.push_str(&text);
        } else {
            out.push_str(&" ".repeat(fill));
            out.push_str(sign);
            out.push_str(&text);
        }
    }
    Ok(out)
}

fn sign(number: f64, flags: &str) -> &'static str {
    if number < 0.0 {
        "-"
    } else if flags.contains('+') {
        "+"
    } else if flags.contains(' ') {
        " "
    } else {
        ""
    }
}

fn padded(digits: &str, precision: Option<usize>) -> String {
    let least = precision.unwrap_or(0);
    format!("{digits:0>least$}")
}
