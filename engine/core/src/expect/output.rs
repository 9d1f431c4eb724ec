//! `expect-output`: judging what a program wrote and how it ended.
//!
//! A judgement depends on the output alone. Whether an attempt counts at all is the caller's question; only the exit
//! codes that say "was not started" are named here, since a check may ask for them.

use regex::Regex;
use serde_json::Value;

use super::excerpt::{Excerpt, shorten};
use super::line::Captures;
use super::mismatch::{Difference, ExpectedExit, LogLine, Matcher, Mismatch, MissingText, Note, Subject, UnwantedText};
use super::sequence::Lines;
use super::spec::{ExitSpec, Stream};
use super::text::{Decoded, NEAR, Words, lines, trimmed_lines};
use super::{diff, lines_diff, value};

/// The most lines that are listed for one text that should not be there.
pub(super) const MAX_LISTED: usize = 5;

/// What a program wrote and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecOutput<'a> {
    /// What it wrote to standard output.
    pub stdout: &'a [u8],
    /// What it wrote to standard error.
    pub stderr: &'a [u8],
    /// The code it ended with.
    pub exit: i32,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// All matchers held.
    Held {
        /// What the names took.
        captures: Captures,
    },
    /// Some did not.
    Failed {
        /// Those that did not, in the order of the language's documentation; at least one.
        mismatches: Vec<Mismatch>,
    },
}

impl Judgement {
    /// Held if there are no mismatches.
    pub(super) fn of(mismatches: Vec<Mismatch>, captures: Captures) -> Self {
        if mismatches.is_empty() { Self::Held { captures } } else { Self::Failed { mismatches } }
    }

    /// Whether all matchers held.
    #[must_use]
    pub const fn held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }
}

/// A literal text that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    pub(super) text: String,
    finder: memchr::memmem::Finder<'static>,
}

impl Needle {
    pub(super) fn new(text: String) -> Self {
        let finder = memchr::memmem::Finder::new(&text).into_owned();
        Self { text, finder }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.finder.find(text.as_bytes()).is_some()
    }
}

/// A bound on a number, with the text it was written as.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) text: String,
    pub(super) value: f64,
}

/// A check on what a program gave back, with its values filled in.
#[derive(Clone, Debug)]
pub struct OutputCheck {
    pub(super) stream: Stream,
    pub(super) find: Option<Regex>,
    pub(super) equals: Option<String>,
    pub(super) contains: Vec<Needle>,
    pub(super) not_contains: Vec<Needle>,
    pub(super) regex: Option<Regex>,
    pub(super) lines: Option<Lines>,
    pub(super) json: Option<Value>,
    pub(super) yaml: Option<Value>,
    pub(super) exit: ExitSpec,
    pub(super) at_least: Option<Bound>,
    pub(super) at_most: Option<Bound>,
}

impl OutputCheck {
    /// Whether a program that ended so was not started at all, so that the attempt says nothing: a shell's 126 and 127,
    /// unless `exit` names the code.
    #[must_use]
    pub fn is_inconclusive(&self, exit: i32) -> bool {
        matches!(exit, 126 | 127) && !matches!(&self.exit, ExitSpec::Codes(codes) if codes.contains(&exit))
    }

