//! What is wrong with a runbook, as people and as programs read it.
//!
//! Each diagnostic is drawn by itself, since a list of related ones would repeat the severity before each. Drawing a
//! snippet counts lines from the start of the file, so only the first [`SHOWN`] are drawn; the rest are counted.

use std::fmt;
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use periplus_core::diag::{Diagnostic, Severity};
use periplus_core::source::Source;
use serde::Serialize;

use crate::clean;
use crate::plural;
use crate::style::{Role, Theme};

/// Most diagnostics that are drawn with a snippet.
pub const SHOWN: usize = 50;

/// Longest line that a snippet is taken from, in bytes; beyond, the place is given in words.
const LINE_BYTES: usize = 4_096;

/// Draws diagnostics with the lines they point at, and counts them at the end.
#[must_use]
pub fn graphical(diagnostics: &[Diagnostic], source: Option<&Source>, theme: Theme) -> String {
    let handler = GraphicalReportHandler::new_themed(drawing(theme)).with_links(false).with_width(theme.width());
    let text: Option<Arc<str>> = source.map(|source| clean::same_length(&source.text).into());
    let mut page = String::new();
    for diagnostic in diagnostics.iter().take(SHOWN) {
        let drawn = Drawn::new(diagnostic, source, text.as_ref());
        if handler.render_report(&mut page, &drawn).is_err() {
            page.push_str(&plain(diagnostic, source));
        }
        page.push('\n');
    }
    page.push_str(&closing(diagnostics, source, theme));
    page
}

fn drawing(theme: Theme) -> GraphicalTheme {
    match (theme.colour(), theme.unicode()) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme { characters: miette::ThemeCharacters::ascii(), ..GraphicalTheme::unicode() },
        (false, true) => GraphicalTheme::unicode_nocolor(),
        (false, false) => GraphicalTheme::none(),
    }
}

/// `name:line:column: message`, for what cannot be drawn.
fn plain(diagnostic: &Diagnostic, source: Option<&Source>) -> String {
    let place = place(diagnostic, source).map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
    format!("{}{}", place.unwrap_or_default(), clean::line(&diagnostic.message))
}

fn closing(diagnostics: &[Diagnostic], source: Option<&Source>, theme: Theme) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(theme.paint(Role::Bad, plural::count(errors, "error")).to_string());
    }
    if warnings > 0 {
        parts.push(theme.paint(Role::Doubt, plural::count(warnings, "warning")).to_string());
    }
    let file = source.map(|source| format!("{}: ", clean::line(&source.name))).unwrap_or_default();
    let rest = diagnostics.len().saturating_sub(SHOWN);
    let rest = if rest > 0 { format!(" (the last {rest} are not shown)") } else { String::new() };
    format!("{file}{}{rest}\n", parts.join(", "))
}

/// Diagnostics as JSON.
#[must_use]
pub fn json(diagnostics: &[Diagnostic], source: Option<&Source>) -> serde_json::Value {
    let list: Vec<Entry<'_>> = diagnostics.iter().map(|diagnostic| Entry::new(diagnostic, source)).collect();
    serde_json::to_value(list).expect("invariant: diagnostics are plain data with string keys")
}

#[derive(Serialize)]
struct Entry<'a> {
    code: periplus_core::codes::Code,
    severity: Severity,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    labels: Vec<LabelEntry<'a>>,
}

#[derive(Serialize)]
struct LabelEntry<'a> {
    at: Place<'a>,
    text: &'a str,
}

/// A place as people count: lines and columns from 1.
#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    start_byte: usize,
    end_byte: usize,
}

impl<'a> Entry<'a> {
    fn new(diagnostic: &'a Diagnostic, source: Option<&'a Source>) -> Self {
        let labels = source.map_or_else(Vec::new, |source| {
            let entry = |label: &'a periplus_core::diag::Label| LabelEntry {
                at: Place::new(source, label.span),
                text: &label.text,
            };
            diagnostic.labels.iter().map(entry).collect()
        });
        Self {
            code: diagnostic.code,
            severity: diagnostic.severity,
            message: &diagnostic.message,
            help: diagnostic.help.as_deref(),
            labels,
        }
    }
}

impl<'a> Place<'a> {
    fn new(source: &'a Source, span: periplus_core::source::Span) -> Self {
        let (line, column) = source.line_column(span.start);
        Self { file: &source.name, line, column, start_byte: span.start, end_byte: span.end }
    }
}

fn place<'a>(diagnostic: &Diagnostic, source: Option<&'a Source>) -> Option<Place<'a>> {
    Some(Place::new(source?, diagnostic.labels.first()?.span))
}

/// A diagnostic in the form that the drawing library wants.
#[derive(Debug)]
struct Drawn {
    message: String,
    code: &'static str,
    severity: Severity,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    source: Option<NamedSource<Arc<str>>>,
}

