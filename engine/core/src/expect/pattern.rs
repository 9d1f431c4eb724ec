//! Reading the text of `lines`: literal text, tokens, `[..]` and `...`.
//!
//! Tokens are read here, before templates are filled in. A value that comes in later is therefore never a wildcard,
//! whatever it holds. Nothing between `{{` and `}}` is read as part of the pattern: it belongs to the template.

use std::ops::Range;

use super::line::{Atom, LineError};
use super::sequence::{Item, Lines};
use super::token::{self, Token};

/// The longest pattern, in bytes.
const MAX_BYTES: usize = 256 * 1_024;

/// A pattern of lines whose templates are not filled in yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    elements: Vec<Element>,
}

/// A part of a pattern, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Element {
    /// Text with its templates whole and its escapes undone; may span lines.
    Text(String),
    /// A value that is left open.
    Token { token: Token, name: Option<String> },
    /// `[..]`: any text within the line.
    Any,
    /// `...` alone on a line: any lines. The line break after it belongs to it.
    AnyLines,
}

/// A part of a pattern, for those who say the same in another notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternPart<'a> {
    /// Text with its templates whole and its escapes undone; may span lines.
    Text(&'a str),
    /// A value that is left open.
    Token {
        /// What it takes.
        token: Token,
        /// What it is kept under.
        name: Option<&'a str>,
    },
    /// `[..]`: any text within the line.
    Any,
    /// `...` alone on a line: any lines. The line break after it belongs to it.
    AnyLines,
}

/// Something in a pattern that is read as plain text and was probably meant otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternWarning {
    /// Text between brackets that is nearly a token.
    #[error(
        "`{written}` is read as plain text; did you mean `[{meant}]`? write `\\{written}` if it is meant as it stands"
    )]
    NearMiss {
        /// Where, in bytes of the pattern.
        range: Range<usize>,
        /// What is written, with its brackets.
        written: String,
        /// The name that it resembles, without brackets.
        meant: String,
    },
    /// A token whose capture is not a name.
    #[error(
        "`{written}` is read as plain text, since a capture's name is made of letters, digits and `_` and starts with \
         a letter or `_`; write `\\{written}` if it is meant as it stands"
    )]
    CaptureName {
        /// Where, in bytes of the pattern.
        range: Range<usize>,
        /// What is written, with its brackets.
        written: String,
    },
}

impl PatternWarning {
    /// Where it stands, in bytes of the pattern.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        match self {
            Self::NearMiss { range, .. } | Self::CaptureName { range, .. } => range.clone(),
        }
    }
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A wildcard stands between the start and the end of a template's block.
    #[error("`{written}` stands inside a template's block; a block cannot hold parts of a pattern")]
    InsideBlock {
        /// Where, in bytes of the pattern.
        range: Range<usize>,
        /// The wildcard.
        written: String,
    },
    /// The pattern is longer than 256 KiB.
    #[error("the pattern is {bytes} bytes long; at most {MAX_BYTES} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Why a pattern's templates could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError<E> {
    /// A template could not be rendered.
    #[error("{0}")]
    Render(E),
    /// A line of the pattern is too large to be compiled.
    #[error(transparent)]
    Line(#[from] LineError),
}

impl Pattern {
    /// Reads the tokens of a pattern. Line ends may be LF or CRLF; blank lines at the end do not count.
    ///
    /// # Errors
    ///
    /// [`PatternError::InsideBlock`] for a token within `{{#if}}…{{/if}}`, [`PatternError::TooLong`] beyond 256 KiB.
    pub fn parse(raw: &str) -> Result<(Self, Vec<PatternWarning>), PatternError> {
        if raw.len() > MAX_BYTES {
            return Err(PatternError::TooLong { bytes: raw.len() });
        }
        let mut reader =
            Reader { raw, at: 0, text: String::new(), depth: 0, elements: Vec::new(), warnings: Vec::new() };
        reader.run()?;
        Ok((Self { elements: reader.elements }, reader.warnings))
    }

