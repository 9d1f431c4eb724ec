//! What distinguishes a text from the pattern that it does not fit, line by line.
//!
//! The lines are aligned such that as few as possible differ; a pattern line and the line in its place are then
//! compared piece by piece, after the tokens that fit are replaced by what they take. Work is bounded by a window on
//! the text around the lines that resemble the pattern most.

use std::collections::BTreeMap;

use super::align;
use super::diff::{self, MAX_PAIRS};
use super::excerpt::shorten;
use super::line::{Atom, Captures, LinePattern};
use super::mismatch::{DiffLine, Note};
use super::sequence::{Item, Lines};
use super::text::Words;

/// The most parts of the pattern that are aligned.
const MAX_ITEMS: usize = 100;
/// The most lines of the text that they are aligned with.
const MAX_LINES: usize = 300;
/// What it costs that a line is on one side only, and that two unlike lines stand for each other.
const ALONE: u32 = 40;
const UNLIKE: u32 = 78;

/// What stands where in the alignment.
#[derive(Clone, Copy)]
enum Step {
    Match(usize, usize),
    Pair(usize, usize),
    Delete(usize),
    Insert(usize),
    AnyLine,
    Leave,
}

/// The difference, and a note for each name that took different values although every line fits.
pub(super) fn difference(lines: &Lines, actual: &[&str]) -> (Vec<DiffLine>, Vec<Note>) {
    let items = &lines.items()[..lines.items().len().min(MAX_ITEMS)];
    let window = window(items, actual);
    let (before, after) = (window.start, actual.len() - window.end);
    let shown = &actual[window];
    let mut out = Vec::new();
    diff::omit(&mut out, 0, before);
    let steps = Alignment { items, lines: shown }.steps();
    let mut pairs = 0;
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for step in &steps {
        match *step {
            Step::Match(i, j) => {
                if let Item::Line(line) = &items[i] {
                    let found = line.matches(shown[j], &Captures::new(), &mut false).unwrap_or_default();
                    for (name, value) in found {
                        values.entry(name).or_default().push(shorten(&value));
                    }
                }
                out.push(diff::equal(shown[j]));
            }
            Step::Pair(i, j) => {
                pairs += 1;
                let expected = match &items[i] {
                    Item::Line(line) if pairs <= MAX_PAIRS => align::fill(line, shown[j]),
                    item => describe(item),
                };
                let (deleted, inserted) = diff::pair(&expected, shown[j]);
                out.push(DiffLine::Delete { pieces: deleted });
                out.push(DiffLine::Insert { pieces: inserted });
            }
            Step::Delete(i) => out.push(DiffLine::Delete { pieces: diff::whole(&describe(&items[i])) }),
            Step::Insert(j) => out.push(DiffLine::Insert { pieces: diff::whole(shown[j]) }),
            Step::AnyLine => match out.last_mut() {
                Some(DiffLine::AnyLines { count }) => *count += 1,
                _ => out.push(DiffLine::AnyLines { count: 1 }),
            },
            Step::Leave => {}
        }
    }
    diff::omit(&mut out, lines.items().len() - items.len(), after);
    (diff::condense(&out), disagreements(values))
}

/// A note for each name that did not take the same everywhere.
fn disagreements(values: BTreeMap<String, Vec<String>>) -> Vec<Note> {
    let differing = values.into_iter().filter(|(_, values)| values.windows(2).any(|two| two[0] != two[1]));
    differing
        .map(|(name, mut values)| {
            values.dedup();
            values.truncate(5);
            Note::CapturesDiffer { name, values }
        })
        .collect()
}

fn describe(item: &Item) -> String {
    match item {
        Item::Line(line) => line.describe(),
        Item::AnyLines => "...".to_owned(),
    }
}

/// The words by which a line resembles a pattern line.
pub(super) fn words(pattern: &LinePattern) -> Words {
    Words::from_parts(pattern.atoms().iter().filter_map(|atom| match atom {
        Atom::Literal(literal) => Some(literal.as_str()),
        Atom::Blanks | Atom::Any | Atom::Token { .. } => None,
    }))
}

