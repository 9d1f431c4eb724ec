//! A mismatch as people read it: what was expected beside what was found.
//!
//! The tree comes from `periplus_core::expect` and holds no formatting; nothing is compared again here.

use periplus_core::expect::{
    DiffLine, Difference, ExpectedExit, LogLine, Matcher, Mismatch, NearestLine, Note, Piece, Subject,
};

use crate::clean;
use crate::plural;
use crate::style::{Role, Theme};
use crate::text::page::{Output, Page};
use crate::text::wrap::columns;

/// Width of the labels beside what was expected and found.
const LABELS: usize = 8;

/// Writes one mismatch: a sentence, what differs, and what to know before believing it.
pub(crate) fn write(page: &mut Page, indent: usize, mismatch: &Mismatch) {
    let sign = format!("{} ", page.theme().glyph(Role::Bad));
    page.hanging(indent, &sign, Role::Plain, &headline(mismatch));
    difference(page, indent + 2, &mismatch.difference);
    for note in &mismatch.notes {
        page.prose(indent + 2, Role::Doubt, &format!("note: {}", note_text(note)));
    }
}

/// One line that says what a mismatch is about.
pub(crate) fn headline(mismatch: &Mismatch) -> String {
    let subject = subject(mismatch.subject);
    let narrowed = mismatch.find.as_ref().map(|find| format!(", narrowed by find: {find},")).unwrap_or_default();
    let what = match &mismatch.difference {
        Difference::Text { .. } => match mismatch.matcher {
            Matcher::Lines => "does not have the documented lines".to_owned(),
            _ => "is not what was expected".to_owned(),
        },
        Difference::Missing { texts } => format!("lacks {}", plural::count(texts.len(), "expected text")),
        Difference::Unwanted { texts } => {
            format!("holds {} that must not be there", plural::count(texts.len(), "text"))
        }
        Difference::NoMatch { .. } => "does not match the regular expression".to_owned(),
        Difference::LogLines { found, of, .. } => format!("has {found} of {of} expected lines"),
        Difference::Exit { expected, actual, .. } => {
            return format!("the program ended with exit code {actual}; expected {}", expected_exit(expected));
        }
        Difference::Number { bound, actual } => {
            format!("is {}; expected {} {bound}", actual.trim(), bound_word(mismatch.matcher))
        }
        Difference::NotANumber { bound, .. } => {
            format!("is not one number; expected {} {bound}", bound_word(mismatch.matcher))
        }
        Difference::Count { min, max, actual, .. } => {
            let lines = plural::count(usize::try_from(*actual).unwrap_or(usize::MAX), "such line");
            format!("has {lines}; expected {}", bounds(*min, *max))
        }
        Difference::Values { paths, more } => {
            let count = paths.len().saturating_add(usize::try_from(*more).unwrap_or(usize::MAX));
            format!("differs in {}", plural::count(count, "place"))
        }
        Difference::Unparsable { cause, .. } => format!("cannot be read as {}: {cause}", mismatch.matcher.key()),
        Difference::NoObject => "does not exist".to_owned(),
        Difference::ObjectExists => "exists and should not".to_owned(),
    };
    format!("{subject}{narrowed} {what} ({})", mismatch.matcher.key())
}

const fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Stdout => "standard output",
        Subject::Stderr => "standard error",
        Subject::Both => "the output",
        Subject::ExitCode => "the exit code",
        Subject::Log => "the log since its mark",
        Subject::Object => "the object",
    }
}

const fn bound_word(matcher: Matcher) -> &'static str {
    match matcher {
        Matcher::AtLeast => "at least",
        Matcher::AtMost => "at most",
        _ => "",
    }
}

fn bounds(min: Option<u64>, max: Option<u64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) if min == max => format!("exactly {min}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(0)) => "none".to_owned(),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number".to_owned(),
    }
}

/// How a program should have ended, as prose.
fn expected_exit(expected: &ExpectedExit) -> String {
    match expected {
        ExpectedExit::Zero => "0".to_owned(),
        ExpectedExit::Failure => "a failure (1 to 125)".to_owned(),
        ExpectedExit::Codes { codes } => codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
    }
}