    /// The pattern that matches exactly this text, up to blanks.
    #[must_use]
    pub fn escape(text: &str) -> String {
        let lines = text.split('\n').map(|line| {
            let start = line.len() - line.trim_start_matches(BLANKS).len();
            let (indent, rest) = line.split_at(start);
            let dots = if is_escaped_dots(rest) { "\\" } else { "" };
            format!("{indent}{dots}{}", rest.replace('[', "\\["))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Fills in the templates and compiles the lines. `render` gets every stretch of text that holds a template.
    ///
    /// # Errors
    ///
    /// [`FillError::Render`] with what `render` said; [`FillError::Line`] if a line has too many tokens to be compiled.
    pub fn fill<E>(&self, render: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Lines, FillError<E>> {
        let mut items = Vec::new();
        let mut line: Option<Vec<Atom>> = None;
        for element in &self.elements {
            match element {
                Element::Text(text) => {
                    let filled =
                        if text.contains("{{") { render(text).map_err(FillError::Render)? } else { text.clone() };
                    for (i, part) in filled.replace("\r\n", "\n").split('\n').enumerate() {
                        if i > 0 {
                            items.push(Item::line(line.take().unwrap_or_default())?);
                        }
                        if !part.is_empty() {
                            Atom::push_text(line.get_or_insert_default(), part);
                        }
                    }
                }
                Element::Token { token, name } => {
                    line.get_or_insert_default().push(Atom::Token { token: *token, name: name.clone() });
                }
                Element::Any => line.get_or_insert_default().push(Atom::Any),
                Element::AnyLines => {
                    if let Some(atoms) = line.take() {
                        items.push(Item::line(atoms)?);
                    }
                    items.push(Item::AnyLines);
                }
            }
        }
        if let Some(atoms) = line {
            items.push(Item::line(atoms)?);
        }
        Ok(Lines::new(items))
    }

    /// A text that the pattern takes, for a reader: each token is an example, the same where a name stands twice;
    /// `[..]` is nothing, and `...` stays as it is. `render` gets every stretch of text that holds a template.
    ///
    /// # Errors
    ///
    /// What `render` said.
    pub fn example<E>(&self, render: &mut impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
        let mut text = String::new();
        let mut named: Vec<(&str, &'static str)> = Vec::new();
        let mut counts: Vec<Token> = Vec::new();
        for element in &self.elements {
            match element {
                Element::Text(part) if part.contains("{{") => text.push_str(&render(part)?),
                Element::Text(part) => text.push_str(part),
                Element::Any => {}
                Element::AnyLines => text.push_str("...\n"),
                Element::Token { token, name } => {
                    let known = name.as_deref().and_then(|name| named.iter().find(|(known, _)| *known == name));
                    let example = known.map_or_else(
                        || token.example(counts.iter().filter(|before| *before == token).count()),
                        |(_, example)| example,
                    );
                    if known.is_none() {
                        counts.push(*token);
                        named.extend(name.as_deref().map(|name| (name, example)));
                    }
                    text.push_str(example);
                }
            }
        }
        Ok(text)
    }

    /// Whether the pattern leaves nothing open, so that its only example is what it asks for.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.elements.iter().all(|element| matches!(element, Element::Text(_)))
    }

    /// The names that the pattern captures, in order, each once.
    #[must_use]
    pub fn captures(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in self.parts() {
            if let PatternPart::Token { name: Some(name), .. } = part
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    /// What the pattern is made of, in order.
    pub fn parts(&self) -> impl Iterator<Item = PatternPart<'_>> {
        self.elements.iter().map(|element| match element {
            Element::Text(text) => PatternPart::Text(text),
            Element::Token { token, name } => PatternPart::Token { token: *token, name: name.as_deref() },
            Element::Any => PatternPart::Any,
            Element::AnyLines => PatternPart::AnyLines,
        })
    }

    /// Whether nothing stands in the pattern but `...`, `[..]` and blanks, so that it asks for nothing in particular.
    #[must_use]
    pub fn asserts_nothing(&self) -> bool {
        self.elements.iter().all(|element| match element {
            Element::Text(text) => text.trim().is_empty(),
            Element::Token { .. } => false,
            Element::Any | Element::AnyLines => true,
        }) && self.elements.iter().any(|element| !matches!(element, Element::Text(_)))
    }
}

/// What may stand at both ends of a line without meaning.
const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// Whether a line is dots that must be, or are, escaped.
fn is_escaped_dots(line: &str) -> bool {
    line.trim_end_matches(BLANKS).trim_start_matches('\\') == "..."
}

/// One pass over a pattern.
struct Reader<'a> {
    raw: &'a str,
    at: usize,
    text: String,
    /// How many blocks of the template are open.
    depth: usize,
    elements: Vec<Element>,
    warnings: Vec<PatternWarning>,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), PatternError> {
        let mut line_start = true;
        loop {
            if std::mem::take(&mut line_start) && self.dots()? {
                line_start = true;
                continue;
            }
            let rest = self.rest();
            let Some(c) = rest.chars().next() else { break };
            if rest.starts_with("{{") {
                self.template();
            } else if rest.starts_with("\\[") {
                self.text.push('[');
                self.at += 2;
            } else if c == '[' {
                self.bracket()?;
            } else if rest.starts_with("\r\n") {
                self.at += 1;
            } else {
                self.text.push(c);
                self.at += c.len_utf8();
                line_start = c == '\n';
            }
        }
        self.flush();
        Ok(())
    }

    fn rest(&self) -> &str {
        &self.raw[self.at..]
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.elements.push(Element::Text(std::mem::take(&mut self.text)));
        }
    }

    /// At the start of a line: takes a line that is `...`, or the backslash of one that is escaped.
    fn dots(&mut self) -> Result<bool, PatternError> {
        let rest = self.rest();
        let end = rest.find('\n').unwrap_or(rest.len());
        let line = &rest[..end];
        let indent = line.len() - line.trim_start_matches(BLANKS).len();
        let body = line.trim_matches(BLANKS);
        if body == "..." {
            let start = self.at + indent;
            let length = if end < rest.len() { end + 1 } else { end };
            self.wildcard(start..start + body.len(), Element::AnyLines)?;
            self.at += length;
            return Ok(true);
        }
        if is_escaped_dots(body) {
            let indent = line[..indent].to_owned();
            self.at += indent.len() + 1;
            self.text.push_str(&indent);
        }
        Ok(false)
    }

    /// Takes a `{{…}}` whole, and keeps count of blocks.
    fn template(&mut self) {
        let rest = self.rest();
        let close = if rest.starts_with("{{!--") || rest.starts_with("{{~!--") {
            "--}}"
        } else if rest.starts_with("{{{") {
            "}}}"
        } else {
            "}}"
        };
        let length = rest.find(close).map_or(rest.len(), |at| at + close.len());
        let span = rest[..length].to_owned();
        let inside = span.trim_start_matches(['{', '~', ' ']);
        if inside.starts_with('#')
            || (inside.starts_with('^') && !inside.trim_start_matches('^').starts_with(['}', '~']))
        {
            self.depth += 1;
        } else if inside.starts_with('/') {
            self.depth = self.depth.saturating_sub(1);
        }
        self.text.push_str(&span);
        self.at += length;
    }

    /// Takes a token or `[..]`, or else the bracket alone.
    fn bracket(&mut self) -> Result<(), PatternError> {
        let rest = self.rest();
        let inside = rest[1..].find([']', '[', '\n', '{']).filter(|end| rest.as_bytes()[1 + *end] == b']');
        if let Some(inside) = inside.map(|end| rest[1..=end].to_owned()) {
            let range = self.at..self.at + inside.len() + 2;
            if let Some(element) = wildcard_named(&inside) {
                self.wildcard(range.clone(), element)?;
                self.at = range.end;
                return Ok(());
            }
            let written = format!("[{inside}]");
            let token = inside.split(':').next().unwrap_or_default();
            if Token::named(token).is_some() {
                self.warnings.push(PatternWarning::CaptureName { range, written });
            } else if let Some(meant) = token::nearest(&inside) {
                self.warnings.push(PatternWarning::NearMiss { range, written, meant: meant.to_owned() });
            }
        }
        self.text.push('[');
        self.at += 1;
        Ok(())
    }

    fn wildcard(&mut self, range: Range<usize>, element: Element) -> Result<(), PatternError> {
        if self.depth > 0 {
            let written = self.raw[range.clone()].to_owned();
            return Err(PatternError::InsideBlock { range, written });
        }
        self.flush();
        self.elements.push(element);
        Ok(())
    }
}

/// The wildcard that the text between two brackets names exactly.
fn wildcard_named(inside: &str) -> Option<Element> {
    if inside == ".." {
        return Some(Element::Any);
    }
    let (token, name) = match inside.split_once(':') {
        Some((token, name)) if is_name(name) => (token, Some(name.to_owned())),
        Some(_) => return None,
        None => (inside, None),
    };
    Token::named(token).map(|token| Element::Token { token, name })
}

/// Whether a text may name a capture.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
