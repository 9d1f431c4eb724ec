//! `lines` for a shell: what of a documented line a person looks for, and how a value is taken out of it.
//!
//! A page never greps for a whole pattern: the longest stretch of it without a wildcard finds the line.

use std::fmt::Write;

use periplus_core::expect::{Pattern, PatternPart, Token};
use periplus_core::template::{Expression, Flavour, Part, Template};

use super::regex;
use super::scribe::Scribe;
use super::word::{Piece, ShellText};

/// A line of a pattern.
#[derive(Debug, Default)]
pub(super) struct Line {
    parts: Vec<LinePart>,
}

#[derive(Debug)]
enum LinePart {
    Text(ShellText),
    Token(Token, Option<String>),
    Any,
}

/// A stretch shorter than this is looked for only where there is no longer one.
const TELLING: usize = 8;

impl Scribe<'_> {
    /// The lines of a pattern; blank ones and `...` are left out.
    pub(super) fn pattern(&self, raw: &str) -> Vec<Line> {
        let Ok((pattern, _)) = Pattern::parse(raw) else { return Vec::new() };
        let mut lines = vec![Line::default()];
        for part in pattern.parts() {
            let (Some(line), part) = (lines.last_mut(), part) else { continue };
            match part {
                PatternPart::Any => line.parts.push(LinePart::Any),
                PatternPart::AnyLines => lines.push(Line::default()),
                PatternPart::Token { token, name } => line.parts.push(LinePart::Token(token, name.map(str::to_owned))),
                PatternPart::Text(text) => self.pattern_text(text, &mut lines),
            }
        }
        lines.retain(|line| {
            line.parts.iter().any(|part| !matches!(part, LinePart::Text(text) if text.as_literal().is_some_and(|text| text.trim().is_empty())))
        });
        lines
    }

    /// Text of a pattern, which may go over several lines.
    fn pattern_text(&self, raw: &str, lines: &mut Vec<Line>) {
        let parts = Template::parse(raw, Flavour::Text).map_or_else(|_| Vec::new(), |template| template.parts());
        for part in parts {
            let Some(line) = lines.last_mut() else { return };
            match part {
                Part::Text(text) => {
                    for (at, text) in text.split('\n').enumerate() {
                        if at > 0 {
                            lines.push(Line::default());
                        }
                        if let Some(line) = lines.last_mut() {
                            line.push(ShellText::literal(text.trim_end_matches('\r')));
                        }
                    }
                }
                // What a helper makes of a value is left open: the line is found without it.
                Part::Value { expression: Expression::Name(name), .. } => {
                    match self.expression(&Expression::Name(name), Flavour::Text) {
                        Some(value) => line.push(value),
                        None => line.parts.push(LinePart::Any),
                    }
                }
                Part::Value { .. } | Part::Block => line.parts.push(LinePart::Any),
            }
        }
    }
}

impl Line {
    fn push(&mut self, text: ShellText) {
        match self.parts.last_mut() {
            Some(LinePart::Text(before)) => before.append(&text),
            _ => self.parts.push(LinePart::Text(text)),
        }
    }

    /// Flags of `grep`, and what it looks for to find this line.
    pub(super) fn grep(&self, flags: &str) -> (String, String) {
        let all: Vec<ShellText> = self
            .parts
            .iter()
            .filter_map(|part| if let LinePart::Text(text) = part { Some(text) } else { None })
            .flat_map(|text| stretches(text, false))
            .collect();
        let calm: Vec<ShellText> = all.iter().flat_map(|text| stretches(text, true)).collect();
        let longest = |texts: &[ShellText]| {
            texts
                .iter()
                .fold(None::<&ShellText>, |best, text| {
                    if best.is_none_or(|best| weight(text) > weight(best)) { Some(text) } else { best }
                })
                .cloned()
        };
        let best = longest(&calm).filter(|text| weight(text) >= TELLING).or_else(|| longest(&all));
        match best {
            Some(text) => regex::grep(&format!("{flags}F"), &text),
            None => (format!("grep -{flags}E"), regex::grep("", &ShellText::literal(self.expression(None))).1),
        }
    }

    /// As [`Line::grep`], for output that is short: the whole line, where it has tokens and the shell can say it.
    pub(super) fn strict_grep(&self, flags: &str) -> (String, String) {
        let open = self.parts.iter().any(|part| !matches!(part, LinePart::Text(_)));
        let constant = self.parts.iter().all(|part| match part {
            LinePart::Text(text) => text.as_literal().is_some(),
            LinePart::Token(..) | LinePart::Any => true,
        });
        let whole = self.expression(None);
        if open && constant && whole.len() <= 80 {
            return regex::grep(&format!("{flags}E"), &ShellText::literal(whole));
        }
        self.grep(flags)
    }

    /// The names that the line captures.
    pub(super) fn captures(&self) -> Vec<&str> {
        self.parts
            .iter()
            .filter_map(|part| if let LinePart::Token(_, Some(name)) = part { Some(name.as_str()) } else { None })
            .collect()
    }