fn difference(page: &mut Page, indent: usize, difference: &Difference) {
    match difference {
        Difference::Text { lines } => {
            legend(page, indent);
            for line in lines {
                diff_line(page, indent, line);
            }
        }
        Difference::Missing { texts } => {
            for missing in texts {
                page.pair(indent, LABELS, "expected", &missing.text);
                match &missing.nearest {
                    Some(nearest) => page.pair(indent, LABELS, "closest", &nearest.text),
                    None => page.pair(indent, LABELS, "closest", "nothing that resembles it"),
                }
            }
        }
        Difference::Unwanted { texts } => {
            for unwanted in texts {
                page.pair(indent, LABELS, "unwanted", &unwanted.text);
                log_lines(page, indent, &unwanted.lines);
                more(page, indent, unwanted.more, "more line");
            }
        }
        Difference::NoMatch { regex, actual } => {
            page.pair(indent, LABELS, "regex", regex);
            page.output(indent, LABELS, "found", Output::from(actual));
        }
        Difference::LogLines { missing, .. } => nearest_line(page, indent, missing),
        // The end of a failed step shows the program's outputs.
        Difference::Exit { .. } | Difference::Number { .. } | Difference::NoObject | Difference::ObjectExists => {}
        Difference::NotANumber { actual, .. } | Difference::Unparsable { actual, .. } => {
            page.output(indent, LABELS, "found", Output::from(actual));
        }
        Difference::Count { lines, .. } => log_lines(page, indent, lines),
        Difference::Values { paths, more: left_out } => {
            for path in paths {
                page.line(indent, Role::Strong, if path.path.is_empty() { "(the whole)" } else { &path.path });
                page.pair(indent + 2, LABELS, "expected", &path.expected);
                page.pair(indent + 2, LABELS, "found", path.actual.as_deref().unwrap_or("nothing"));
            }
            more(page, indent, *left_out, "more place");
        }
    }
}

fn legend(page: &mut Page, indent: usize) {
    let theme = page.theme();
    page.raw(indent, &format!("{}  {}", theme.paint(Role::Bad, "- expected"), theme.paint(Role::Good, "+ found")));
}

fn diff_line(page: &mut Page, indent: usize, line: &DiffLine) {
    match line {
        DiffLine::Equal { text } => page.line(indent, Role::Plain, &format!("  {text}")),
        DiffLine::Delete { pieces: line } => pieces(page, indent, "- ", Role::Bad, line),
        DiffLine::Insert { pieces: line } => pieces(page, indent, "+ ", Role::Good, line),
        DiffLine::AnyLines { count } => {
            let lines = plural::count(usize::try_from(*count).unwrap_or(usize::MAX), "line");
            page.line(indent, Role::Dim, &format!("  ... ({lines})"));
        }
        DiffLine::Omitted { expected, actual } => {
            page.line(indent, Role::Dim, &format!("  … {expected} expected and {actual} found lines left out …"));
        }
    }
}

fn nearest_line(page: &mut Page, indent: usize, nearest: &NearestLine) {
    legend(page, indent);
    pieces(page, indent, "- ", Role::Bad, &nearest.expected);
    match &nearest.actual {
        Some(line) => {
            pieces(page, indent, "+ ", Role::Good, &line.pieces);
            page.line(indent, Role::Dim, &format!("  (line {} since the mark comes closest)", line.number));
        }
        None => page.line(indent, Role::Dim, "  (no line since the mark resembles it)"),
    }
}

/// A line in pieces. With colour, what differs is bold and the rest is not; without, carets stand below it.
fn pieces(page: &mut Page, indent: usize, sign: &str, role: Role, pieces: &[Piece]) {
    let theme = page.theme();
    let mut line = theme.paint(role, sign).to_string();
    let mut carets = " ".repeat(columns(sign));
    for piece in pieces {
        let text = clean::line(&piece.text);
        let width = columns(&text);
        carets.push_str(&if piece.emphasised { "^" } else { " " }.repeat(width));
        line.push_str(&emphasis(theme, role, piece.emphasised, &text));
    }
    page.raw(indent, line.trim_end());
    let telling = pieces.iter().any(|piece| piece.emphasised) && pieces.iter().any(|piece| !piece.emphasised);
    if telling && !theme.colour() {
        page.raw(indent, carets.trim_end());
    }
}

fn emphasis(theme: Theme, role: Role, emphasised: bool, text: &str) -> String {
    if emphasised { theme.paint(role, text).to_string() } else { theme.paint(Role::Plain, text).to_string() }
}

fn log_lines(page: &mut Page, indent: usize, lines: &[LogLine]) {
    for line in lines {
        page.pair(indent, LABELS, &format!("line {}", line.number), &line.text);
    }
}

fn more(page: &mut Page, indent: usize, count: u64, noun: &str) {
    if count > 0 {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        page.line(indent, Role::Dim, &format!("+ {}", plural::count(count, noun)));
    }
}

fn note_text(note: &Note) -> String {
    match note {
        Note::NotUtf8 => "the output is not UTF-8; what could not be read is shown as U+FFFD".to_owned(),
        Note::FindMatchedNothing => "find matched nothing, so the check saw an empty text".to_owned(),
        Note::CapturesDiffer { name, values } => {
            format!("each line fits, but [{name}] must be the same everywhere and was {}", values.join(", then "))
        }
        Note::SearchCut => "there were too many ways to match the pattern; not all were tried".to_owned(),
    }
}
