//! URLs that stand for many: `{a,b}`, `[1-3]`, `[01-10:3]`, `[a-z]`.
//!
//! Invariant: a pattern is never written out as a whole; its URLs are counted first and made one by one.

use super::error::{Failure, URL_MALFORMAT};

/// How many URLs one pattern may stand for.
const MAX_URLS: u64 = 100_000;

/// A URL with what may change in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Set(Vec<String>),
    Letters { first: char, step: u32, count: u64 },
    Numbers { first: u64, step: u64, count: u64, width: usize },
}

impl Part {
    fn count(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::Set(set) => set.len() as u64,
            Self::Letters { count, .. } | Self::Numbers { count, .. } => *count,
        }
    }

    fn at(&self, index: u64) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Set(set) => usize::try_from(index).ok().and_then(|index| set.get(index)).cloned().unwrap_or_default(),
            Self::Letters { first, step, .. } => u32::try_from(index)
                .ok()
                .and_then(|index| char::from_u32(u32::from(*first) + index * step))
                .map(String::from)
                .unwrap_or_default(),
            Self::Numbers { first, step, width, .. } => format!("{:0width$}", first + index * step),
        }
    }
}

/// What is wrong with a pattern, and where, counted from 1.
struct Wrong(&'static str, usize);

impl Pattern {
    /// A URL without a pattern.
    pub(super) fn plain(url: &str) -> Self {
        Self { parts: vec![Part::Text(url.to_owned())], count: 1 }
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// What curl says about a pattern that makes no sense.
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let parts = parts(url).map_err(|Wrong(why, at)| {
            let text = format!("{why} in URL position {at}:\n{url}\n{}^", " ".repeat(at.saturating_sub(1)));
            Failure::new(URL_MALFORMAT, text)
        })?;
        let count = parts.iter().try_fold(1u64, |count, part| count.checked_mul(part.count()));
        match count.filter(|count| *count <= MAX_URLS) {
            Some(count) => Ok(Self { parts, count }),
            None => Err(Failure::NotSimulated(format!("curl with so many URLs: {url}"))),
        }
    }

    /// How many URLs it stands for.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// One of its URLs, and what stands in it for `#1`, `#2`, … of a file's name. The last pattern changes fastest.
    pub(super) fn at(&self, mut index: u64) -> (String, Vec<String>) {
        let mut pieces = Vec::new();
        for part in self.parts.iter().rev() {
            let count = part.count().max(1);
            pieces.push((part.at(index % count), !matches!(part, Part::Text(_))));
            index /= count;
        }
        pieces.reverse();
        let url = pieces.iter().map(|(text, _)| text.as_str()).collect();
        (url, pieces.into_iter().filter(|(_, changes)| *changes).map(|(text, _)| text).collect())
    }
}

fn parts(url: &str) -> Result<Vec<Part>, Wrong> {
    let letters: Vec<char> = url.chars().collect();
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut at = 0;
    while at < letters.len() {
        match letters[at] {
            '{' => {
                parts.push(Part::Text(std::mem::take(&mut text)));
                let end = letters[at..].iter().position(|&letter| letter == '}').map(|end| at + end);
                let end = end.ok_or(Wrong("unmatched brace", at + 1))?;
                let inner: String = letters[at + 1..end].iter().collect();
                if let Some(nested) = inner.find('{') {
                    return Err(Wrong("nested brace", at + 2 + nested));
                }
                if inner.is_empty() {
                    return Err(Wrong("empty string within braces", at + 2));
                }
                parts.push(Part::Set(inner.split(',').map(str::to_owned).collect()));
                at = end + 1;
            }
            '[' if !is_address(&letters[at..]) => {
                parts.push(Part::Text(std::mem::take(&mut text)));
                let end = letters[at..].iter().position(|&letter| letter == ']').map(|end| at + end);
                let end = end.ok_or(Wrong("bad range specification", at + 2))?;
                let inner: String = letters[at + 1..end].iter().collect();
                let numeric = inner.starts_with(|letter: char| letter.is_ascii_digit());
                let why = if numeric { Wrong("bad range", end + 2) } else { Wrong("bad range", end + 1) };
                parts.push(range(&inner).ok_or(why)?);
                at = end + 1;
            }
            '}' => return Err(Wrong("unmatched close brace/bracket", at + 1)),
            ']' if !text.contains('[') => return Err(Wrong("unmatched close brace/bracket", at + 1)),
            '\\' if letters.get(at + 1).is_some_and(|next| "{}[]".contains(*next)) => {
                text.push(letters[at + 1]);
                at += 2;
            }
            letter => {
                text.push(letter);
                at += 1;
            }
        }
    }
    parts.push(Part::Text(text));
    Ok(parts)
}

/// Whether a bracket opens an IPv6 address.
fn is_address(letters: &[char]) -> bool {
    let inner: String = letters.iter().skip(1).take_while(|letter| **letter != ']').collect();
    inner.contains(':') && inner.split('%').next().unwrap_or_default().parse::<std::net::Ipv6Addr>().is_ok()
}

fn range(inner: &str) -> Option<Part> {
    let (range, step) = match inner.split_once(':') {
        Some((range, step)) => (range, step.parse::<u64>().ok().filter(|step| *step > 0)?),
        None => (inner, 1),
    };
    let (first, last) = range.split_once('-')?;
    let single = |text: &str| {
        let mut letters = text.chars();
        letters.next().filter(|letter| letter.is_ascii_alphabetic() && letters.next().is_none())
    };
    if let (Some(first), Some(last)) = (single(first), single(last)) {
        let distance = u64::from(u32::from(last)).checked_sub(u64::from(u32::from(first)))?;
        return Some(Part::Letters { first, step: u32::try_from(step).ok()?, count: distance / step + 1 });
    }
    let width = if first.starts_with('0') { first.len() } else { 1 };
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let count = (last.checked_sub(first)? / step).checked_add(1)?;
    Some(Part::Numbers { first, step, count, width })
}

#[cfg(test)]
mod tests {
    use super::{Failure, Pattern};
    use proptest::prelude::*;

    #[test]
    fn patterns_stand_for_their_urls() {
        for (text, urls) in [
            ("http://a/{x,y}/[1-2]", &["http://a/x/1", "http://a/x/2", "http://a/y/1", "http://a/y/2"][..]),
            ("http://a/[08-10]", &["http://a/08", "http://a/09", "http://a/10"]),
            ("http://a/[a-e:2]", &["http://a/a", "http://a/c", "http://a/e"]),
            ("http://[::1]/", &["http://[::1]/"]),
            ("http://a/\\{x\\}", &["http://a/{x}"]),
        ] {
            let pattern = Pattern::parse(text).unwrap();
            let found: Vec<String> = (0..pattern.count()).map(|index| pattern.at(index).0).collect();
            assert_eq!(found, urls, "{text}");
        }
        assert_eq!(Pattern::parse("http://a/{x,y}[1-3]").unwrap().at(4).1, ["y", "2"]);
    }

    #[test]
    fn a_pattern_that_makes_no_sense_is_shown_with_its_place() {
        // As curl 7.88.1 and 8.14.1 say it.
        let Err(Failure::Curl { text, .. }) = Pattern::parse("http://10.244.0.90:8000/[5-1]") else { panic!("taken") };
        assert_eq!(text, format!("bad range in URL position 30:\nhttp://10.244.0.90:8000/[5-1]\n{}^", " ".repeat(29)));
        assert!(matches!(Pattern::parse("http://a/[1-9999999999]"), Err(Failure::NotSimulated(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}", wild in "[a{}\\[\\]:,0-9-]{0,40}") {
            for text in [text, wild] {
                if let Ok(pattern) = Pattern::parse(&text) {
                    pattern.at(pattern.count() - 1);
                }
            }
        }
    }
}
