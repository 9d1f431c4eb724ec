//! Counted nouns.
//!
//! Every number that people read beside a noun goes through here, so that "1 steps" is nowhere.

/// `1 step`, `2 steps`, `0 steps`: for nouns that take a plain `s`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn one_is_singular_and_nothing_is_plural() {
        assert_eq!([0, 1, 2].map(|n| count(n, "step")), ["0 steps", "1 step", "2 steps"]);
    }
}