    /// Judges one output. All matchers are judged, also after one has failed.
    #[must_use]
    pub fn judge(&self, output: &ExecOutput<'_>) -> Judgement {
        let (text, notes) = self.narrowed(output);
        let subject = match self.stream {
            Stream::Stdout => Subject::Stdout,
            Stream::Stderr => Subject::Stderr,
            Stream::Both => Subject::Both,
        };
        let mut differences: Vec<(Matcher, Difference, Vec<Note>)> = Vec::new();
        let mut add = |matcher, difference: Option<Difference>| {
            differences.extend(difference.map(|difference| (matcher, difference, Vec::new())));
        };
        add(Matcher::Equals, self.equals.as_deref().and_then(|expected| equals(expected, &text)));
        add(Matcher::Contains, missing(&self.contains, &text));
        add(Matcher::NotContains, unwanted(&self.not_contains, &text));
        add(Matcher::Regex, self.regex.as_ref().and_then(|regex| no_match(regex, &text)));
        add(Matcher::Json, self.json.as_ref().and_then(|expected| json(expected, &text)));
        add(Matcher::Yaml, self.yaml.as_ref().and_then(|expected| yaml(expected, &text)));
        add(Matcher::AtLeast, self.at_least.as_ref().and_then(|bound| number(bound, &text, |n| n >= bound.value)));
        add(Matcher::AtMost, self.at_most.as_ref().and_then(|bound| number(bound, &text, |n| n <= bound.value)));
        let mut captures = Captures::new();
        if let Some(pattern) = &self.lines {
            let actual = lines(&text);
            let fit = pattern.fit(actual.iter().copied());
            match fit.captures {
                Some(found) => captures = found,
                None => {
                    let (lines, mut notes) = lines_diff::difference(pattern, &actual);
                    notes.extend(fit.cut.then_some(Note::SearchCut));
                    differences.push((Matcher::Lines, Difference::Text { lines }, notes));
                }
            }
        }
        differences.sort_by_key(|(matcher, ..)| *matcher);
        let find = self.find.as_ref().map(|find| find.as_str().to_owned());
        let mismatches = differences.into_iter().map(|(matcher, difference, own)| Mismatch {
            matcher,
            subject,
            find: find.clone(),
            difference,
            notes: notes.iter().cloned().chain(own).collect(),
        });
        Judgement::of(self.exit(output).into_iter().chain(mismatches).collect(), captures)
    }

    /// The text that the matchers see: the stream, narrowed by `find`.
    #[must_use]
    pub fn text(&self, output: &ExecOutput<'_>) -> String {
        self.narrowed(output).0
    }

    fn narrowed(&self, output: &ExecOutput<'_>) -> (String, Vec<Note>) {
        let decoded = match self.stream {
            Stream::Stdout => Decoded::of(output.stdout),
            Stream::Stderr => Decoded::of(output.stderr),
            Stream::Both => both(output),
        };
        let mut notes = Vec::from_iter(decoded.replaced.then_some(Note::NotUtf8));
        let Some(find) = &self.find else { return (decoded.text, notes) };
        let found = find.find_iter(&decoded.text).map(|found| found.as_str()).filter(|found| !found.is_empty());
        let found: Vec<&str> = found.collect();
        notes.extend(found.is_empty().then_some(Note::FindMatchedNothing));
        (found.join("\n"), notes)
    }

    /// What is wrong with how the program ended.
    fn exit(&self, output: &ExecOutput<'_>) -> Option<Mismatch> {
        let (matcher, expected, held) = match &self.exit {
            ExitSpec::Any => return None,
            ExitSpec::Zero => (Matcher::Exit, ExpectedExit::Zero, output.exit == 0),
            ExitSpec::Codes(codes) => {
                (Matcher::Exit, ExpectedExit::Codes { codes: codes.clone() }, codes.contains(&output.exit))
            }
            ExitSpec::Failure => (Matcher::Fails, ExpectedExit::Failure, (1..=125).contains(&output.exit)),
        };
        (!held).then(|| {
            let stderr = Decoded::of(output.stderr);
            Mismatch {
                matcher,
                subject: Subject::ExitCode,
                find: None,
                difference: Difference::Exit { expected, actual: output.exit, stderr: Excerpt::of(&stderr.text) },
                notes: Vec::from_iter(stderr.replaced.then_some(Note::NotUtf8)),
            }
        })
    }
}

