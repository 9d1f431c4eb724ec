//! Durations as people write them: `300ms`, `1.5s`, `2m`.
//!
//! Invariant: a number without a unit is an error, save 0.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// The longest duration that a world may name: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A duration in a world: a number with one of the units `ms`, `s`, `m`, `h`, or `0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationText(pub Duration);

impl DurationText {
    fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let refusal = || format!("{text:?} is no duration; write a number and ms, s, m or h, such as 300ms");
        let number: f64 = number.parse().map_err(|_| refusal())?;
        let seconds = match unit {
            "ms" => number / 1000.0,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            "" if number == 0.0 => 0.0,
            _ => return Err(refusal()),
        };
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if duration <= LONGEST => Ok(Self(duration)),
            _ => Err(format!("{text:?} is longer than a year")),
        }
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_fractions() {
        let millis = |text: &str| DurationText::parse(text).map(|duration| duration.0.as_millis());
        assert_eq!(millis("300ms"), Ok(300));
        assert_eq!(millis("1.5s"), Ok(1500));
        assert_eq!(millis("2m"), Ok(120_000));
        assert_eq!(millis("0"), Ok(0));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "1d", "-1s", "1s2", "9999999h", "1e400s"] {
            assert!(DurationText::parse(text).is_err(), "{text}");
        }
    }
}
