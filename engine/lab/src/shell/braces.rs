//! bash's braces: `{a,b}` and `{1..5}`.
//!
//! Invariant: how many words come out is bounded, whatever went in.

use super::ast::{Part, Word};
use super::state::Stop;

/// How many words one word may grow into.
const MAX_WORDS: usize = 1 << 16;

/// The words that a word with braces stands for.
pub(super) fn expand(word: &Word) -> Result<Vec<Word>, Stop> {
    let has_braces = word.parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('{')));
    if !has_braces {
        return Ok(vec![word.clone()]);
    }
    let mut pieces = Vec::new();
    for part in &word.parts {
        match part {
            Part::Text(text) => pieces.extend(text.chars().map(|c| Part::Text(c.to_string()))),
            part => pieces.push(part.clone()),
        }
    }
    let expanded = alternatives(&pieces, 0)?;
    Ok(expanded.into_iter().map(|parts| Word { parts: merged(parts) }).collect())
}

fn is(part: &Part, c: char) -> bool {
    matches!(part, Part::Text(text) if text.starts_with(c))
}

fn alternatives(pieces: &[Part], depth: usize) -> Result<Vec<Vec<Part>>, Stop> {
    let too_many = || Stop::not_simulated(format!("braces that give more than {MAX_WORDS} words"));
    if depth > 20 {
        return Err(Stop::not_simulated("braces that nest this deep"));
    }
    for open in 0..pieces.len() {
        if !is(&pieces[open], '{') {
            continue;
        }
        let Some((close, commas)) = closing(pieces, open) else { continue };
        let choices: Vec<Vec<Part>> = if commas.is_empty() {
            match range(&pieces[open + 1..close])? {
                Some(range) => range.into_iter().map(|text| vec![Part::Text(text)]).collect(),
                None => continue,
            }
        } else {
            let mut choices = Vec::new();
            let mut start = open + 1;
            for end in commas.into_iter().chain([close]) {
                choices.extend(alternatives(&pieces[start..end], depth + 1)?);
                start = end + 1;
            }
            choices
        };
        let rest = alternatives(&pieces[close + 1..], depth + 1)?;
        if choices.len() * rest.len() > MAX_WORDS {
            return Err(too_many());
        }
        let mut all = Vec::new();
        for choice in &choices {
            for rest in &rest {
                let mut parts = pieces[..open].to_vec();
                parts.extend(choice.iter().cloned());
                parts.extend(rest.iter().cloned());
                all.push(parts);
            }
        }
        return Ok(all);
    }
    Ok(vec![pieces.to_vec()])
}

/// Where a brace closes, and the commas in between that belong to it.
fn closing(pieces: &[Part], open: usize) -> Option<(usize, Vec<usize>)> {
    let mut depth = 0usize;
    let mut commas = Vec::new();
    for (at, piece) in pieces.iter().enumerate().skip(open + 1) {
        if is(piece, '{') {
            depth += 1;
        } else if is(piece, '}') && depth == 0 {
            return Some((at, commas));
        } else if is(piece, '}') {
            depth -= 1;
        } else if is(piece, ',') && depth == 0 {
            commas.push(at);
        }
    }
    None
}

/// `1..5`, `a..e`, `1..9..2`
fn range(pieces: &[Part]) -> Result<Option<Vec<String>>, Stop> {
    let mut text = String::new();
    for piece in pieces {
        let Part::Text(piece) = piece else { return Ok(None) };
        text.push_str(piece);
    }
    let bounds: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match bounds.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => match step.parse::<i64>() {
            Ok(step) => (*from, *to, step.abs().max(1)),
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    };
    let letter = |text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii_alphabetic() => Some(i64::from(*byte)),
        _ => None,
    };
    let numbers = (from.parse::<i64>(), to.parse::<i64>());
    let (start, end, letters) = match (numbers, letter(from), letter(to)) {
        ((Ok(start), Ok(end)), _, _) => (start, end, false),
        (_, Some(start), Some(end)) => (start, end, true),
        _ => return Ok(None),
    };
    let count = start.abs_diff(end) / step.unsigned_abs() + 1;
    if count > MAX_WORDS as u64 {
        return Err(Stop::not_simulated(format!("braces that give more than {MAX_WORDS} words")));
    }
    let padded = [from, to].iter().any(|text| text.trim_start_matches('-').starts_with('0') && text.len() > 1);
    let width = if padded { from.len().max(to.len()) } else { 0 };
    let show = |value: i64| match u8::try_from(value).ok().filter(|_| letters) {
        Some(byte) => char::from(byte).to_string(),
        None => format!("{value:0width$}"),
    };
    let steps = 0..i64::try_from(count).unwrap_or(0);
    Ok(Some(steps.map(|at| show(if start <= end { start + at * step } else { start - at * step })).collect()))
}

/// Neighbouring texts as one.
fn merged(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    for part in parts {
        match (out.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => out.push(part),
        }
    }
    out
}
