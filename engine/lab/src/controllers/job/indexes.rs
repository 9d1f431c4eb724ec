//! Sets of completion indexes, as statuses write them: `0-3,5`.
//!
//! Invariant: reading and writing a set gives the same set.

use std::collections::BTreeSet;
use std::fmt;

/// The most indexes that a Job may have.
const MOST: usize = 1_000_000;

/// Some indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(BTreeSet<usize>);

impl Indexes {
    /// Reads a set; what is no index is left out.
    pub(super) fn parse(text: &str) -> Self {
        let mut indexes = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
                indexes.extend(first..=last.min(MOST));
            }
        }
        Self(indexes)
    }

    pub(super) fn insert(&mut self, index: usize) {
        self.0.insert(index);
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        self.0.contains(&index)
    }

    pub(super) fn retain(&mut self, keeps: impl Fn(usize) -> bool) {
        self.0.retain(|index| keeps(*index));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many indexes both sets have.
    pub(super) fn common(&self, other: &Self) -> usize {
        self.0.intersection(&other.0).count()
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while rest.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            f.write_str(separator)?;
            match last - first {
                0 => write!(f, "{first}")?,
                // Two in a row are written as two.
                1 => write!(f, "{first},{last}")?,
                _ => write!(f, "{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_are_written_short() {
        for text in ["", "0", "0,1", "0-2", "0,2", "0-3,5,7,8,10-12"] {
            assert_eq!(Indexes::parse(text).to_string(), text);
        }
        assert_eq!(Indexes::parse("nonsense,3-1,4").to_string(), "4");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(set in prop::collection::btree_set(0_usize..100, 0..40)) {
            let indexes = Indexes(set);
            prop_assert_eq!(Indexes::parse(&indexes.to_string()), indexes);
        }
    }
}
