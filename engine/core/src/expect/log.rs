//! `log-grep`: judging the lines of a log's window while they come in.
//!
//! Lines are taken one by one and never kept, but for the few that a judgement shows. A lower bound can only become
//! true by further lines, an upper bound only false: so the first is waited for, and the second is final at once when
//! it breaks, but holds only once no further line is to be expected.

use std::collections::{BTreeMap, VecDeque};

use regex::Regex;

use super::align;
use super::diff;
use super::excerpt::{Excerpt, shorten};
use super::line::Captures;
use super::mismatch::{
    Difference, LogLine, Matcher, Mismatch, MissingText, NearLine, NearestLine, Note, Subject, UnwantedText,
};
use super::output::{MAX_LISTED, Needle};
use super::sequence::{Occurrence, Scan, Sought};
use super::text::{NEAR, Words};

/// How many of the last lines are shown where a regular expression matched none.
const MAX_LAST: usize = 10;

/// A check on a log, with its values filled in.
#[derive(Clone, Debug)]
pub struct LogCheck {
    pub(super) contains: Vec<Needle>,
    pub(super) not_contains: Vec<Needle>,
    pub(super) regex: Option<Regex>,
    pub(super) lines: Option<Sought>,
    /// The least number, 0 for none.
    pub(super) min: u64,
    pub(super) max: Option<u64>,
    /// Likeness to `contains`.
    pub(super) resembles: Words,
    /// Likeness to each line of `lines`.
    pub(super) line_words: Vec<Words>,
}

/// What the lines so far say about a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogJudgement {
    /// The check holds. If it has an upper bound, it holds only if no further line comes within the settling time.
    Held {
        /// What the names took.
        captures: Captures,
        /// The lines that made it hold, at most 20.
        lines: Vec<LogLine>,
    },
    /// The check does not hold yet: further lines may change that.
    NotYet {
        /// What is missing; at least one.
        mismatches: Vec<Mismatch>,
    },
    /// An upper bound is broken: no further line can change that.
    Violated {
        /// What is there and should not be; at least one.
        mismatches: Vec<Mismatch>,
    },
}

impl LogCheck {
    /// Whether the check can be broken by a further line, so that it must be judged after the log has settled.
    #[must_use]
    pub const fn has_upper_bound(&self) -> bool {
        self.max.is_some() || !self.not_contains.is_empty()
    }

    /// Starts to look at a window; lines are given to it one by one.
    #[must_use]
    pub fn scan(&self) -> LogScan<'_> {
        LogScan {
            check: self,
            logs: BTreeMap::new(),
            hits: 0,
            hit_lines: Vec::new(),
            unwanted: BTreeMap::new(),
            occurrences: 0,
            first: None,
            near_text: None,
            near_lines: None,
            last: VecDeque::new(),
        }
    }

    /// Judges a whole window of one log.
    pub fn judge<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> LogJudgement {
        let mut scan = self.scan();
        for line in lines {
            scan.push(0, line);
        }
        scan.verdict()
    }

    /// Whether single lines are looked for, by themselves.
    const fn asks_for_text(&self) -> bool {
        !self.contains.is_empty() || self.regex.is_some()
    }

    /// Whether `count` counts the places where `lines` is found, and not single lines.
    const fn counts_lines(&self) -> bool {
        self.lines.is_some() && !self.asks_for_text()
    }
}

/// A look at the windows of one or more logs, line by line.
///
/// `contains`, `regex`, `not-contains` and `count` are about the lines of all logs together; `lines` must be found in
/// one of them.
#[derive(Clone, Debug)]
pub struct LogScan<'a> {
    check: &'a LogCheck,
    /// By log: how many lines were seen, and how far `lines` was found.
    logs: BTreeMap<u64, (u64, Scan)>,
    /// How many lines hold `contains` and match `regex`.
    hits: u64,
    hit_lines: Vec<LogLine>,
    /// By position in `not_contains`: the first few lines that hold it, and how many there are.
    unwanted: BTreeMap<usize, (Vec<LogLine>, u64)>,
    /// How often `lines` was found.
    occurrences: u64,
    first: Option<Occurrence>,
    /// The line nearest to `contains`: how many of its texts it holds, its likeness, the line.
    near_text: Option<((usize, usize), LogLine)>,
    /// The line nearest to the first line of `lines` that is still missing.
    near_lines: Option<Near>,
    last: VecDeque<LogLine>,
}

