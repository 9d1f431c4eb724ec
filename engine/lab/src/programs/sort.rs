//! `sort`: keys, numbers, unique lines.
//!
//! Invariant: lines are ordered by their bytes, as without a locale.

use super::opts::Opts;
use super::text::{ended, lines, print_lines};
use crate::process::{Exit, Process};
use std::cmp::Ordering;

/// Which part of a line counts, and how.
struct Key {
    first: usize,
    last: usize,
    numeric: bool,
    reverse: bool,
    fold: bool,
}

/// `sort [-nrufc] [-k KEY] [-t CHAR] [-o FILE] [FILE...]`
pub(super) async fn main(process: Process) -> Exit {
    ended(sorted(&process).await)
}

/// `FIRST[,LAST][nrf]`
fn key(text: &str, opts: &Opts) -> Option<Key> {
    let plain = text.trim_end_matches(['n', 'r', 'f', 'b']);
    let letters = &text[plain.len()..];
    let (first, last) = plain.split_once(',').unwrap_or((plain, ""));
    let letters = format!("{letters}{}", first.trim_start_matches(|c: char| c.is_ascii_digit()));
    if !letters.chars().all(|c| "nrfb".contains(c)) {
        return None;
    }
    let first = first.trim_end_matches(['n', 'r', 'f', 'b']).parse().ok().filter(|first| *first > 0)?;
    let last = if last.is_empty() { usize::MAX } else { last.parse().ok()? };
    // Letters of a key take the place of the options.
    let given = |letter: char| if letters.is_empty() { opts.has(letter) } else { letters.contains(letter) };
    Some(Key { first, last, numeric: given('n'), reverse: given('r'), fold: given('f') })
}

fn number(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || c == '-' && at == 0))
        .map_or(text.len(), |(at, _)| at);
    text[..end].parse().unwrap_or(0.0)
}

/// The fields of a line; without a separator each begins with the blanks before it.
fn fields(line: &[u8], separator: Option<u8>) -> Vec<&[u8]> {
    if let Some(separator) = separator {
        return line.split(|&byte| byte == separator).collect();
    }
    let mut fields = Vec::new();
    let mut start = 0;
    for at in 1..line.len() {
        if matches!(line[at], b' ' | b'\t') && !matches!(line[at - 1], b' ' | b'\t') {
            fields.push(&line[start..at]);
            start = at;
        }
    }
    fields.push(&line[start..]);
    fields
}

async fn sorted(process: &Process) -> Result<Exit, Exit> {
    let long = [
        ("numeric-sort", 'n'),
        ("reverse", 'r'),
        ("unique", 'u'),
        ("key", 'k'),
        ("field-separator", 't'),
        ("ignore-case", 'f'),
        ("output", 'o'),
        ("check", 'c'),
        ("stable", 's'),
    ];
    let opts = Opts::parse(process, "nrufcsk:t:o:", &long)?;
    let mut keys = Vec::new();
    for text in opts.values('k') {
        keys.push(key(text, &opts).ok_or_else(|| Exit::not_simulated(format!("sort -k {text}")))?);
    }
    let separator = match opts.value('t').map(str::as_bytes) {
        None => None,
        Some([byte]) => Some(*byte),
        Some(_) => return Err(Exit::not_simulated("sort -t with this separator")),
    };
    let whole = Key { first: 1, last: usize::MAX, numeric: opts.has('n'), reverse: opts.has('r'), fold: opts.has('f') };
    let compare_by = |key: &Key, a: &[u8], b: &[u8]| -> Ordering {
        let part = |line: &[u8]| -> Vec<u8> {
            if keys.is_empty() {
                return line.to_vec();
            }
            let fields = fields(line, separator);
            let end = key.last.min(fields.len());
            let mark: &[u8] = match &separator {
                Some(separator) => std::slice::from_ref(separator),
                None => b"",
            };
            fields.get(key.first - 1..end.max(key.first - 1)).unwrap_or_default().join(mark)
        };
        let (mut left, mut right) = (part(a), part(b));
        if key.fold {
            left.make_ascii_uppercase();
            right.make_ascii_uppercase();
        }
        let order = if key.numeric { number(&left).total_cmp(&number(&right)) } else { left.cmp(&right) };
        if key.reverse { order.reverse() } else { order }
    };
    let compare = |a: &Vec<u8>, b: &Vec<u8>| -> Ordering {
        if keys.is_empty() {
            return compare_by(&whole, a, b);
        }
        keys.iter().fold(Ordering::Equal, |order, key| order.then_with(|| compare_by(key, a, b)))
    };
    let full = |a: &Vec<u8>, b: &Vec<u8>| {
        let order = compare(a, b);
        // Equal keys are decided by the whole line, unless only one of them is kept.
        if order != Ordering::Equal || opts.has('u') || opts.has('s') {
            return order;
        }
        if opts.has('r') { b.cmp(a) } else { a.cmp(b) }
    };
    let mut all = lines(process, opts.operands.clone()).await?;
    if opts.has('c') {
        let wrong = all.windows(2).position(|pair| full(&pair[0], &pair[1]) == Ordering::Greater);
        return match wrong {
            None => Ok(Exit::SUCCESS),
            Some(at) => {
                let file = opts.operands.first().map_or("-", String::as_str);
                let line = String::from_utf8_lossy(&all[at + 1]).into_owned();
                Ok(process.fail(1, format!("{file}:{}: disorder: {line}", at + 2)).await)
            }
        };
    }
    all.sort_by(full);
    if opts.has('u') {
        all.dedup_by(|a, b| compare(a, b) == Ordering::Equal);
    }
    match opts.value('o') {
        None => print_lines(process, &all).await?,
        Some(file) => {
            let data: Vec<u8> = all
                .into_iter()
                .flat_map(|mut line| {
                    line.push(b'\n');
                    line
                })
                .collect();
            if let Err(error) = process.fs.write(&process.path(file), &data) {
                return Ok(process.fail_on(file, error).await);
            }
        }
    }
    Ok(Exit::SUCCESS)
}