/// The lines worth aligning: all, or those around the line that resembles some pattern line most.
fn window(items: &[Item], actual: &[&str]) -> std::ops::Range<usize> {
    if actual.len() <= MAX_LINES {
        return 0..actual.len();
    }
    let words: Vec<Words> = items
        .iter()
        .take(20)
        .filter_map(|item| if let Item::Line(line) = item { Some(words(line)) } else { None })
        .collect();
    let likeness = |line: &str| words.iter().map(|words| words.likeness(line)).max().unwrap_or_default();
    let mut best = (0, 0);
    for (at, line) in actual.iter().enumerate() {
        let like = likeness(line);
        if like > best.0 {
            best = (like, at);
        }
    }
    let start = best.1.saturating_sub(MAX_LINES / 2).min(actual.len() - MAX_LINES);
    start..start + MAX_LINES
}

/// The edit distance between the parts of a pattern and lines, where `...` takes lines for nothing.
struct Alignment<'a> {
    items: &'a [Item],
    lines: &'a [&'a str],
}

impl Alignment<'_> {
    fn steps(&self) -> Vec<Step> {
        let (rows, columns) = (self.items.len() + 1, self.lines.len() + 1);
        let mut cost = vec![0; rows * columns];
        let mut best = vec![Step::Leave; rows * columns];
        for i in (0..rows).rev() {
            let words = match self.items.get(i) {
                Some(Item::Line(line)) => Some(words(line)),
                Some(Item::AnyLines) | None => None,
            };
            for j in (0..columns).rev() {
                let mut least: Option<(u32, Step)> = None;
                for (price, step, at) in self.moves(i, j, words.as_ref()) {
                    let total = price + cost[at.0 * columns + at.1];
                    if least.is_none_or(|(cost, _)| total < cost) {
                        least = Some((total, step));
                    }
                }
                if let Some((total, step)) = least {
                    cost[i * columns + j] = total;
                    best[i * columns + j] = step;
                }
            }
        }
        let (mut i, mut j, mut steps) = (0, 0, Vec::new());
        while i < self.items.len() || j < self.lines.len() {
            let step = best[i * columns + j];
            steps.push(step);
            (i, j) = match step {
                Step::Match(..) | Step::Pair(..) => (i + 1, j + 1),
                Step::Delete(_) | Step::Leave => (i + 1, j),
                Step::Insert(_) | Step::AnyLine => (i, j + 1),
            };
        }
        steps
    }

    /// Where one can go from a cell, at what cost; the first of equals is taken.
    fn moves(&self, i: usize, j: usize, words: Option<&Words>) -> Vec<(u32, Step, (usize, usize))> {
        let mut moves = Vec::new();
        let line = self.lines.get(j);
        match (self.items.get(i), line) {
            (Some(Item::Line(pattern)), Some(line)) => {
                if pattern.matches(line, &Captures::new(), &mut false).is_some() {
                    moves.push((0, Step::Match(i, j), (i + 1, j + 1)));
                } else {
                    let likeness = words.map_or(0, |words| words.likeness(line));
                    let price = if likeness >= 50 { 30 + (100 - likeness as u32) / 6 } else { UNLIKE };
                    moves.push((price, Step::Pair(i, j), (i + 1, j + 1)));
                }
                moves.push((ALONE, Step::Delete(i), (i + 1, j)));
            }
            (Some(Item::Line(_)), None) => moves.push((ALONE, Step::Delete(i), (i + 1, j))),
            (Some(Item::AnyLines), line) => {
                moves.push((0, Step::Leave, (i + 1, j)));
                moves.extend(line.map(|_| (0, Step::AnyLine, (i, j + 1))));
            }
            (None, _) => {}
        }
        if line.is_some() {
            moves.push((ALONE, Step::Insert(j), (i, j + 1)));
        }
        moves
    }
}