/// A line near to the line of a pattern.
#[derive(Clone, Debug)]
struct Near {
    /// The position of the pattern line.
    of: usize,
    likeness: usize,
    line: LogLine,
}

impl LogScan<'_> {
    /// Takes the next line of a log, without its line end. Logs are told apart by any number.
    pub fn push(&mut self, log: u64, line: &str) {
        let line = super::line::trim_end(line);
        let (seen, _) = self.logs.entry(log).or_insert_with(|| (0, Scan::new()));
        *seen += 1;
        let number = *seen;
        let place = || LogLine { log, number, text: shorten(line) };
        self.look_for_text(line, &place);
        self.look_for_unwanted(line, &place);
        self.look_for_lines(log, line, &place);
        if self.check.regex.is_some() && self.hits == 0 {
            if self.last.len() == MAX_LAST {
                self.last.pop_front();
            }
            self.last.push_back(place());
        }
    }

    fn look_for_text(&mut self, line: &str, place: &impl Fn() -> LogLine) {
        let check = self.check;
        let there = check.contains.iter().filter(|needle| needle.is_in(line)).count();
        let all = there == check.contains.len();
        if all && check.regex.as_ref().is_none_or(|regex| regex.is_match(line)) {
            self.hits += 1;
            if self.hit_lines.len() < MAX_LISTED {
                self.hit_lines.push(place());
            }
        }
        if self.hits == 0 && !check.contains.is_empty() {
            let rank = (there, check.resembles.likeness(line));
            let near = there > 0 || rank.1 >= NEAR;
            if near && self.near_text.as_ref().is_none_or(|(best, _)| rank > *best) {
                self.near_text = Some((rank, place()));
            }
        }
    }

    fn look_for_unwanted(&mut self, line: &str, place: &impl Fn() -> LogLine) {
        for (i, _) in self.check.not_contains.iter().enumerate().filter(|(_, needle)| needle.is_in(line)) {
            let (lines, count) = self.unwanted.entry(i).or_default();
            *count += 1;
            if lines.len() < MAX_LISTED {
                lines.push(place());
            }
        }
    }

    fn look_for_lines(&mut self, log: u64, line: &str, place: &impl Fn() -> LogLine) {
        let Some(sought) = &self.check.lines else { return };
        let Some((_, scan)) = self.logs.get_mut(&log) else { return };
        let of = scan.progress();
        if let Some(occurrence) = scan.push(sought, line, place) {
            self.occurrences += 1;
            self.first.get_or_insert(occurrence);
        } else if self.first.is_none() && scan.progress() == of {
            let likeness = self.check.line_words.get(of).map_or(0, |words| words.likeness(line));
            let best = self.near_lines.as_ref().map(|near| (near.of, near.likeness));
            if likeness >= NEAR && best.is_none_or(|best| (of, likeness) > best) {
                self.near_lines = Some(Near { of, likeness, line: LogLine { text: line.to_owned(), ..place() } });
            }
        }
    }

    /// What the lines so far say.
    #[must_use]
    pub fn verdict(&self) -> LogJudgement {
        let check = self.check;
        let counted = if check.counts_lines() { self.occurrences } else { self.hits };
        let mut broken = Vec::new();
        broken.extend(self.unwanted());
        if check.max.is_some_and(|max| counted > max) {
            broken.push(self.count(counted));
        }
        if !broken.is_empty() {
            return LogJudgement::Violated { mismatches: broken };
        }
        let mut missing = Vec::new();
        if counted < check.min {
            match (counted, check.asks_for_text(), &check.lines) {
                (0, true, _) => missing.extend(self.missing_text()),
                (0, false, Some(sought)) => missing.extend(self.missing_lines(sought)),
                _ => missing.push(self.count(counted)),
            }
        }
        if let Some(sought) = &check.lines
            && check.asks_for_text()
            && self.occurrences == 0
        {
            missing.extend(self.missing_lines(sought));
        }
        if !missing.is_empty() {
            return LogJudgement::NotYet { mismatches: missing };
        }
        self.held()
    }

    fn held(&self) -> LogJudgement {
        /// The most lines that are shown.
        const MAX_SHOWN: usize = 20;
        let (captures, taken) =
            self.first.as_ref().map(|first| (first.captures.clone(), first.taken.as_slice())).unwrap_or_default();
        let hits = self.hit_lines.iter().filter(|_| self.check.asks_for_text());
        let mut lines: Vec<LogLine> = hits.cloned().chain(taken.iter().map(|line| (**line).clone())).collect();
        lines.sort_by_key(|line| (line.log, line.number));
        lines.dedup();
        lines.truncate(MAX_SHOWN);
        LogJudgement::Held { captures, lines }
    }

    fn unwanted(&self) -> Option<Mismatch> {
        let texts = self.unwanted.iter().filter_map(|(i, (lines, count))| {
            let needle = self.check.not_contains.get(*i)?;
            Some(UnwantedText {
                text: shorten(&needle.text),
                lines: lines.clone(),
                more: count.saturating_sub(lines.len() as u64),
            })
        });
        let texts: Vec<_> = texts.collect();
        (!texts.is_empty()).then(|| mismatch(Matcher::NotContains, Difference::Unwanted { texts }))
    }

    fn count(&self, actual: u64) -> Mismatch {
        let check = self.check;
        let lines = if check.counts_lines() {
            self.first.iter().flat_map(|first| &first.taken).take(MAX_LISTED).map(|line| (**line).clone()).collect()
        } else {
            self.hit_lines.clone()
        };
        let min = (check.min > 0).then_some(check.min);
        mismatch(Matcher::Count, Difference::Count { min, max: check.max, actual, lines })
    }

    /// No line holds all texts, or none of those that do matches the expression.
    fn missing_text(&self) -> Option<Mismatch> {
        let check = self.check;
        let nearest = self.near_text.as_ref().map(|(_, line)| line);
        // The line is kept in shortened form; what was found in the part left out must not be reported as missing.
        let found = self.near_text.as_ref().map_or(0, |((there, _), _)| *there);
        if found < check.contains.len() {
            let absent = check
                .contains
                .iter()
                .filter(|needle| found == 0 || !nearest.is_some_and(|line| needle.is_in(&line.text)))
                .map(|needle| MissingText { text: shorten(&needle.text), nearest: nearest.cloned() });
            let texts = absent.collect();
            return Some(mismatch(Matcher::Contains, Difference::Missing { texts }));
        }
        check.regex.as_ref().map(|regex| {
            let tried: Vec<&str> = match nearest {
                Some(line) if !check.contains.is_empty() => vec![&line.text],
                _ => self.last.iter().map(|line| line.text.as_str()).collect(),
            };
            let actual = Excerpt::of(&tried.join("\n"));
            mismatch(Matcher::Regex, Difference::NoMatch { regex: regex.as_str().to_owned(), actual })
        })
    }

    fn missing_lines(&self, sought: &Sought) -> Option<Mismatch> {
        let found = self.logs.values().map(|(_, scan)| scan.progress()).max().unwrap_or_default();
        let pattern = sought.lines().get(found)?;
        let near = self.near_lines.as_ref().filter(|near| near.of == found).map(|near| &near.line);
        let missing = match near {
            Some(line) => {
                let (expected, pieces) = diff::pair(&align::fill(pattern, &line.text), &line.text);
                NearestLine { expected, actual: Some(NearLine { log: line.log, number: line.number, pieces }) }
            }
            None => NearestLine { expected: diff::whole(&pattern.describe()), actual: None },
        };
        let of = sought.lines().len() as u64;
        let mut mismatch = mismatch(Matcher::Lines, Difference::LogLines { found: found as u64, of, missing });
        let cut = self.logs.values().any(|(_, scan)| scan.cut());
        mismatch.notes.extend(cut.then_some(Note::SearchCut));
        Some(mismatch)
    }
}

fn mismatch(matcher: Matcher, difference: Difference) -> Mismatch {
    Mismatch { matcher, subject: Subject::Log, find: None, difference, notes: Vec::new() }
}