    /// Whether what finds this line finds another as well.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.expression(None) == other.expression(None)
    }

    /// A command for `sed` that prints what a name took.
    pub(super) fn capture(&self, name: &str) -> String {
        format!("s/{}/\\1/p", self.expression(Some(name)).replace('/', "\\/"))
    }

    /// The whole line as a regular expression, with a group around what a name takes.
    fn expression(&self, group: Option<&str>) -> String {
        let mut out = String::from("^");
        let mut open = group;
        for part in &self.parts {
            match part {
                LinePart::Any => out.push_str(".*"),
                LinePart::Token(token, name) if open.is_some() && name.as_deref() == open => {
                    open = None;
                    let _ = write!(out, "({})", taken(*token));
                }
                LinePart::Token(token, _) => out.push_str(taken(*token)),
                LinePart::Text(text) => {
                    for piece in text.pieces() {
                        match piece {
                            Piece::Literal(literal) => escape(literal, &mut out),
                            Piece::Variable { .. } | Piece::Expansion(_) => out.push_str(".*"),
                        }
                    }
                }
            }
        }
        // Blanks at the ends of a line do not count.
        let out = out.trim_end_matches(" +");
        format!("{} *$", out.strip_prefix("^ +").map_or_else(|| out.to_owned(), |rest| format!("^ *{rest}")))
    }
}

fn escape(literal: &str, out: &mut String) {
    let mut blank = false;
    for c in literal.chars() {
        if c == ' ' || c == '\t' {
            if !blank {
                out.push_str(" +");
            }
            blank = true;
            continue;
        }
        blank = false;
        if ".[{}()*+?|^$\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// What a token takes, without groups. Nearly: what comes to the same for what programs really print.
const fn taken(token: Token) -> &'static str {
    match token {
        Token::Ip => "[0-9A-Fa-f.:]+",
        Token::Port => "[0-9]+",
        Token::Addr => "[][0-9A-Fa-f.:]+",
        Token::Int => "[+-]?[0-9]+",
        Token::Number => "[+-]?[0-9.]+[eE0-9+-]*",
        Token::Duration => "-?[0-9.]+[0-9a-zµμ.]*",
        Token::Timestamp => "[0-9A-Z][0-9A-Za-z,:/. +-]*[0-9A-Z]",
        Token::Date => "[0-9A-Za-z/-]+",
        Token::Uuid => "[0-9A-Fa-f-]+",
        Token::Hash => "[a-z0-9:]+",
        Token::Hex => "[xX0-9A-Fa-f]+",
        Token::Word | Token::Url => "[^[:space:]]+",
        Token::Host => "[A-Za-z0-9_.-]+",
    }
}

/// The stretches of a text that stand in the output as they are: a run of blanks may be of another length there. With
/// `calm`, also cut where quotes and the like would have to be escaped beside a variable.
fn stretches(text: &ShellText, calm: bool) -> Vec<ShellText> {
    let mut found = vec![ShellText::default()];
    for piece in text.pieces() {
        match piece {
            Piece::Variable { .. } | Piece::Expansion(_) => {
                if let Some(last) = found.last_mut() {
                    last.push(piece);
                }
            }
            Piece::Literal(literal) => {
                let mut rest = literal.as_str();
                while let Some(at) = cut(rest, calm) {
                    if let Some(last) = found.last_mut() {
                        last.push_literal(&rest[..at]);
                    }
                    found.push(ShellText::default());
                    rest = rest[at..].trim_start_matches(|c: char| c == ' ' || c == '\t' || (calm && is_loud(c)));
                }
                if let Some(last) = found.last_mut() {
                    last.push_literal(rest);
                }
            }
        }
    }
    found.into_iter().map(|text| trimmed(&text)).filter(|text| !text.pieces().is_empty()).collect()
}

fn is_loud(c: char) -> bool {
    matches!(c, '"' | '\\' | '$' | '`' | '!')
}

fn cut(text: &str, calm: bool) -> Option<usize> {
    let blanks = text.find("  ").into_iter().chain(text.find('\t'));
    blanks.chain(text.find(is_loud).filter(|_| calm)).min()
}

/// Without blanks at its ends, which may be missing in the output.
fn trimmed(text: &ShellText) -> ShellText {
    let mut out = ShellText::default();
    let last = text.pieces().len().saturating_sub(1);
    for (at, piece) in text.pieces().iter().enumerate() {
        match piece {
            Piece::Literal(literal) => {
                let literal = if at == 0 { literal.trim_start() } else { literal };
                out.push_literal(if at == last { literal.trim_end() } else { literal });
            }
            piece => out.push(piece),
        }
    }
    out
}

/// How much a stretch tells: letters, and a fair number for a value.
fn weight(text: &ShellText) -> usize {
    text.pieces().iter().map(|piece| if let Piece::Literal(text) = piece { text.chars().count() } else { 10 }).sum()
}
