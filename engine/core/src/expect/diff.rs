//! Two texts line by line, and two lines piece by piece.
//!
//! The work is bounded by the number and the length of the lines that are looked at, not by a deadline: a clock would
//! make two equal runs report unequal differences.

use similar::{ChangeTag, DiffOp, DiffTag, TextDiff};

use super::excerpt::{LINE_BYTES, shorten};
use super::mismatch::{DiffLine, Piece};

/// The most lines of one side that are compared, after those that both begin and end with.
const MAX_LINES: usize = 200;
/// The most equal lines that are kept before, and after, what differs.
const MAX_CONTEXT: usize = 20;
/// The most pairs of lines that are compared piece by piece.
pub(super) const MAX_PAIRS: usize = 20;
/// The most lines of one kind that are kept at either end of a run of them.
const MAX_RUN: usize = 20;
/// The most bytes of text in a difference.
const MAX_BYTES: usize = 64 * 1_024;
/// With less in common than this, two lines are simply different.
const MIN_RATIO: f32 = 0.3;

/// What must be deleted from and inserted into the expected lines to get the actual ones.
pub(super) fn texts(expected: &[&str], actual: &[&str]) -> Vec<DiffLine> {
    let shorter = expected.len().min(actual.len());
    let before = (0..shorter).take_while(|&i| expected[i] == actual[i]).count();
    let after =
        (0..shorter - before).take_while(|&i| expected[expected.len() - 1 - i] == actual[actual.len() - 1 - i]).count();
    let mut out = Vec::new();
    let left_out = before.saturating_sub(MAX_CONTEXT);
    omit(&mut out, left_out, left_out);
    out.extend(expected[left_out..before].iter().map(|line| equal(line)));
    middle(&expected[before..expected.len() - after], &actual[before..actual.len() - after], &mut out);
    let kept = after.min(MAX_CONTEXT);
    let start = expected.len() - after;
    out.extend(expected[start..start + kept].iter().map(|line| equal(line)));
    omit(&mut out, after - kept, after - kept);
    condense(&out)
}

/// Leaves out the middle of long runs of one kind of line, and the end of what is too much in all.
pub(super) fn condense(lines: &[DiffLine]) -> Vec<DiffLine> {
    let mut out = Vec::new();
    let mut bytes = 0;
    for run in lines.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)) {
        for (i, line) in run.iter().enumerate() {
            let inside = (MAX_RUN..run.len().saturating_sub(MAX_RUN)).contains(&i);
            if !inside {
                bytes += size(line);
            }
            if inside || bytes > MAX_BYTES { leave_out(&mut out, line) } else { out.push(line.clone()) }
        }
    }
    out
}

/// Counts a line to those that are left out at this place.
fn leave_out(out: &mut Vec<DiffLine>, line: &DiffLine) {
    let (more_expected, more_actual) = match line {
        DiffLine::Equal { .. } => (1, 1),
        DiffLine::Delete { .. } => (1, 0),
        DiffLine::Insert { .. } => (0, 1),
        DiffLine::AnyLines { count } => (1, *count),
        DiffLine::Omitted { expected, actual } => (*expected, *actual),
    };
    if let Some(DiffLine::Omitted { expected, actual }) = out.last_mut() {
        *expected += more_expected;
        *actual += more_actual;
    } else {
        out.push(DiffLine::Omitted { expected: more_expected, actual: more_actual });
    }
}

fn size(line: &DiffLine) -> usize {
    match line {
        DiffLine::Equal { text } => text.len(),
        DiffLine::Delete { pieces } | DiffLine::Insert { pieces } => pieces.iter().map(|piece| piece.text.len()).sum(),
        DiffLine::AnyLines { .. } | DiffLine::Omitted { .. } => 0,
    }
}

fn middle(expected: &[&str], actual: &[&str], out: &mut Vec<DiffLine>) {
    let old = &expected[..expected.len().min(MAX_LINES)];
    let new = &actual[..actual.len().min(MAX_LINES)];
    let diff = TextDiff::from_slices(old, new);
    let mut pairs = 0;
    for op in diff.ops() {
        changes(op, old, new, &mut pairs, out);
    }
    omit(out, expected.len() - old.len(), actual.len() - new.len());
}