impl Drawn {
    fn new(diagnostic: &Diagnostic, source: Option<&Source>, text: Option<&Arc<str>>) -> Self {
        let drawable =
            |source: &&Source| diagnostic.labels.iter().all(|label| source.line(label.span.start).len() <= LINE_BYTES);
        let named = source.filter(drawable).zip(text);
        let mut help = diagnostic.help.as_deref().map(|help| clean::block(help).into_owned());
        if named.is_none()
            && let Some(at) = place(diagnostic, source)
        {
            let at = format!("at {}:{}:{}", at.file, at.line, at.column);
            help = Some(help.map_or_else(|| at.clone(), |help| format!("{at}; {help}")));
        }
        Self {
            message: clean::line(&diagnostic.message).into_owned(),
            code: diagnostic.code.as_str(),
            severity: diagnostic.severity,
            help,
            labels: named.map_or_else(Vec::new, |(_, text)| labels(diagnostic, text)),
            source: named
                .filter(|_| !diagnostic.labels.is_empty())
                .map(|(source, text)| NamedSource::new(clean::line(&source.name), Arc::clone(text))),
        }
    }
}

fn labels(diagnostic: &Diagnostic, text: &str) -> Vec<LabeledSpan> {
    let last = text.len();
    let labels = diagnostic.labels.iter().enumerate().map(|(number, label)| {
        let start = text.floor_char_boundary(label.span.start);
        // A caret needs something to stand under, and a span over many lines hides what it is about.
        let line_end = text[start..].find('\n').map_or(last, |length| start + length);
        let end = text.floor_char_boundary(label.span.end.clamp(start, line_end)).max(start);
        let say = Some(clean::line(&label.text).into_owned()).filter(|text| !text.is_empty());
        let length = end - start;
        if number == 0 {
            LabeledSpan::new_primary_with_span(say, (start, length))
        } else {
            LabeledSpan::new_with_span(say, (start, length))
        }
    });
    labels.collect()
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Drawn {}

impl miette::Diagnostic for Drawn {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = _>>)
    }
}

#[cfg(test)]
mod tests {
    use periplus_core::codes::Code;
    use periplus_core::source::Span;

    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "runbook.yaml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_diagnostic_shows_line_caret_reason_and_remedy() {
        let source = source("steps:\n  - id: a\n    aply: {file: x}\n");
        let diagnostic = Diagnostic::error(Code::UnknownKey, Span::new(21, 25), "a step has no key `aply`")
            .label("not a key of a step")
            .help("did you mean `apply`?");
        let drawn = graphical(&[diagnostic], Some(&source), Theme::plain());
        for part in
            ["unknown-key", "runbook.yaml:3:5", "aply: {file: x}", "not a key of a step", "did you mean `apply`?"]
        {
            assert!(drawn.contains(part), "{part} is missing in\n{drawn}");
        }
        assert!(drawn.ends_with("runbook.yaml: 1 error\n"), "{drawn}");
    }

    #[test]
    fn many_diagnostics_are_counted_not_drawn() {
        let source = source("a\n");
        let all = vec![Diagnostic::error(Code::UnknownKey, Span::new(0, 1), "wrong"); SHOWN + 7];
        let drawn = graphical(&all, Some(&source), Theme::plain());
        assert_eq!(drawn.matches("unknown-key").count(), SHOWN);
        assert!(drawn.ends_with("57 errors (the last 7 are not shown)\n"), "{drawn}");
    }

    #[test]
    fn an_endless_line_is_named_and_not_drawn() {
        let source = source(&format!("a: {}", "x".repeat(1 << 20)));
        let diagnostic = Diagnostic::error(Code::BadValue, Span::new(3, 9), "too long");
        let drawn = graphical(&[diagnostic], Some(&source), Theme::plain());
        assert!(drawn.len() < 1_000 && drawn.contains("runbook.yaml:1:4"), "{} bytes", drawn.len());
    }

    #[test]
    fn a_hostile_file_cannot_act_on_the_terminal() {
        let source = source("a: \u{1b}[2J\u{9b}31m\u{202e}x\n");
        let diagnostic = Diagnostic::error(Code::BadValue, Span::new(0, 1), "no\u{1b}[1m").help("\u{7}");
        let drawn = graphical(&[diagnostic], Some(&source), Theme::plain());
        assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'), "{drawn:?}");
    }

    #[test]
    fn spans_beyond_the_text_do_not_panic() {
        for (start, end) in [(9, 99), (2, 1), (0, 0), (3, 3)] {
            let diagnostic = Diagnostic::error(Code::BadValue, Span { start, end }, "wrong");
            assert!(graphical(&[diagnostic], Some(&source("a\né")), Theme::plain()).contains("wrong"));
        }
    }

    #[test]
    fn json_counts_from_one_and_gives_bytes_too() {
        let source = source("a\nb: é c\n");
        let diagnostic = Diagnostic::error(Code::BadValue, Span::new(8, 9), "wrong");
        let value = json(&[diagnostic], Some(&source));
        assert_eq!(value[0]["labels"][0]["at"]["line"], 2);
        assert_eq!(value[0]["labels"][0]["at"]["column"], 6);
        assert_eq!(value[0]["code"], "bad-value");
    }
}
