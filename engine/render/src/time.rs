//! How spans of time are written.
//!
//! All input is in milliseconds; nothing here asks a clock.

/// Time since the start of the run, for a column: seconds with three decimals, such as `12.345s`.
#[must_use]
pub fn column(ms: u64) -> String {
    format!("{}.{:03}s", ms / 1000, ms % 1000)
}

/// A span as prose: `0 s`, `340 ms`, `1.2 s`, `120 s`, `12 min 5 s`.
#[must_use]
pub fn prose(ms: u64) -> String {
    match ms {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{ms} ms"),
        1_000..10_000 if ms % 1_000 >= 100 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        1_000..600_000 => format!("{} s", ms / 1_000),
        _ if (ms / 1_000).is_multiple_of(60) => format!("{} min", ms / 60_000),
        _ => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_milliseconds() {
        assert_eq!([0, 7, 12_345].map(column), ["0.000s", "0.007s", "12.345s"]);
    }

    #[test]
    fn prose_has_the_unit_that_fits() {
        let spans = [0, 340, 1_000, 1_240, 9_960, 120_900, 600_000, 725_000];
        assert_eq!(spans.map(prose), ["0 s", "340 ms", "1 s", "1.2 s", "9.9 s", "120 s", "10 min", "12 min 5 s"]);
    }
}