fn changes(op: &DiffOp, old: &[&str], new: &[&str], pairs: &mut usize, out: &mut Vec<DiffLine>) {
    let (tag, old_range, new_range) = op.as_tag_tuple();
    let (old, new) = (&old[old_range], &new[new_range]);
    if tag == DiffTag::Equal {
        out.extend(new.iter().map(|line| equal(line)));
        return;
    }
    let together = old.len().min(new.len()).min(MAX_PAIRS.saturating_sub(*pairs));
    *pairs += together;
    let (deleted, inserted): (Vec<_>, Vec<_>) = (0..together).map(|i| pair(old[i], new[i])).unzip();
    let deleted = deleted.into_iter().chain(old[together..].iter().map(|line| whole(line)));
    let inserted = inserted.into_iter().chain(new[together..].iter().map(|line| whole(line)));
    out.extend(deleted.map(|pieces| DiffLine::Delete { pieces }));
    out.extend(inserted.map(|pieces| DiffLine::Insert { pieces }));
}

/// A line that both sides have.
pub(super) fn equal(line: &str) -> DiffLine {
    DiffLine::Equal { text: shorten(line) }
}

/// A line that has no counterpart.
pub(super) fn whole(line: &str) -> Vec<Piece> {
    if line.is_empty() { Vec::new() } else { vec![Piece { text: shorten(line), emphasised: false }] }
}

/// Says that lines are left out, if there are any.
pub(super) fn omit(out: &mut Vec<DiffLine>, expected: usize, actual: usize) {
    if expected > 0 || actual > 0 {
        out.push(DiffLine::Omitted { expected: expected as u64, actual: actual as u64 });
    }
}

/// Two lines in pieces; what only one of them has is emphasised.
pub(super) fn pair(expected: &str, actual: &str) -> (Vec<Piece>, Vec<Piece>) {
    let (expected, actual) = to_the_point(expected, actual);
    let (old, new) = (pieces_of(&expected), pieces_of(&actual));
    let diff = TextDiff::from_slices(&old, &new);
    if diff.ratio() < MIN_RATIO {
        return (whole(&expected), whole(&actual));
    }
    let (mut deleted, mut inserted) = (Vec::new(), Vec::new());
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Equal => {
                push(&mut deleted, change.value(), false);
                push(&mut inserted, change.value(), false);
            }
            ChangeTag::Delete => push(&mut deleted, change.value(), true),
            ChangeTag::Insert => push(&mut inserted, change.value(), true),
        }
    }
    (deleted, inserted)
}

fn push(pieces: &mut Vec<Piece>, text: &str, emphasised: bool) {
    match pieces.last_mut() {
        Some(last) if last.emphasised == emphasised => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), emphasised }),
    }
}

/// Shortens two long lines such that the place where they part is still in them.
fn to_the_point(expected: &str, actual: &str) -> (String, String) {
    /// How much is kept before the lines part.
    const LEAD: usize = 200;
    if expected.len() <= LINE_BYTES && actual.len() <= LINE_BYTES {
        return (expected.to_owned(), actual.to_owned());
    }
    let common = expected.bytes().zip(actual.bytes()).take_while(|(a, b)| a == b).count();
    let skip = expected.floor_char_boundary(common.saturating_sub(LEAD));
    if skip == 0 {
        return (shorten(expected), shorten(actual));
    }
    let cut = |line: &str| format!("… {skip} bytes left out … {}", shorten(&line[skip..]));
    (cut(expected), cut(actual))
}

/// A line as words, runs of blanks, and single other characters.
fn pieces_of(line: &str) -> Vec<&str> {
    let kind = |c: char| if c.is_alphanumeric() { 0 } else { 1 + u8::from(!c.is_whitespace()) };
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in line.char_indices() {
        let now = kind(c);
        if last.is_some_and(|last| last != now || last == 2) {
            pieces.push(&line[start..at]);
            start = at;
        }
        last = Some(now);
    }
    if start < line.len() {
        pieces.push(&line[start..]);
    }
    pieces
}
