//! awk's values: numbers, texts, and texts from input that look like numbers.
//!
//! Invariant: a number that is whole prints without a fraction.

use super::lexer::number_length;
use crate::programs::printf::general;
use std::cmp::Ordering;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value {
    #[default]
    Unset,
    Number(f64),
    Text(String),
    /// Input that may be taken for a number.
    Input(String),
}

impl Value {
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Unset => 0.0,
            Self::Number(value) => *value,
            Self::Text(text) | Self::Input(text) => leading_number(text),
        }
    }

    /// The text; a fraction is written with six digits.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unset => String::new(),
            Self::Number(value) => shown(*value),
            Self::Text(text) | Self::Input(text) => text.clone(),
        }
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Number(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Input(text) => {
                if looks_numeric(text) {
                    leading_number(text) != 0.0
                } else {
                    !text.is_empty()
                }
            }
        }
    }

    fn is_numeric(&self) -> bool {
        match self {
            Self::Unset | Self::Number(_) => true,
            Self::Text(_) => false,
            Self::Input(text) => looks_numeric(text),
        }
    }

    /// As numbers where both may be, else as texts.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        if self.is_numeric() && other.is_numeric() {
            return self.number().partial_cmp(&other.number()).unwrap_or(Ordering::Equal);
        }
        self.text().cmp(&other.text())
    }
}

fn looks_numeric(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && number_length(text) == text.len()
}

fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let length = number_length(text);
    text[..length].trim_start_matches('+').parse().unwrap_or(0.0)
}

pub(super) fn shown(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e16 {
        return format!("{value:.0}").replace("-0", if value == 0.0 { "0" } else { "-0" });
    }
    let text = general(value.abs(), 6);
    if value < 0.0 { format!("-{text}") } else { text }
}
