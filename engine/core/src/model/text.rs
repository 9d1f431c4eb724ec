//! Texts, trees and durations as they stand in the file.

use std::fmt;

use crate::source::{Node, Span, Style};

/// A string that may hold a template (`{{NAME}}`), with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// As written, after YAML's own escapes.
    pub raw: String,
    /// Where it stands.
    pub span: Span,
    /// Its notation: only in [`Style::Literal`] do its lines stand in the file as they are.
    pub style: Style,
}

impl Text {
    /// Whether there is anything to render.
    #[must_use]
    pub fn has_template(&self) -> bool {
        self.raw.contains("{{")
    }
}

/// YAML data with templates in its scalars, such as a merge patch or an expected object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Written as text (usually a `|` block): rendered first, then parsed.
    Text(Text),
    /// Written as YAML in the runbook itself: each scalar is rendered by itself; a quoted one stays a string.
    Node(Node),
}

impl Tree {
    /// Where it stands.
    #[must_use]
    pub const fn span(&self) -> Span {
        match self {
            Self::Text(text) => text.span,
            Self::Node(node) => node.span,
        }
    }
}

/// A span of time as the file gives it: `500ms`, `30s`, `1m30s`, `2h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

impl Duration {
    /// A number of seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn get(self) -> std::time::Duration {
        self.0
    }

    /// Reads `500ms`, `30s`, `1m30s`, `2h`: whole numbers with units, largest unit first, up to 10,000 hours.
    ///
    /// # Errors
    /// What is accepted, for people.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const ACCEPTED: &str = "write a duration such as 500ms, 30s, 1m30s or 2h";
        const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
        let mut rest = text;
        let mut milliseconds: u64 = 0;
        let mut larger = 0;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: u64 = rest[..digits].parse().map_err(|_| ACCEPTED)?;
            rest = &rest[digits..];
            let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let unit = UNITS.iter().position(|(unit, _)| *unit == &rest[..letters]).ok_or(ACCEPTED)?;
            if unit < larger {
                return Err(ACCEPTED);
            }
            larger = unit + 1;
            rest = &rest[letters..];
            let part = number.checked_mul(UNITS[unit].1).ok_or(ACCEPTED)?;
            milliseconds = milliseconds.checked_add(part).ok_or(ACCEPTED)?;
        }
        if text.is_empty() || milliseconds > 36_000_000_000 {
            return Err(ACCEPTED);
        }
        Ok(Self(std::time::Duration::from_millis(milliseconds)))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_millis();
        if total == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let above = match unit {
                "h" => total,
                "m" => total % 3_600_000,
                "s" => total % 60_000,
                _ => total % 1_000,
            };
            if above / size > 0 {
                write!(f, "{}{unit}", above / size)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for text in ["500ms", "30s", "1m30s", "2h", "1h1m1s1ms", "0s"] {
            assert_eq!(Duration::parse(text).expect("valid").to_string(), text);
        }
        assert_eq!(Duration::parse("90s").expect("valid").to_string(), "1m30s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "1.5s", "1s1m", "1s1s", "-1s", "1 s", "1d", "99999999999999999999s", "10001h"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }
}