/// Standard output, then standard error, each on lines of its own.
fn both(output: &ExecOutput<'_>) -> Decoded {
    let (stdout, stderr) = (Decoded::of(output.stdout), Decoded::of(output.stderr));
    let mut text = stdout.text;
    if !text.is_empty() && !text.ends_with('\n') && !stderr.text.is_empty() {
        text.push('\n');
    }
    text.push_str(&stderr.text);
    Decoded { text, replaced: stdout.replaced || stderr.replaced }
}

fn equals(expected: &str, text: &str) -> Option<Difference> {
    let (expected, actual) = (trimmed_lines(expected), trimmed_lines(text));
    (expected != actual).then(|| Difference::Text { lines: diff::texts(&expected, &actual) })
}

fn missing(needles: &[Needle], text: &str) -> Option<Difference> {
    let absent = needles.iter().filter(|needle| !needle.is_in(text));
    let texts: Vec<MissingText> = absent
        .map(|needle| MissingText { text: shorten(&needle.text), nearest: nearest(&needle.text, text) })
        .collect();
    (!texts.is_empty()).then_some(Difference::Missing { texts })
}

/// The line of a text that holds most of the words of another.
fn nearest(wanted: &str, text: &str) -> Option<LogLine> {
    let words = Words::of(wanted);
    let mut best: Option<(usize, usize, &str)> = None;
    for (at, line) in text.lines().enumerate() {
        let likeness = words.likeness(line);
        if likeness >= NEAR && best.is_none_or(|(most, ..)| likeness > most) {
            best = Some((likeness, at, line));
        }
    }
    best.map(|(_, at, line)| LogLine { log: 0, number: at as u64 + 1, text: shorten(line) })
}

fn unwanted(needles: &[Needle], text: &str) -> Option<Difference> {
    let present = needles.iter().filter(|needle| needle.is_in(text));
    let texts: Vec<UnwantedText> = present
        .map(|needle| {
            let holds = |line: &str| needle.is_in(line);
            let mut found = text.lines().enumerate().filter(|(_, line)| holds(line));
            let listed = found.by_ref().take(MAX_LISTED);
            let lines =
                listed.map(|(at, line)| LogLine { log: 0, number: at as u64 + 1, text: shorten(line) }).collect();
            UnwantedText { text: shorten(&needle.text), lines, more: found.count() as u64 }
        })
        .collect();
    (!texts.is_empty()).then_some(Difference::Unwanted { texts })
}

fn no_match(regex: &Regex, text: &str) -> Option<Difference> {
    (!regex.is_match(text)).then(|| Difference::NoMatch { regex: regex.as_str().to_owned(), actual: Excerpt::of(text) })
}

fn json(expected: &Value, text: &str) -> Option<Difference> {
    match serde_json::from_str::<Value>(text) {
        Ok(actual) => value::difference(expected, &actual),
        Err(error) => Some(Difference::Unparsable { cause: error.to_string(), actual: Excerpt::of(text) }),
    }
}

fn yaml(expected: &Value, text: &str) -> Option<Difference> {
    // Octal as in YAML 1.1, since that is how kubectl reads and writes it.
    let options = serde_yaml::options! { legacy_octal_numbers: true };
    match serde_yaml::from_str_with_options::<Value>(text, options) {
        Ok(actual) => value::difference(expected, &actual),
        Err(error) => Some(Difference::Unparsable { cause: shorten(&error.to_string()), actual: Excerpt::of(text) }),
    }
}

fn number(bound: &Bound, text: &str, holds: impl Fn(f64) -> bool) -> Option<Difference> {
    let written = text.trim();
    match parse_number(written) {
        Some(value) if holds(value) => None,
        Some(_) => Some(Difference::Number { bound: bound.text.clone(), actual: shorten(written) }),
        None => Some(Difference::NotANumber { bound: bound.text.clone(), actual: Excerpt::of(text) }),
    }
}

/// A finite decimal number; none of the words that stand for infinity.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse::<f64>().ok().filter(|value| plain && value.is_finite())
}
